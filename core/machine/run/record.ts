/**
 * A run as people and programs read it, while it goes and after its end.
 */
import { HashMap, Option } from "effect"
import type { FlowId, Millis, RunId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import type { FlowPlan, StepPlan } from "./plan.ts"
import * as Slices from "./slices.ts"
import { frameIfAny, isTerminal, rootFrame, type RunState } from "./state.ts"

/** Where one step of a run stands. */
export interface StepRecord {
  readonly status: "pending" | "dispatched" | "completed" | "failed" | "skipped" | "canceled"
  readonly output?: Json
  readonly reason?: string
}

/** A run, readable while it goes and after its end. */
export interface RunRecord {
  readonly run_id: RunId
  readonly flow_id: FlowId
  readonly status: "running" | "completed" | "failed" | "canceled"
  readonly params: Json
  /** In author order of the steps. */
  readonly steps: { readonly [step: string]: StepRecord }
  /** `{"steps": {...}}` of a completed run; null else. */
  readonly output: Json
  readonly started_at: Millis
  readonly completed_at: Millis | null
  /** Why it failed. */
  readonly reason?: string
}

/** The record of a run. A step inside a loop shows its worst status over all iterations, and its last output. */
export const runRecord = (plan: FlowPlan, state: RunState): RunRecord => {
  const steps = Object.fromEntries(plan.steps.map((step) => [step.id, stepRecord(plan, state, step)]))
  return {
    run_id: state.run_id,
    flow_id: state.flow_id,
    status: state.phase === "pending" ? "running" : state.phase,
    params: state.params,
    steps,
    output: state.phase === "completed" ? { steps: outputs(plan, state) ?? {} } : null,
    started_at: state.startedAt,
    completed_at: state.endedAt ?? null,
    ...(state.reason === undefined ? {} : { reason: state.reason })
  }
}

/** Output of each step that gave one, in author order; undefined if none did. */
export const outputs = (plan: FlowPlan, state: RunState): { readonly [step: string]: Json } | undefined => {
  const given: Array<[string, Json]> = []
  for (const step of plan.steps) {
    const output = stepRecord(plan, state, step).output
    if (output !== undefined) given.push([step.id, output])
  }
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

const stepRecord = (plan: FlowPlan, state: RunState, step: StepPlan): StepRecord => {
  // A step that has not ended when its run does is canceled with it, unless the run completed without it.
  const unfinished: StepRecord = {
    status: state.phase === "completed" ? "skipped" : isTerminal(state) ? "canceled" : "pending"
  }
  const { place } = step
  if (place === undefined) return unfinished
  if (plan.frames[place.frame]?.loop !== undefined) {
    const it = Option.getOrUndefined(HashMap.get(state.loopSteps, step.id))
    if (runsInBody(state, place)) return record("dispatched", it?.value, undefined)
    return it === undefined ? unfinished : record(it.status, it.value, it.reason)
  }
  const root = frameIfAny(state, rootFrame(state.run_id))
  if (root === undefined) return unfinished
  const node = Slices.at(root.nodes, place.node)
  if (node.status === "running") return isTerminal(state) ? unfinished : { status: "dispatched" }
  if (node.status === "pending" || node.status === "ready") return unfinished
  return record(node.status, node.output?.value, node.reason)
}

const runsInBody = (state: RunState, place: { readonly frame: number; readonly node: number }): boolean => {
  if (isTerminal(state)) return false
  for (const frame of HashMap.values(state.frames)) {
    if (frame.plan === place.frame && !frame.sealed && Slices.at(frame.nodes, place.node).status === "running") {
      return true
    }
  }
  return false
}

const record = (status: StepRecord["status"], output: Json | undefined, reason: string | undefined): StepRecord => ({
  status,
  ...(output === undefined ? {} : { output }),
  ...(reason === undefined ? {} : { reason })
})
