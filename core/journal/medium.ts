/**
 * What a store is kept on. Everything above it, the committer, guards, heads, events, pruning, opening and reopening, is
 * the same for LevelDB and for memory.
 */
import type { Effect } from "effect"
import type { StoreError, StoreSupports } from "../../sdk/store.ts"
import type { DataFolderUnusable } from "./errors.ts"
import type { Key, KeyRange } from "./keys.ts"
import type { Commit } from "./seams.ts"

/** What can be read of a database. */
export interface DatabaseReads {
  /** Values in the order of `keys`. */
  readonly get: (keys: ReadonlyArray<Key>) => Effect.Effect<ReadonlyArray<string | undefined>, StoreError>
  /**
   * Reads a range in chunks of at most `chunk` values, the next one under way while `each` looks at this one. Ends when
   * `each` gives false. What `each` throws is the failure.
   */
  readonly scan: (
    range: KeyRange,
    chunk: number,
    each: (values: ReadonlyArray<string>) => boolean
  ) => Effect.Effect<void, StoreError>
  /** At most `limit` keys of a range. */
  readonly keys: (range: KeyRange, limit?: number) => Effect.Effect<ReadonlyArray<Key>, StoreError>
}

/** An open database. After a failed commit nothing more is committed to it; it is read until another is opened. */
export interface Database extends DatabaseReads {
  readonly commit: Commit
  /** One value, now; for guards. May throw. */
  readonly getSync: (key: Key) => string | undefined
  /** Reads as of now, whatever is committed meanwhile. */
  readonly snapshot: <A>(
    read: (reads: DatabaseReads) => Effect.Effect<A, StoreError>
  ) => Effect.Effect<A, StoreError>
  /** Moves what was committed so far to where no part of it can go missing without a word. */
  readonly settle: Effect.Effect<void, StoreError>
  /**
   * Gives back the room of a range from which everything was removed, if there is much of it. Never fails: what cannot be
   * given back now is given back the next time.
   */
  readonly reclaim: (range: KeyRange) => Effect.Effect<void>
  /** Never fails: what cannot be closed is let go. */
  readonly close: Effect.Effect<void>
}

/** Bytes beside the database, by mob number and hash. Whoever reads them checks the hash. */
export interface Shelf {
  /** Durable, all of it, when it ends; replaces what is there. */
  readonly put: (mobNo: number, sha256: string, bytes: Uint8Array) => Effect.Effect<void, StoreError>
  readonly get: (mobNo: number, sha256: string) => Effect.Effect<Uint8Array | undefined, StoreError>
  readonly names: (mobNo: number) => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** Synchronous, so that nothing comes between the question whether it is wanted and this. May throw. */
  readonly remove: (mobNo: number, sha256: string) => void
  /** Removes all of a mob. */
  readonly clear: (mobNo: number) => Effect.Effect<void, StoreError>
  /** For messages: where one is. */
  readonly describe: (mobNo: number, sha256: string) => string
}

/** Opens databases over the same data, one at a time. */
export interface Medium {
  /** For messages: the data directory, or "memory". */
  readonly name: string
  readonly supports: StoreSupports
  readonly open: Effect.Effect<Database, StoreError | DataFolderUnusable>
  /**
   * Whether there is room for what an opening writes. A database whose commit failed is closed only then: while it
   * stands open it can still be read, and one on a full disk does not open again.
   */
  readonly hasRoom: Effect.Effect<boolean>
  readonly blobs: Shelf
  /** The last acknowledged `seq`, remembered beside the database; undefined if nothing is remembered. */
  readonly readMark: () => number | undefined
  /** Called after each sync that wrote a block. Must not throw. */
  readonly writeMark: (seq: number) => void
  /** Before the last close: says to others that nobody holds the data any more. */
  readonly leave: Effect.Effect<void>
}
