/**
 * What a test expected and did not find.
 */
import { Schema } from "effect"
import { inspect } from "node:util"

const { String, Unknown } = Schema

/**
 * A probe or a recording of the tap did not hold what a test expected. The message shows both.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { type ExpectationFailed, makeProbe, TestSystem } from "mobwright/testing"
 * import { strictEqual } from "node:assert"
 *
 * const program = Effect.gen(function*() {
 *   const probe = yield* makeProbe<string>("till")
 *   probe.ref.tellUnsafe("one euro")
 *   const failed: ExpectationFailed = yield* Effect.flip(probe.expect("two euros"))
 *   strictEqual(failed.message, "till did not hold what was expected\nexpected: [ 'two euros' ]\nreceived: [ 'one euro' ]")
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TestSystem.layer()))
 * ```
 */
export class ExpectationFailed extends Schema.TaggedError<ExpectationFailed>()("ExpectationFailed", {
  /** Name of the probe, or `the tap`. */
  subject: String,
  /** With `actual`, under the names by which test runners show a difference. */
  expected: Unknown,
  actual: Unknown
}) {
  /** Stable code of this error. */
  readonly code = "EXPECTATION_FAILED"
  override get message() {
    return `${this.subject} did not hold what was expected\nexpected: ${shown(this.expected)}\nreceived: ${
      shown(this.actual)
    }`
  }
}

/** A value as people read it; text is put as it is. */
export const shown = (value: unknown): string =>
  typeof value === "string" ? value : inspect(value, { depth: 8, breakLength: 100 })
