/**
 * The fold of an inbox's facts, and the public events they project to.
 */
import type { JsonObject } from "../../../sdk/json.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { Buckets } from "../buckets.ts"
import type { InboxFact } from "./facts.ts"
import type { InboxState, WorkItem } from "./state.ts"

/** What unfinished work of a member that retires ends with. */
const ABANDONED: Outcome = { status: "failed", code: "member_retired", reason: "the member retired before it was done" }

/** The state after a fact. Throws if the fact does not fit the state, which means that the log is damaged. */
export const evolveInbox = (state: InboxState, fact: InboxFact): InboxState => {
  switch (fact.type) {
    case "work_accepted": {
      const item: WorkItem = {
        work_ref: fact.work_ref,
        key: fact.key,
        content: fact.content,
        deadline: fact.deadline,
        status: "dispatched",
        fence: fact.fence,
        redeliveries: 0,
        order: state.next_order
      }
      return {
        ...state,
        over: false,
        next_order: state.next_order + 1,
        open: state.open.set(fact.work_ref, item),
        keys: fact.key === fact.work_ref ? state.keys : state.keys.set(fact.key, fact.work_ref)
      }
    }
    case "work_redelivered": {
      const item = itemOf(state, fact.work_ref)
      const redelivered = { ...item, fence: fact.fence, redeliveries: item.redeliveries + 1 }
      return { ...state, open: state.open.set(fact.work_ref, redelivered) }
    }
    case "work_completed": {
      const item = itemOf(state, fact.work_ref)
      return { ...remembered(state, item, fact.outcome), open: state.open.delete(fact.work_ref) }
    }
    case "work_timed_out": {
      const item = itemOf(state, fact.work_ref)
      const open = state.open.set(fact.work_ref, { ...item, status: "detached" })
      return { ...remembered(state, item, fact.outcome), open }
    }
    case "work_ended":
      return { ...state, open: state.open.delete(itemOf(state, fact.work_ref).work_ref) }
    case "inbox_closed": {
      const { generation, abandoned } = fact
      const all = unfinished(state).reduce((next, item) => remembered(next, item, ABANDONED), state)
      return { ...all, closed: { generation, abandoned }, over: true, open: Buckets.empty() }
    }
  }
}

/** Events of one fact, given the state before it. */
export const projectInbox = (before: InboxState, fact: InboxFact): ReadonlyArray<JsonObject> => {
  const { identity } = before
  switch (fact.type) {
    case "work_accepted":
      return [{ type: fact.type, identity, work_ref: fact.work_ref }]
    case "work_redelivered":
      return [{ type: fact.type, identity, work_ref: fact.work_ref, fence_token: fact.fence }]
    case "work_completed":
    case "work_timed_out":
      return [endEvent(identity, fact.work_ref, fact.outcome)]
    case "work_ended":
      return []
    case "inbox_closed":
      return unfinished(before).map((item) => endEvent(identity, item.work_ref, ABANDONED))
  }
}

const endEvent = (identity: string, work_ref: string, outcome: Outcome): JsonObject => {
  switch (outcome.status) {
    case "completed":
      return { type: "work_completed", identity, work_ref }
    case "failed":
      return { type: "work_failed", identity, work_ref, code: outcome.code, reason: outcome.reason }
    case "canceled":
      return { type: "work_canceled", identity, work_ref, reason: outcome.reason }
  }
}

const itemOf = (state: InboxState, work_ref: string): WorkItem => {
  const item = state.open.get(work_ref)
  if (item === undefined) throw new Error(`a fact names work ${work_ref}, which inbox ${state.identity} does not have`)
  return item
}

const unfinished = (state: InboxState): ReadonlyArray<WorkItem> =>
  [...state.open.values()].filter((item) => item.status === "dispatched").sort((a, b) => a.order - b.order)

/** Keeps the outcome; the oldest that has no room any more goes with its key. */
const remembered = (state: InboxState, item: WorkItem, outcome: Outcome): InboxState => {
  const { recent, forgotten } = state.ended.put(item.work_ref, { key: item.key, outcome })
  const key = forgotten === undefined ? undefined : state.ended.get(forgotten)?.key
  return { ...state, ended: recent, keys: key === undefined ? state.keys : state.keys.delete(key) }
}
