/**
 * Clauses of the store contract as data, and what each is checked on.
 */
import { Data, Effect, type Scope } from "effect"
import type { StoreShape, StoreSupports } from "../../store.ts"
import type { ClauseResult } from "../report.ts"

/** Makes the writes of a place fail, and well again. */
export interface StoreFaults {
  /** From now on every write fails. Whether what it wrote is there all the same is open. */
  readonly begin: Effect.Effect<void>
  /** From now on writes are well. */
  readonly end: Effect.Effect<void>
}

/** A fresh place for data: an empty directory, a new schema of a database. */
export interface StorePlace {
  /**
   * Opens the store over this place. A durable one is opened again after its Scope closed, a shared one also while it is
   * open.
   */
  readonly open: Effect.Effect<StoreShape, unknown, Scope.Scope>
  /** Left out where writes cannot be made to fail; the clauses that need it are untested. */
  readonly faults?: StoreFaults
}

/** What a clause needs beyond what every store has. */
export type Need = "durable" | "shared" | "exclusive" | "faults"

/** What a clause is checked on: a place of its own. */
export interface Bench {
  readonly open: StorePlace["open"]
  readonly faults: StoreFaults
  readonly supports: StoreSupports
}

/** A clause that the contract alone can show to hold or not. */
export interface CheckedClause {
  readonly id: string
  readonly title: string
  readonly level: ClauseResult["level"]
  readonly needs: ReadonlyArray<Need>
  readonly check: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>
}

/** A clause that holds behind the contract: it stands in the report with the reason why no call shows it. */
interface UnseenClause {
  readonly id: string
  readonly title: string
  readonly level: ClauseResult["level"]
  readonly unseen: string
}

export type Clause = CheckedClause | UnseenClause

/** A clause that every store keeps. */
export const required = (
  id: string,
  title: string,
  check: CheckedClause["check"],
  ...needs: ReadonlyArray<Need>
): Clause => ({ id, title, level: "required", needs, check })

/** A clause that a store may leave out; its check then fails with {@link NotOffered}. */
export const optional = (id: string, title: string, check: CheckedClause["check"]): Clause => ({
  id,
  title,
  level: "optional",
  needs: [],
  check
})

/** A required clause that no call of the contract shows. */
export const unseen = (id: string, title: string, reason: string): Clause => ({
  id,
  title,
  level: "required",
  unseen: reason
})

/** The store does not do what an optional clause speaks of. */
export class NotOffered extends Data.TaggedError("NotOffered")<{ readonly message: string }> {}

/** Opens the store for as long as `use` runs. */
export const opened = <A, E>(
  { open }: Pick<Bench, "open">,
  use: (store: StoreShape) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, unknown> => Effect.scoped(Effect.flatMap(open, use))
