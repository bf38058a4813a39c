/**
 * An inbox's state as it stands in its head.
 */
import { Schema } from "effect"
import { Content } from "../../../sdk/content.ts"
import { Identity } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import { Outcome } from "../../../sdk/outcome.ts"
import { Buckets, Recent } from "../buckets.ts"
import { newestHead } from "../versions.ts"
import { type InboxState, OUTCOMES_KEPT } from "./state.ts"
import { inboxVersions } from "./versions.ts"

const { Array, Boolean, Int, Literal, Literals, Number, String, Struct, optionalKey } = Schema

const InboxHead = Struct({
  v: Literal(2),
  identity: Identity,
  closed: optionalKey(Struct({ generation: Int, abandoned: Int })),
  over: Boolean,
  next_order: Int,
  open: Array(Struct({
    work_ref: String,
    key: String,
    content: Content,
    deadline: optionalKey(Number),
    status: Literals(["dispatched", "detached"]),
    fence: Int,
    redeliveries: Int,
    order: Int
  })),
  /** Oldest first. */
  ended: Array(Struct({ work_ref: String, key: String, outcome: Outcome }))
})

const decodeHead = Schema.decodeUnknownSync(InboxHead)

/** The head of a state. */
export const encodeInbox = (state: InboxState): Json => ({
  v: 2,
  identity: state.identity,
  ...(state.closed === undefined ? {} : { closed: { ...state.closed } }),
  over: state.over,
  next_order: state.next_order,
  open: [...state.open.values()].sort((a, b) => a.order - b.order).map(({ deadline, ...item }) => ({
    ...item,
    ...(deadline === undefined ? {} : { deadline })
  })),
  ended: [...state.ended.entries()].map(([work_ref, { key, outcome }]) => ({ work_ref, key, outcome }))
})

/** The state of a head, as this program or an earlier one stored it. Throws on anything else. */
export const decodeInbox = (json: Json): InboxState => {
  const { v: _, closed, open, ended, ...rest } = decodeHead(newestHead(inboxVersions, json))
  return {
    ...rest,
    closed,
    open: Buckets.from(open.map((item) => [item.work_ref, { ...item, deadline: item.deadline }])),
    // Detached work has its outcome, so its key stands with `ended`, for as long as that is remembered.
    keys: Buckets.from(
      [...ended, ...open.filter((item) => item.status === "dispatched")]
        .filter(({ key, work_ref }) => key !== work_ref)
        .map(({ key, work_ref }) => [key, work_ref])
    ),
    ended: Recent.of(OUTCOMES_KEPT, ended.map(({ work_ref, key, outcome }) => [work_ref, { key, outcome }]))
  }
}
