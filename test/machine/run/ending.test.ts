import { describe, expect, it } from "vitest"
import { nextDeadline, unfinished } from "../../../core/machine/run/index.ts"
import { Driver, Refused, RUN, step } from "./driver.ts"

const names = (run: Driver, type: string) => run.eventsOf(type).map((it) => it["step_id"])

describe("timeouts", () => {
  it("flows/88 a turn that never ends is left behind and its step fails", () => {
    const run = new Driver({
      steps: { a: step({ timeout_ms: 20 }) },
      limits: { max_step_retries: 3, max_orphaned_turns: 1 }
    }).start()
    expect(run.turn("a").dispatch.deadline).toBe(1_020)
    run.advance(20)
    expect(run.last.map((it) => it.type)).toEqual(["detached", "step_failed", "run_failed"])
    expect(run.eventsOf("step_target_failed").map((it) => it["reason"])).toEqual([
      "timeout after 20ms: w-1 has not ended its turn"
    ])
    expect(run.record.steps["a"]).toEqual({
      status: "failed",
      reason: "timeout after 20ms: w-1 has not ended its turn"
    })
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "step_timeout" })
    expect(run.held.get(`${RUN}/a/0/w-1/1`)?.detached).toBe(true)
    expect(run.eventsOf("step_dispatched")).toHaveLength(1)
  })

  it("a step may take 30 seconds when nothing is said", () => {
    expect(new Driver({ steps: { a: step() } }).start().turn("a").dispatch.deadline).toBe(31_000)
  })

  it("flows/89 without an orphan budget the first timeout ends the run", () => {
    const run = new Driver({ steps: { a: step({ timeout_ms: 20 }), b: step() }, limits: { max_orphaned_turns: 0 } })
    run.orphanSlots = 0
    run.start().advance(20)
    expect(run.record.reason).toBe("flow turn timeout with exhausted orphan budget or per-flow orphan limit")
    expect(run.eventsOf("step_target_failed", "a")).toHaveLength(1)
    expect(run.record.steps["b"]).toEqual({ status: "canceled" })
    expect(unfinished(run.run).map((it) => it.status)).toEqual(["detached", "detached"])
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "orphan_budget" })
  })

  it("the mob's free slots count over all timeouts of one tick", () => {
    const steps = { a: step({ timeout_ms: 20 }), b: step({ timeout_ms: 20 }), c: step() }
    const run = new Driver({ steps })
    run.orphanSlots = 1
    run.start().advance(20)
    expect(run.record.steps["a"]?.reason).toContain("timeout after 20ms")
    expect(run.record.reason).toContain("exhausted orphan budget")
  })

  it("flows/90 a run takes at most half of the mob's budget, and at least one slot", () => {
    const steps = Object.fromEntries(["a", "b", "c"].map((id, index) => [id, step({ timeout_ms: 20 + index })]))
    const run = new Driver({ steps, limits: { max_orphaned_turns: 4 } }).start()
    run.advance(21)
    expect(run.status).toBe("running")
    run.advance(1)
    expect(run.record.reason).toContain("exhausted orphan budget")
    const one = new Driver({ steps: { a: step({ timeout_ms: 20 }), b: step() }, limits: { max_orphaned_turns: 1 } })
      .start()
    expect(one.advance(20).status).toBe("running")
  })

  it("a slot is free again when its turn ended, or its member has a newer incarnation", () => {
    const steps = Object.fromEntries(["a", "b", "c"].map((id, index) => [id, step({ timeout_ms: 20 + index * 10 })]))
    const run = new Driver({ steps: { ...steps, d: step() }, limits: { max_orphaned_turns: 2 } }).start()
    run.advance(20)
    run.send({ type: "ended", input: run.factsOf("detached")[0]!.input })
    run.advance(10)
    expect(run.status).toBe("running")
    const [entry] = run.roster.members.values()
    run.members({ ...entry!, fence: 2 })
    for (const held of run.turns()) {
      run.send({ type: "reincarnated", input: held.dispatch.input, fence: 2, known: { state: "running" } })
    }
    run.advance(40)
    expect(run.record.steps["c"]?.reason).toContain("timeout after 40ms")
    expect(run.status).toBe("running")
  })

  it("flows/92 the flow's own deadline ends the run and nothing stays running", () => {
    const run = new Driver({ steps: { a: step() }, limits: { max_flow_duration_ms: 25 } }).start()
    expect(run.turn("a").dispatch.deadline).toBe(1_025)
    run.advance(25)
    expect(run.record.reason).toBe(`max flow duration exceeded for ${RUN}`)
    expect(run.record.steps["a"]).toEqual({ status: "canceled" })
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "flow_timeout" })
    expect(nextDeadline(run.run)).toBeUndefined()
  })

  it("a flow's deadline is wall time: a late tick says by how much", () => {
    const run = new Driver({ steps: { a: step() }, limits: { max_flow_duration_ms: 25 } }).start()
    run.now += 1_000
    run.send({ type: "tick" })
    expect(run.record.reason).toBe(`max flow duration exceeded for ${RUN} (+975ms)`)
  })

  it("an outcome past the flow's deadline starts nothing more", () => {
    const flow = { steps: { a: step(), b: step({ depends_on: ["a"] }) }, limits: { max_flow_duration_ms: 25 } }
    const run = new Driver(flow).start()
    run.now += 30
    run.complete("a", "x")
    expect(run.record.steps["a"]?.status).toBe("completed")
    expect(run.record.reason).toContain("max flow duration exceeded")
    expect(names(run, "step_dispatched")).toEqual(["a"])
  })

  it("a turn that ended in time is not timed out, and ticks before a deadline do nothing", () => {
    const run = new Driver({ steps: { a: step({ timeout_ms: 20 }), b: step() } }).start().complete("a", "x")
    run.now += 25
    run.send({ type: "tick" })
    expect(run.last).toEqual([])
  })

  it("a timeout of a target counts for its policy like any failure", () => {
    const flow = { steps: { a: step({ timeout_ms: 20, collection_policy: { type: "any" } }) } }
    const run = new Driver(flow, ["w-1", "w-2"]).start().complete("a", "x", "w-1")
    expect(run.advance(20).record.steps["a"]).toEqual({ status: "completed", output: "x" })
    expect(unfinished(run.run)).toMatchObject([{ target: "w-2", status: "detached" }])
  })
})

describe("endings", () => {
  it("flows/102 flows/103 a cancel settles everything in one decision, and members are not waited for", () => {
    const run = new Driver({ steps: { a: step(), b: step({ depends_on: ["a"] }) } }).start().send({ type: "cancel" })
    expect(run.last.map((it) => it.type)).toEqual(["detached", "node_canceled", "run_canceled"])
    expect(run.status).toBe("canceled")
    expect(run.record.steps).toEqual({ a: { status: "canceled" }, b: { status: "canceled" } })
    expect(names(run, "step_dispatched")).toEqual(["a"])
    expect(run.events.at(-1)).toEqual({
      type: "flow_canceled",
      run_id: RUN,
      flow_id: "main",
      cause: "cancel_requested"
    })
    expect(run.eventsOf("step_target_failed")).toEqual([])
    expect(run.sends.at(-1)).toEqual({ to: "mob", message: { type: "run_ended", run: RUN, status: "canceled" } })
  })

  it("a cancel without any orphan slot is a cancel all the same", () => {
    const run = new Driver({ steps: { a: step() }, limits: { max_orphaned_turns: 0 } })
    run.orphanSlots = 0
    expect(run.start().send({ type: "cancel" }).status).toBe("canceled")
  })

  it("flows/104 a cancel of a run that ended does nothing and is no refusal", () => {
    const run = new Driver({ steps: { a: step() } }).start().complete("a", "x").send({ type: "cancel" })
    expect(run.last).toEqual([])
    expect(run.status).toBe("completed")
    expect(run.eventsOf("flow_canceled")).toEqual([])
  })

  it("flows/105 whatever follows the end of a run, it has one terminal event", () => {
    const run = new Driver({ steps: { a: step(), b: step() } }).start()
    const late = run.turn("b")
    run.send({ type: "cancel" }).send({ type: "crashed", cause: "x" }).send({ type: "tick" }).send({
      type: "roster_changed"
    })
    run.outcome(late, { status: "completed", output: "late" })
    expect(run.events.filter((it) => String(it["type"]).match(/^flow_(completed|failed|canceled)$/))).toHaveLength(1)
    expect(run.status).toBe("canceled")
  })

  it("flows/108 no node runs after a cancel, inside loops neither", () => {
    const run = new Driver({
      steps: { a: step() },
      nodes: [["l", {
        kind: "repeat_until",
        loop_id: "l",
        max_iterations: 2,
        until: { op: "and", exprs: [] },
        body: { nodes: [["a", { kind: "step", step_id: "a" }]] }
      }]]
    }).start().send({ type: "cancel" })
    expect(run.record.steps).toEqual({ a: { status: "canceled" } })
    expect(run.factsOf("node_canceled").map((it) => it.node).sort()).toEqual(["a", "l"])
  })

  it("R10 a terminal run takes the end of a detached turn, and nothing else", () => {
    const run = new Driver({ steps: { a: step() } }).start()
    const { input } = run.turn("a").dispatch
    run.send({ type: "cancel" })
    run.send({ type: "outcome", input, fence: 1, outcome: { status: "completed", output: "late" } })
    expect(run.last).toEqual([{ v: 1, type: "ended", input, at: 1_000 }])
    expect(run.sends.at(-1)).toEqual({ to: "door", identity: "w-1", message: { type: "settled", input } })
    expect(unfinished(run.run)).toEqual([])
    run.send({ type: "ended", input })
    expect(run.last).toEqual([])
  })

  it("a run whose cell crashed too often fails RunCrashed", () => {
    const run = new Driver({ steps: { a: step() } }).start().send({ type: "crashed", cause: "out of luck" })
    expect(run.record.reason).toBe("RunCrashed: out of luck")
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "run_crashed" })
    expect(unfinished(run.run)).toMatchObject([{ status: "detached" }])
  })

  it("flows/111 what is done before a failure stays done, what is not is canceled", () => {
    const condition = { op: "eq", path: "params.gone", value: 1 }
    const run = new Driver({
      steps: {
        done: step(),
        hangs: step(),
        bad: step({ depends_on: ["done"], condition }),
        later: step({ depends_on: ["hangs"] })
      }
    }).start().complete("done", "x")
    expect(Object.values(run.record.steps).map((it) => it.status)).toEqual([
      "completed",
      "canceled",
      "failed",
      "canceled"
    ])
    expect(run.sends.at(-1)).toMatchObject({ to: "mob", message: { type: "run_ended", status: "failed" } })
  })

  it("a run exists once, and nothing is decided about one that does not", () => {
    const run = new Driver({ steps: { a: step() } }).start()
    expect(() => run.start()).toThrow("exists already")
    expect(() => new Driver({ steps: {} }).send({ type: "tick" })).toThrow(Refused)
  })
})
