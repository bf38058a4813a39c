import { describe, expect, it } from "vitest"
import { encodeRun } from "../../../core/machine/run/index.ts"
import type { Json, JsonObject } from "../../../sdk/json.ts"
import { Driver, RUN, single } from "./driver.ts"

const at = (step_id: string, fields: JsonObject = {}) => [step_id, { kind: "step", step_id, ...fields }] as const
const loop = (id: string, until: JsonObject, nodes: ReadonlyArray<unknown>, fields: JsonObject = {}) =>
  [id, { kind: "repeat_until", loop_id: id, max_iterations: 5, until, body: { nodes }, ...fields }] as const

const passes = { op: "eq", path: "steps.review.passes", value: true }
const always = { op: "and", exprs: [] }
const never = { op: "or", exprs: [] }

const reviewLoop = {
  steps: {
    setup: single(),
    review: single(),
    revise: single({ condition: { op: "not", expr: passes }, message: "because {{ steps.review.passes }}" }),
    finalize: single({ condition: passes, message: "{{ loops.fix.iterations.0.steps.review.passes }}" })
  },
  nodes: [
    at("setup"),
    loop("fix", passes, [at("review"), at("revise", { depends_on: ["review"] })], { depends_on: ["setup"] }),
    at("finalize", { depends_on: ["fix"] })
  ]
}

describe("loops", () => {
  it("flows/71 flows/74 a body runs until its condition holds, and what follows sees the last iteration", () => {
    const run = new Driver(reviewLoop).start().complete("setup", 1)
    run.complete("fix", { passes: false })
    expect(run.turn("fix/revise").dispatch.content).toBe("because false")
    run.complete("fix/revise", 1).complete("fix", { passes: true })
    expect(run.turn("finalize").dispatch.content).toBe("false")
    expect(run.complete("finalize", "\"end\"").status).toBe("completed")
    expect(run.factsOf("body_started").map((it) => it.iteration)).toEqual([0, 1])
    expect(run.eventsOf("step_completed").map((it) => it["step_id"])).toEqual([
      "setup",
      "review",
      "revise",
      "review",
      "finalize"
    ])
    expect(run.record.output).toEqual({ steps: { setup: 1, review: { passes: true }, revise: 1, finalize: "end" } })
  })

  it("a step inside a loop that ran once and was skipped once is no skipped step", () => {
    const run = new Driver(reviewLoop).start().complete("setup", 1).complete("fix", { passes: false })
    run.complete("fix/revise", 1).complete("fix", { passes: true }).complete("finalize", 1)
    expect(run.eventsOf("step_skipped")).toEqual([])
    const once = new Driver(reviewLoop).start().complete("setup", 1).complete("fix", { passes: true }).complete(
      "finalize",
      1
    )
    expect(once.eventsOf("step_skipped").map((it) => it["step_id"])).toEqual(["revise"])
    expect(once.events.at(-1)?.["type"]).toBe("flow_completed")
  })

  it("flows/87 frames and inputs of bodies are named by their place and iteration", () => {
    const run = new Driver(reviewLoop).start().complete("setup", 1).complete("fix", { passes: false }).complete(
      "fix/revise",
      1
    )
    expect(run.factsOf("step_started").at(-1)?.frame).toBe(`${RUN}-root::fix::iter-1`)
    expect(run.turn().dispatch.input).toBe(`${RUN}/fix/review/1/w-1/1`)
  })

  it("flows/72 nested loops whose conditions hold at once run once each", () => {
    const run = new Driver({
      steps: { a: single(), b: single() },
      nodes: [loop("outer", always, [loop("inner", always, [at("a")]), at("b", { depends_on: ["inner"] })])]
    }).start()
    expect(run.turn().dispatch.input).toBe(`${RUN}/outer/inner/a/0.0/w-1/1`)
    run.complete("outer/inner", 1)
    expect(run.turn().dispatch.input).toBe(`${RUN}/outer/b/0/w-1/1`)
    expect(run.complete("outer", 1).status).toBe("completed")
  })

  it("an inner loop starts again in each outer iteration, and its paths show the present one", () => {
    const run = new Driver({
      steps: { a: single(), b: single({ message: "{{ loops.inner.iterations.0.steps.a }} {{ steps.a }}" }) },
      nodes: [loop("outer", { op: "eq", path: "steps.b", value: 2 }, [
        loop("inner", { op: "gt", path: "steps.a", value: 9 }, [at("a")]),
        at("b", { depends_on: ["inner"] })
      ])]
    }).start()
    run.complete("outer", 1).complete("outer", 10)
    expect(run.turn().dispatch.content).toBe("1 10")
    run.complete("outer", 1).complete("outer", 20)
    expect(run.turn().dispatch.content).toBe("20 20")
    expect(run.complete("outer", 2).status).toBe("completed")
  })

  it("flows/75 inside a body the present iteration's output is seen, not the previous one's", () => {
    const run = new Driver({
      steps: { a: single(), b: single({ message: "{{ steps.a }}" }) },
      nodes: [loop("l", { op: "eq", path: "steps.b", value: "end" }, [at("a"), at("b", { depends_on: ["a"] })])]
    }).start()
    run.complete("l", 1)
    expect(run.turn().dispatch.content).toBe("1")
    run.complete("l", "\"on\"").complete("l", 2)
    expect(run.turn().dispatch.content).toBe("2")
    expect(run.complete("l", "\"end\"").status).toBe("completed")
  })

  it("flows/86 a guard on the prior iteration lets iteration 0 run", () => {
    const guard = { op: "not", expr: { op: "eq", path: "steps.b", value: false } }
    const run = new Driver({
      steps: { a: single({ condition: guard }), b: single() },
      nodes: [
        loop("l", never, [at("a"), at("b", { depends_on: ["a"], depends_on_mode: "all" })], { max_iterations: 2 })
      ]
    }).start()
    run.complete("l", 1)
    run.complete("l", false)
    expect(run.status).toBe("failed")
    expect(run.eventsOf("step_completed").map((it) => it["step_id"])).toEqual(["a", "b"])
  })

  it("flows/76 a loop that never holds is exhausted, and its node and run fail", () => {
    const run = new Driver({ steps: { a: single() }, nodes: [loop("l", never, [at("a")], { max_iterations: 3 })] })
      .start()
    run.complete("l", 1).complete("l", 1).complete("l", 1)
    expect(run.record.reason).toContain("loop 'l' exhausted after 3 iterations")
    expect(run.status).toBe("failed")
    const tolerated = loop("l", never, [at("a")], { max_iterations: 1, failure_policy: "continue" })
    expect(new Driver({ steps: { a: single() }, nodes: [tolerated] }).start().complete("l", 1).status).toBe("completed")
  })

  it("flows/77 one failed body ends the loop", () => {
    const run = new Driver({ steps: { a: single({ role: "nobody" }) }, nodes: [loop("l", always, [at("a")])] }).start()
    expect(run.factsOf("body_started")).toHaveLength(1)
    expect(run.record.steps["a"]?.status).toBe("failed")
    expect(run.record.reason).toContain("loop 'l' iteration 0 failed")
    expect(run.eventsOf("step_failed")).toHaveLength(1)
  })

  it("flows/78 an empty body goes on without stalling, however often", () => {
    const nodes = [loop("l", never, [], { max_iterations: 2_000 })]
    const run = new Driver({ steps: {}, nodes })
    run.thorough = false
    expect(run.start().record.reason).toContain("exhausted after 2000 iterations")
    expect(new Driver({ steps: {}, nodes: [loop("l", always, [])] }).start().status).toBe("completed")
  })

  it("flows/79 a loop that is nested too deep ends the run", () => {
    const nodes = [loop("outer", always, [loop("inner", always, [at("a")])])]
    const run = new Driver({ steps: { a: single() }, nodes, limits: { max_frame_depth: 1 } }).start()
    expect(run.record.reason).toBe("loop 'inner' would exceed max_frame_depth=1 (current depth=1)")
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "frame_depth" })
  })

  it("flows/81 a loop holds no slot: its body runs when max_active_nodes is 1", () => {
    const run = new Driver({
      steps: { a: single(), b: single() },
      nodes: [at("b"), loop("l", always, [at("a")])],
      limits: { max_active_nodes: 1 }
    }).start()
    expect(run.turns()).toHaveLength(1)
    expect(run.factsOf("body_started")).toHaveLength(1)
    while (run.turns().length > 0) run.outcome(run.turn(), { status: "completed", output: "1" })
    expect(run.status).toBe("completed")
  })

  it("flows/82 at most max_active_frames bodies are open", () => {
    const run = new Driver({
      steps: { a: single(), b: single() },
      nodes: [loop("l", always, [at("a")]), loop("m", always, [at("b")])],
      limits: { max_active_frames: 1 }
    }).start()
    expect(run.turns()).toHaveLength(1)
    run.complete("l", 1)
    expect(run.complete("m", 1).status).toBe("completed")
  })

  it("flows/83 frames with ready nodes take turns, one node each", () => {
    const ids = ["a", "a2", "a3", "b", "b2", "b3"]
    const run = new Driver({
      steps: Object.fromEntries(ids.map((id) => [id, single()])),
      nodes: [loop("l", always, [at("a"), at("a2"), at("a3")]), loop("m", always, [at("b"), at("b2"), at("b3")])],
      limits: { max_active_nodes: 1 }
    }).start()
    const order: Array<string> = []
    while (run.turns().length > 0) {
      order.push(run.turn().dispatch.input.split("/")[2] ?? "")
      run.outcome(run.turn(), { status: "completed", output: "1" })
    }
    expect(order).toEqual(["a", "a2", "b", "a3", "b2", "b3"])
  })

  it("flows/85 sibling loops keep their own iterations, and a join sees the last of both", () => {
    const until = (step: string) => ({ op: "eq", path: `steps.${step}`, value: 2 })
    const run = new Driver({
      steps: {
        a: single(),
        b: single(),
        join: single({ message: "{{ steps.a }} {{ steps.b }} {{ loops.m.iterations.0.steps.b }}" })
      },
      nodes: [
        loop("l", until("a"), [at("a")]),
        loop("m", until("b"), [at("b")]),
        at("join", { depends_on: ["l", "m"] })
      ]
    }).start()
    run.complete("l", 1).complete("m", 1).complete("m", 2).complete("l", 2)
    expect(run.turn("join").dispatch.content).toBe("2 2 1")
  })

  it("an until condition that faults ends the run", () => {
    const until = { op: "gt", path: "steps.a", value: 1 }
    const run = new Driver({ steps: { a: single() }, nodes: [loop("l", until, [at("a")])] }).start().complete(
      "l",
      "\"text\""
    )
    expect(run.record.reason).toContain("condition evaluation failed at loop 'l' until condition: gt cannot compare")
  })

  it("flows/80 flows/125 a loop goes on from its stored state", () => {
    const run = new Driver(reviewLoop).start().complete("setup", 1).complete("fix", { passes: false }).reload()
    expect(run.turn().dispatch.input).toBe(`${RUN}/fix/revise/0/w-1/1`)
    run.complete("fix", 1).reload().complete("fix", { passes: true }).reload().complete("finalize", 1)
    expect(run.status).toBe("completed")
    expect(run.factsOf("body_started")).toHaveLength(2)
    const stored = encodeRun(run.run) as { readonly [key: string]: Json }
    expect(stored["pending_loops"]).toEqual([])
  })
})
