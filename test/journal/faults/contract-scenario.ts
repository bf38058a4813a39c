/**
 * Operations of the store contract as data: a scenario of them is the same each time it is played.
 */
import * as fc from "fast-check"

/** What one submission writes: aggregates by slot, each one entry further. */
export interface Write {
  readonly slots: ReadonlyArray<number>
  /** The first of them ends. */
  readonly ends: boolean
  /** With a definition. */
  readonly pins: boolean
  /** With heads of them all. */
  readonly heads: boolean
}

/** One call of the contract, or several that belong together. */
export type Operation =
  | { readonly type: "submit"; readonly writes: ReadonlyArray<Write> }
  | { readonly type: "load" | "head"; readonly slot: number }
  | { readonly type: "events"; readonly back: number; readonly limit: number }
  | { readonly type: "prune"; readonly back: number; readonly forgets: boolean }
  | Bare

/** A call without a choice of its own. */
interface Bare {
  readonly type:
    | "live"
    | "aggregates"
    | "pinned"
    | "putBlob"
    | "refer"
    | "blob"
    | "barrier"
    | "inspect"
    | "mobs"
    | "acquire"
    | "writeOther"
    | "destroyOther"
}

/** Aggregates that are written; one that ended makes room for a new one. */
export const slots = 6

const slot = fc.nat(slots - 1)
const write: fc.Arbitrary<Write> = fc.record({
  slots: fc.oneof(fc.tuple(slot), fc.uniqueArray(slot, { minLength: 2, maxLength: 3 })),
  ends: fc.boolean(),
  pins: fc.constantFrom(true, false, false),
  heads: fc.constantFrom(true, false, false, false)
})
const only = (...types: ReadonlyArray<Bare["type"]>) => fc.constantFrom(...types).map((type): Bare => ({ type }))

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ type: fc.constant("submit"), writes: fc.tuple(write) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("submit"), writes: fc.array(write, { minLength: 2, maxLength: 4 }) })
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("load", "head"), slot }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("events"), back: fc.nat(40), limit: fc.constantFrom(1, 10, 1000) })
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("prune"), back: fc.nat(30), forgets: fc.boolean() }) },
  { weight: 2, arbitrary: only("live", "aggregates", "pinned", "blob", "barrier", "mobs") },
  { weight: 3, arbitrary: only("putBlob", "refer", "inspect", "acquire", "writeOther", "destroyOther") }
)

/** The scenario: as many operations as asked for. */
export const scenario = (length: number): ReadonlyArray<Operation> =>
  fc.sample(operation, { numRuns: length, seed: 42 })
