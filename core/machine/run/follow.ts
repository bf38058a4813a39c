/**
 * What follows from the end of a node: dependants that cannot run any more are skipped, branches lose their other
 * members, frames are sealed, loops go on or end, and at last the run ends. A list of work, not recursion: chains may
 * be thousands of nodes long.
 */
import { evaluate } from "./condition.ts"
import { pathContext } from "./context.ts"
import { failRun, sealRun } from "./end.ts"
import * as Slices from "./slices.ts"
import { bodyFrame, frameOf, framePlanOf, impossible, isTerminal, type NodeStatus } from "./state.ts"
import { emit, type Place, type Turn } from "./turn.ts"

/** Carries the end of a node through its frame, and as far up as it goes. */
export const follow = (turn: Turn, ended: Place): void => {
  const work: Array<Place> = [ended]
  for (let place = work.pop(); place !== undefined && !isTerminal(turn.state); place = work.pop()) {
    work.push(...skipped(turn, place))
    const up = sealIfDone(turn, place.frame)
    if (up !== undefined) work.push(up)
  }
}

/** Seals a frame without open nodes. Answers the loop node that ended with it, if one did. */
export const sealIfDone = (turn: Turn, id: string): Place | undefined => {
  const frame = frameOf(turn.state, id)
  if (frame.open > 0 || frame.sealed) return undefined
  if (frame.parent === undefined) {
    sealRun(turn)
    return undefined
  }
  const status = frame.failed > 0 ? "failed" : frame.canceled > 0 ? "canceled" : "completed"
  return endBody(turn, { frame: frame.parent.frame, node: frame.parent.node }, frame.parent.iteration, status)
}

/** Skips what a node's end rules out; answers what was skipped. */
const skipped = (turn: Turn, { frame: id, node: index }: Place): ReadonlyArray<Place> => {
  const result: Array<Place> = []
  const written = framePlanOf(turn.plan, frameOf(turn.state, id))
  const self = written.nodes[index] ?? impossible(`frame ${id} has no node ${index}`)
  const stateOf = (at: number) => Slices.at(frameOf(turn.state, id).nodes, at)
  const { status } = stateOf(index)
  const skip = (at: number, reason: string) => {
    const node = written.nodes[at]?.id ?? impossible(`frame ${id} has no node ${at}`)
    emit(turn, { type: "node_skipped", frame: id, node, reason, at: turn.ctx.now })
    result.push({ frame: id, node: at })
  }
  if (status === "completed") {
    for (const member of self.branch) {
      if (member !== index && stateOf(member).status === "pending") skip(member, "branch winner already selected")
    }
  }
  for (const at of self.dependants) {
    const dependant = stateOf(at)
    if (dependant.status !== "pending" || dependant.satisfied) continue
    if (written.nodes[at]?.dependsOnMode === "any") {
      if (dependant.waiting === 0) skip(at, "no dependency completed")
    } else if (status !== "completed") {
      skip(at, `dependency '${self.id}' ${outcomeText(status)}`)
    }
  }
  return result
}

const outcomeText = (status: NodeStatus): string =>
  status === "skipped" ? "was skipped" : "did not complete successfully"

/** Ends an iteration; answers the loop node if the loop ended with it. */
const endBody = (
  turn: Turn,
  place: Place,
  iteration: number,
  status: "completed" | "failed" | "canceled"
): Place | undefined => {
  const at = turn.ctx.now
  const { frame } = place
  const node = framePlanOf(turn.plan, frameOf(turn.state, frame)).nodes[place.node]
  const loop = node?.loop
  if (node === undefined || loop === undefined) {
    return impossible(`frame ${bodyFrame(frame, String(place.node), iteration)} has no loop`)
  }
  const ended = { type: "body_ended", frame, node: node.id, iteration, status, at } as const
  const end = (how: "completed" | "failed" | "canceled", reason?: string): Place => {
    emit(turn, {
      type: "loop_ended",
      frame,
      node: node.id,
      status: how,
      ...(reason === undefined ? {} : { reason }),
      at
    })
    return place
  }
  if (status !== "completed") {
    emit(turn, ended)
    return end(status, `loop '${loop.id}' iteration ${iteration} ${status}`)
  }
  const until = evaluate(loop.until, pathContext(turn.plan, turn.state, frame, turn.state.outputs))
  if (typeof until !== "boolean") {
    emit(turn, ended)
    failRun(
      turn,
      "condition_error",
      `condition evaluation failed at loop '${loop.id}' until condition: ${until.fault}`,
      place
    )
    return undefined
  }
  emit(turn, { ...ended, until })
  if (until) return end("completed")
  if (iteration + 1 < loop.maxIterations) return undefined
  return end("failed", `loop '${loop.id}' exhausted after ${loop.maxIterations} iterations`)
}
