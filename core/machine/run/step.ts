/**
 * The end of a step: once nothing of it is in flight and nothing waits, its collection policy decides.
 */
import type { CollectionPolicy } from "../../../sdk/definition/schema.ts"
import type { Json } from "../../../sdk/json.ts"
import type { FailureCause } from "./fact.ts"
import { follow } from "./follow.ts"
import { stepValue } from "./lane.ts"
import type { StepPlan } from "./plan.ts"
import * as Slices from "./slices.ts"
import { frameOf, nodePlanOf, type StepWork } from "./state.ts"
import { emit, hasTaker, type Place, running, type Turn } from "./turn.ts"

/** Most reasons of lanes that the reason of their step repeats. */
const REASONS = 20

/** An `each` step under `all` starts no more items once one has failed. */
export const isStopped = (step: StepPlan, work: StepWork): boolean =>
  step.mode === "each" && step.policy.type === "all" && work.failed > 0

/** Whether lanes wait for a dispatch. */
export const hasWaiting = (work: StepWork): boolean => work.again.length > 0 || work.next < work.lanes.length

/** Ends the step if it can. */
export const concludeStep = (turn: Turn, place: Place): void => {
  const { step, work } = running(turn, place)
  if (work.inFlight > 0) return
  const stranded = hasWaiting(work) && !isStopped(step, work)
  if (stranded && (step.mode !== "each" || hasTaker(turn, step.role))) return
  if (!isSatisfied(step.policy, work)) {
    return failStep(turn, place, work.timedOut ? "step_timeout" : "step_error", unsatisfied(step, work))
  }
  const fault = step.schema === undefined ? undefined : schemaFault(turn, step, stepValue(step, work))
  if (fault !== undefined) return failStep(turn, place, "schema_validation", fault)
  emit(turn, { type: "step_completed", ...named(turn, place) })
  follow(turn, place)
}

/** Fails a step that is ready or running; the run goes on with what does not need it. */
export const failStep = (turn: Turn, place: Place, cause: FailureCause, reason: string): void => {
  emit(turn, { type: "step_failed", ...named(turn, place), cause, reason })
  follow(turn, place)
}

/** A place as facts name it. */
export const named = (turn: Turn, { frame, node }: Place): { frame: string; node: string; at: number } => ({
  frame,
  node: nodePlanOf(turn.plan, frameOf(turn.state, frame), node).id,
  at: turn.ctx.now
})

/** What is said when a step finds fewer members than it needs. */
export const insufficient = (step: StepPlan, required: number, available: number): string =>
  `insufficient targets for step '${step.id}': required ${required}, available ${available}`

const isSatisfied = (policy: CollectionPolicy, work: StepWork): boolean => {
  switch (policy.type) {
    case "all":
      return work.succeeded === work.lanes.length
    case "any":
      return work.succeeded > 0
    case "quorum":
      return work.succeeded >= policy.n
  }
}

const unsatisfied = (step: StepPlan, work: StepWork): string => {
  const reasons: Array<string> = []
  for (const lane of Slices.toArray(work.lanes)) if (lane.reason !== undefined) reasons.push(lane.reason)
  if (reasons.length > REASONS) reasons.splice(REASONS, reasons.length, `and ${reasons.length - REASONS} more`)
  if (reasons.length > 0) return reasons.join("; ")
  if (hasWaiting(work)) return insufficient(step, 1, 0)
  const policy = step.policy.type === "quorum" ? `quorum ${step.policy.n}` : step.policy.type
  return `collection policy ${policy} not satisfied: ${work.succeeded} successes, ${work.failed} failures`
}

/** What is wrong with a step's value, if its schema says so. */
export const schemaFault = (turn: Turn, step: StepPlan, value: Json): string | undefined => {
  if (step.schema === undefined) return undefined
  if (step.schema === "missing") {
    return `schema validation failed for step ${step.id}: its schema was not loaded with the definition`
  }
  const fault = turn.plan.validateSchema(step.schema.value, value)
  return fault === undefined ? undefined : `schema validation failed for step ${step.id}: ${fault}`
}
