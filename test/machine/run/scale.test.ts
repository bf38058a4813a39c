import { describe, expect, it } from "vitest"
import type { Dispatch } from "../../../core/machine/protocol.ts"
import {
  decideRun,
  evolveRun,
  type FlowPlan,
  nextDeadline,
  type RunCommand,
  type RunFact,
  type RunState
} from "../../../core/machine/run/index.ts"
import { MobId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import { member, planOf, rosterOf, RUN, single, step } from "./driver.ts"

/** Runs a flow whose members answer at once; nothing is checked on the way, for it is the cost that is looked at. */
const play = (plan: FlowPlan, members: number, params: Json = {}) => {
  const roster = rosterOf(Array.from({ length: members }, (_, index) => member(`w-${index}`)))
  const queue: Array<Dispatch> = []
  let state: RunState | undefined
  let longest = 0
  const send = (command: RunCommand) => {
    const decision = decideRun(plan, state, command, { now: 1_000, roster, orphanSlots: 8 })
    if (decision.refused) throw new Error(decision.message)
    for (const fact of decision.facts) {
      state = evolveRun(plan, state, fact)
      if (isStepFact(fact)) longest = Math.max(longest, JSON.stringify(fact).length)
    }
    for (const it of decision.sends) {
      if (it.to === "door" && it.message.type === "dispatch") queue.push(it.message.dispatch)
    }
    if (state !== undefined) nextDeadline(state)
  }
  send({ type: "create", run_id: RUN, mob_id: MobId.make("mob"), key: "key", params })
  const { user } = process.cpuUsage()
  for (let next = 0; next < queue.length; next++) {
    const { input, fence } = queue[next]!
    send({ type: "outcome", input, fence, outcome: { status: "completed", output: "1" } })
  }
  const micros = process.cpuUsage().user - user
  return { phase: state?.phase, turns: queue.length, cost: micros / queue.length, longest }
}

const isStepFact = (fact: RunFact): boolean => fact.type !== "created" && fact.type !== "run_completed"

const best = (plan: FlowPlan, members: number, params: Json = {}) => {
  const plays = [1, 2, 3].map(() => play(plan, members, params))
  expect(plays.every((it) => it.phase === "completed")).toBe(true)
  return plays.reduce((a, b) => a.cost < b.cost ? a : b)
}

const items = (length: number): Json => ({ list: Array.from({ length }, (_, index) => index) })

describe("cost", () => {
  it("an outcome costs about the same in a step of 500 items and of 10,000", () => {
    const each = planOf({
      steps: { a: step({ dispatch_mode: "each", items: "{{ params.list }}", message: "{{ item }}" }) }
    })
    const few = best(each, 50, items(500))
    const many = best(each, 50, items(10_000))
    expect(many.turns).toBe(10_000)
    expect(many.cost).toBeLessThan(few.cost * 5)
    expect(many.longest).toBeLessThan(few.longest + 10)
  })

  it("an outcome costs about the same in a run of 250 steps and of 5,000, and in a join of as many", () => {
    const wide = (size: number) => {
      const ids = Array.from({ length: size }, (_, index) => `s${index}`)
      return planOf({
        steps: { ...Object.fromEntries(ids.map((id) => [id, single()])), join: single({ depends_on: ids }) }
      })
    }
    const few = best(wide(250), 1)
    const many = best(wide(5_000), 1)
    expect(many.cost).toBeLessThan(few.cost * 5)
    expect(many.longest).toBeLessThan(few.longest + 10)
  })

  it("an outcome costs about the same among 100 targets and among 5,000", () => {
    const fan = planOf({ steps: { a: step() } })
    const few = best(fan, 100)
    const many = best(fan, 5_000)
    expect(many.cost).toBeLessThan(few.cost * 5)
    expect(many.longest).toBeLessThan(few.longest + 20)
  })
})
