/**
 * Arguments of public calls, judged before a cell sees them. Types do not hold what comes from JavaScript, from a wire or
 * from arithmetic; and what cannot be written as JSON, or read again, would cost a cell its life.
 */
import { Effect, Schema } from "effect"
import { Content } from "../../sdk/content.ts"
import { type Cursor, Identity, RunId } from "../../sdk/ids.ts"
import { jsonFault } from "../member/index.ts"
import { ArgumentInvalid } from "./errors.ts"

/** Whether a text can be the identity of a member at all. */
export const isIdentity: (text: unknown) => text is Identity = Schema.is(Identity)

/** Whether a text can be the id of a run at all. */
export const isRunId: (text: unknown) => text is RunId = Schema.is(RunId)

const isContent = Schema.is(Content)

const invalid = (argument: string, reason: string) => Effect.fail(new ArgumentInvalid({ argument, reason }))

/** A name for a member that is to be. */
export const checkIdentity = (identity: string): Effect.Effect<Identity, ArgumentInvalid> =>
  isIdentity(identity) ? Effect.succeed(identity) : invalid("identity", "an identity has 1 to 256 characters")

/** Labels of a member. */
export const checkLabels = (labels: object): Effect.Effect<void, ArgumentInvalid> =>
  Object.values(labels).every((it) => typeof it === "string") ? Effect.void : invalid("labels", "labels are texts")

/** Parameters of a run. */
export const checkParams = (params: unknown): Effect.Effect<void, ArgumentInvalid> => {
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
    return invalid("params", "it is no object")
  }
  const fault = jsonFault(params)
  return fault === undefined ? Effect.void : invalid("params", fault)
}

/** Work for a member. */
export const checkWork = (content: unknown, timeout: unknown): Effect.Effect<void, ArgumentInvalid> => {
  if (typeof content !== "string") {
    const fault = jsonFault(content) ?? (isContent(content) ? undefined : "it is neither a text nor an array of blocks")
    if (fault !== undefined) return invalid("content", fault)
  }
  return timeout === undefined || typeof timeout === "number" && timeout >= 0 && Number.isFinite(timeout)
    ? Effect.void
    : invalid("timeout_ms", `${String(timeout)} is no number of milliseconds from 0`)
}

/** A key by which a call can be asked again. */
export const checkKey = (key: unknown): Effect.Effect<void, ArgumentInvalid> =>
  key === undefined || typeof key === "string" ? Effect.void : invalid("key", "it is no text")

/** A cursor to read after: a whole number from 0; what is below, or no number, reads from the start. */
export const cursorOf = (after: number): Cursor =>
  Number.isNaN(after) ? 0 : Math.max(0, Math.min(Number.MAX_SAFE_INTEGER, Math.floor(after)))

/** A number of events from 1 to 1,000. */
export const limitOf = (limit: number): number =>
  Number.isNaN(limit) ? 1 : Math.max(1, Math.min(1_000, Math.floor(limit)))
