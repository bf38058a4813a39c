/**
 * Messages about inputs: outcomes, reincarnations, refusals, ends of detached turns; and deadlines that passed.
 * `judge` says what a message means; here it becomes facts.
 */
import { HashMap } from "effect"
import type { Identity, InputId } from "../../../sdk/ids.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { type InputRecord, judge } from "../delivery.ts"
import type { ToOwner } from "../protocol.ts"
import { dispatch, freed, spread } from "./dispatch.ts"
import { failRun, leaveTurn } from "./end.ts"
import { addressOf, inputId } from "./input.ts"
import { parseOutput } from "./output.ts"
import { active } from "./roster.ts"
import * as Slices from "./slices.ts"
import { frameOf, impossible, inputOf, type InputState, isTerminal, nodePlanOf } from "./state.ts"
import { concludeStep, isStopped } from "./step.ts"
import {
  emit,
  freshDeadline,
  hasTaker,
  occupies,
  owner,
  running,
  tellDispatch,
  tellDoor,
  tellSettled,
  type Turn
} from "./turn.ts"

/** Takes a message about one input. */
export const hear = (turn: Turn, message: Exclude<ToOwner, { readonly type: "who" }>): void => {
  const { input: id } = message
  const input = inputOf(turn.state, id)
  const verdict = judge(input === undefined ? undefined : recordOf(turn, input), message)
  switch (verdict.verdict) {
    case "ignore":
      return
    case "settle": {
      const door = doorOf(turn, id)
      if (door !== undefined) tellSettled(turn, door, id)
      return
    }
  }
  if (input === undefined) return impossible(`a verdict ${verdict.verdict} about the unknown input ${id}`)
  switch (verdict.verdict) {
    case "stale":
      if (message.type === "outcome") {
        tellDoor(turn, input.target, { type: "stale", input: id, fence: message.fence, current: verdict.current })
      }
      return
    case "ended":
      emit(turn, { type: "ended", input: id, at: turn.ctx.now })
      tellSettled(turn, input.target, id)
      if (!isTerminal(turn.state)) freed(turn, input.target)
      return
    case "redeliver":
      redeliver(turn, id, input, verdict.fence)
      return tellDispatch(turn, id, inputOf(turn.state, id) ?? impossible(`input ${id} is gone`))
    case "fail":
      return fail(turn, id, verdict.code, verdict.reason, afterFailure(message, verdict.code))
    case "outcome":
      if (verdict.redelivered) redeliver(turn, id, input, verdict.fence)
      return take(turn, id, input, verdict.outcome)
  }
}

/** Fails what is due. Those whose member has a newer incarnation that has not answered yet get a fresh deadline. */
export const timeOut = (turn: Turn): void => {
  const { now } = turn.ctx
  const { orphanedTurns } = turn.plan.limits
  const share = orphanedTurns === 0 ? 0 : Math.max(1, Math.floor(orphanedTurns / 2))
  let used: number | undefined
  for (let due = turn.state.deadlines; due !== undefined && due.deadline <= now; due = turn.state.deadlines) {
    if (isTerminal(turn.state)) return
    const id = due.input
    const input = inputOf(turn.state, id) ?? impossible(`the deadline of ${id} stands without it`)
    const { step } = running(turn, input)
    const entry = active(turn.ctx.roster, input.target)
    if (entry !== undefined && entry.fence > input.fence) {
      emit(turn, { type: "deferred", input: id, deadline: freshDeadline(turn, step), at: now })
      continue
    }
    used ??= orphans(turn)
    const free = turn.slots > 0 && used < share
    used += 1
    leaveTurn(turn, id, input, "timeout", `timeout after ${step.timeout}ms: ${input.target} has not ended its turn`)
    if (!free) {
      return failRun(
        turn,
        "orphan_budget",
        "flow turn timeout with exhausted orphan budget or per-flow orphan limit",
        input
      )
    }
    laneEnded(turn, input, false)
  }
}

/** Tells again all that committed state implies: every unfinished input, or those of one member. */
export const tellAgain = (turn: Turn, identity?: Identity): void => {
  const inputs = [...HashMap.entries(turn.state.inputs)].filter(([, it]) =>
    identity === undefined || it.target === identity
  )
  inputs.sort(([, a], [, b]) => a.order - b.order)
  for (const [id, input] of inputs) {
    if (input.status === "dispatched") tellDispatch(turn, id, input)
    else tellDoor(turn, input.target, { type: "detach", owner: owner(turn), input: id })
  }
}

/** Takes items from members that are gone for good, before their doors say so. */
export const takeBack = (turn: Turn): void => {
  for (const [id, input] of [...HashMap.entries(turn.state.inputs)].sort(([, a], [, b]) => a.order - b.order)) {
    if (isTerminal(turn.state) || inputOf(turn.state, id)?.status !== "dispatched") continue
    const phase = turn.ctx.roster.members.get(input.target)?.phase
    if (phase !== "broken" && phase !== "retired" || running(turn, input).step.mode !== "each") continue
    fail(
      turn,
      id,
      phase === "broken" ? "member_broken" : "member_retired",
      `member ${input.target} is ${phase}`,
      "elsewhere"
    )
  }
}

const recordOf = (turn: Turn, input: InputState): InputRecord => ({
  status: input.status,
  target: input.target,
  fence: input.fence,
  redeliveries: input.redeliveries,
  on_unknown: nodePlanOf(turn.plan, frameOf(turn.state, input.frame), input.node).step?.onUnknown ?? "redeliver"
})

/** Who had an input that is closed: its lane is the member, or its item remembers. */
const doorOf = (turn: Turn, id: InputId): Identity | undefined => {
  const address = addressOf(turn.plan, turn.state, id)
  if (address === undefined) return undefined
  const frame = frameOf(turn.state, address.frame)
  // The lane of a target is named by its identity.
  if (nodePlanOf(turn.plan, frame, address.node).step?.mode !== "each") return address.lane as Identity
  const node = Slices.at(frame.nodes, address.node)
  const item = Number(address.lane)
  if (node.work?.kind === "step" && item < node.work.lanes.length) {
    return Slices.at(node.work.lanes, item).targets[address.attempt - 1]
  }
  return node.doors !== undefined && item < node.doors.length
    ? Slices.at(node.doors, item)[address.attempt - 1]
    : undefined
}

const redeliver = (turn: Turn, id: InputId, input: InputState, fence: number): void => {
  const deadline = freshDeadline(turn, running(turn, input).step)
  emit(turn, { type: "redelivered", input: id, target: input.target, fence, deadline, at: turn.ctx.now })
}

const take = (turn: Turn, id: InputId, input: InputState, outcome: Outcome): void => {
  const { step } = running(turn, input)
  switch (outcome.status) {
    case "failed":
      return fail(turn, id, outcome.code, outcome.reason, "again")
    case "canceled":
      return fail(turn, id, "canceled", outcome.reason === "" ? "canceled" : `canceled: ${outcome.reason}`, "never")
    case "completed": {
      const parsed = parseOutput(step, input.target, outcome)
      if (!parsed.ok) return fail(turn, id, "malformed_output", parsed.error, "again")
      const { fence } = inputOf(turn.state, id) ?? input
      emit(turn, { type: "completed", input: id, fence, output: parsed.value, at: turn.ctx.now })
      tellSettled(turn, input.target, id)
      laneEnded(turn, input, false)
    }
  }
}

/**
 * What may follow a failed attempt. `again`: another one, if retries are left. `never`: nothing, for it could repeat
 * what this turn did. `elsewhere`: the member is gone; an item goes to another one, at no cost to its retries.
 */
type Afterwards = "again" | "never" | "elsewhere"

const afterFailure = (message: ToOwner, code: string): Afterwards =>
  message.type === "retiring" ? "elsewhere" : code === "redelivery_limit" ? "again" : "never"

const fail = (turn: Turn, id: InputId, code: string, reason: string, afterwards: Afterwards): void => {
  const input = inputOf(turn.state, id) ?? impossible(`input ${id} is gone`)
  const { step, work } = running(turn, input)
  const { attempt, failures } = Slices.at(work.lanes, input.lane)
  const { now: at, roster } = turn.ctx
  const { fence, target } = input
  const itemsGoOn = step.mode === "each" && !isStopped(step, work)
  if (afterwards === "elsewhere" && itemsGoOn && hasTaker(turn, step.role, target)) {
    const by = inputId(turn.plan, turn.state, input.frame, input.node, input.lane, attempt + 1)
    emit(turn, { type: "reassigned", input: id, by, code, reason, at })
    tellSettled(turn, target, id)
    return laneEnded(turn, input, true)
  }
  const same = step.mode === "each" ? undefined : active(roster, target)
  const possible = same !== undefined || (itemsGoOn && hasTaker(turn, step.role))
  const retry = afterwards === "again" && possible && failures < turn.plan.limits.stepRetries
  emit(turn, { type: "failed", input: id, fence, code, reason, final: !retry, at })
  tellSettled(turn, target, id)
  if (retry && same !== undefined) return dispatch(turn, input, input.lane, same)
  laneEnded(turn, input, retry)
}

/** Goes on after an input of a step that runs. `waits`: its item waits for any member. */
const laneEnded = (turn: Turn, input: InputState, waits: boolean): void => {
  const { step } = running(turn, input)
  if (step.mode === "each") spread(turn, input, waits ? undefined : [])
  else concludeStep(turn, input)
  if (!isTerminal(turn.state)) freed(turn, input.target)
}

const orphans = (turn: Turn): number => {
  let count = 0
  for (const input of HashMap.values(turn.state.inputs)) {
    if (input.status === "detached" && occupies(turn, input)) count += 1
  }
  return count
}
