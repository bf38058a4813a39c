/**
 * One decision under way: a draft of the run's state that each fact is folded into at once, so that what follows from
 * a fact is decided on the state after it, all in one turn.
 */
import type { Content } from "../../../sdk/content.ts"
import type { Identity, InputId, Millis } from "../../../sdk/ids.ts"
import { isArray } from "../../../sdk/json.ts"
import { type Owner, type RosterEntry, type RosterView, runAggregate, type Send, type ToDoor } from "../protocol.ts"
import { pathContext } from "./context.ts"
import { evolveRun } from "./evolve.ts"
import type { NewRunFact, RunFact } from "./fact.ts"
import { resolve } from "./path.ts"
import type { FlowPlan, StepPlan } from "./plan.ts"
import { runnable } from "./roster.ts"
import {
  frameOf,
  impossible,
  inputOf,
  type InputState,
  loadOf,
  nodeOf,
  nodePlanOf,
  type RunState,
  type StepWork,
  stepWork
} from "./state.ts"
import { renderContent, type Rendered } from "./template.ts"

/** What a decision sees of the world. */
export interface RunContext {
  readonly now: Millis
  /** The mob's committed roster. */
  readonly roster: RosterView
  /** Detached turns that the mob may still take now. */
  readonly orphanSlots: number
}

/** A decision under way. Mutable, and seen by nobody outside it. */
export interface Turn {
  readonly plan: FlowPlan
  readonly ctx: RunContext
  state: RunState
  readonly facts: Array<RunFact>
  readonly sends: Array<Send>
  /** Slots of the orphan budget left in this turn. */
  slots: number
}

/** Decides a fact: it is folded into the draft at once. */
export const emit = (turn: Turn, decided: NewRunFact): void => {
  // A decided fact has all fields of one kind of fact but its version.
  const fact = { v: 1, ...decided } as RunFact
  turn.state = evolveRun(turn.plan, turn.state, fact)
  turn.facts.push(fact)
}

/** The run as its doors know it. */
export const owner = (turn: Turn): Owner => runAggregate(turn.state.run_id)

/** A message to a door, released after the commit in the order told. */
export const tellDoor = (turn: Turn, identity: Identity, message: ToDoor): void => {
  turn.sends.push({ to: "door", identity, message })
}

/** The input is closed; its door may forget it. */
export const tellSettled = (turn: Turn, identity: Identity, input: InputId): void =>
  tellDoor(turn, identity, { type: "settled", input })

/** Hands an input over, the first time or again. An item's message is rendered again unless it is given. */
export const tellDispatch = (turn: Turn, id: InputId, input: InputState, given?: Content): void => {
  const { step, work } = running(turn, input)
  const content = given ?? work.content
  const rendered: Rendered = content === undefined ? renderItem(turn, input, input.lane) : { ok: true, content }
  if (!rendered.ok) return impossible(`the message of ${id} was rendered before: ${rendered.error}`)
  tellDoor(turn, input.target, {
    type: "dispatch",
    owner: owner(turn),
    dispatch: {
      input: id,
      fence: input.fence,
      content: rendered.content,
      deadline: input.deadline,
      overlay: step.overlay,
      memos: {}
    }
  })
}

/** A node of the run. */
export interface Place {
  readonly frame: string
  readonly node: number
}

/** Plan and work of a step that runs. */
export const running = (turn: Turn, place: Place): { readonly step: StepPlan; readonly work: StepWork } => {
  const { step } = nodePlanOf(turn.plan, frameOf(turn.state, place.frame), place.node)
  const work = stepWork(nodeOf(turn.state, place.frame, place.node))
  return step === undefined || work === undefined
    ? impossible(`node ${place.node} of frame ${place.frame} is no running step`)
    : { step, work }
}

/** Renders the message of an item from what the run knew when its step started. */
export const renderItem = (turn: Turn, place: Place, item: number): Rendered => {
  const { step, work } = running(turn, place)
  const context = pathContext(turn.plan, turn.state, place.frame, work.asOf)
  const items = step.items === undefined ? undefined : resolve(step.items, context)
  const value = items?.type === "value" && isArray(items.value) ? items.value[item] : undefined
  if (value === undefined) return impossible(`step ${step.id} has no item ${item}`)
  return renderContent(step.message, { ...context, item: { value, index: item } })
}

/** When a turn that starts now must have ended: its step's timeout, within the flow's own deadline. */
export const freshDeadline = (turn: Turn, step: StepPlan): Millis =>
  // A timeout of 0 would be due in the very turn that sets it.
  Math.min(turn.ctx.now + Math.max(1, step.timeout), turn.state.flowDeadline ?? Number.POSITIVE_INFINITY)

/** Whether a detached turn still occupies its member: an incarnation before the present one is gone. */
export const occupies = (turn: Turn, input: InputState): boolean =>
  input.fence >= (turn.ctx.roster.members.get(input.target)?.fence ?? Number.POSITIVE_INFINITY)

/** Whether a member takes items: it is active, and not gone by its own word. */
export const takes = (turn: Turn, { identity, phase, fence }: RosterEntry): boolean => {
  const gone = loadOf(turn.state, identity)?.gone ?? 0
  return phase === "active" && (gone === 0 || gone < fence)
}

/** Whether anybody of a role takes items, leaving one out. */
export const hasTaker = (turn: Turn, role: string, without?: Identity): boolean =>
  runnable(turn.ctx.roster, role).some((it) => it.identity !== without && takes(turn, it))

/** A member without anything in flight for this run and without a detached turn of it. */
export const isFree = (turn: Turn, identity: Identity): boolean => {
  const load = loadOf(turn.state, identity)
  if (load === undefined) return true
  return load.inFlight === 0 && !load.detached.some((id) => {
    const input = inputOf(turn.state, id)
    return input !== undefined && occupies(turn, input)
  })
}
