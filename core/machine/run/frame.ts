/**
 * The frame engine: instances of DAGs, their ready queues, dependencies and branches. Pure updates of a run's state,
 * used by the fold only.
 *
 * A node is ready exactly while it stands in its frame's queue. Members of a branch are alternatives: one is ready or
 * running at a time, the next gets its turn when that one ends without completing.
 */
import { HashMap, Option } from "effect"
import type { Json } from "../../../sdk/json.ts"
import type { FailureCause } from "./fact.ts"
import type { FlowPlan, NodePlan } from "./plan.ts"
import * as Slices from "./slices.ts"
import {
  frameOf,
  framePlanOf,
  type FrameState,
  impossible,
  isFinal,
  type LoopStep,
  type NodeState,
  type RunState
} from "./state.ts"

/** Replaces one frame. */
export const setFrame = (state: RunState, frame: FrameState): RunState => ({
  ...state,
  frames: HashMap.set(state.frames, frame.id, frame)
})

/** Replaces one node of a frame. */
export const setNode = (state: RunState, frame: string, index: number, node: NodeState): RunState => {
  const it = frameOf(state, frame)
  return setFrame(state, { ...it, nodes: Slices.set(it.nodes, index, node) })
}

/** Adds an instance of a frame plan; nodes without dependencies are ready, in topological order. */
export const openFrame = (
  plan: FlowPlan,
  state: RunState,
  id: string,
  framePlan: number,
  parent: FrameState["parent"]
): RunState => {
  const written = plan.frames[framePlan] ?? impossible(`flow ${plan.flow_id} has no frame plan ${framePlan}`)
  // Of a branch, the first in topological order begins; its members share their dependencies.
  const begins = (node: NodePlan): boolean => {
    const first = node.branch.find((member) => written.nodes[member]?.dependencies.length === 0)
    return node.dependencies.length === 0 && (first === undefined || first === node.index)
  }
  const ready = written.order.filter((index) => begins(written.nodes[index] ?? impossible(`no node ${index}`)))
  const frame: FrameState = {
    id,
    plan: framePlan,
    parent,
    nodes: Slices.fromArray(written.nodes.map((node): NodeState => ({
      status: begins(node) ? "ready" : "pending",
      waiting: node.dependencies.length,
      satisfied: node.dependencies.length === 0,
      work: undefined,
      output: undefined,
      reason: undefined,
      doors: undefined
    }))),
    ready: Slices.fromArray(ready),
    head: 0,
    open: written.nodes.length,
    failed: 0,
    canceled: 0,
    sealed: false
  }
  const readyFrames = ready.length > 0 ? [...state.readyFrames, id] : state.readyFrames
  return setFrame({ ...state, readyFrames }, frame)
}

/** Takes the node at the head of the first ready frame, which goes last if it has more. */
export const takeReady = (state: RunState, id: string, index: number): RunState => {
  const frame = frameOf(state, id)
  if (state.readyFrames[0] !== id || frame.head >= frame.ready.length || Slices.at(frame.ready, frame.head) !== index) {
    return impossible(`node ${index} of frame ${id} is not the next to be admitted`)
  }
  const head = frame.head + 1
  const rest = state.readyFrames.slice(1)
  if (head < frame.ready.length) rest.push(id)
  return setFrame({ ...state, readyFrames: rest }, { ...frame, head })
}

/** How a node ended. */
export interface NodeEnd {
  readonly status: "completed" | "failed" | "skipped" | "canceled"
  readonly reason?: string
  readonly cause?: FailureCause
  /** Of a completed step. */
  readonly value?: Json
  readonly doors?: NodeState["doors"]
}

/** Ends a node: its dependants and its branch move on as far as they can without a decision. */
export const endNode = (plan: FlowPlan, before: RunState, id: string, index: number, end: NodeEnd): RunState => {
  const status = Slices.at(frameOf(before, id).nodes, index).status
  if (isFinal(status)) return impossible(`node ${index} of frame ${id} has ended`)
  let state = status === "ready" ? takeReady(before, id, index) : before
  const frame = frameOf(state, id)
  const written = framePlanOf(plan, frame)
  const planOf = (at: number): NodePlan => written.nodes[at] ?? impossible(`frame ${id} has no node ${at}`)
  const self = planOf(index)
  if (status === "running" && self.step !== undefined) state = { ...state, activeNodes: state.activeNodes - 1 }
  const completed = end.status === "completed"
  const output = completed && self.step !== undefined && end.value !== undefined
    ? { order: state.outputs + 1, value: end.value }
    : undefined
  let nodes = Slices.set(frame.nodes, index, {
    ...Slices.at(frame.nodes, index),
    status: end.status,
    work: undefined,
    output,
    reason: end.reason,
    doors: end.doors
  })
  let ready = frame.ready
  const wake = (at: number) => {
    const node = Slices.at(nodes, at)
    if (node.status !== "pending" || !node.satisfied) return
    const busy = planOf(at).branch.some((member) => {
      const other = member === at ? "pending" : Slices.at(nodes, member).status
      return other === "ready" || other === "running" || other === "completed"
    })
    if (busy) return
    nodes = Slices.set(nodes, at, { ...node, status: "ready" })
    ready = Slices.push(ready, at)
  }
  for (const at of self.dependants) {
    const node = Slices.at(nodes, at)
    if (node.status !== "pending") continue
    const any = planOf(at).dependsOnMode === "any"
    if (!any && !completed) continue
    const waiting = node.waiting - 1
    const satisfied = any ? node.satisfied || completed : waiting === 0
    nodes = Slices.set(nodes, at, { ...node, waiting, satisfied })
    if (satisfied) wake(at)
  }
  if (!completed) self.branch.forEach(wake)
  const counts = end.status === "failed" && !self.tolerated
  const grew = ready.length > frame.head && frame.head === frame.ready.length
  state = {
    ...state,
    readyFrames: grew ? [...state.readyFrames, id] : state.readyFrames,
    outputs: output?.order ?? state.outputs,
    failure: counts && frame.parent === undefined && state.failure === undefined
      ? { node: self.id, cause: end.cause ?? "step_error", reason: end.reason ?? "" }
      : state.failure
  }
  state = setFrame(state, {
    ...frame,
    nodes,
    ready,
    open: frame.open - 1,
    failed: frame.failed + (counts ? 1 : 0),
    canceled: frame.canceled + (end.status === "canceled" ? 1 : 0)
  })
  return written.loop === undefined || self.step === undefined
    ? state
    : recordLoopStep(state, written.loop, id, self.step.id, end)
}

/** Keeps what steps inside loops did, for paths that look in from outside and for the run's record. */
const recordLoopStep = (state: RunState, loop: string, frame: string, step: string, end: NodeEnd): RunState => {
  if (end.status === "canceled") return state
  const before = Option.getOrUndefined(HashMap.get(state.loopSteps, step))
  const rank: Record<LoopStep["status"], number> = { skipped: 0, completed: 1, failed: 2 }
  const stays = before !== undefined && rank[before.status] > rank[end.status]
  const loopSteps = HashMap.set(state.loopSteps, step, {
    status: stays ? before.status : end.status,
    reason: stays ? before.reason : end.reason,
    value: end.value ?? before?.value
  })
  if (end.value === undefined) return { ...state, loopSteps }
  const bodies = Option.getOrUndefined(HashMap.get(state.bodies, loop)) ?? []
  return {
    ...state,
    loopSteps,
    bodies: bodies.at(-1)?.frame === frame
      ? state.bodies
      : HashMap.set(state.bodies, loop, [...bodies, { frame, order: state.outputs }])
  }
}
