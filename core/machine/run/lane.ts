/**
 * Lanes: the targets or items of a step that runs. Pure updates, used by the fold only.
 */
import type { Identity } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import { aggregate, type TargetOutput } from "./output.ts"
import type { StepPlan } from "./plan.ts"
import * as Slices from "./slices.ts"
import { impossible, type Lane, type StepWork } from "./state.ts"

/** A lane before its first attempt. */
export const untouched: Lane = {
  status: "waiting",
  attempt: 0,
  failures: 0,
  targets: [],
  output: undefined,
  reason: undefined
}

/** Work over `lanes` places, none of them dispatched. */
export const newWork = (asOf: number, content: StepWork["content"], lanes: number): StepWork => ({
  kind: "step",
  asOf,
  content,
  lanes: Slices.repeat(untouched, lanes),
  next: 0,
  again: [],
  inFlight: 0,
  succeeded: 0,
  failed: 0,
  timedOut: false
})

/**
 * Place of a lane by its name in an input id: an item's index, or a target. Targets stand in order of identity, and
 * a first attempt is always the next of them.
 */
export const laneIndex = (step: StepPlan, work: StepWork, name: string, attempt: number): number => {
  if (step.mode === "each") return Number(name)
  if (attempt === 1) return work.next
  let low = 0
  let high = work.next - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((Slices.at(work.lanes, middle).targets[0] ?? "") < name) low = middle + 1
    else high = middle
  }
  return low
}

const without = (list: ReadonlyArray<number>, item: number): ReadonlyArray<number> =>
  list.includes(item) ? list.filter((it) => it !== item) : list

const withSorted = (list: ReadonlyArray<number>, item: number): ReadonlyArray<number> => {
  const at = list.findIndex((it) => it > item)
  return at < 0 ? [...list, item] : [...list.slice(0, at), item, ...list.slice(at)]
}

/** A new attempt of a lane that waits. Throws if the lane does not wait. */
export const dispatchLane = (step: StepPlan, work: StepWork, index: number, target: Identity): StepWork => {
  const lane = Slices.at(work.lanes, index)
  if (lane.status !== "waiting") return impossible(`lane ${index} of step ${step.id} is ${lane.status}, not waiting`)
  return {
    ...work,
    lanes: Slices.set(work.lanes, index, {
      ...lane,
      status: "in_flight",
      attempt: lane.attempt + 1,
      targets: step.mode !== "each" && lane.attempt > 0 ? lane.targets : [...lane.targets, target]
    }),
    next: Math.max(work.next, index + 1),
    again: without(work.again, index),
    inFlight: work.inFlight + 1
  }
}

const inFlight = (work: StepWork, index: number): Lane => {
  const lane = Slices.at(work.lanes, index)
  return lane.status === "in_flight" ? lane : impossible(`lane ${index} is ${lane.status}, not in flight`)
}

/** The lane in flight has its output. */
export const closeLane = (work: StepWork, index: number, output: Json): StepWork => ({
  ...work,
  lanes: Slices.set(work.lanes, index, { ...inFlight(work, index), status: "completed", output }),
  inFlight: work.inFlight - 1,
  succeeded: work.succeeded + 1
})

/** The lane failed for good; it may never have been dispatched (an item that cannot be rendered). */
export const failLane = (work: StepWork, index: number, reason: string, timedOut = false): StepWork => {
  const lane = Slices.at(work.lanes, index)
  return {
    ...work,
    lanes: Slices.set(work.lanes, index, { ...lane, status: "failed", failures: lane.failures + 1, reason }),
    next: Math.max(work.next, index + 1),
    again: without(work.again, index),
    inFlight: work.inFlight - (lane.status === "in_flight" ? 1 : 0),
    failed: work.failed + 1,
    timedOut: work.timedOut || timedOut
  }
}

/** The lane waits for another attempt; `counts` against its retries. */
export const waitLane = (work: StepWork, index: number, counts: boolean): StepWork => {
  const lane = inFlight(work, index)
  return {
    ...work,
    lanes: Slices.set(work.lanes, index, {
      ...lane,
      status: "waiting",
      failures: lane.failures + (counts ? 1 : 0)
    }),
    again: withSorted(work.again, index),
    inFlight: work.inFlight - 1
  }
}

/** The value of a step from its lanes: bare values in item order for `each`, else the aggregate of its successes. */
export const stepValue = (step: StepPlan, work: StepWork): Json => {
  const lanes = Slices.toArray(work.lanes)
  if (step.mode === "each") return lanes.map((lane) => lane.output ?? null)
  const successes: Array<TargetOutput> = []
  for (const { status, targets: [target], output } of lanes) {
    if (status === "completed" && target !== undefined && output !== undefined) successes.push({ target, output })
  }
  return aggregate(step, successes)
}
