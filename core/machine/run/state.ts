/**
 * State of a run: the fold of its facts. Immutable; an update copies what it touches, never a whole frame or step.
 *
 * A flat flow is one frame, the root. Every node stands in exactly one frame instance. `waiting`, queues, counters
 * and the deadline queue follow from the rest; they are kept so that an outcome costs the same in a run of ten steps
 * and in one of ten thousand.
 */
import { HashMap, Option } from "effect"
import type { Content } from "../../../sdk/content.ts"
import type { Fence, FlowId, Identity, InputId, Millis, MobId, RunId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import type { Deadlines } from "./deadlines.ts"
import { RunUnreadable } from "./errors.ts"
import type { FailureCause } from "./fact.ts"
import type { FlowPlan, FramePlan, NodePlan } from "./plan.ts"
import * as Slices from "./slices.ts"

/** Status of a node. The last four are final. */
export type NodeStatus = "pending" | "ready" | "running" | "completed" | "failed" | "skipped" | "canceled"

/** Phase of a run. The last three are final. */
export type RunPhase = "pending" | "running" | "completed" | "failed" | "canceled"

/** A value that a step gave, with its number among all outputs of the run, from 1. */
export interface Output {
  readonly order: number
  readonly value: Json
}

/** One target or item of a running step. */
export interface Lane {
  readonly status: "waiting" | "in_flight" | "completed" | "failed"
  /** Attempts so far. */
  readonly attempt: number
  /** Attempts that count against the retries: reassignments do not. */
  readonly failures: number
  /** Who had which attempt; one entry for a target, one an attempt for an item. */
  readonly targets: ReadonlyArray<Identity>
  readonly output: Json | undefined
  readonly reason: string | undefined
}

/** A step that runs. */
export interface StepWork {
  readonly kind: "step"
  /** Number of outputs the run had when the step started: what its items and their messages are read from. */
  readonly asOf: number
  /** The rendered message; undefined for `each`. */
  readonly content: Content | undefined
  readonly lanes: Slices.Slices<Lane>
  /** First lane that was never dispatched. */
  readonly next: number
  /** Lanes to dispatch again, ascending. */
  readonly again: ReadonlyArray<number>
  readonly inFlight: number
  readonly succeeded: number
  readonly failed: number
  /** One of its lanes failed by its deadline. */
  readonly timedOut: boolean
}

/** A loop that runs. */
export interface LoopWork {
  readonly kind: "loop"
  /** Iteration that runs or waits for its frame, from 0. */
  readonly iteration: number
  readonly stage: "awaiting_body" | "body" | "ended"
}

/** A node of a frame. */
export interface NodeState {
  readonly status: NodeStatus
  /** Dependencies that are not completed (`all`) or not final (`any`). */
  readonly waiting: number
  /** Its dependencies let it run; a branch member may have to wait for its turn all the same. */
  readonly satisfied: boolean
  readonly work: StepWork | LoopWork | undefined
  readonly output: Output | undefined
  readonly reason: string | undefined
  /** After an `each` step: who had which attempt of which item, so that a late answer finds its door. */
  readonly doors: Slices.Slices<ReadonlyArray<Identity>> | undefined
}

/** An instance of a frame. */
export interface FrameState {
  readonly id: string
  /** Index of its frame plan. */
  readonly plan: number
  /** The loop node whose body this is, and which iteration. */
  readonly parent: { readonly frame: string; readonly node: number; readonly iteration: number } | undefined
  readonly nodes: Slices.Slices<NodeState>
  /** Nodes in the order they became ready; those before `head` were admitted. */
  readonly ready: Slices.Slices<number>
  readonly head: number
  /** Nodes that are not final. */
  readonly open: number
  /** Failed nodes whose failure is not tolerated. */
  readonly failed: number
  readonly canceled: number
  readonly sealed: boolean
}

/** An input that is not closed. */
export interface InputState {
  readonly status: "dispatched" | "detached"
  readonly frame: string
  readonly node: number
  readonly lane: number
  readonly target: Identity
  readonly fence: Fence
  readonly redeliveries: number
  readonly deadline: Millis
  /** Number of its dispatch in the run: claims are told in this order. */
  readonly order: number
}

/** What a member has of this run. Kept for every member that ever had an input of it. */
export interface MemberLoad {
  readonly inFlight: number
  readonly detached: ReadonlyArray<InputId>
  /** Fence under which it said that it takes no more; 0 for never. The roster may learn of it later than the run. */
  readonly gone: Fence
}

/** How a step inside loops stands, over all its iterations: failed > completed > skipped. */
export interface LoopStep {
  readonly status: "completed" | "failed" | "skipped"
  readonly reason: string | undefined
  /** Its last output. */
  readonly value: Json | undefined
}

/** A run. */
export interface RunState {
  readonly run_id: RunId
  readonly mob_id: MobId
  readonly flow_id: FlowId
  readonly digest: string
  readonly key: string
  readonly params: Json
  readonly phase: RunPhase
  readonly startedAt: Millis
  readonly endedAt: Millis | undefined
  readonly flowDeadline: Millis | undefined
  /** Why it failed. */
  readonly reason: string | undefined
  /** First node of the root frame whose failure counts. */
  readonly failure: { readonly node: string; readonly cause: FailureCause; readonly reason: string } | undefined
  readonly frames: HashMap.HashMap<string, FrameState>
  /** Frames with ready nodes, each once: one node is taken from the first, which then goes last. */
  readonly readyFrames: ReadonlyArray<string>
  /** Loops that wait for their next body. */
  readonly pendingLoops: ReadonlyArray<{ readonly frame: string; readonly node: number }>
  /** Running steps. */
  readonly activeNodes: number
  /** Bodies that are not sealed. */
  readonly activeFrames: number
  /** Outputs so far. */
  readonly outputs: number
  /** Dispatches so far. */
  readonly dispatches: number
  readonly inputs: HashMap.HashMap<InputId, InputState>
  readonly members: HashMap.HashMap<Identity, MemberLoad>
  readonly deadlines: Deadlines
  /** `each` steps that run, in the order they started. */
  readonly spreading: ReadonlyArray<{ readonly frame: string; readonly node: number }>
  /** By loop id: bodies that gave output, in order; `order` is the number of their first one. */
  readonly bodies: HashMap.HashMap<string, ReadonlyArray<{ readonly frame: string; readonly order: number }>>
  /** Steps inside loops, by id. */
  readonly loopSteps: HashMap.HashMap<string, LoopStep>
}

/** A fact that cannot follow from the state, or a state that cannot be: the log or the code is wrong. */
export const impossible = (reason: string): never => {
  throw new RunUnreadable(reason)
}

/** Id of the root frame. */
export const rootFrame = (run: RunId): string => `${run}-root`

/** Id of an iteration of a loop node. */
export const bodyFrame = (frame: string, node: string, iteration: number): string =>
  `${frame}::${node}::iter-${iteration}`

/** A frame, if it was opened. */
export const frameIfAny = (state: RunState, id: string): FrameState | undefined =>
  Option.getOrUndefined(HashMap.get(state.frames, id))

/** A frame; throws if it was never opened. */
export const frameOf = (state: RunState, id: string): FrameState =>
  frameIfAny(state, id) ?? impossible(`no frame ${id}`)

/** A node by its index; throws if there is none. */
export const nodeOf = (state: RunState, frame: string, node: number): NodeState =>
  Slices.at(frameOf(state, frame).nodes, node)

/** An input that is not closed. */
export const inputOf = (state: RunState, input: InputId): InputState | undefined =>
  Option.getOrUndefined(HashMap.get(state.inputs, input))

/** What a member has of this run; undefined if it never had an input of it. */
export const loadOf = (state: RunState, identity: Identity): MemberLoad | undefined =>
  Option.getOrUndefined(HashMap.get(state.members, identity))

/** What a frame is an instance of. */
export const framePlanOf = (plan: FlowPlan, frame: FrameState): FramePlan =>
  plan.frames[frame.plan] ?? impossible(`flow ${plan.flow_id} has no frame plan ${frame.plan}`)

/** What a node is an instance of; throws if the frame has no such node. */
export const nodePlanOf = (plan: FlowPlan, frame: FrameState, node: number): NodePlan =>
  framePlanOf(plan, frame).nodes[node] ?? impossible(`frame ${frame.id} has no node ${node}`)

/** Index of a node by its id. */
export const nodeIndex = (plan: FlowPlan, frame: FrameState, id: string): number =>
  framePlanOf(plan, frame).byId.get(id) ?? impossible(`frame ${frame.id} has no node ${id}`)

/** The work of a step that runs; undefined for any other node. */
export const stepWork = (node: NodeState): StepWork | undefined => node.work?.kind === "step" ? node.work : undefined

/** Whether a node has ended. */
export const isFinal = (status: NodeStatus): boolean =>
  status === "completed" || status === "failed" || status === "skipped" || status === "canceled"

/** Whether the run has ended; of a message it then takes only the end of a detached turn. */
export const isTerminal = (state: RunState): boolean =>
  state.phase === "completed" || state.phase === "failed" || state.phase === "canceled"
