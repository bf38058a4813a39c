/**
 * Configuration of members that are child processes.
 */
import { Schema } from "effect"
import { DOCUMENT_LIMIT } from "../../sdk/protocol/index.ts"

const { Int, Number, Record, String, NonEmptyArray, Struct, optionalKey } = Schema

const Millis = Number.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 2_147_483_647 })))

/** The rest of a profile's `bridge` table. */
export const SubprocessConfig = Struct({
  /**
   * The program and its arguments; it is started in the definition's folder. A program with a slash is relative to
   * that folder, one without is looked up on PATH.
   */
  command: NonEmptyArray(String),
  /** Added to the environment of the runtime. */
  env: optionalKey(Record(String, String)),
  /** Milliseconds from its start until it must have shaken hands; 10,000 when absent. */
  startup_timeout_ms: optionalKey(Millis),
  /** Milliseconds that each rung of the stop ladder waits; 2,000 when absent. */
  stop_timeout_ms: optionalKey(Millis),
  /** Milliseconds without a sign of life, while a turn is in flight, after which it is ended; for ever when absent. */
  idle_timeout_ms: optionalKey(Millis),
  /** Bytes a document may have, in both directions; 4 MiB when absent, and at most. */
  max_document_bytes: optionalKey(Int.pipe(Schema.check(Schema.isBetween({ minimum: 1024, maximum: DOCUMENT_LIMIT }))))
})
export type SubprocessConfig = typeof SubprocessConfig.Type
