/**
 * How a turn ended.
 */
import { Schema } from "effect"
import { Json } from "./json.ts"

/** The turn ended well: its text, and a structured value where the member gave one. */
export const Completed = Schema.Struct({
  status: Schema.Literal("completed"),
  output: Schema.String,
  structured: Schema.optionalKey(Json)
})

/** The turn failed. `code` is stable, `reason` is for people. */
export const Failed = Schema.Struct({
  status: Schema.Literal("failed"),
  code: Schema.String,
  reason: Schema.String
})

/** The turn was canceled before it ended. */
export const Canceled = Schema.Struct({
  status: Schema.Literal("canceled"),
  reason: Schema.String
})

/** How one turn of a member ended: `completed`, `failed` or `canceled`. */
export const Outcome = Schema.Union([Completed, Failed, Canceled])
export type Outcome = typeof Outcome.Type
