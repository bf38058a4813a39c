/**
 * How a run ends. Whatever still runs is settled in the same turn: turns in flight are left behind (detached), nodes
 * that run are canceled, and only then does the run end.
 */
import { HashMap } from "effect"
import type { InputId } from "../../../sdk/ids.ts"
import type { FailureCause, NewRunFact } from "./fact.ts"
import * as Slices from "./slices.ts"
import { frameOf, framePlanOf, type InputState, nodePlanOf, rootFrame } from "./state.ts"
import { emit, owner, type Place, tellDoor, type Turn } from "./turn.ts"

/** Fails the run at once. `offender` is the node whose fault it is, ready or running. */
export const failRun = (turn: Turn, cause: FailureCause, reason: string, offender?: Place): void => {
  leaveTurns(turn, "failed", reason)
  if (offender !== undefined) failNode(turn, offender, cause, reason)
  cancelNodes(turn)
  conclude(turn, { type: "run_failed", cause, reason, at: turn.ctx.now })
}

/** Ends the run as canceled, whatever the orphan budget says. */
export const cancelRun = (turn: Turn): void => {
  leaveTurns(turn, "canceled", "the run was canceled")
  cancelNodes(turn)
  conclude(turn, { type: "run_canceled", at: turn.ctx.now })
}

/** Ends a run whose root frame has no open node. */
export const sealRun = (turn: Turn): void => {
  const { run_id, failure } = turn.state
  if (frameOf(turn.state, rootFrame(run_id)).failed === 0) {
    return conclude(turn, { type: "run_completed", at: turn.ctx.now })
  }
  const detail = failure === undefined ? "" : `: '${failure.node}': ${failure.reason}`
  conclude(turn, {
    type: "run_failed",
    cause: failure?.cause ?? "step_error",
    reason: `flow failed for run ${run_id}: root frame sealed failed${detail}`,
    at: turn.ctx.now
  })
}

/** Leaves one turn behind and tells its door. */
export const leaveTurn = (
  turn: Turn,
  id: InputId,
  input: InputState,
  cause: "timeout" | "canceled" | "failed",
  reason: string
): void => {
  emit(turn, { type: "detached", input: id, cause, reason, at: turn.ctx.now })
  turn.slots -= 1
  tellDoor(turn, input.target, { type: "detach", owner: owner(turn), input: id })
}

const leaveTurns = (turn: Turn, cause: "canceled" | "failed", reason: string): void => {
  const inFlight = [...HashMap.entries(turn.state.inputs)].filter(([, input]) => input.status === "dispatched")
  inFlight.sort(([, a], [, b]) => a.order - b.order)
  for (const [id, input] of inFlight) leaveTurn(turn, id, input, cause, reason)
}

const failNode = (turn: Turn, { frame, node }: Place, cause: FailureCause, reason: string): void => {
  const at = turn.ctx.now
  const plan = nodePlanOf(turn.plan, frameOf(turn.state, frame), node)
  emit(
    turn,
    plan.loop === undefined
      ? { type: "step_failed", frame, node: plan.id, cause, reason, at }
      : { type: "loop_ended", frame, node: plan.id, status: "failed", reason, at }
  )
}

const cancelNodes = (turn: Turn): void => {
  const at = turn.ctx.now
  const frames = [...HashMap.values(turn.state.frames)].filter((frame) => !frame.sealed)
  frames.sort((a, b) => a.id < b.id ? -1 : 1)
  for (const frame of frames) {
    Slices.toArray(frame.nodes).forEach((node, index) => {
      if (node.status !== "running") return
      // The failing node of this turn may have ended meanwhile.
      if (Slices.at(frameOf(turn.state, frame.id).nodes, index).status !== "running") return
      const plan = framePlanOf(turn.plan, frame).nodes[index]
      if (plan !== undefined) emit(turn, { type: "node_canceled", frame: frame.id, node: plan.id, at })
    })
  }
}

const conclude = (
  turn: Turn,
  fact: Extract<NewRunFact, { readonly type: "run_completed" | "run_failed" | "run_canceled" }>
): void => {
  emit(turn, fact)
  turn.sends.push({ to: "mob", message: { type: "run_ended", run: turn.state.run_id, status: endOf[fact.type] } })
}

/** What the mob calls the end that a fact records. */
const endOf = { run_completed: "completed", run_failed: "failed", run_canceled: "canceled" } as const
