/**
 * Running the clauses: each as a test of the author's own runner, on a fresh place, with a report at the end.
 */
import { Cause, type Duration, Effect, Exit, type Scope } from "effect"
import type { StoreSupports } from "../../store.ts"
import type { ClauseResult, ConformanceReport } from "../report.ts"
import { type Bench, type CheckedClause, type Need, NotOffered, type StorePlace } from "./clause.ts"
import { clauses, version } from "./clauses.ts"

/** Registers a test by name: `it` of vitest, of node:test, of mocha. With `skip`, clauses that are not tested are shown. */
export interface RegisterTest {
  (name: string, run: () => Promise<void>): unknown
  readonly skip?: (name: string, run: () => Promise<void>) => unknown
}

/** A store under test. */
export interface StoreConformanceOptions {
  readonly it: RegisterTest
  /** A place of its own for each clause, removed with the Scope. */
  readonly make: Effect.Effect<StorePlace, unknown, Scope.Scope>
  /** What the store says of itself: clauses that need more are not tested. */
  readonly supports: StoreSupports
  /** Time limit of one clause; 10 seconds if it is not given. */
  readonly within?: Duration.Input
}

/** A run of the kit. */
export interface StoreConformance {
  /** What came of the clauses so far; read it when the runner is done. */
  readonly report: () => ConformanceReport
}

/**
 * Registers the clauses of the store contract as tests of a store, named by their numbers.
 *
 * A required clause that does not hold fails its test. An optional one does so only if the store does what it speaks
 * of; if not, the test passes and the report says `untested`, as it does for what no call of the contract can show.
 *
 * @example
 * ```ts
 * import { Context, Effect, Layer } from "effect"
 * import { JournalMemory } from "mobwright"
 * import { Journal } from "mobwright/sdk"
 * import { storeConformance } from "mobwright/sdk/testing"
 * import { after, it } from "node:test"
 *
 * const { report } = storeConformance({
 *   it,
 *   make: Effect.succeed({ open: Effect.map(Layer.build(JournalMemory.layer), Context.get(Journal)) }),
 *   supports: { durable: false, shared: false }
 * })
 *
 * after(() => console.log(JSON.stringify(report(), null, 2)))
 * ```
 */
export const storeConformance = (options: StoreConformanceOptions): StoreConformance => {
  const { it, supports } = options
  const results = new Map<string, Omit<ClauseResult, "id" | "title" | "level">>()
  for (const clause of clauses) {
    const name = `${clause.id} ${clause.level}: ${clause.title}`
    const reason = "unseen" in clause ? clause.unseen : missing(clause.needs, supports)
    if ("unseen" in clause || reason !== undefined) {
      results.set(clause.id, { outcome: "untested", reason: reason ?? "" })
      it.skip?.(`${name} (${reason})`, () => Promise.resolve())
      continue
    }
    results.set(clause.id, { outcome: "untested", reason: "its test did not run" })
    it(name, async () => {
      results.set(clause.id, { outcome: "failed", reason: "its test did not end" })
      const result = outcomeOf(await Effect.runPromiseExit(attempt(clause, options)))
      results.set(clause.id, result)
      if (result.outcome === "failed") throw new Error(`${name}\n${result.reason}`)
    })
  }
  return {
    report: () => ({
      contract: "store",
      version,
      supports,
      clauses: clauses.map(({ id, level, title }) => ({
        id,
        title,
        level,
        ...results.get(id) ?? { outcome: "untested" }
      }))
    })
  }
}

/** Why a clause cannot be tested on a store that says this of itself. */
const missing = (needs: ReadonlyArray<Need>, supports: StoreSupports): string | undefined => {
  if (needs.includes("durable") && !supports.durable) return "the store is not durable"
  if (needs.includes("shared") && !supports.shared) return "the store is not shared"
  if (needs.includes("exclusive") && supports.shared) return "the store is shared"
  return undefined
}

const attempt = (
  clause: CheckedClause,
  { make, supports, within = "10 seconds" }: StoreConformanceOptions
): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const { faults = noFaults, open } = yield* make
    if (faults === noFaults && clause.needs.includes("faults")) {
      return yield* new NotOffered({ message: "writes of this place cannot be made to fail" })
    }
    const bench: Bench = { open, supports, faults }
    // Closed before the place is removed, whatever came of it.
    yield* Effect.scoped(clause.check(bench))
  }).pipe(
    Effect.scoped,
    Effect.timeoutOrElse({ duration: within, orElse: () => Effect.fail(new Error("it did not end in time")) })
  )

const noFaults = { begin: Effect.void, end: Effect.void }

const outcomeOf = (exit: Exit.Exit<void, unknown>): Omit<ClauseResult, "id" | "title" | "level"> => {
  if (Exit.isSuccess(exit)) return { outcome: "passed" }
  const failure = Cause.squash(exit.cause)
  if (failure instanceof NotOffered) return { outcome: "untested", reason: failure.message }
  return { outcome: "failed", reason: failure instanceof Error ? failure.message : String(failure) }
}
