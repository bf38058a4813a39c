/**
 * A medium that fails while it is told to: every read, every write, every opening.
 */
import { Effect } from "effect"
import type { Database, DatabaseReads, Medium, Shelf } from "../../../core/journal/medium.ts"
import { type StoreError, StoreUnavailable, StoreWriteFailed } from "../../../sdk/store.ts"

/** What becomes of a write that fails: nothing, or it is there all the same. */
export type Fault = "lost" | "written"

/** Turns failures on and off, and counts what they hit. */
export class Faults {
  now: Fault | undefined
  hits = 0

  /** Called by each use of the medium. */
  hit(): Fault | undefined {
    if (this.now !== undefined) this.hits++
    return this.now
  }
}

/** The medium, failing while `faults` say so. */
export const failing = (medium: Medium, faults: Faults): Medium => ({
  ...medium,
  open: Effect.suspend(() => faults.hit() === undefined ? medium.open : unreadable).pipe(
    Effect.map((database) => failingDatabase(database, faults))
  ),
  blobs: failingShelf(medium.blobs, faults)
})

const failingDatabase = (database: Database, faults: Faults): Database => ({
  ...failingReads(database, faults),
  commit: (operations, done) => {
    const fault = faults.hit()
    const failed = () => done(new Error("input/output error"))
    if (fault === undefined) return database.commit(operations, done)
    if (fault === "written") return database.commit(operations, failed)
    setImmediate(failed)
  },
  getSync: (key) => {
    if (faults.hit() !== undefined) throw new Error("input/output error")
    return database.getSync(key)
  },
  snapshot: (read) =>
    reading(faults, Effect.suspend(() => database.snapshot((reads) => read(failingReads(reads, faults))))),
  settle: Effect.suspend(() => faults.hit() === undefined ? database.settle : unwritten("not_written")),
  reclaim: database.reclaim,
  close: database.close
})

const failingReads = (reads: DatabaseReads, faults: Faults): DatabaseReads => ({
  get: (keys) => reading(faults, Effect.suspend(() => reads.get(keys))),
  scan: (range, chunk, each) => reading(faults, Effect.suspend(() => reads.scan(range, chunk, each))),
  keys: (range, limit) => reading(faults, Effect.suspend(() => reads.keys(range, limit)))
})

const failingShelf = (shelf: Shelf, faults: Faults): Shelf => {
  const writing = (write: Effect.Effect<void, StoreError>) =>
    Effect.suspend(() => {
      const fault = faults.hit()
      if (fault === undefined) return write
      return fault === "written" ? Effect.andThen(write, unwritten("unknown")) : unwritten("not_written")
    })
  return {
    put: (mobNo, sha256, bytes) => writing(shelf.put(mobNo, sha256, bytes)),
    get: (mobNo, sha256) => reading(faults, Effect.suspend(() => shelf.get(mobNo, sha256))),
    names: (mobNo) => reading(faults, Effect.suspend(() => shelf.names(mobNo))),
    remove: (mobNo, sha256) => {
      const fault = faults.hit()
      if (fault !== "lost") shelf.remove(mobNo, sha256)
      if (fault !== undefined) throw new Error("input/output error")
    },
    clear: (mobNo) => writing(shelf.clear(mobNo)),
    describe: shelf.describe
  }
}

const reading = <A, E>(faults: Faults, read: Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailable> =>
  Effect.suspend((): Effect.Effect<A, E | StoreUnavailable> => faults.hit() === undefined ? read : unreadable)

const unreadable = Effect.suspend(() =>
  Effect.fail(new StoreUnavailable({ reason: "a read failed: input/output error" }))
)
const unwritten = (outcome: StoreWriteFailed["outcome"]) =>
  Effect.suspend(() => Effect.fail(new StoreWriteFailed({ outcome, reason: "input/output error" })))
