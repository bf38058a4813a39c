/**
 * What a store is kept on. Everything above it, the committer, guards, heads, events, opening and reopening, is the
 * same for LevelDB and for memory.
 */
import type { Effect } from "effect"
import type { StoreError } from "../../sdk/store.ts"
import type { DataFolderUnusable } from "./errors.ts"
import type { Key, KeyRange } from "./keys.ts"
import type { Commit } from "./seams.ts"

/** An open database. After a failed commit it is closed and another is opened. */
export interface Database {
  readonly commit: Commit
  /** One value, now; for guards. May throw. */
  readonly getSync: (key: Key) => string | undefined
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
  /** Never fails: what cannot be closed is let go. */
  readonly close: Effect.Effect<void>
}

/** Opens databases over the same data, one at a time. */
export interface Medium {
  /** For messages: the data directory, or "memory". */
  readonly name: string
  readonly open: Effect.Effect<Database, StoreError | DataFolderUnusable>
  /** The last acknowledged `seq`, remembered beside the database; undefined if nothing is remembered. */
  readonly readMark: () => number | undefined
  /** Called after each sync that wrote a block. Must not throw. */
  readonly writeMark: (seq: number) => void
  /** Before the last close: says to others that nobody holds the data any more. */
  readonly leave: Effect.Effect<void>
}
