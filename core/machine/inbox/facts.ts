/**
 * Facts of an inbox, as they are stored. Each carries its version `v`.
 */
import { Schema } from "effect"
import { Content } from "../../../sdk/content.ts"
import type { JsonObject } from "../../../sdk/json.ts"
import { Outcome } from "../../../sdk/outcome.ts"
import { newestFact } from "../versions.ts"
import { inboxVersions } from "./versions.ts"

const { Int, Literal, Number, String, Struct, Union, optionalKey } = Schema

const fact = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Struct({ v: Literal(1), type: Literal(type), ...fields })

/** Work is accepted, and dispatched under this fence. */
const WorkAccepted = fact("work_accepted", {
  work_ref: String,
  key: String,
  content: Content,
  deadline: optionalKey(Number),
  fence: Int
})

/** Dispatched again, to a newer incarnation. */
const WorkRedelivered = fact("work_redelivered", { work_ref: String, fence: Int })

/** The work has its outcome. */
const WorkCompleted = fact("work_completed", { work_ref: String, fence: Int, outcome: Outcome })

/** Its deadline passed: it has this outcome, whatever the turn does. */
const WorkTimedOut = fact("work_timed_out", { work_ref: String, outcome: Outcome })

/** The turn that outlived its deadline is over. */
const WorkEnded = fact("work_ended", { work_ref: String })

/** The member of this generation retires: what was unfinished, so many, failed `member_retired`. */
const InboxClosed = fact("inbox_closed", { generation: Int, abandoned: Int })

/** What an inbox decided. Snake case, complete, folded by `evolveInbox`. */
export const InboxFact = Union([WorkAccepted, WorkRedelivered, WorkCompleted, WorkTimedOut, WorkEnded, InboxClosed])
export type InboxFact = typeof InboxFact.Type

const decode = Schema.decodeUnknownSync(InboxFact)
const types: ReadonlySet<string> = new Set(InboxFact.members.map((member) => member.fields.type.literal))

/** A fact as stored, by this program or an earlier one. Throws on anything else. */
export const decodeInboxFact = (stored: JsonObject): InboxFact => decode(newestFact(inboxVersions, types, stored))
