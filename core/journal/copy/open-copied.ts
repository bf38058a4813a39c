/**
 * Stores that can be copied while they are written to: what a copy reads of an open store, which its contract does not
 * show.
 */
import { Effect, type Scope } from "effect"
import { type StoreError, type StoreShape, StoreUnavailable } from "../../../sdk/store.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { lookAtLevel } from "../level.ts"
import type { Database, DatabaseReads, Medium, Shelf } from "../medium.ts"
import { openStore } from "../store.ts"

/** What a copy is made from. */
export interface CopySource {
  /** For messages. */
  readonly name: string
  /** The data directory, if it is one. */
  readonly dir: string | undefined
  /** Reads as of one moment between two group commits, whatever is written meanwhile. */
  readonly snapshot: Database["snapshot"]
  readonly shelf: Shelf
}

const sources = new WeakMap<StoreShape, CopySource>()

/** Opens a store, as `openStore`, that can be copied while it is open. */
export const openCopied = Effect.fnUntraced(
  function*(medium: Medium): Effect.fn.Return<StoreShape, StoreError | DataFolderUnusable, Scope.Scope> {
    let current: Database | undefined
    const store = yield* openStore({
      ...medium,
      open: Effect.tap(medium.open, (database) =>
        Effect.sync(() => {
          current = database
        }))
    })
    const snapshot = <A>(read: (reads: DatabaseReads) => Effect.Effect<A, StoreError>) =>
      Effect.suspend(() => current?.snapshot(read) ?? new StoreUnavailable({ reason: "it is closed" }))
    sources.set(store, { ...placeOf(medium), snapshot, shelf: medium.blobs })
    return store
  }
)

/** What can be copied of an open store; of a closed data directory, whose lock is held until the Scope closes. */
export const sourceOf = Effect.fnUntraced(
  function*(from: StoreShape | string): Effect.fn.Return<CopySource, StoreError | DataFolderUnusable, Scope.Scope> {
    if (typeof from !== "string") {
      return sources.get(from) ?? (yield* new StoreUnavailable({ reason: "this store cannot be copied" }))
    }
    const medium = lookAtLevel(from)
    const database = yield* Effect.acquireRelease(medium.open, (database) => database.close)
    return { ...placeOf(medium), snapshot: database.snapshot, shelf: medium.blobs }
  }
)

const placeOf = ({ name, supports }: Medium) => ({ name, dir: supports.durable ? name : undefined })
