import { describe, expect, it } from "vitest"
import type { MobCommand } from "../../../core/machine/mob/index.ts"
import { admission, id, type Mob, mob, run, spawn } from "./fixtures.ts"

/** A mob in each phase; the destroyed ones while destruction is under way, and after it. */
const phases = {
  running: () => mob("w-1"),
  stopped: () => {
    const made = mob("w-1")
    made.do({ type: "stop", ended: [] })
    return made
  },
  completed: () => {
    const made = mob("w-1")
    made.do({ type: "complete" })
    return made
  },
  destroying: () => {
    const made = mob("w-1")
    made.do({ type: "destroy" })
    return made
  },
  destroyed: () => {
    const made = mob()
    made.do({ type: "destroy" })
    return made
  }
} satisfies Record<string, () => Mob>

type PhaseName = keyof typeof phases

const commands: ReadonlyArray<readonly [string, MobCommand, ReadonlyArray<PhaseName>]> = [
  ["spawn", spawn("w-9"), ["running"]],
  ["retire", { type: "retire", identity: id("w-1") }, ["running", "stopped"]],
  ["submit", { type: "check_submit", identity: id("w-1") }, ["running"]],
  ["run_flow", admission("r-1"), ["running"]],
  ["stop", { type: "stop", ended: [] }, ["running"]],
  ["resume", { type: "resume" }, ["stopped"]],
  ["complete", { type: "complete" }, ["running"]],
  ["destroy", { type: "destroy" }, ["running", "stopped", "completed", "destroying"]]
]

const cells = commands.flatMap(([name, command, legal]) =>
  // The names are the keys of the object above.
  (Object.keys(phases) as Array<PhaseName>).map((phase) => [name, phase, command, legal.includes(phase)] as const)
)

describe("the legality matrix (spec members 5.32)", () => {
  it.each(cells)("%s in a mob that is %s", (_, phase, command, legal) => {
    expect(phases[phase]().refusal(command)).toBe(legal ? undefined : "invalid_transition")
  })

  it("a refusal names the mob and both phases", () => {
    const decision = phases.stopped().decide(spawn("w-9"))
    expect(decision).toMatchObject({ refused: true, facts: { mob: "audit", from: "stopped", to: "running" } })
  })

  it("a destroyed mob reports destroyed, destroyed", () => {
    const decision = phases.destroyed().decide({ type: "resume" })
    expect(decision).toMatchObject({ facts: { from: "destroyed", to: "destroyed" } })
  })

  it("members/8 the phase is checked before the member is looked up", () => {
    expect(phases.stopped().refusal({ type: "check_submit", identity: id("nobody") })).toBe("invalid_transition")
  })
})

describe("stop", () => {
  it("members/6 is refused while a run's committed phase is not terminal, and says how many are", () => {
    const audit = mob("w-1")
    audit.admit("r-1")
    expect(audit.decide({ type: "stop", ended: [] })).toMatchObject({
      code: "invalid_transition",
      facts: { reason: "1 run is active" }
    })
  })

  it("R9 releases a run that is over on disk although the mob has not heard of it", () => {
    const audit = mob("w-1")
    audit.admit("r-1")
    audit.do({ type: "stop", ended: [{ run_id: run("r-1"), status: "completed" }] })
    expect(audit.state).toMatchObject({ phase: "stopped" })
    expect(audit.state?.active.size).toBe(0)
  })

  it("R17 pauses the doors and leaves the members alive; resume lets them go on", () => {
    const audit = mob("w-1")
    audit.do({ type: "stop", ended: [] })
    expect(audit.told("w-1")).toEqual(["pause"])
    expect(audit.member("w-1").phase).toBe("active")
    audit.do({ type: "resume" })
    expect(audit.told("w-1")).toEqual(["resume"])
  })

  it("R17 pauses a door again before anything else when the mob is opened", () => {
    const audit = phases.stopped()
    audit.do({ type: "opened", at: 1, epoch: 2 })
    expect(audit.told("w-1")).toEqual(["pause", "incarnate", "mob_started"])
  })
})

describe("ending", () => {
  it("members/14 complete cancels runs and retires members; the last of them completes the mob", () => {
    const audit = mob("w-1")
    audit.admit("r-1")
    audit.do({ type: "complete" })
    expect(audit.sends).toContainEqual({ to: "run", run: "r-1", message: { type: "cancel" } })
    expect(audit.told("w-1")).toEqual(["retire"])
    audit.do({ type: "run_ended", run: run("r-1"), status: "canceled" })
    expect(audit.state?.ending).toBe(true)
    audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 0 })
    expect(audit.state).toMatchObject({ phase: "completed", ending: false })
    expect(audit.facts.map((fact) => fact.type).slice(-2)).toEqual(["member_retired", "mob_completed"])
  })

  it("a mob without runs and members is destroyed at once", () => {
    const audit = mob()
    expect(audit.do({ type: "destroy" }).facts.map((fact) => fact.type)).toEqual(["mob_ending", "mob_destroyed"])
  })

  it("a completion under way can be turned into a destruction", () => {
    const audit = phases.completed()
    audit.do({ type: "destroy" })
    audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 0 })
    expect(audit.state).toMatchObject({ phase: "destroyed", ending: false })
  })

  it("R1 an ending is driven again at each start: runs are canceled, members retired", () => {
    const audit = mob("w-1")
    audit.admit("r-1")
    audit.do({ type: "destroy" })
    audit.do({ type: "opened", at: 1, epoch: 2 })
    expect(audit.told("w-1")).toEqual(["retire"])
    expect(audit.sends.filter((send) => send.to === "run").map((send) => send.message.type)).toEqual([
      "start",
      "cancel"
    ])
  })

  it("no late completion of a run changes the phase", () => {
    const audit = mob("w-1")
    audit.admit("r-1")
    audit.do({ type: "complete" })
    audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 0 })
    audit.do({ type: "run_ended", run: run("r-1"), status: "completed" })
    audit.do({ type: "run_ended", run: run("r-1"), status: "completed" })
    expect(audit.state?.phase).toBe("completed")
  })
})

describe("a new definition of the same id", () => {
  it("23 takes effect, with the folder it now stands in; the same one is nothing new", () => {
    const audit = mob()
    expect(audit.do({ type: "revise", digest: "d1", base: "/audit" }).facts).toEqual([])
    audit.do({ type: "revise", digest: "d2", base: "/moved" })
    expect(audit.state).toMatchObject({ digest: "d2", base: "/moved" })
  })

  it("is refused by a mob that is destroyed", () => {
    expect(phases.destroyed().refusal({ type: "revise", digest: "d2", base: "/" })).toBe("invalid_transition")
  })
})
