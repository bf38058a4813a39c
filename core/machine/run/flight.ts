/**
 * Inputs in flight: what each dispatch, redelivery and end of an input does to a run's state. Used by the fold only.
 */
import { HashMap } from "effect"
import type { Identity, InputId } from "../../../sdk/ids.ts"
import * as Deadlines from "./deadlines.ts"
import type { RunFact } from "./fact.ts"
import { setNode } from "./frame.ts"
import { addressOf } from "./input.ts"
import { dispatchLane, failLane, laneIndex } from "./lane.ts"
import type { FlowPlan } from "./plan.ts"
import {
  frameOf,
  impossible,
  inputOf,
  type InputState,
  loadOf,
  type MemberLoad,
  nodeOf,
  nodePlanOf,
  type RunState,
  type StepWork,
  stepWork
} from "./state.ts"

type FactOf<Type extends RunFact["type"]> = Extract<RunFact, { readonly type: Type }>

const idle: MemberLoad = { inFlight: 0, detached: [], gone: 0 }

/** An input that is dispatched and not closed. */
export const openInput = (state: RunState, input: InputId): InputState => {
  const it = inputOf(state, input)
  return it?.status === "dispatched" ? it : impossible(`input ${input} is not in flight`)
}

const withWork = (state: RunState, { frame, node }: InputState, change: (work: StepWork) => StepWork): RunState => {
  const it = nodeOf(state, frame, node)
  const work = stepWork(it) ?? impossible(`node ${node} of frame ${frame} does not run`)
  return setNode(state, frame, node, { ...it, work: change(work) })
}

const loaded = (state: RunState, identity: Identity, change: (load: MemberLoad) => MemberLoad): RunState["members"] =>
  HashMap.set(state.members, identity, change(loadOf(state, identity) ?? idle))

/** Keeps the promise that the first deadline stands. */
const settleDeadlines = (state: RunState): RunState => {
  const deadlines = Deadlines.dropStale(state.deadlines, (input, deadline) => {
    const it = inputOf(state, input)
    return it?.status === "dispatched" && it.deadline === deadline
  })
  return deadlines === state.deadlines ? state : { ...state, deadlines }
}

/** Takes an attempt into flight: its lane, its member, its deadline. */
export const dispatched = (plan: FlowPlan, state: RunState, fact: FactOf<"dispatched">): RunState => {
  const address = addressOf(plan, state, fact.input) ?? impossible(`input ${fact.input} belongs to no node`)
  const { frame, node, lane: name, attempt } = address
  const step = nodePlanOf(plan, frameOf(state, frame), node).step
    ?? impossible(`input ${fact.input} belongs to no step`)
  const work = stepWork(nodeOf(state, frame, node)) ?? impossible(`step ${step.id} does not run`)
  const input: InputState = {
    status: "dispatched",
    frame,
    node,
    lane: laneIndex(step, work, name, attempt),
    target: fact.target,
    fence: fact.fence,
    redeliveries: 0,
    deadline: fact.deadline,
    order: state.dispatches + 1
  }
  return {
    ...withWork(state, input, (it) => dispatchLane(step, it, input.lane, fact.target)),
    dispatches: input.order,
    inputs: HashMap.set(state.inputs, fact.input, input),
    members: loaded(state, fact.target, (load) => ({ ...load, inFlight: load.inFlight + 1 })),
    deadlines: Deadlines.insert(state.deadlines, fact.deadline, fact.input)
  }
}

/** Gives an input in flight another fence or deadline. */
export const rearm = (state: RunState, id: InputId, input: InputState): RunState =>
  settleDeadlines({
    ...state,
    inputs: HashMap.set(state.inputs, id, input),
    deadlines: Deadlines.insert(state.deadlines, input.deadline, id)
  })

/** Closes an input; `change` says what becomes of its lane, `gone` that its member takes no more. */
export const closed = (
  state: RunState,
  id: InputId,
  change: (work: StepWork, lane: number) => StepWork,
  gone = false
): RunState => {
  const input = openInput(state, id)
  return settleDeadlines({
    ...withWork(state, input, (work) => change(work, input.lane)),
    inputs: HashMap.remove(state.inputs, id),
    members: loaded(state, input.target, (load) => ({
      ...load,
      inFlight: load.inFlight - 1,
      gone: gone ? input.fence : load.gone
    }))
  })
}

/** Leaves an input behind: its lane has failed, its member is not free until the turn ends. */
export const detached = (state: RunState, fact: FactOf<"detached">): RunState => {
  const input = openInput(state, fact.input)
  return settleDeadlines({
    ...withWork(state, input, (work) => failLane(work, input.lane, fact.reason, fact.cause === "timeout")),
    inputs: HashMap.set(state.inputs, fact.input, { ...input, status: "detached" }),
    members: loaded(state, input.target, (load) => ({
      ...load,
      inFlight: load.inFlight - 1,
      detached: [...load.detached, fact.input]
    }))
  })
}

/** A detached turn is over. */
export const endDetached = (state: RunState, id: InputId): RunState => {
  const input = inputOf(state, id)
  if (input?.status !== "detached") return impossible(`input ${id} is not detached`)
  return {
    ...state,
    inputs: HashMap.remove(state.inputs, id),
    members: loaded(state, input.target, (load) => ({ ...load, detached: load.detached.filter((it) => it !== id) }))
  }
}
