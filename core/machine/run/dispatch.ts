/**
 * Handing work out: attempts to targets, items of `each` steps to free members.
 */
import type { Content } from "../../../sdk/content.ts"
import type { Identity } from "../../../sdk/ids.ts"
import type { RosterEntry } from "../protocol.ts"
import { inputId } from "./input.ts"
import { runnable } from "./roster.ts"
import * as Slices from "./slices.ts"
import { impossible, inputOf, nodeOf, type StepWork, stepWork } from "./state.ts"
import { concludeStep, hasWaiting, isStopped, named } from "./step.ts"
import { emit, freshDeadline, isFree, type Place, renderItem, running, takes, tellDispatch, type Turn } from "./turn.ts"

/** Dispatches the next attempt of a lane; `content` is an item's message if it was just rendered. */
export const dispatch = (turn: Turn, place: Place, lane: number, target: RosterEntry, content?: Content): void => {
  const { step, work } = running(turn, place)
  const { identity, fence } = target
  const name = step.mode === "each" ? lane : identity
  const attempt = Slices.at(work.lanes, lane).attempt + 1
  const id = inputId(turn.plan, turn.state, place.frame, place.node, name, attempt)
  const deadline = freshDeadline(turn, step)
  emit(turn, { type: "dispatched", input: id, target: identity, fence, deadline, at: turn.ctx.now })
  tellDispatch(turn, id, inputOf(turn.state, id) ?? impossible(`input ${id} was not dispatched`), content)
}

/**
 * Gives items that wait to free members. `candidates` are tried in order; without them all runnable members of the
 * role are. Then ends the step if that was all.
 */
export const spread = (turn: Turn, place: Place, candidates?: ReadonlyArray<RosterEntry>): void => {
  const { step } = running(turn, place)
  const members = candidates ?? runnable(turn.ctx.roster, step.role)
  let next = 0
  for (;;) {
    const { work } = running(turn, place)
    if (!hasWaiting(work) || isStopped(step, work)) break
    if (step.maxConcurrency !== undefined && work.inFlight >= step.maxConcurrency) break
    let member = members[next]
    while (member !== undefined && !(takes(turn, member) && isFree(turn, member.identity))) member = members[++next]
    if (member === undefined) break
    const item = nextItem(work)
    const rendered = renderItem(turn, place, item)
    if (rendered.ok) dispatch(turn, place, item, member, rendered.content)
    else {
      const reason = `template render failed for step '${step.id}' item ${item}: ${rendered.error}`
      emit(turn, { type: "item_failed", ...named(turn, place), item, reason })
    }
  }
  concludeStep(turn, place)
}

/** A member has less to do than before: `each` steps that run may give it an item. */
export const freed = (turn: Turn, identity: Identity): void => {
  const member = turn.ctx.roster.members.get(identity)
  if (member === undefined || turn.state.spreading.length === 0) return
  for (const place of turn.state.spreading) {
    const work = stepWork(nodeOf(turn.state, place.frame, place.node))
    if (work === undefined) continue
    const { step } = running(turn, place)
    if (step.role !== member.role) continue
    // With a lower limit others may be free as well, and the first by identity takes the item.
    const limited = step.maxConcurrency !== undefined
      && step.maxConcurrency < runnable(turn.ctx.roster, step.role).length
    spread(turn, place, limited ? undefined : [member])
  }
}

/** All `each` steps that run look at all members again. */
export const spreadAll = (turn: Turn): void => {
  for (const place of turn.state.spreading) {
    if (stepWork(nodeOf(turn.state, place.frame, place.node)) !== undefined) spread(turn, place)
  }
}

const nextItem = (work: StepWork): number => {
  const again = work.again[0]
  return again !== undefined && again < work.next ? again : work.next
}
