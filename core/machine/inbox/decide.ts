/**
 * What an inbox makes of submitted work and of what its member's door says about it. The inbox is the owner of its
 * inputs: `judge` decides about fences and redelivery as it does for runs.
 */
import type { Content } from "../../../sdk/content.ts"
import type { Fence, Generation, InputId, Millis } from "../../../sdk/ids.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { type InputRecord, judge } from "../delivery.ts"
import {
  type Decision,
  inboxAggregate,
  type Refusal,
  type Send,
  type ToDoor,
  type ToInbox,
  type ToOwner,
  workInput,
  workRefOf
} from "../protocol.ts"
import type { InboxFact } from "./facts.ts"
import type { InboxState, WorkItem } from "./state.ts"

/** What an inbox can be asked. */
export type InboxCommand =
  /**
   * Takes work. `key` defaults to the work reference; the same key, or reference, answers what is recorded (R12).
   * `generation` and `fence` are what the mob answered to `check_submit`.
   */
  | {
    readonly type: "submit"
    readonly work_ref: string
    readonly key: string | undefined
    readonly content: Content
    /** Absolute; undefined for none. */
    readonly deadline: Millis | undefined
    readonly generation: Generation
    readonly fence: Fence
  }
  /** From the member's door. */
  | { readonly type: "message"; readonly message: ToOwner }
  /** The inbox was loaded: tell everything again (R1). Never has facts. */
  | { readonly type: "started" }
  /** Leaves behind what is past its deadline; see `nextDeadline`. */
  | { readonly type: "tick"; readonly at: Millis }
  | ToInbox

/** What a command answers. */
export type InboxReply =
  | { readonly type: "done" }
  /** To `submit`. */
  | { readonly type: "accepted"; readonly work_ref: string; readonly existing: boolean }

/** What an inbox decided, and what it answers once that is committed. */
export type InboxDecision = Decision<InboxFact> & { readonly reply: InboxReply }

const DONE: InboxReply = { type: "done" }

const decision = (
  facts: ReadonlyArray<InboxFact>,
  sends: ReadonlyArray<Send> = [],
  reply: InboxReply = DONE
): InboxDecision => ({ refused: false, facts, sends, reply })

/** Decides a command on the tip of an inbox. Refuses a submit alone, with `member_retiring`. */
export const decideInbox = (state: InboxState, command: InboxCommand): InboxDecision | Refusal => {
  switch (command.type) {
    case "submit":
      return submit(state, command)
    case "message":
      return command.message.type === "who"
        ? decision([], dispatches(state))
        : answer(state, command.message)
    case "started":
      return decision([], [...dispatches(state), ...detachments(state), ownerStarted(state)])
    case "tick":
      return tick(state, command.at)
    case "close":
      return close(state, command.generation)
  }
}

/** Earliest deadline of unfinished work; costs one look at each. Ask at a start and after a tick, not at each turn. */
export const nextDeadline = (state: InboxState): Millis | undefined => {
  let next: Millis | undefined
  for (const { status, deadline } of state.open.values()) {
    if (status === "dispatched" && deadline !== undefined && (next === undefined || deadline < next)) next = deadline
  }
  return next
}

/** Where a piece of work stands: `pending`, its outcome, or undefined for one that is unknown or forgotten. */
export const workOutcome = (state: InboxState, work_ref: string): Outcome | "pending" | undefined =>
  state.ended.get(work_ref)?.outcome ?? (state.open.has(work_ref) ? "pending" : undefined)

const door = (state: InboxState, message: ToDoor): Send => ({ to: "door", identity: state.identity, message })

const dispatch = (state: InboxState, item: WorkItem, fence: Fence): Send =>
  door(state, {
    type: "dispatch",
    owner: inboxAggregate(state.identity),
    dispatch: {
      input: workInput(state.identity, item.work_ref),
      fence,
      content: item.content,
      deadline: item.deadline,
      overlay: undefined,
      memos: {}
    }
  })

const inOrder = (state: InboxState, status: WorkItem["status"]): ReadonlyArray<WorkItem> =>
  [...state.open.values()].filter((item) => item.status === status).sort((a, b) => a.order - b.order)

const dispatches = (state: InboxState): ReadonlyArray<Send> =>
  inOrder(state, "dispatched").map((item) => dispatch(state, item, item.fence))

const detachments = (state: InboxState): ReadonlyArray<Send> =>
  inOrder(state, "detached").map((item) => detach(state, item.work_ref))

const detach = (state: InboxState, work_ref: string): Send =>
  door(state, {
    type: "detach",
    owner: inboxAggregate(state.identity),
    input: workInput(state.identity, work_ref)
  })

const ownerStarted = (state: InboxState): Send =>
  door(state, { type: "owner_started", owner: inboxAggregate(state.identity) })

const submit = (
  state: InboxState,
  command: Extract<InboxCommand, { type: "submit" }>
): InboxDecision | Refusal => {
  const { work_ref, content, deadline, generation, fence } = command
  const key = command.key ?? work_ref
  const known = state.keys.get(key) ?? [key, work_ref].find((ref) => state.open.has(ref) || state.ended.has(ref))
  if (known !== undefined) return decision([], [], { type: "accepted", work_ref: known, existing: true })
  if (state.closed !== undefined && generation <= state.closed.generation) {
    const { identity } = state
    return { refused: true, code: "member_retiring", message: `member ${identity} is retiring`, facts: { identity } }
  }
  const accepted: InboxFact = {
    v: 1,
    type: "work_accepted",
    work_ref,
    key,
    content,
    ...(deadline === undefined ? {} : { deadline }),
    fence
  }
  const item: WorkItem = {
    work_ref,
    key,
    content,
    deadline,
    status: "dispatched",
    fence,
    redeliveries: 0,
    order: state.next_order
  }
  return decision([accepted], [dispatch(state, item, fence)], { type: "accepted", work_ref, existing: false })
}

const recordOf = (state: InboxState, work_ref: string): InputRecord | undefined => {
  const item = state.open.get(work_ref)
  if (item === undefined) return undefined
  const { status, fence, redeliveries } = item
  return { status, target: state.identity, fence, redeliveries, on_unknown: "redeliver" }
}

const answer = (state: InboxState, message: Exclude<ToOwner, { type: "who" }>): InboxDecision => {
  const { input } = message
  const work_ref = workRefOf(state.identity, input) ?? ""
  const item = state.open.get(work_ref)
  const verdict = judge(recordOf(state, work_ref), message)
  switch (verdict.verdict) {
    case "ignore":
      return decision([])
    case "settle":
      return decision([], [settled(state, input)])
    case "stale": {
      const fence = message.type === "outcome" ? message.fence : 0
      return decision([], [door(state, { type: "stale", input, fence, current: verdict.current })])
    }
    case "outcome": {
      const { fence, outcome } = verdict
      const redelivered: ReadonlyArray<InboxFact> = verdict.redelivered
        ? [{ v: 1, type: "work_redelivered", work_ref, fence }]
        : []
      return decision([...redelivered, { v: 1, type: "work_completed", work_ref, fence, outcome }], [
        settled(state, input)
      ])
    }
    case "redeliver": {
      const { fence } = verdict
      const sends = item === undefined ? [] : [dispatch(state, item, fence)]
      return decision([{ v: 1, type: "work_redelivered", work_ref, fence }], sends)
    }
    case "fail": {
      const outcome: Outcome = { status: "failed", code: verdict.code, reason: verdict.reason }
      const fence = item?.fence ?? 0
      return decision([{ v: 1, type: "work_completed", work_ref, fence, outcome }], [settled(state, input)])
    }
    case "ended":
      return decision([{ v: 1, type: "work_ended", work_ref }], [settled(state, input)])
  }
}

const settled = (state: InboxState, input: InputId): Send => door(state, { type: "settled", input })

const tick = (state: InboxState, at: Millis): InboxDecision => {
  const late = inOrder(state, "dispatched").filter(({ deadline }) => deadline !== undefined && deadline <= at)
  const outcome: Outcome = { status: "failed", code: "timeout", reason: "the work was not done before its deadline" }
  return decision(
    late.map(({ work_ref }) => ({ v: 1, type: "work_timed_out", work_ref, outcome })),
    late.map(({ work_ref }) => detach(state, work_ref))
  )
}

const close = (state: InboxState, generation: Generation): InboxDecision => {
  if (state.closed !== undefined && generation <= state.closed.generation) {
    return decision([], [door(state, { type: "inbox_closed", abandoned: state.closed.abandoned })])
  }
  const unfinished = inOrder(state, "dispatched")
  const abandoned = unfinished.length
  const inputs = [...unfinished, ...inOrder(state, "detached")]
  return decision([{ v: 1, type: "inbox_closed", generation, abandoned }], [
    ...inputs.map(({ work_ref }) => settled(state, workInput(state.identity, work_ref))),
    door(state, { type: "inbox_closed", abandoned })
  ])
}
