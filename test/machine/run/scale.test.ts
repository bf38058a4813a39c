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

/** Runs a flow whose members answer at once; nothing is checked on the way, for it is the size that is looked at. */
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
  for (let next = 0; next < queue.length; next++) {
    const { input, fence } = queue[next]!
    send({ type: "outcome", input, fence, outcome: { status: "completed", output: "1" } })
  }
  return { phase: state?.phase, turns: queue.length, longest }
}

const isStepFact = (fact: RunFact): boolean => fact.type !== "created" && fact.type !== "run_completed"

/** Plays it to its end. */
const whole = (plan: FlowPlan, members: number, params: Json = {}) => {
  const played = play(plan, members, params)
  expect(played.phase).toBe("completed")
  return played
}

const items = (length: number): Json => ({ list: Array.from({ length }, (_, index) => index) })

describe("the longest fact of a step", () => {
  it("is as long with 500 items as with 10,000", () => {
    const each = planOf({
      steps: { a: step({ dispatch_mode: "each", items: "{{ params.list }}", message: "{{ item }}" }) }
    })
    const few = whole(each, 50, items(500))
    const many = whole(each, 50, items(10_000))
    expect(many.turns).toBe(10_000)
    expect(many.longest).toBeLessThan(few.longest + 10)
  })

  it("is as long in a run of 250 steps as of 5,000, and in a join of as many", () => {
    const wide = (size: number) => {
      const ids = Array.from({ length: size }, (_, index) => `s${index}`)
      return planOf({
        steps: { ...Object.fromEntries(ids.map((id) => [id, single()])), join: single({ depends_on: ids }) }
      })
    }
    const few = whole(wide(250), 1)
    const many = whole(wide(5_000), 1)
    expect(many.longest).toBeLessThan(few.longest + 10)
  })

  it("is as long among 100 targets as among 5,000", () => {
    const fan = planOf({ steps: { a: step() } })
    const few = whole(fan, 100)
    const many = whole(fan, 5_000)
    expect(many.longest).toBeLessThan(few.longest + 20)
  })
})
