/**
 * Public events of a run: a projection of its facts, written in the same entry. Snake case, each with its `type`.
 *
 * For each run: `flow_started` first, one terminal event last. For each attempt `step_dispatched` comes before its
 * `step_target_completed` or `step_target_failed`; `step_completed` after all events of its targets. A step has at
 * most one `step_failed` and one `step_skipped`: inside loops a skip is told at the end of the run, if the step never
 * ran at all.
 */
import { HashMap, Option } from "effect"
import type { InputId } from "../../../sdk/ids.ts"
import type { JsonObject } from "../../../sdk/json.ts"
import type { RunFact } from "./fact.ts"
import type { FlowPlan, NodePlan, StepPlan } from "./plan.ts"
import { outputs } from "./record.ts"
import { frameOf, framePlanOf, inputOf, nodeIndex, nodePlanOf, type RunState } from "./state.ts"

/** The public events of one fact. `before` is the state it was applied to, `after` the one it gave. */
export const projectRun = (
  plan: FlowPlan,
  before: RunState | undefined,
  fact: RunFact,
  after: RunState
): ReadonlyArray<JsonObject> => {
  const { run_id, flow_id } = after
  const target = (
    state: RunState | undefined,
    id: InputId
  ): { run_id: string; step_id: string; target: string; item?: number } => {
    const input = state === undefined ? undefined : inputOf(state, id)
    const step = state === undefined || input === undefined
      ? undefined
      : nodePlanOf(plan, frameOf(state, input.frame), input.node).step
    return {
      run_id,
      step_id: step?.id ?? "",
      target: input?.target ?? "",
      ...(step?.mode === "each" && input !== undefined ? { item: input.lane } : {})
    }
  }
  switch (fact.type) {
    case "started":
      return [{ type: "flow_started", run_id, flow_id, params: after.params }]
    case "topology_warned":
      return [{ type: "topology_violation", from_role: fact.from_role, to_role: fact.to_role }]
    case "dispatched":
      return [{ type: "step_dispatched", ...target(after, fact.input) }]
    case "redelivered":
      return [{ type: "step_redelivered", ...target(after, fact.input), fence_token: fact.fence }]
    case "completed":
      return [{ type: "step_target_completed", ...target(before, fact.input) }]
    case "failed":
    case "reassigned":
      return [{ type: "step_target_failed", ...target(before, fact.input), reason: fact.reason }]
    case "detached":
      return fact.cause === "timeout"
        ? [{ type: "step_target_failed", ...target(before, fact.input), reason: fact.reason }]
        : []
    case "item_failed": {
      const { id } = stepAt(plan, after, fact).step
      return [{ type: "step_target_failed", run_id, step_id: id, target: null, item: fact.item, reason: fact.reason }]
    }
    case "step_completed":
      return [{ type: "step_completed", run_id, step_id: stepAt(plan, after, fact).step.id }]
    case "step_failed": {
      const { step, inLoop } = stepAt(plan, after, fact)
      if (inLoop && before !== undefined && loopStatus(before, step.id) === "failed") return []
      return [{ type: "step_failed", run_id, step_id: step.id, reason: fact.reason }]
    }
    case "node_skipped": {
      const node = nodeAt(plan, after, fact)
      if (node.step === undefined || framePlanOf(plan, frameOf(after, fact.frame)).loop !== undefined) return []
      return [{ type: "step_skipped", run_id, step_id: node.step.id, reason: fact.reason }]
    }
    case "run_completed": {
      const output = outputs(plan, after)
      return [
        ...loopSkips(plan, after),
        {
          type: "flow_completed",
          run_id,
          flow_id,
          ...(output === undefined ? {} : { structured_output: { steps: output } })
        }
      ]
    }
    case "run_failed":
      return [...loopSkips(plan, after), {
        type: "flow_failed",
        run_id,
        flow_id,
        reason: fact.reason,
        cause: fact.cause
      }]
    case "run_canceled":
      return [...loopSkips(plan, after), { type: "flow_canceled", run_id, flow_id, cause: "cancel_requested" }]
    default:
      return []
  }
}

type Named = { readonly frame: string; readonly node: string }

const nodeAt = (plan: FlowPlan, state: RunState, { frame: id, node }: Named): NodePlan => {
  const frame = frameOf(state, id)
  return nodePlanOf(plan, frame, nodeIndex(plan, frame, node))
}

const stepAt = (
  plan: FlowPlan,
  state: RunState,
  fact: Named
): { readonly step: StepPlan; readonly inLoop: boolean } => {
  const { step } = nodeAt(plan, state, fact)
  if (step === undefined) throw new Error(`node ${fact.node} is no step`)
  return { step, inLoop: framePlanOf(plan, frameOf(state, fact.frame)).loop !== undefined }
}

const loopStatus = (state: RunState, step: string) => Option.getOrUndefined(HashMap.get(state.loopSteps, step))?.status

/** Steps inside loops that were skipped whenever their turn came. */
const loopSkips = (plan: FlowPlan, state: RunState): ReadonlyArray<JsonObject> => {
  const { run_id } = state
  const skips: Array<JsonObject> = []
  if (HashMap.isEmpty(state.loopSteps)) return skips
  const byStep = new Map(HashMap.entries(state.loopSteps))
  for (const { id } of plan.steps) {
    const it = byStep.get(id)
    if (it?.status === "skipped") skips.push({ type: "step_skipped", run_id, step_id: id, reason: it.reason ?? "" })
  }
  return skips
}
