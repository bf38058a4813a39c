/**
 * What came of running a conformance kit, as a value that machines read.
 */
import { Schema } from "effect"

/** What came of one clause. */
export const ClauseResult = Schema.Struct({
  /** Stable: a number is never given to another clause. */
  id: Schema.String,
  /** The clause in one sentence. */
  title: Schema.String,
  /** An implementation may leave out what an `optional` clause says; what it does of it must hold. */
  level: Schema.Literals(["required", "optional"]),
  outcome: Schema.Literals(["passed", "failed", "untested"]),
  /** Why it failed, or was not tested. */
  reason: Schema.optionalKey(Schema.String)
})
export type ClauseResult = typeof ClauseResult.Type

/** All clauses of the store contract and what came of each. Plain JSON. */
export const ConformanceReport = Schema.Struct({
  contract: Schema.Literal("store"),
  /** Rises when a clause is added, or says something else. */
  version: Schema.Int,
  /** What the implementation says of itself; clauses that need more are `untested`. */
  supports: Schema.Struct({ durable: Schema.Boolean, shared: Schema.Boolean }),
  clauses: Schema.Array(ClauseResult)
})
export type ConformanceReport = typeof ConformanceReport.Type
