/**
 * Removing what is left of a mob that is being destroyed: its blocks, its heads, its blobs, its checkpoint. Each step is
 * a batch; after the last the mob's record says that it is done. Done again, it goes on where it was.
 */
import { Effect } from "effect"
import type { StoreError } from "../../sdk/store.ts"
import { blockKeys, checkpointKey, headKeys, type Key } from "./keys.ts"
import type { Database } from "./medium.ts"

/** Keys that one batch removes. */
const stepSize = 1000

/** What destroying needs of the store. */
interface DestroySite {
  readonly mobNo: number
  readonly database: Database
  /** Removes its blobs. */
  readonly clear: Effect.Effect<void, StoreError>
  /** All blocks that are durable now will have left LevelDB's log: their `seq` need not be found again. */
  readonly settle: Effect.Effect<void, StoreError>
  /** One batch. The last one says that the mob is destroyed. */
  readonly erase: (keys: ReadonlyArray<Key>, last: boolean) => Effect.Effect<void, StoreError>
}

/** Goes on until nothing is left. */
export const destroy = Effect.fnUntraced(
  function*({ clear, database, erase, mobNo, settle }: DestroySite): Effect.fn.Return<void, StoreError> {
    yield* settle
    for (const range of [blockKeys(mobNo, 0), headKeys(mobNo, "")]) {
      for (let gte = range.gte;;) {
        const keys = yield* database.keys({ ...range, gte }, stepSize)
        const last = keys.at(-1)
        if (last === undefined) break
        yield* erase(keys, false)
        // LevelDB walks over what was deleted.
        gte = last
      }
      yield* database.reclaim(range)
    }
    yield* clear
    yield* erase([checkpointKey(mobNo)], true)
  }
)
