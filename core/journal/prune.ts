/**
 * Pruning one mob's log: what to remove is found here, a step at a time, from what is durable; whether it may go is
 * decided where the batch is composed. Steps are removed oldest first, so that after each the log is whole.
 */
import { Effect } from "effect"
import type { Keep, Pruned, StoreError } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import { type Block, unsealBlock, unsealScanned } from "./block.ts"
import type { PruneStep } from "./group.ts"
import { unsealHead } from "./head.ts"
import { blockKey, blockKeys, headKey, type KeyRange, parseBlockKey } from "./keys.ts"
import type { DatabaseReads } from "./medium.ts"
import type { MobState } from "./mob-state.ts"
import { corrupted } from "./seal.ts"

/** Blocks, or heads, that one batch removes. */
const stepSize = 1000
/** Heads read at once; they hold whole states. */
const headsAtOnce = 256

/** What pruning needs of the store. */
export interface PruneSite {
  readonly mobNo: number
  /** Runs `look` when all that was submitted so far is durable, and nothing is in flight. */
  readonly whenWritten: <A>(look: (state: MobState, database: DatabaseReads) => A) => Effect.Effect<A, StoreError>
  /** Asks the writer of an aggregate for a head. */
  readonly askHead: (aggregate: string) => void
  /** All blocks that are durable now will have left LevelDB's log: their `seq` need not be found again. */
  readonly settle: Effect.Effect<void, StoreError>
  /** One batch; gives how many aggregates were forgotten, undefined if a block is still needed. */
  readonly remove: (step: PruneStep) => Effect.Effect<number | undefined, StoreError>
  /** Gives back the room of a range from which everything was removed. */
  readonly reclaim: (range: KeyRange) => Effect.Effect<void>
  /** Removes the blobs that nothing refers to any more, and counts them. */
  readonly sweep: Effect.Effect<number, StoreError>
}

/** The place of the first block that stays. */
type Place = PruneStep["to"]

const firstOf = (state: MobState): Place => ({ position: state.oldest, cursor: state.firstCursor })

/** Removes what `keep` does not keep. */
export const prune = (site: PruneSite, keep: Keep): Effect.Effect<Pruned, StoreError> =>
  Effect.catchTag(pruneOwned(site, keep), "StoreCorrupted", (damage) =>
    // What is missing may have been removed by the next owner: then this fails with that.
    Effect.andThen(site.whenWritten(() => {}), Effect.fail(damage)))

const pruneOwned = Effect.fnUntraced(
  function*(site: PruneSite, keep: Keep): Effect.fn.Return<Pruned, StoreError> {
    const { mobNo, whenWritten } = site
    // What is no cursor keeps everything.
    const kept = yield* placeOf(site, keep.events >= 1 ? keep.events : 1)
    for (const aggregate of yield* whenWritten((state) => state.holding(kept.position))) site.askHead(aggregate)
    // A cell answers at once: its head is durable before the floor is looked at.
    const { database, floor, live } = yield* whenWritten((state, database) => ({
      database,
      floor: state.floor(),
      live: Array.from(state.aggregates.keys())
    }))
    const to = floor < kept.position ? yield* placeAt(database, mobNo, floor) : kept
    yield* removeBlocks(site, database, to, live)
    yield* site.reclaim({ gte: blockKey(mobNo, 0), lt: blockKey(mobNo, to.position) })
    const forgotten = yield* forget(site, database, keep.forget)
    const blobs = yield* site.sweep
    const { cursor, position } = yield* whenWritten(firstOf)
    return { firstCursor: cursor, firstPosition: position, forgotten, blobs }
  }
)

/** Where the block stands that holds this event; after the last block if there is no such event yet. */
const placeOf = Effect.fnUntraced(
  function*({ mobNo, whenWritten }: PruneSite, cursor: number): Effect.fn.Return<Place, StoreError> {
    const { database, first, from, next } = yield* whenWritten((state, database) => ({
      database,
      first: firstOf(state),
      from: state.cursors.find(cursor)?.[1] ?? state.oldest,
      next: { position: state.nextPosition, cursor: state.nextCursor }
    }))
    if (cursor >= next.cursor) return next
    if (cursor <= first.cursor) return first
    let found = first
    yield* database.scan(blockKeys(mobNo, from), 64, (values) => {
      for (const value of values) {
        const block = unsealScanned(mobNo, value)
        if (block.cursor > cursor) return false
        found = block
      }
      return true
    })
    return found
  }
)

const placeAt = Effect.fnUntraced(
  function*(database: DatabaseReads, mobNo: number, position: number): Effect.fn.Return<Block, StoreError> {
    const key = blockKey(mobNo, position)
    const [value] = yield* database.get([key])
    if (value === undefined) return yield* corrupted(key, "it is missing")
    return yield* attempt(() => unsealBlock(key, value))
  }
)

const removeBlocks = Effect.fnUntraced(
  function*(
    { mobNo, remove, settle }: PruneSite,
    database: DatabaseReads,
    to: Place,
    live: ReadonlyArray<string>
  ): Effect.fn.Return<void, StoreError> {
    const lt = blockKey(mobNo, to.position)
    // From the very first: a batch that LevelDB dropped from its log may have been one of these. Then from where we are:
    // LevelDB walks over what was deleted.
    for (let from = 0;;) {
      const keys = yield* database.keys({ gte: blockKey(mobNo, from), lt }, stepSize + 1)
      if (keys.length === 0) return
      if (from === 0) {
        yield* checkHeads(database, mobNo, live)
        yield* settle
      }
      const next = keys[stepSize]
      const place = next === undefined ? to : yield* placeAt(database, mobNo, parseBlockKey(next).position)
      const removed = yield* remove({ blocks: keys.slice(0, stepSize), to: place, forget: [] })
      // It was opened again meanwhile, and a head that we relied on is not there.
      if (removed === undefined) return
      from = place.position
    }
  }
)

/** The facts before a head go only when the head can be read. */
const checkHeads = Effect.fnUntraced(
  function*(
    database: DatabaseReads,
    mobNo: number,
    live: ReadonlyArray<string>
  ): Effect.fn.Return<void, StoreError> {
    yield* eachHead(database, mobNo, live, (aggregate, value) => {
      // It may have been forgotten meanwhile, by its name and as an ended one.
      if (value !== undefined) unsealHead(mobNo, aggregate, value)
    })
  }
)

const forget = Effect.fnUntraced(
  function*(
    { mobNo, remove, whenWritten }: PruneSite,
    database: DatabaseReads,
    names: ReadonlyArray<string>
  ): Effect.fn.Return<number, StoreError> {
    const ended: Array<string> = []
    yield* eachHead(database, mobNo, [...new Set(names)], (aggregate, value) => {
      if (value !== undefined && unsealHead(mobNo, aggregate, value).terminal) ended.push(aggregate)
    })
    let forgotten = 0
    for (let at = 0; at < ended.length; at += stepSize) {
      const to = yield* whenWritten(firstOf)
      forgotten += (yield* remove({ blocks: [], to, forget: ended.slice(at, at + stepSize) })) ?? 0
    }
    return forgotten
  }
)

const eachHead = Effect.fnUntraced(
  function*(
    database: DatabaseReads,
    mobNo: number,
    names: ReadonlyArray<string>,
    each: (aggregate: string, value: string | undefined) => void
  ): Effect.fn.Return<void, StoreError> {
    for (let at = 0; at < names.length; at += headsAtOnce) {
      const part = names.slice(at, at + headsAtOnce)
      const values = yield* database.get(part.map((aggregate) => headKey(mobNo, aggregate)))
      yield* attempt(() => {
        for (const [index, aggregate] of part.entries()) each(aggregate, values[index])
      })
    }
  }
)
