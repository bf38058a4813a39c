/**
 * The failures of protocol 28, played on the machines one step at a time; then everything goes on to its end.
 */
import { describe, expect, it } from "vitest"
import { DURABLE_REMOTE, MEMORY, NONE, step, work } from "./configurations.ts"
import { modelOf } from "./model.ts"
import { smallRuns } from "./run-owner.ts"
import type { Config, World } from "./world.ts"

/** Takes, for each line, the first action whose label starts with it; then makes progress to the end. */
const play = (config: Config, script: ReadonlyArray<string>): World => {
  const model = modelOf(config)
  let world = model.initial()
  for (const line of script) {
    const actions = model.actions(world)
    const action = actions.find(({ label }) => label.startsWith(line))
    if (action === undefined) throw new Error(`no "${line}" among\n${actions.map(({ label }) => label).join("\n")}`)
    world = action.next()
    expect(model.broken(world), line).toBeUndefined()
  }
  for (let steps = 0; steps < 1_000; steps++) {
    const next = model.actions(world).find(({ progress }) => progress)
    if (next === undefined) {
      expect(model.unfinished(world)).toBeUndefined()
      return world
    }
    world = next.next()
    expect(model.broken(world), next.label).toBeUndefined()
  }
  throw new Error("no end in sight")
}

/** A run whose only turn is running, everything before it committed and told. */
const running = [
  "open",
  "sync M{mob_opened}",
  "M>A0",
  "M>A0",
  "M>A0",
  "W0>A0",
  "client create0",
  "C>M",
  "sync M{run_admitted,created}",
  "load R0",
  "sync R0{node,dispatched}",
  "R0>A0"
]
const reported = [...running, "member 0 ends r0/n0/0/m0/1", "W0>A0"]

const phaseOf = (world: World) => (world.runs[0] === undefined ? undefined : smallRuns.view(world.runs[0]).phase)
const executions = (world: World) => Object.keys(world.effects).length

describe("28 the failures to test first", () => {
  it("a commit fails with an outcome in the tip: it is offered again, and the turn is not run again", () => {
    const world = play(step(NONE, { fail: 1 }), [
      ...reported,
      "A0>R0: {\"type\":\"outcome\"",
      "commit fails (lost) R0{completed"
    ])
    expect(phaseOf(world)).toBe("completed")
    expect(executions(world)).toBe(1)
  })

  it("a commit fails although its batch is on disk: the outcome is found, and settled all the same", () => {
    const world = play(step(DURABLE_REMOTE, { fail: 1 }), [
      ...reported,
      "A0>R0: {\"type\":\"outcome\"",
      "commit fails (durable) R0{completed"
    ])
    expect(phaseOf(world)).toBe("completed")
    expect(world.processes[0]?.kept).toEqual([])
  })

  it("a member crashes between outcome and settled", () => {
    const world = play(step(MEMORY, { member: 1 }), [...reported, "A0>R0: {\"type\":\"outcome\"", "member 0 crashes"])
    expect(phaseOf(world)).toBe("completed")
    expect(world.mob.members.get("m0" as never)).toMatchObject({ phase: "active", restarts: 1 })
  })

  it("a run crashes between outcome and settled", () => {
    const world = play(step(NONE, { runCell: 1 }), [
      ...reported,
      "A0>R0: {\"type\":\"outcome\"",
      "the cell of run 0 crashes"
    ])
    expect(phaseOf(world)).toBe("completed")
    expect(world.host?.members[0]?.door.entries.size).toBe(0)
  })

  it("an outcome comes twice", () => {
    const world = play(step(NONE, { duplicate: 1 }), [
      ...running,
      "member 0 ends r0/n0/0/m0/1",
      "again",
      "W0>A0",
      "A0>R0: {\"type\":\"outcome\""
    ])
    expect(phaseOf(world)).toBe("completed")
  })

  it("a run dispatches with a stale roster view: the member was born again meanwhile", () => {
    const world = play(step(NONE, { member: 1 }), [
      ...running.slice(0, -1),
      "member 0 crashes",
      "L0>A0",
      "A0>M",
      "sync M{member_crashed}",
      "restart of m0 is due",
      "sync M{member_incarnated}",
      "M>A0",
      "W0>A0",
      "R0>A0: {\"type\":\"dispatch\""
    ])
    expect(phaseOf(world)).toBe("completed")
    expect(world.dispatched).toEqual({ "r0/n0/0/m0/1": 3 })
  })

  it("the host is killed between the sync of a run's creation and the spawn of its cell", () => {
    const world = play(step(NONE, { crash: 1 }), [
      "open",
      "sync M{mob_opened}",
      "client create0",
      "C>M",
      "the host crashes (batch landed)"
    ])
    expect(phaseOf(world)).toBe("completed")
  })

  it("a submit is accepted, and the host is killed before the member hears of it", () => {
    const world = play(work(NONE, { crash: 1 }), [
      "open",
      "sync M{mob_opened}",
      "client submit0",
      "C>M",
      "M>A0",
      "M>A0",
      "M>A0",
      "M>A0: submit",
      "sync A0{work_accepted}",
      "the host crashes"
    ])
    expect(world.inboxes[0]?.ended.get("w")?.outcome).toMatchObject({ status: "completed" })
  })
})
