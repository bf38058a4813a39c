/**
 * A run's state as JSON, for heads; what follows from the rest (deadline queue, member loads, counts of open
 * nodes) is not stored but made again, and the invariant of the ready queues is checked.
 */
import { HashMap, Schema } from "effect"
import { Content } from "../../../sdk/content.ts"
import { FlowId, Identity, InputId, MobId, RunId } from "../../../sdk/ids.ts"
import { Json } from "../../../sdk/json.ts"
import { newestHead } from "../versions.ts"
import * as Deadlines from "./deadlines.ts"
import { RunUnreadable } from "./errors.ts"
import { FailureCause } from "./fact.ts"
import { untouched } from "./lane.ts"
import * as Slices from "./slices.ts"
import {
  type FrameState,
  impossible,
  isFinal,
  type Lane,
  type MemberLoad,
  type NodeState,
  type RunState,
  type StepWork
} from "./state.ts"
import { runVersions } from "./versions.ts"

const { Array, Boolean, Int, Literal, Literals, Number, String, Struct, Tuple, Union, optionalKey } = Schema

const LaneJson = Struct({
  status: Literals(["waiting", "in_flight", "completed", "failed"]),
  attempt: Int,
  failures: optionalKey(Int),
  targets: Array(Identity),
  output: optionalKey(Json),
  reason: optionalKey(String)
})

const StepWorkJson = Struct({
  kind: Literal("step"),
  as_of: Int,
  content: optionalKey(Content),
  /** Places in all; those that were never touched are not written. */
  count: Int,
  lanes: Array(LaneJson),
  again: Array(Int),
  in_flight: Int,
  succeeded: Int,
  failed: Int,
  timed_out: optionalKey(Boolean)
})

const LoopWorkJson = Struct({
  kind: Literal("loop"),
  iteration: Int,
  stage: Literals(["awaiting_body", "body", "ended"])
})

const NodeJson = Struct({
  status: Literals(["pending", "ready", "running", "completed", "failed", "skipped", "canceled"]),
  waiting: optionalKey(Int),
  satisfied: optionalKey(Boolean),
  work: optionalKey(Union([StepWorkJson, LoopWorkJson])),
  output: optionalKey(Struct({ order: Int, value: Json })),
  reason: optionalKey(String),
  doors: optionalKey(Array(Array(Identity)))
})

const PlaceJson = Struct({ frame: String, node: Int })

const FrameJson = Struct({
  id: String,
  plan: Int,
  parent: optionalKey(Struct({ frame: String, node: Int, iteration: Int })),
  nodes: Array(NodeJson),
  ready: Array(Int),
  failed: Int,
  canceled: Int,
  sealed: Boolean
})

const InputJson = Struct({
  input: InputId,
  status: Literals(["dispatched", "detached"]),
  frame: String,
  node: Int,
  lane: Int,
  target: Identity,
  fence: Int,
  redeliveries: Int,
  deadline: Number,
  order: Int
})

const RunJson = Struct({
  v: Literal(1),
  run_id: RunId,
  mob_id: MobId,
  flow_id: FlowId,
  digest: String,
  key: String,
  params: Json,
  phase: Literals(["pending", "running", "completed", "failed", "canceled"]),
  started_at: Number,
  ended_at: optionalKey(Number),
  flow_deadline: optionalKey(Number),
  reason: optionalKey(String),
  failure: optionalKey(Struct({ node: String, cause: FailureCause, reason: String })),
  frames: Array(FrameJson),
  ready_frames: Array(String),
  pending_loops: Array(PlaceJson),
  active_nodes: Int,
  active_frames: Int,
  outputs: Int,
  dispatches: Int,
  inputs: Array(InputJson),
  /** Everybody who ever had an input of this run. */
  members: Array(Struct({ identity: Identity, gone: optionalKey(Int) })),
  spreading: Array(PlaceJson),
  bodies: Array(Tuple([String, Array(Struct({ frame: String, order: Int }))])),
  loop_steps: Array(Tuple([
    String,
    Struct({
      status: Literals(["completed", "failed", "skipped"]),
      reason: optionalKey(String),
      value: optionalKey(Json)
    })
  ]))
})
type RunJson = typeof RunJson.Type

const decode = Schema.decodeUnknownSync(RunJson)

/** The state as JSON. Equal states give equal JSON. O(size of the state). */
export const encodeRun = (state: RunState): Json => {
  const encoded: RunJson = {
    v: 1,
    run_id: state.run_id,
    mob_id: state.mob_id,
    flow_id: state.flow_id,
    digest: state.digest,
    key: state.key,
    params: state.params,
    phase: state.phase,
    started_at: state.startedAt,
    ...given("ended_at", state.endedAt),
    ...given("flow_deadline", state.flowDeadline),
    ...given("reason", state.reason),
    ...given("failure", state.failure),
    frames: sorted(HashMap.values(state.frames), (frame) => frame.id).map(encodeFrame),
    ready_frames: state.readyFrames,
    pending_loops: state.pendingLoops,
    active_nodes: state.activeNodes,
    active_frames: state.activeFrames,
    outputs: state.outputs,
    dispatches: state.dispatches,
    inputs: sorted(HashMap.entries(state.inputs), ([, input]) => input.order).map(([input, it]) => ({ input, ...it })),
    members: sorted(HashMap.entries(state.members), ([identity]) => identity).map(([identity, { gone }]) => ({
      identity,
      ...(gone === 0 ? {} : { gone })
    })),
    spreading: state.spreading,
    bodies: sorted(HashMap.entries(state.bodies), ([loop]) => loop),
    loop_steps: sorted(HashMap.entries(state.loopSteps), ([step]) => step).map(([step, it]) => [step, {
      status: it.status,
      ...given("reason", it.reason),
      ...given("value", it.value)
    }])
  }
  // Its members are JSON values by their schemas; the interface types of TypeScript do not show it.
  return encoded as unknown as Json
}

/**
 * The state from its JSON, as this program or an earlier one stored it. Throws `RunUnreadable` if it is not one, or
 * breaks an invariant, and `SchemaUnsupported` if a later program wrote it.
 */
export const decodeRun = (json: Json): RunState => {
  const run = check(json)
  const inputs = HashMap.fromIterable(run.inputs.map(({ input, ...it }) => [input, it] as const))
  let deadlines: Deadlines.Deadlines
  const loads = new Map<Identity, MemberLoad>(
    run.members.map(({ identity, gone }) => [identity, { inFlight: 0, detached: [], gone: gone ?? 0 }])
  )
  for (const { input, status, target, deadline } of run.inputs) {
    const load = loads.get(target) ?? impossible(`input ${input} is with the unknown member ${target}`)
    if (status === "detached") loads.set(target, { ...load, detached: [...load.detached, input] })
    else {
      loads.set(target, { ...load, inFlight: load.inFlight + 1 })
      deadlines = Deadlines.insert(deadlines, deadline, input)
    }
  }
  return {
    run_id: run.run_id,
    mob_id: run.mob_id,
    flow_id: run.flow_id,
    digest: run.digest,
    key: run.key,
    params: run.params,
    phase: run.phase,
    startedAt: run.started_at,
    endedAt: run.ended_at,
    flowDeadline: run.flow_deadline,
    reason: run.reason,
    failure: run.failure,
    frames: HashMap.fromIterable(run.frames.map((frame) => [frame.id, decodeFrame(frame)] as const)),
    readyFrames: run.ready_frames,
    pendingLoops: run.pending_loops,
    activeNodes: run.active_nodes,
    activeFrames: run.active_frames,
    outputs: run.outputs,
    dispatches: run.dispatches,
    inputs,
    members: HashMap.fromIterable(loads),
    deadlines,
    spreading: run.spreading,
    bodies: HashMap.fromIterable(run.bodies),
    loopSteps: HashMap.fromIterable(
      run.loop_steps.map(([step, it]) => [step, { status: it.status, reason: it.reason, value: it.value }] as const)
    )
  }
}

const check = (json: Json): RunJson => {
  const newest = newestHead(runVersions, json)
  try {
    return decode(newest)
  } catch (error) {
    throw new RunUnreadable(error instanceof Error ? error.message : globalThis.String(error))
  }
}

const encodeFrame = (frame: FrameState): RunJson["frames"][number] => ({
  id: frame.id,
  plan: frame.plan,
  ...given("parent", frame.parent),
  nodes: Slices.toArray(frame.nodes).map(encodeNode),
  ready: Slices.toArray(frame.ready).slice(frame.head),
  failed: frame.failed,
  canceled: frame.canceled,
  sealed: frame.sealed
})

const decodeFrame = (frame: RunJson["frames"][number]): FrameState => {
  const ready = new Set(frame.ready)
  frame.nodes.forEach(({ status }, index) => {
    if ((status === "ready") !== ready.has(index)) {
      impossible(`the ready queue of frame ${frame.id} does not hold its ready nodes: node ${index} is ${status}`)
    }
  })
  return {
    id: frame.id,
    plan: frame.plan,
    parent: frame.parent,
    nodes: Slices.fromArray(frame.nodes.map(decodeNode)),
    ready: Slices.fromArray(frame.ready),
    head: 0,
    open: frame.nodes.filter((node) => !isFinal(node.status)).length,
    failed: frame.failed,
    canceled: frame.canceled,
    sealed: frame.sealed
  }
}

const encodeNode = (node: NodeState): RunJson["frames"][number]["nodes"][number] => ({
  status: node.status,
  ...(node.waiting === 0 ? {} : { waiting: node.waiting }),
  ...(node.satisfied ? { satisfied: true } : {}),
  ...(node.work === undefined ? {} : { work: node.work.kind === "loop" ? node.work : encodeWork(node.work) }),
  ...given("output", node.output),
  ...given("reason", node.reason),
  ...(node.doors === undefined ? {} : { doors: Slices.toArray(node.doors) })
})

const decodeNode = (node: RunJson["frames"][number]["nodes"][number]): NodeState => ({
  status: node.status,
  waiting: node.waiting ?? 0,
  satisfied: node.satisfied ?? false,
  work: node.work?.kind === "step" ? decodeWork(node.work) : node.work,
  output: node.output,
  reason: node.reason,
  doors: node.doors === undefined ? undefined : Slices.fromArray(node.doors)
})

const encodeWork = (work: StepWork): typeof StepWorkJson.Type => ({
  kind: "step",
  as_of: work.asOf,
  ...given("content", work.content),
  count: work.lanes.length,
  lanes: Slices.toArray(work.lanes).slice(0, work.next).map((lane) => ({
    status: lane.status,
    attempt: lane.attempt,
    ...(lane.failures === 0 ? {} : { failures: lane.failures }),
    targets: lane.targets,
    ...given("output", lane.output),
    ...given("reason", lane.reason)
  })),
  again: work.again,
  in_flight: work.inFlight,
  succeeded: work.succeeded,
  failed: work.failed,
  ...(work.timedOut ? { timed_out: true } : {})
})

const decodeWork = (work: typeof StepWorkJson.Type): StepWork => {
  const lanes = work.lanes.map((lane): Lane => ({
    status: lane.status,
    attempt: lane.attempt,
    failures: lane.failures ?? 0,
    targets: lane.targets,
    output: lane.output,
    reason: lane.reason
  }))
  return {
    kind: "step",
    asOf: work.as_of,
    content: work.content,
    lanes: Slices.fromArray([...lanes, ...new globalThis.Array<Lane>(work.count - lanes.length).fill(untouched)]),
    next: lanes.length,
    again: work.again,
    inFlight: work.in_flight,
    succeeded: work.succeeded,
    failed: work.failed,
    timedOut: work.timed_out ?? false
  }
}

/** A member that is left out when it is undefined. */
const given = <Key extends string, A>(key: Key, value: A | undefined): { readonly [K in Key]?: A } =>
  // A computed key of a generic type widens to string.
  (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: A }

const sorted = <A>(items: Iterable<A>, by: (item: A) => string | number): ReadonlyArray<A> =>
  [...items].sort((a, b) => by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0)
