/**
 * Failed writes as store errors: a medium without room, or anything else.
 */
import { StoreFull, StoreWriteFailed } from "../../sdk/store.ts"
import { reasonOf } from "./attempt.ts"

/** What a write failed with. */
export const writeFailure = (
  cause: unknown,
  outcome: StoreWriteFailed["outcome"]
): StoreFull | StoreWriteFailed => {
  const facts = { outcome, reason: reasonOf(cause) }
  return saysFull(cause) ? new StoreFull(facts) : new StoreWriteFailed(facts)
}

/** Whether an error is for want of room. Files have a code; LevelDB has the system's text alone. */
export const saysFull = (cause: unknown): boolean => {
  if (!(cause instanceof Error)) return false
  if ("code" in cause && typeof cause.code === "string" && codes.has(cause.code)) return true
  return texts.test(cause.message) || saysFull(cause.cause)
}

const codes = new Set(["ENOSPC", "EDQUOT", "EFBIG"])
// LevelDB begins them with a capital, Node does not.
const texts = /no space left on device|file too large|quota exceeded/i
