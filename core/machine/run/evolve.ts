/**
 * The fold: what each fact does to a run. Total over facts that the machine made; a fact that cannot follow from the
 * state is a defect and throws, never a silent no-op.
 */
import { HashMap } from "effect"
import type { RunFact } from "./fact.ts"
import { closed, detached, dispatched, endDetached, openInput, rearm } from "./flight.ts"
import { endNode, type NodeEnd, openFrame, setFrame, setNode, takeReady } from "./frame.ts"
import { closeLane, failLane, newWork, stepValue, waitLane } from "./lane.ts"
import type { FlowPlan, LoopPlan } from "./plan.ts"
import * as Slices from "./slices.ts"
import {
  bodyFrame,
  frameOf,
  type FrameState,
  impossible,
  type LoopWork,
  nodeIndex,
  nodePlanOf,
  type NodeState,
  rootFrame,
  type RunState,
  stepWork
} from "./state.ts"

/** Applies one fact. `state` is undefined before `created`. Throws on a fact that cannot follow. */
export const evolveRun = (plan: FlowPlan, state: RunState | undefined, fact: RunFact): RunState => {
  if (fact.type === "created") {
    return state === undefined ? created(fact) : impossible(`run ${state.run_id} is created a second time`)
  }
  if (state === undefined) return impossible(`${fact.type} before created`)
  const allowed = fact.type === "started"
    ? state.phase === "pending"
    : state.phase === "running" || fact.type === "ended"
  if (!allowed) return impossible(`${fact.type} of a run that is ${state.phase}`)
  switch (fact.type) {
    case "started": {
      const started: RunState = { ...state, phase: "running", startedAt: fact.at, flowDeadline: fact.flow_deadline }
      return openFrame(plan, started, rootFrame(state.run_id), 0, undefined)
    }
    case "step_started": {
      const [frame, index, node] = placed(plan, state, fact)
      const taken = takeReady(state, frame.id, index)
      const work = newWork(state.outputs, fact.content, fact.items ?? fact.lanes ?? 0)
      const running = setNode(taken, frame.id, index, { ...node, status: "running", work })
      return {
        ...running,
        activeNodes: state.activeNodes + 1,
        spreading: fact.items === undefined ? state.spreading : [...state.spreading, { frame: frame.id, node: index }]
      }
    }
    case "topology_warned":
      return state
    case "dispatched":
      return dispatched(plan, state, fact)
    case "redelivered": {
      const input = openInput(state, fact.input)
      const { fence, deadline } = fact
      return rearm(state, fact.input, { ...input, fence, deadline, redeliveries: input.redeliveries + 1 })
    }
    case "deferred":
      return rearm(state, fact.input, { ...openInput(state, fact.input), deadline: fact.deadline })
    case "completed":
      return closed(state, fact.input, (work, lane) => closeLane(work, lane, fact.output))
    case "failed":
      return closed(
        state,
        fact.input,
        (work, lane) => fact.final ? failLane(work, lane, fact.reason) : waitLane(work, lane, true)
      )
    case "reassigned":
      return closed(state, fact.input, (work, lane) => waitLane(work, lane, false), true)
    case "item_failed": {
      const [frame, index, node] = placed(plan, state, fact)
      const work = stepWork(node) ?? impossible(`node ${fact.node} does not run`)
      return setNode(state, frame.id, index, { ...node, work: failLane(work, fact.item, fact.reason) })
    }
    case "detached":
      return detached(state, fact)
    case "ended":
      return endDetached(state, fact.input)
    case "step_completed": {
      const [frame, index, node] = placed(plan, state, fact)
      const step = nodePlanOf(plan, frame, index).step ?? impossible(`node ${fact.node} is no step`)
      // An `each` step over no items completes without having run.
      const work = stepWork(node) ?? newWork(state.outputs, undefined, 0)
      const value = stepValue(step, work)
      return endStep(plan, state, frame, index, { status: "completed", value })
    }
    case "step_failed": {
      const [frame, index] = placed(plan, state, fact)
      return endStep(plan, state, frame, index, { status: "failed", cause: fact.cause, reason: fact.reason })
    }
    case "node_skipped": {
      const [frame, index] = placed(plan, state, fact)
      return endStep(plan, state, frame, index, { status: "skipped", reason: fact.reason })
    }
    case "node_canceled": {
      const [frame, index] = placed(plan, state, fact)
      return endStep(plan, state, frame, index, { status: "canceled" })
    }
    case "loop_started": {
      const [frame, index, node] = placed(plan, state, fact)
      const work: LoopWork = { kind: "loop", iteration: 0, stage: "awaiting_body" }
      const running = setNode(takeReady(state, frame.id, index), frame.id, index, { ...node, status: "running", work })
      return { ...running, pendingLoops: [...state.pendingLoops, { frame: frame.id, node: index }] }
    }
    case "body_started": {
      const [frame, index, node, work, loop] = looping(plan, state, fact)
      const [first, ...rest] = state.pendingLoops
      if (first?.frame !== frame.id || first.node !== index) {
        return impossible(`loop ${fact.node} is not the next to go on`)
      }
      const running = setNode(state, frame.id, index, { ...node, work: { ...work, stage: "body" } })
      const body = bodyFrame(frame.id, fact.node, fact.iteration)
      return openFrame(
        plan,
        { ...running, pendingLoops: rest, activeFrames: state.activeFrames + 1 },
        body,
        loop.body,
        { frame: frame.id, node: index, iteration: fact.iteration }
      )
    }
    case "body_ended": {
      const [frame, index, node, work, loop] = looping(plan, state, fact)
      const body = frameOf(state, bodyFrame(frame.id, fact.node, fact.iteration))
      const again = fact.status === "completed" && fact.until === false && fact.iteration + 1 < loop.maxIterations
      const next: LoopWork = again
        ? { kind: "loop", iteration: fact.iteration + 1, stage: "awaiting_body" }
        : { ...work, stage: "ended" }
      const moved = setNode(setFrame(state, { ...body, sealed: true }), frame.id, index, { ...node, work: next })
      return {
        ...moved,
        activeFrames: state.activeFrames - 1,
        pendingLoops: again ? [...state.pendingLoops, { frame: frame.id, node: index }] : state.pendingLoops
      }
    }
    case "loop_ended": {
      const [frame, index] = placed(plan, state, fact)
      const { status, reason } = fact
      return endNode(plan, state, frame.id, index, { status, ...(reason === undefined ? {} : { reason }) })
    }
    case "run_completed":
      return over(state, "completed", fact.at, undefined)
    case "run_failed":
      return over(state, "failed", fact.at, fact.reason)
    case "run_canceled":
      return over(state, "canceled", fact.at, undefined)
  }
}

const created = (fact: Extract<RunFact, { readonly type: "created" }>): RunState => ({
  run_id: fact.run_id,
  mob_id: fact.mob_id,
  flow_id: fact.flow_id,
  digest: fact.digest,
  key: fact.key,
  params: fact.params,
  phase: "pending",
  startedAt: fact.at,
  endedAt: undefined,
  flowDeadline: undefined,
  reason: undefined,
  failure: undefined,
  frames: HashMap.empty(),
  readyFrames: [],
  pendingLoops: [],
  activeNodes: 0,
  activeFrames: 0,
  outputs: 0,
  dispatches: 0,
  inputs: HashMap.empty(),
  members: HashMap.empty(),
  deadlines: undefined,
  spreading: [],
  bodies: HashMap.empty(),
  loopSteps: HashMap.empty()
})

/** The place a fact speaks of. */
const placed = (
  plan: FlowPlan,
  state: RunState,
  fact: { readonly frame: string; readonly node: string }
): [frame: FrameState, index: number, node: NodeState] => {
  const frame = frameOf(state, fact.frame)
  const index = nodeIndex(plan, frame, fact.node)
  return [frame, index, Slices.at(frame.nodes, index)]
}

/** The running loop a fact speaks of. */
const looping = (
  plan: FlowPlan,
  state: RunState,
  fact: { readonly frame: string; readonly node: string; readonly iteration: number }
): [frame: FrameState, index: number, node: NodeState, work: LoopWork, loop: LoopPlan] => {
  const [frame, index, node] = placed(plan, state, fact)
  const { loop } = nodePlanOf(plan, frame, index)
  if (node.work?.kind !== "loop" || loop === undefined || node.work.iteration !== fact.iteration) {
    return impossible(`loop ${fact.node} is not at iteration ${fact.iteration}`)
  }
  return [frame, index, node, node.work, loop]
}

const endStep = (plan: FlowPlan, state: RunState, frame: FrameState, index: number, end: NodeEnd): RunState => {
  const work = stepWork(Slices.at(frame.nodes, index))
  if (work === undefined || nodePlanOf(plan, frame, index).step?.mode !== "each") {
    return endNode(plan, state, frame.id, index, end)
  }
  const doors = Slices.fromArray(Slices.toArray(work.lanes).map((lane) => lane.targets))
  const spreading = state.spreading.filter((it) => it.frame !== frame.id || it.node !== index)
  return endNode(plan, { ...state, spreading }, frame.id, index, { ...end, doors })
}

const over = (
  state: RunState,
  phase: "completed" | "failed" | "canceled",
  at: number,
  reason: string | undefined
): RunState => ({ ...state, phase, endedAt: at, reason, readyFrames: [], pendingLoops: [], spreading: [] })
