/**
 * What a run stores in its newest version: facts by hand, so that each has all it can have, and heads of runs that the
 * machine drove there.
 */
import { encodeRun, type RunFact } from "../../../core/machine/run/index.ts"
import { FlowId, Identity, InputId, MobId, RunId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { Driver, member, rosterOf, single, step, type Written } from "../../machine/run/driver.ts"
import { telling } from "../coverage.ts"

const place = { frame: "r1-root", node: "draft", at: 1735732800000 }
const at = 1735732800250
const input = InputId.make("r1/draft/0/w-1/1")
const target = Identity.make("w-1")
const causes = [
  "step_error",
  "step_timeout",
  "schema_validation",
  "insufficient_targets",
  "topology_violation",
  "condition_error",
  "flow_timeout",
  "orphan_budget",
  "frame_depth",
  "run_crashed"
] as const
const ends = ["completed", "failed", "canceled"] as const

/** Facts of every type. */
export const runFacts: ReadonlyArray<RunFact> = [
  {
    v: 1,
    type: "created",
    run_id: RunId.make("r1"),
    mob_id: MobId.make("newsroom"),
    flow_id: FlowId.make("article"),
    digest: "0f".repeat(32),
    key: "monday",
    params: {
      topics: ["fences", "journals"],
      limit: 2.5,
      draft: true,
      editor: null,
      "ünicode 😀": { "10": 1, "9": 2 }
    },
    at
  },
  { v: 1, type: "started", at },
  { v: 1, type: "started", flow_deadline: at + 600_000, at },
  { v: 1, type: "step_started", ...place, content: "Write on fences.\n\u2028\"quoted\"", lanes: 2 },
  {
    v: 1,
    type: "step_started",
    ...place,
    content: [{ type: "text", text: "See the picture" }, { type: "image", media_type: "image/png", data: "aGVsbG8=" }],
    lanes: 1
  },
  { v: 1, type: "step_started", ...place, items: 3 },
  { v: 1, type: "topology_warned", from_role: "lead", to_role: "worker", at },
  { v: 1, type: "dispatched", input, target, fence: 7, deadline: at + 30_000, at },
  { v: 1, type: "redelivered", input, target, fence: 9, deadline: at + 60_000, at },
  { v: 1, type: "deferred", input, deadline: at + 90_000, at },
  { v: 1, type: "completed", input, fence: 9, output: "On fences.", at },
  { v: 1, type: "completed", input, fence: 9, output: { severity: "low", pages: [1, 2], none: null }, at },
  { v: 1, type: "failed", input, fence: 9, code: "no_ink", reason: "there is no ink", final: false, at },
  { v: 1, type: "failed", input, fence: 10, code: "no_ink", reason: "there is no ink", final: true, at },
  {
    v: 1,
    type: "reassigned",
    input,
    by: InputId.make("r1/draft/0/0/2"),
    code: "member_broken",
    reason: "it crashed too often",
    at
  },
  { v: 1, type: "item_failed", ...place, item: 2, reason: "no value at item.name" },
  { v: 1, type: "detached", input, cause: "timeout", reason: "no answer in 30000 ms", at },
  { v: 1, type: "detached", input, cause: "canceled", reason: "the run was canceled", at },
  { v: 1, type: "detached", input, cause: "failed", reason: "another target failed", at },
  { v: 1, type: "ended", input, at },
  { v: 1, type: "step_completed", ...place },
  ...causes.map((cause): RunFact => ({ v: 1, type: "step_failed", ...place, cause, reason: `because of ${cause}` })),
  { v: 1, type: "node_skipped", ...place, reason: "condition evaluated to false" },
  { v: 1, type: "node_canceled", ...place },
  { v: 1, type: "loop_started", ...place },
  { v: 1, type: "body_started", ...place, iteration: 0 },
  { v: 1, type: "body_ended", ...place, iteration: 0, status: "completed", until: false },
  { v: 1, type: "body_ended", ...place, iteration: 1, status: "completed", until: true },
  { v: 1, type: "body_ended", ...place, iteration: 2, status: "failed" },
  { v: 1, type: "body_ended", ...place, iteration: 3, status: "canceled" },
  ...ends.map((status): RunFact => ({ v: 1, type: "loop_ended", ...place, status })),
  { v: 1, type: "loop_ended", ...place, status: "failed", reason: "5 iterations and no end" },
  { v: 1, type: "run_completed", at },
  ...causes.map((cause): RunFact => ({ v: 1, type: "run_failed", cause, reason: `because of ${cause}`, at })),
  { v: 1, type: "run_canceled", at }
]

const node = (step_id: string, fields: object = {}) => [step_id, { kind: "step", step_id, ...fields }] as const
const loop = (id: string, until: Json, nodes: ReadonlyArray<unknown>, fields: object = {}) =>
  [id, { kind: "repeat_until", loop_id: id, max_iterations: 5, until, body: { nodes }, ...fields }] as const
const each = (fields: { readonly [name: string]: Json } = {}) =>
  step({ dispatch_mode: "each", items: "{{ params.items }}", message: "{{ item }}", ...fields })

const passes = { op: "eq", path: "steps.review", value: "passes" }

/** Loops of which one waits for its body, steps that wait for a place, a body within a body. */
const looping: Written = {
  steps: {
    draft: single({ message: [{ type: "text", text: "Draft" }, { type: "image", data: "aGVsbG8=" }] }),
    review: single(),
    revise: single({ condition: { op: "not", expr: passes } }),
    polish: single({ condition: { op: "eq", path: "steps.review", value: "passes" } }),
    proof: single(),
    count: single(),
    index: single(),
    print: single()
  },
  nodes: [
    node("draft"),
    loop("fix", passes, [
      node("review"),
      node("revise", { depends_on: ["review"], failure_policy: "continue" }),
      loop("shine", { op: "and", exprs: [] }, [node("polish")], { depends_on: ["revise"], depends_on_mode: "any" })
    ], { depends_on: ["draft"] }),
    loop("check", { op: "and", exprs: [] }, [node("proof")], { depends_on: ["draft"] }),
    loop("tally", { op: "and", exprs: [] }, [node("count")], { depends_on: ["draft"], failure_policy: "continue" }),
    node("index", { depends_on: ["draft"] }),
    node("print", { depends_on: ["fix", "check", "tally", "index"], depends_on_mode: "any" })
  ],
  limits: { max_active_frames: 2, max_active_nodes: 2, max_step_retries: 1, max_flow_duration_ms: 600_000 }
}

/** Items at several members, then one message for all of them. */
const spreading: Written = {
  steps: { set: each({ max_concurrency: 3 }), tell: step({ depends_on: ["set"] }) },
  limits: { max_step_retries: 2 }
}

/** Branches that wait for one another; one way is not taken. */
const branching: Written = {
  steps: {
    look: single(),
    slow: single({ depends_on: ["look"], branch: "fix", condition: { op: "eq", path: "steps.look", value: "bad" } }),
    fast: single({ depends_on: ["look"], branch: "fix", condition: { op: "eq", path: "steps.look", value: "good" } }),
    tell: single({ depends_on: ["slow", "fast"], depends_on_mode: "any" })
  }
}

/** A run, each time it stands still, while its turns are answered one after the other. */
const played = function*(run: Driver, answer: (turn: string) => Outcome): Generator<Driver> {
  while (run.status === "running" && run.turns().length > 0) {
    yield run
    const turn = run.turn()
    run.outcome(turn, answer(turn.dispatch.input))
  }
  yield run
}

const says = (value: Json): Outcome => ({ status: "completed", output: JSON.stringify(value) })
const noInk: Outcome = { status: "failed", code: "no_ink", reason: "no ink" }

const runs = function*(): Generator<Driver> {
  yield* played(new Driver(looping, ["w-1", "w-2"]).start({ topic: "fences" }), (turn) => {
    if (turn.includes("/revise/") || turn.includes("/count/")) return noInk
    return says(turn.includes("/review/0/") ? "again" : "passes")
  })
  yield* played(new Driver(looping).start(), (turn) => turn.includes("/draft/") ? says(1) : noInk)
  yield* played(new Driver(branching).start(), () => says("good"))

  const spread = new Driver(spreading, ["w-1", "w-2", "w-3"]).start({ items: ["a", "b", "c", "d", "e"] })
  spread.outcome(spread.turn("set", "w-1"), says({ set: true })).fail("set", "no luck", "w-1")
  yield spread
  const { input } = spread.turn("set", "w-2").dispatch
  spread.send({ type: "retiring", input, code: "member_broken", reason: "it crashed" })
  yield spread
  // Nobody answers: turns are left behind, and may still run.
  spread.advance(31_000)
  yield* played(spread, () => says("ok"))

  const most = new Driver({ steps: { a: step({ collection_policy: { type: "quorum", n: 2 } }) } }, [
    "w-1",
    "w-2",
    "w-3",
    "w-4"
  ]).start()
  yield most.fail("a", "no luck", "w-1")
  most.roster = rosterOf(["w-2", "w-3", "w-4"].map((it) => member(it, { fence: 5 })), 2)
  most.send({
    type: "reincarnated",
    input: most.turn("a", "w-2").dispatch.input,
    fence: 5,
    known: { state: "running" }
  })
  yield most.advance(1_000)
  const late = new Driver({ steps: { a: each({ collection_policy: { type: "any" } }) } }, ["w-1", "w-2"]).start({
    items: ["a", "b", "c"]
  })
  late.advance(1_000).complete("a", "\"one\"", "w-1")
  yield late.advance(29_500)

  const both = new Driver({ steps: { a: step() }, limits: { max_step_retries: 1 } }, ["w-1", "w-2"]).start()
  both.complete("a", "one", "w-1").fail("a", "once", "w-2")
  const again = both.turn("a", "w-2").dispatch.input
  both.send({ type: "reincarnated", input: again, fence: 5, known: { state: "nothing" } })
  yield both
  // What is under way is given up with the run, and not forgotten before it ends.
  yield both.send({ type: "cancel" })
}

/** Heads of runs, as they are stored, each with something in it that those before have not. */
export const runHeads = (): ReadonlyArray<Json> =>
  telling((function*() {
    for (const run of runs()) yield encodeRun(run.run)
  })())
