/**
 * From decoders that throw the store's errors to effects that fail with them.
 */
import { Effect } from "effect"
import { SchemaUnsupported, StoreCorrupted, type StoreError, StoreUnavailable } from "../../sdk/store.ts"
import { damageOf } from "./level-errors.ts"

/** Runs `read`; what it throws becomes the failure. */
export const attempt = <A>(read: () => A): Effect.Effect<A, StoreError> => Effect.try({ try: read, catch: readFailure })

/** A failed read as a store error: the decoders' own, else the database could not answer. */
export const readFailure = (error: unknown): StoreError =>
  error instanceof StoreCorrupted || error instanceof SchemaUnsupported || error instanceof StoreUnavailable
    ? error
    // A record whose checksum matches holds what was written: reading it again will not help.
    : error instanceof SyntaxError
    ? new StoreCorrupted({
      where: "a record",
      what: `it is no JSON (${error.message})`,
      remedy: "see mob store repair"
    })
    : damageOf(error, "LevelDB's files") ?? new StoreUnavailable({ reason: `a read failed: ${reasonOf(error)}` })

/** What an unknown error says, with its cause. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
