/**
 * Stores that can be copied while they are written to: what a copy reads of an open store, which its contract does not
 * show.
 */
import { Effect, type Scope } from "effect"
import { StoreClosed, type StoreError, type StoreShape, StoreUnavailable } from "../../../sdk/store.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { lookAtLevel } from "../level.ts"
import type { Database, Medium, Shelf } from "../medium.ts"
import { readContents, verifyDatabase } from "../open-database.ts"
import { openStore } from "../store.ts"

/** What a copy is made from. */
export interface CopySource {
  /** For messages. */
  readonly name: string
  /** The data directory, if it is one. */
  readonly dir: string | undefined
  /** The database that stands open; fails while none does. What is read of it may fail when another one takes its place. */
  readonly database: Effect.Effect<Pick<Database, "snapshot">, StoreError>
  /** Whether another database stands open, or will soon, than the one that was read. */
  readonly isAnother: (read: Pick<Database, "snapshot"> | undefined) => Effect.Effect<boolean>
  readonly shelf: Shelf
}

const sources = new WeakMap<StoreShape, CopySource>()

/** Milliseconds that a store may take to open its database anew, and between two looks whether it has. */
const patience = 5000
const lookEvery = 20

/** Opens a store, as `openStore`, that can be copied while it is open. */
export const openCopied = Effect.fnUntraced(
  function*(medium: Medium): Effect.fn.Return<StoreShape, StoreError | DataFolderUnusable, Scope.Scope> {
    let current: Database | undefined
    let closed = false
    const store = yield* openStore({
      ...medium,
      open: Effect.map(medium.open, (database) => {
        const copied: Database = {
          ...database,
          close: Effect.suspend(() => {
            if (current === copied) current = undefined
            return database.close
          })
        }
        current = copied
        return copied
      })
    })
    // Before the store closes.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
      })
    )
    sources.set(store, {
      ...placeOf(medium),
      database: Effect.suspend((): CopySource["database"] => {
        if (closed) return new StoreClosed()
        return current === undefined
          ? new StoreUnavailable({ reason: "its database is being opened anew" })
          : Effect.succeed(current)
      }),
      isAnother: Effect.fnUntraced(function*(read) {
        for (let waited = 0; current === undefined && !closed && waited < patience; waited += lookEvery) {
          yield* Effect.sleep(lookEvery)
        }
        return !closed && current !== undefined && current !== read
      }),
      shelf: medium.blobs
    })
    return store
  }
)

/**
 * What can be copied of an open store; of a closed data directory, which must be sound and whose lock is held until the
 * Scope closes.
 */
export const sourceOf = Effect.fnUntraced(
  function*(from: StoreShape | string): Effect.fn.Return<CopySource, StoreError | DataFolderUnusable, Scope.Scope> {
    if (typeof from !== "string") {
      return sources.get(from) ?? (yield* new StoreUnavailable({ reason: "this store cannot be copied" }))
    }
    const medium = lookAtLevel(from)
    const database = yield* Effect.acquireRelease(medium.open, (database) => database.close)
    const contents = yield* readContents(database, from)
    // A copy of what is left would look as if nothing was lost.
    if (contents !== undefined) yield* verifyDatabase(database, medium, contents)
    return {
      ...placeOf(medium),
      database: Effect.succeed(database),
      isAnother: () => Effect.succeed(false),
      shelf: medium.blobs
    }
  }
)

const placeOf = ({ name, supports }: Pick<Medium, "name" | "supports">) => ({
  name,
  dir: supports.durable ? name : undefined
})
