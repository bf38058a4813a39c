/**
 * Facts of a run: what its machine decided, as stored. They are complete (times and ids inside) and small: no fact
 * repeats a value that another fact of the run gives, and none grows with the number of steps or targets.
 *
 * `frame` is a frame id (`<run>-root`, `<frame>::<node>::iter-<n>`), `node` a node id in it, `at` milliseconds.
 */
import { Schema } from "effect"
import { Content } from "../../../sdk/content.ts"
import { FlowId, Identity, InputId, MobId, RunId } from "../../../sdk/ids.ts"
import { Json, type JsonObject } from "../../../sdk/json.ts"
import { newestFact } from "../versions.ts"
import { runVersions } from "./versions.ts"

const { Boolean, Int, Literal, Literals, Number, String, Struct, Union, optionalKey } = Schema

const fact = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Struct({ v: Literal(1), type: Literal(type), ...fields })

const at = Number
const place = { frame: String, node: String, at }

/** Class of a run's failure, for machines; the reason is for people. */
export const FailureCause = Literals([
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
])
export type FailureCause = typeof FailureCause.Type

/** A run exists. The plan it is pinned to is (flow_id, digest). */
const Created = fact("created", {
  run_id: RunId,
  mob_id: MobId,
  flow_id: FlowId,
  digest: String,
  key: String,
  params: Json,
  at
})

/** The root frame stands. `flow_deadline` is absolute. */
const Started = fact("started", { flow_deadline: optionalKey(Number), at })

/**
 * A ready step runs: over `lanes` targets, or over `items` items. The rendered message stands here once; the message
 * of an item is rendered again from the plan and the outputs known at this fact.
 */
const StepStarted = fact("step_started", {
  ...place,
  content: optionalKey(Content),
  lanes: optionalKey(Int),
  items: optionalKey(Int)
})

/** An advisory topology rule forbids the edge that a step is about to use. */
const TopologyWarned = fact("topology_warned", { from_role: String, to_role: String, at })

/** A new attempt of a lane is handed to a member. The input id says which. */
const Dispatched = fact("dispatched", {
  input: InputId,
  target: Identity,
  fence: Int,
  deadline: Number,
  at
})

/** The same attempt goes to a newer incarnation, with a fresh deadline. */
const Redelivered = fact("redelivered", {
  input: InputId,
  target: Identity,
  fence: Int,
  deadline: Number,
  at
})

/** Its deadline passed while its member had a newer incarnation that has not taken it yet: it gets a fresh one. */
const Deferred = fact("deferred", { input: InputId, deadline: Number, at })

/** An attempt ended well; `output` is its value, parsed. */
const Completed = fact("completed", { input: InputId, fence: Int, output: Json, at })

/** An attempt failed. `final`: its lane failed with it, else another attempt follows. */
const Failed = fact("failed", {
  input: InputId,
  fence: Int,
  code: String,
  reason: String,
  final: Boolean,
  at
})

/** An item's member is gone; the item waits for another one, as input `by`. */
const Reassigned = fact("reassigned", {
  input: InputId,
  by: InputId,
  code: String,
  reason: String,
  at
})

/** An item never got an input: its message cannot be rendered. */
const ItemFailed = fact("item_failed", { ...place, item: Int, reason: String })

/** A turn is left behind and may still run; its lane has failed (timeout) or is given up. */
const Detached = fact("detached", {
  input: InputId,
  cause: Literals(["timeout", "canceled", "failed"]),
  reason: String,
  at
})

/** A detached turn is over. The one fact that a terminal run still takes. */
const Ended = fact("ended", { input: InputId, at })

/** A step's collection policy is satisfied; its output is the aggregate of its lanes. */
const StepCompleted = fact("step_completed", { ...place })

/** A step failed, running or when it was about to. */
const StepFailed = fact("step_failed", { ...place, cause: FailureCause, reason: String })

/** A node will not run: its condition, its dependencies or its branch say so. */
const NodeSkipped = fact("node_skipped", { ...place, reason: String })

/** A running node is given up, because its run, or its loop's body, ends. */
const NodeCanceled = fact("node_canceled", { ...place })

/** A ready loop waits for its first body. */
const LoopStarted = fact("loop_started", { ...place })

/** An iteration's frame stands. */
const BodyStarted = fact("body_started", { ...place, iteration: Int })

/** An iteration's frame is sealed. `until` is there if it completed: whether the loop is done. */
const BodyEnded = fact("body_ended", {
  ...place,
  iteration: Int,
  status: Literals(["completed", "failed", "canceled"]),
  until: optionalKey(Boolean)
})

/** A loop node ended. */
const LoopEnded = fact("loop_ended", {
  ...place,
  status: Literals(["completed", "failed", "canceled"]),
  reason: optionalKey(String)
})

/** The run ended well; its output is that of its steps. */
const RunCompleted = fact("run_completed", { at })

/** The run failed. */
const RunFailed = fact("run_failed", { cause: FailureCause, reason: String, at })

/** The run was canceled. */
const RunCanceled = fact("run_canceled", { at })

/** Any fact of a run. */
export const RunFact = Union([
  Created,
  Started,
  StepStarted,
  TopologyWarned,
  Dispatched,
  Redelivered,
  Deferred,
  Completed,
  Failed,
  Reassigned,
  ItemFailed,
  Detached,
  Ended,
  StepCompleted,
  StepFailed,
  NodeSkipped,
  NodeCanceled,
  LoopStarted,
  BodyStarted,
  BodyEnded,
  LoopEnded,
  RunCompleted,
  RunFailed,
  RunCanceled
])
export type RunFact = typeof RunFact.Type

const decode = Schema.decodeUnknownSync(RunFact)
const types: ReadonlySet<string> = new Set(RunFact.members.map((member) => member.fields.type.literal))

/** A fact as stored, by this program or an earlier one. Throws on anything else. */
export const decodeRunFact = (stored: JsonObject): RunFact => decode(newestFact(runVersions, types, stored))

/** A fact as it is decided, before it gets its version. */
export type NewRunFact = RunFact extends infer Fact ? Fact extends RunFact ? Omit<Fact, "v"> : never : never
