import { describe, expect, it } from "vitest"
import { Driver, RUN, single, step } from "./driver.ts"

const severity = (value: string) => ({ op: "eq", path: "params.severity", value })

const either = {
  critical: step({ branch: "fix", condition: severity("critical") }),
  minor: step({ branch: "fix", condition: severity("minor") }),
  join: step({ depends_on: ["critical", "minor"], depends_on_mode: "any" })
}

describe("dependencies", () => {
  it("flows/65 what depends on a failed step is skipped at once and never dispatched", () => {
    const run = new Driver({
      steps: { a: step(), b: step({ depends_on: ["a"] }), c: step({ depends_on: ["b"] }), d: step() }
    }).start()
    run.fail("a")
    expect(run.last.map((it) => it.type)).toEqual(["failed", "step_failed", "node_skipped", "node_skipped"])
    expect(run.record.steps["b"]).toEqual({ status: "skipped", reason: "dependency 'a' did not complete successfully" })
    expect(run.record.steps["c"]).toEqual({ status: "skipped", reason: "dependency 'b' was skipped" })
    expect(run.complete("d", "x").status).toBe("failed")
    expect(run.eventsOf("step_dispatched").map((it) => it["step_id"])).toEqual(["a", "d"])
  })

  it("flows/66 under any, a step is skipped when nothing it depends on completed", () => {
    const never = { condition: severity("never") }
    const run = new Driver({
      steps: { a: step(never), b: step(never), c: step({ depends_on: ["a", "b"], depends_on_mode: "any" }) }
    }).start({ severity: "x" })
    expect(run.record.steps["c"]).toEqual({ status: "skipped", reason: "no dependency completed" })
    expect(run.status).toBe("completed")
  })

  it("under any, one completed dependency is enough while others run", () => {
    const run = new Driver({
      steps: { a: step(), b: step(), c: step({ depends_on: ["a", "b"], depends_on_mode: "any" }) }
    }).start()
    run.complete("b", "x")
    expect(run.turns("c")).toHaveLength(1)
    run.fail("a").complete("c", "x")
    expect(run.record.steps["c"]?.status).toBe("completed")
  })

  it("flows/67 a step becomes ready when all it depends on has completed", () => {
    const run = new Driver({ steps: { b: step({ depends_on: ["a", "a2"] }), a: step(), a2: step() } }).start()
    expect(run.turns().map((it) => it.dispatch.input)).toEqual([`${RUN}/a/0/w-1/1`, `${RUN}/a2/0/w-1/1`])
    run.complete("a", "x")
    expect(run.turns("b")).toHaveLength(0)
    run.complete("a2", "x")
    expect(run.turns("b")).toHaveLength(1)
  })

  it("flows/62 a condition that is false skips its step once, and the run completes", () => {
    const run = new Driver({ steps: { a: step({ condition: severity("x") }), b: step({ depends_on: ["a"] }) } }).start({
      severity: "y"
    })
    expect(run.eventsOf("step_skipped", "a")).toEqual([
      { type: "step_skipped", run_id: RUN, step_id: "a", reason: "condition evaluated to false" }
    ])
    expect(run.eventsOf("step_skipped", "b")).toHaveLength(1)
    expect(run.status).toBe("completed")
  })

  it("a chain of thousands is skipped without recursion", () => {
    const ids = Array.from({ length: 3_000 }, (_, index) => `s${index}`)
    const steps = Object.fromEntries(
      ids.map((id, index) => [id, step(index === 0 ? {} : { depends_on: [`s${index - 1}`] })])
    )
    const run = new Driver({ steps })
    run.thorough = false
    run.start().fail("s0")
    expect(run.eventsOf("step_skipped")).toHaveLength(2_999)
    expect(run.status).toBe("failed")
  })
})

describe("branches", () => {
  it("flows/63 the member whose condition holds wins, the others are skipped, the join runs", () => {
    const run = new Driver({ steps: either }).start({ severity: "critical" })
    run.complete("critical", "x")
    expect(run.record.steps["minor"]).toEqual({ status: "skipped", reason: "branch winner already selected" })
    expect(run.complete("join", "x").status).toBe("completed")
  })

  it("flows/69 the last of three is tried when the conditions before it are false", () => {
    const route = (value: string) => step({ branch: "r", condition: { op: "eq", path: "params.route", value } })
    const run = new Driver({
      steps: {
        alpha: route("alpha"),
        beta: route("beta"),
        gamma: route("gamma"),
        after: step({ depends_on: ["alpha", "beta", "gamma"], depends_on_mode: "any" })
      }
    }).start({ route: "gamma" })
    run.complete("gamma", "x").complete("after", "x")
    expect(Object.values(run.record.steps).map((it) => it.status)).toEqual([
      "skipped",
      "skipped",
      "completed",
      "completed"
    ])
    expect(run.status).toBe("completed")
  })

  it("flows/64 the next member is tried when the first fails; the run fails all the same", () => {
    const always = { op: "and", exprs: [] }
    const run = new Driver({
      steps: {
        first: step({ branch: "b", condition: always }),
        second: step({ branch: "b", condition: always }),
        join: step({ depends_on: ["first", "second"], depends_on_mode: "any" })
      }
    }).start()
    expect(run.turns("second")).toHaveLength(0)
    run.fail("first").complete("second", "x").complete("join", "x")
    expect(run.eventsOf("step_failed").map((it) => it["step_id"])).toEqual(["first"])
    expect(run.eventsOf("step_completed").map((it) => it["step_id"])).toEqual(["second", "join"])
    expect(run.status).toBe("failed")
  })

  it("members of a branch never run at the same time", () => {
    const always = { op: "and", exprs: [] }
    const run = new Driver({
      steps: {
        one: step({ branch: "b", condition: always }),
        two: step({ branch: "b", condition: always }),
        three: step({ branch: "b", condition: always })
      }
    }).start()
    expect(run.turns()).toHaveLength(1)
    run.fail("one")
    expect(run.turns().map((it) => it.dispatch.input)).toEqual([`${RUN}/two/0/w-1/1`])
    run.complete("two", "x")
    expect(run.record.steps["three"]?.status).toBe("skipped")
  })

  it("flows/70 a failure that is tolerated stays failed and does not fail the run", () => {
    const flow = (failure_policy: string) => ({
      steps: {
        advice: step({ failure_policy }),
        fallback: step(),
        join: step({ depends_on: ["advice", "fallback"], depends_on_mode: "any" }),
        strict: step({ depends_on: ["advice"] })
      }
    })
    const run = new Driver(flow("continue")).start().fail("advice", "nothing to say").complete("fallback", "x")
      .complete("join", "x")
    expect(run.status).toBe("completed")
    expect(run.record.steps["advice"]).toEqual({ status: "failed", reason: "nothing to say" })
    expect(run.record.steps["strict"]?.status).toBe("skipped")
    expect(run.eventsOf("step_failed")).toHaveLength(1)
    const failing = new Driver(flow("escalate")).start().fail("advice").complete("fallback", "x").complete("join", "x")
    expect(failing.status).toBe("failed")
  })

  it("a tolerated failure may be said of the node or of its step", () => {
    const nodes = [["n", { kind: "step", step_id: "a" }]] as const
    const run = new Driver({ steps: { a: single({ failure_policy: "continue" }) }, nodes }).start().fail("n")
    expect(run.status).toBe("completed")
  })
})
