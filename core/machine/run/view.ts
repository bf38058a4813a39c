/**
 * What others may ask of a run's state: its next deadline, its unfinished inputs.
 */
import { HashMap } from "effect"
import type { Fence, Identity, InputId, Millis } from "../../../sdk/ids.ts"
import { isTerminal, type RunState } from "./state.ts"

/** An input that is not closed. */
export interface Unfinished {
  readonly input: InputId
  readonly target: Identity
  /** Fence of its last dispatch or redelivery. */
  readonly fence: Fence
  readonly status: "dispatched" | "detached"
}

/**
 * When the run next needs a `tick`: the earliest deadline of an input in flight, or the flow's own. Undefined if
 * nothing is due, as in a run that ended.
 */
export const nextDeadline = (state: RunState): Millis | undefined => {
  if (isTerminal(state)) return undefined
  const { deadlines, flowDeadline } = state
  if (deadlines === undefined || flowDeadline === undefined) return deadlines?.deadline ?? flowDeadline
  return Math.min(deadlines.deadline, flowDeadline)
}

/** Inputs that are dispatched or detached, in the order of their dispatch. O(their number). */
export const unfinished = (state: RunState): ReadonlyArray<Unfinished> =>
  [...HashMap.entries(state.inputs)]
    .sort(([, a], [, b]) => a.order - b.order)
    .map(([input, { target, fence, status }]) => ({ input, target, fence, status }))
