/**
 * The scheduler: admits ready nodes and bodies of loops while there are slots, one at a time, in turn between frames.
 */
import { isArray } from "../../../sdk/json.ts"
import { evaluate } from "./condition.ts"
import { pathContext } from "./context.ts"
import { dispatch, spread } from "./dispatch.ts"
import { failRun } from "./end.ts"
import { follow, sealIfDone } from "./follow.ts"
import { resolve } from "./path.ts"
import { MAX_ITEMS, type StepPlan } from "./plan.ts"
import { runnable } from "./roster.ts"
import * as Slices from "./slices.ts"
import { bodyFrame, frameOf, framePlanOf, impossible, isTerminal, nodePlanOf } from "./state.ts"
import { failStep, insufficient, named, schemaFault } from "./step.ts"
import { renderContent } from "./template.ts"
import { emit, type Place, type Turn } from "./turn.ts"

/** Admits all that can be admitted now. A run past its deadline fails instead. */
export const schedule = (turn: Turn): void => {
  const { activeNodes, activeFrames } = turn.plan.limits
  while (!isTerminal(turn.state)) {
    const { state } = turn
    if (state.flowDeadline !== undefined && turn.ctx.now >= state.flowDeadline) return expire(turn, state.flowDeadline)
    const first = state.readyFrames[0]
    const place = first === undefined ? undefined : headOf(turn, first)
    const isLoop = place !== undefined
      && nodePlanOf(turn.plan, frameOf(state, place.frame), place.node).loop !== undefined
    // A loop node takes no slot: it would hold it while its own body waits for one.
    if (place !== undefined && (isLoop || activeNodes === 0 || state.activeNodes < activeNodes)) admit(turn, place)
    else if (state.pendingLoops.length > 0 && (activeFrames === 0 || state.activeFrames < activeFrames)) startBody(turn)
    else return
  }
}

/** Fails the run because its time is over. */
export const expire = (turn: Turn, deadline: number): void => {
  const over = turn.ctx.now - deadline
  failRun(turn, "flow_timeout", `max flow duration exceeded for ${turn.state.run_id}${over > 0 ? ` (+${over}ms)` : ""}`)
}

const headOf = (turn: Turn, frame: string): Place => {
  const { ready, head } = frameOf(turn.state, frame)
  return { frame, node: Slices.at(ready, head) }
}

const admit = (turn: Turn, place: Place): void => {
  const frame = frameOf(turn.state, place.frame)
  const { step, loop } = nodePlanOf(turn.plan, frame, place.node)
  if (step !== undefined) return admitStep(turn, place, step)
  if (loop === undefined) return impossible(`node ${place.node} of frame ${place.frame} is neither step nor loop`)
  const { frameDepth } = turn.plan.limits
  const { depth } = framePlanOf(turn.plan, frame)
  if (frameDepth > 0 && depth + 1 > frameDepth) {
    const reason = `loop '${loop.id}' would exceed max_frame_depth=${frameDepth} (current depth=${depth})`
    return failRun(turn, "frame_depth", reason, place)
  }
  emit(turn, { type: "loop_started", ...named(turn, place) })
}

const startBody = (turn: Turn): void => {
  const place = turn.state.pendingLoops[0] ?? impossible("no loop waits for a body")
  const { work } = Slices.at(frameOf(turn.state, place.frame).nodes, place.node)
  if (work?.kind !== "loop") return impossible(`node ${place.node} of frame ${place.frame} is no running loop`)
  const name = named(turn, place)
  emit(turn, { type: "body_started", ...name, iteration: work.iteration })
  const ended = sealIfDone(turn, bodyFrame(place.frame, name.node, work.iteration))
  if (ended !== undefined) follow(turn, ended)
}

/** The guards of a step, in order; it starts, ends at once, or ends the run. */
const admitStep = (turn: Turn, place: Place, step: StepPlan): void => {
  const context = pathContext(turn.plan, turn.state, place.frame, turn.state.outputs)
  if (step.condition !== undefined) {
    const value = evaluate(step.condition, context)
    if (typeof value !== "boolean") {
      return failRun(turn, "condition_error", `condition evaluation failed at step '${step.id}': ${value.fault}`, place)
    }
    if (!value) {
      emit(turn, { type: "node_skipped", ...named(turn, place), reason: "condition evaluated to false" })
      return follow(turn, place)
    }
  }
  let items: number | undefined
  if (step.items !== undefined) {
    const found = resolve(step.items, context)
    const fault = found.type === "fault"
      ? found.reason
      : found.type === "absent"
      ? `'${step.items.text}' has no output yet`
      : !isArray(found.value)
      ? `'${step.items.text}' is no array`
      : found.value.length > MAX_ITEMS
      ? `'${step.items.text}' has ${found.value.length} items, and ${MAX_ITEMS} are allowed`
      : undefined
    if (fault !== undefined) return failStep(turn, place, "step_error", `each_items_invalid: ${fault}`)
    items = found.type === "value" && isArray(found.value) ? found.value.length : 0
    if (items === 0) {
      const mismatch = schemaFault(turn, step, [])
      if (mismatch !== undefined) return failStep(turn, place, "schema_validation", mismatch)
      emit(turn, { type: "step_completed", ...named(turn, place) })
      return follow(turn, place)
    }
  }
  // Of an `each` step only the syntax is known now: its message is rendered for each item.
  const rendered = items === undefined || !step.message.ok ? renderContent(step.message, context) : undefined
  if (rendered?.ok === false) {
    return failStep(turn, place, "step_error", `template render failed for step '${step.id}': ${rendered.error}`)
  }
  const edge = forbiddenEdge(turn, step)
  if (edge !== undefined) {
    if (turn.plan.topology?.mode === "strict") {
      return failRun(turn, "topology_violation", `topology violation: ${edge.from_role} -> ${edge.to_role}`, place)
    }
    emit(turn, { type: "topology_warned", ...edge, at: turn.ctx.now })
  }
  const members = runnable(turn.ctx.roster, step.role)
  if (items === undefined && step.policy.type === "quorum" && members.length < step.policy.n) {
    return failRun(turn, "insufficient_targets", insufficient(step, step.policy.n, members.length), place)
  }
  if (members.length === 0) return failStep(turn, place, "insufficient_targets", insufficient(step, 1, 0))
  if (items !== undefined) {
    emit(turn, { type: "step_started", ...named(turn, place), items })
    return spread(turn, place)
  }
  const targets = step.mode === "one_to_one" ? members.slice(0, 1) : members
  const content = rendered?.content ?? impossible(`the message of step ${step.id} was not rendered`)
  emit(turn, { type: "step_started", ...named(turn, place), content, lanes: targets.length })
  targets.forEach((target, lane) => dispatch(turn, place, lane, target))
}

/** The edge from the orchestrator to a step's role, if the last rule that matches it forbids it. */
const forbiddenEdge = (turn: Turn, step: StepPlan): { from_role: string; to_role: string } | undefined => {
  const { topology, orchestratorRole: from_role } = turn.plan
  if (topology === undefined || from_role === undefined) return undefined
  const to_role = step.role
  const matches = (rule: string, role: string) => rule === "*" || rule === role
  const last = topology.rules.findLast((rule) => matches(rule.from_role, from_role) && matches(rule.to_role, to_role))
  return last?.allowed === false ? { from_role, to_role } : undefined
}
