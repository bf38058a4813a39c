/**
 * Blobs over a shelf: kept under their hash, checked when they are read, removed when no record refers to them any more.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import type { BlobRef, StoreError } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import { unsealScanned } from "./block.ts"
import { writeFailure } from "./full.ts"
import { after, blockKeys, headKeys, pinKeys } from "./keys.ts"
import type { DatabaseReads, Shelf } from "./medium.ts"
import { corrupted, unseal } from "./seal.ts"
import { type Commit, textOf } from "./seams.ts"

/** A blob that is what its name says. Fails with `StoreCorrupted`. */
export const readBlob = Effect.fnUntraced(
  function*(shelf: Shelf, mobNo: number, sha256: string): Effect.fn.Return<Uint8Array | undefined, StoreError> {
    if (!wholeHash.test(sha256)) return undefined
    const bytes = yield* shelf.get(mobNo, sha256)
    if (bytes === undefined || hashOf(bytes) === sha256) return bytes
    return yield* corrupted(shelf.describe(mobNo, sha256), "its bytes do not have the hash that is its name")
  }
)

/** What a store knows of its blobs beyond the shelf: which are new, and what is referred to while a sweep looks. */
export class Blobs {
  readonly shelf: Shelf
  /**
   * Kept since the store was opened, by mob number: some 100 bytes of memory for each, for as long. None may go when a
   * record refers to it: the same bytes may have been kept for another record as well, which is still to come when a
   * prune removes the first.
   */
  readonly #new = new Map<number, Set<string>>()
  /** How often records of a mob were removed, and as of which time all that they had referred to was swept. */
  readonly #removals = new Map<number, number>()
  readonly #swept = new Map<number, number>()
  /** What batches refer to, for each sweep that looks now. */
  readonly #seen = new Set<Set<string>>()

  constructor(shelf: Shelf) {
    this.shelf = shelf
  }

  /** Keeps bytes; durable when it ends. */
  readonly put = (mobNo: number, bytes: Uint8Array): Effect.Effect<BlobRef, StoreError> =>
    Effect.suspend(() => {
      // The caller may go on writing to them.
      const own = Uint8Array.from(bytes) // the `slice` of a Buffer is a view
      const sha256 = hashOf(own)
      // Before anything else, so that a sweep that looks now leaves it alone.
      this.#newOf(mobNo).add(sha256)
      return Effect.as(this.shelf.put(mobNo, sha256, own), { sha256, bytes: own.length })
    })

  /** Removes all of a mob that is destroyed. */
  readonly clear = (mobNo: number): Effect.Effect<void, StoreError> =>
    Effect.tap(this.shelf.clear(mobNo), () =>
      Effect.sync(() => {
        for (const known of [this.#new, this.#removals, this.#swept]) known.delete(mobNo)
      }))

  /** Records of this mob are about to be removed: blobs may be left that nothing else refers to. */
  removing(mobNo: number): void {
    this.#removals.set(mobNo, this.#removalsOf(mobNo) + 1)
  }

  /** The commit, with an eye on what its records refer to. */
  watched(commit: Commit): Commit {
    return (operations, done) => {
      if (this.#seen.size > 0) {
        for (const operation of operations) {
          if (operation.type === "put") this.#note(textOf(operation.value))
        }
      }
      commit(operations, done)
    }
  }

  /**
   * Removes blobs that no record refers to; those kept since the opening wait for the record that will. It looks through
   * all history, so it does nothing when nothing was removed since it last came to its end. `begin` calls its argument
   * when nothing is in flight, and gives the database; `whyNot` tells why nothing may be removed any more: the folder may
   * be another process's by then.
   */
  sweep(
    mobNo: number,
    begin: (watch: () => void) => Effect.Effect<DatabaseReads, StoreError>,
    whyNot: () => StoreError | undefined
  ): Effect.Effect<number, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const removals = this.#removalsOf(mobNo)
      if (this.#swept.get(mobNo) === removals) return 0
      const removed = yield* this.#sweep(mobNo, begin, whyNot)
      this.#swept.set(mobNo, removals)
      return removed
    })
  }

  #sweep(
    mobNo: number,
    begin: (watch: () => void) => Effect.Effect<DatabaseReads, StoreError>,
    whyNot: () => StoreError | undefined
  ): Effect.Effect<number, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const old = (yield* this.shelf.names(mobNo)).filter((sha256) => !this.#newOf(mobNo).has(sha256))
      if (old.length === 0) return 0
      // What is written while we look may refer to what we look for in vain.
      const seen = new Set<string>()
      const look = Effect.gen({ self: this }, function*() {
        const database = yield* begin(() => this.#seen.add(seen))
        let removed = 0
        for (const sha256 of yield* unreferenced(database, mobNo, old)) {
          const error = whyNot()
          if (error !== undefined) return yield* error
          // In one go: it may be kept again at any moment.
          yield* Effect.try({
            try: () => {
              if (seen.has(sha256) || this.#newOf(mobNo).has(sha256)) return
              this.shelf.remove(mobNo, sha256)
              removed++
            },
            catch: (cause) => writeFailure(cause, "not_written")
          })
        }
        return removed
      })
      return yield* Effect.ensuring(look, Effect.sync(() => this.#seen.delete(seen)))
    })
  }

  #note(text: string): void {
    for (const sha256 of referencesIn(text)) {
      for (const seen of this.#seen) seen.add(sha256)
    }
  }

  #removalsOf(mobNo: number): number {
    return this.#removals.get(mobNo) ?? 0
  }

  #newOf(mobNo: number): Set<string> {
    const known = this.#new.get(mobNo)
    if (known !== undefined) return known
    const none = new Set<string>()
    this.#new.set(mobNo, none)
    return none
  }
}

/** Those of `names` that no record of this mob, and no pinned definition, refers to. */
const unreferenced = Effect.fnUntraced(
  function*(
    database: DatabaseReads,
    mobNo: number,
    names: ReadonlyArray<string>
  ): Effect.fn.Return<ReadonlySet<string>, StoreError> {
    const left = new Set(names)
    const look = (text: string) => {
      for (const sha256 of referencesIn(text)) left.delete(sha256)
    }
    // Each is checked: a reference that cannot be read is no reason to remove what it refers to.
    yield* database.scan(blockKeys(mobNo, 0), 256, (values) => {
      for (const value of values) unsealScanned(mobNo, value).lines.forEach(look)
      return left.size > 0
    })
    for (const range of [headKeys(mobNo, ""), pinKeys]) {
      for (let { gte } = range; left.size > 0;) {
        const keys = yield* database.keys({ ...range, gte }, 256)
        const last = keys.at(-1)
        if (last === undefined) break
        const values = yield* database.get(keys)
        yield* attempt(() => {
          for (const [index, key] of keys.entries()) {
            const value = values[index]
            // It may have been forgotten meanwhile.
            if (value !== undefined) look(unseal(key, value).body)
          }
        })
        gte = after(last)
      }
    }
    return left
  }
)

/** Hashes that a record's text refers to. */
const referencesIn = (text: string): ReadonlyArray<string> =>
  text.includes("blob:") ? Array.from(text.matchAll(reference), (match) => match[1] ?? "") : []

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const reference = /blob:([0-9a-f]{64})/g
const wholeHash = /^[0-9a-f]{64}$/
