/**
 * Reads of one mob's log: aggregates, events, pinned definitions, blobs. Each looks at the memory index between two
 * batches, so that it only ever names what is durable, and then reads the disk; what was pruned in between it looks for
 * again. The same for a writer's log and for looking.
 */
import { Effect } from "effect"
import type { Cursor } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import { HistoryPruned, type Loaded, type MobReads, type StoredEvent, type StoreError } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import { readBlob } from "./blobs.ts"
import { type Block, linePrefix, parseEntry, unsealBlock, unsealScanned } from "./block.ts"
import type { CursorPair } from "./cursor-map.ts"
import { headState, unsealHead } from "./head.ts"
import { aggregateOf, blockKey, blockKeys, headKey, headKeys, isDigest, type Key, pinKey } from "./keys.ts"
import type { DatabaseReads, Shelf } from "./medium.ts"
import type { AggregateState, MobState, Read } from "./mob-state.ts"
import { corrupted, unseal } from "./seal.ts"

/** Where reads get what they look at. */
export interface Source {
  /** Runs `look` when the index says what is on disk. Fails while there is no database to read. */
  readonly whenQuiet: <A>(look: (state: MobState, database: DatabaseReads) => A) => Effect.Effect<A, StoreError>
  /** What the index names is not on disk: it is of before, if the log has moved on. Makes it of now. */
  readonly refresh: Effect.Effect<void, StoreError>
  /** Reads again what failed because the database was closed for another. */
  readonly steady: <A>(read: Effect.Effect<A, StoreError>) => Effect.Effect<A, StoreError>
  readonly blobs: Shelf
}

/** The reading half of a log. */
type LogReads = Pick<MobReads, "load" | "live" | "aggregates" | "events" | "pinned" | "blob">

/** Reads over one mob. */
export const logReads = (source: Source): LogReads => {
  const { steady, whenQuiet } = source
  return {
    // A name that is no well-formed Unicode is nobody's, but would be read as another's.
    load: (aggregate) => aggregate.isWellFormed() ? steady(load(source, aggregate)) : Effect.undefined,
    live: steady(whenQuiet((state) =>
      Array.from(state.aggregates.values())
        .filter((aggregate) => !aggregate.terminal)
        .sort((a, b) => a.born - b.born)
        .map((aggregate) => aggregate.aggregate)
    )),
    aggregates: (prefix) =>
      steady(
        whenQuiet((state, database) => ({ database, mobNo: state.mobNo })).pipe(
          Effect.flatMap(({ database, mobNo }) => database.keys(headKeys(mobNo, prefix))),
          Effect.map((keys) => keys.map(aggregateOf))
        )
      ),
    events: (after, limit) => steady(events(source, Math.max(0, after), limit)),
    pinned: (digest) =>
      !isDigest(digest) ? Effect.undefined : steady(
        whenQuiet((_, database) => database).pipe(
          Effect.flatMap((database) => database.get([pinKey(digest)])),
          Effect.flatMap(([value]) =>
            value === undefined ? Effect.undefined : attempt(() => pinned(pinKey(digest), value))
          )
        )
      ),
    blob: (sha256) =>
      steady(Effect.flatMap(whenQuiet((state) => state.mobNo), (mobNo) => readBlob(source.blobs, mobNo, sha256)))
  }
}

// The checksum matched, so this is what the committer wrote.
const pinned = (key: Key, value: string): Json => JSON.parse(unseal(key, value).body) as Json

/** What the index says of an aggregate, taken between two batches. */
interface Sighting {
  readonly mobNo: number
  readonly database: DatabaseReads
  readonly known: Pick<AggregateState, "revision" | "headRevision" | "blocks"> | undefined
  readonly read: Read | undefined
}

const sight = (aggregate: string) => (state: MobState, database: DatabaseReads): Sighting => {
  const known = state.aggregates.get(aggregate)
  const read = known?.read
  // Kept for one load only: the next one would find memory full of what nobody asks for again.
  if (known !== undefined) known.read = undefined
  return {
    mobNo: state.mobNo,
    database,
    known: known && { revision: known.revision, headRevision: known.headRevision, blocks: [...known.blocks] },
    read
  }
}

const load = Effect.fnUntraced(
  function*({ refresh, whenQuiet }: Source, aggregate: string): Effect.fn.Return<Loaded | undefined, StoreError> {
    for (let before: string | undefined;;) {
      const { database, known, mobNo, read } = yield* whenQuiet(sight(aggregate))
      if (read !== undefined) return yield* attempt(() => loaded(mobNo, aggregate, read))
      const key = headKey(mobNo, aggregate)
      const [value] = yield* database.get([key])
      const head = value === undefined ? undefined : yield* attempt(() => unsealHead(mobNo, aggregate, value))
      let wrong: string
      if (head === undefined) {
        if (known === undefined) return undefined
        wrong = "it is missing"
      } else if (known === undefined) {
        if (head.terminal) return yield* attempt(() => loaded(mobNo, aggregate, { head, entries: [] }))
        wrong = "it is live, but the log does not know it"
      } else {
        const entries = yield* readEntries(database, mobNo, aggregate, known.blocks, head.revision, known.revision)
        if (entries !== undefined) return yield* attempt(() => loaded(mobNo, aggregate, { head, entries }))
        wrong = `not all entries from revision ${head.revision} to ${known.revision} are in the log`
      }
      // Between the look and the reading it may have come to life, got a newer head and lost the blocks that this one
      // needed, or ended and been forgotten. Then the next look finds another head, or knows something else.
      const found = `${wrong} (${head?.revision}, ${head?.position}, ${known?.revision}, ${known?.headRevision})`
      if (found === before) return yield* corrupted(key, wrong)
      before = found
      yield* refresh
    }
  }
)

/** Entries with a revision above `after` up to `last`; undefined if one is not there. */
const readEntries = Effect.fnUntraced(
  function*(
    database: DatabaseReads,
    mobNo: number,
    aggregate: string,
    blocks: ReadonlyArray<number>,
    after: number,
    last: number
  ): Effect.fn.Return<
    Read["entries"] | undefined,
    StoreError
  > {
    if (after >= last) return []
    const keys = blocks.map((position) => blockKey(mobNo, position))
    const values = yield* database.get(keys)
    const prefix = linePrefix(aggregate)
    const entries = yield* attempt(() =>
      keys.flatMap((key, index) => {
        const value = values[index]
        if (value === undefined) return []
        return unsealBlock(key, value).lines.filter((line) => line.startsWith(prefix)).map(parseEntry)
      })
    )
    const wanted = entries.filter((entry) => entry.rev > after && entry.rev <= last)
    if (wanted.length !== last - after || wanted.some((entry, index) => entry.rev !== after + 1 + index)) {
      return undefined
    }
    return wanted.map(({ at, facts, rev }) => ({ revision: rev, at, facts }))
  }
)

const loaded = (mobNo: number, aggregate: string, { entries, head }: Read): Loaded => ({
  head: { revision: head.revision, state: headState(mobNo, aggregate, head), terminal: head.terminal },
  entries
})

const events = Effect.fnUntraced(
  function*(
    { refresh, whenQuiet }: Source,
    after: Cursor,
    limit: number
  ): Effect.fn.Return<ReadonlyArray<StoredEvent>, StoreError> {
    for (let before = 0;;) {
      const place = yield* whenQuiet((state, database): Place => ({
        database,
        mobNo: state.mobNo,
        durable: state.durableCursor,
        oldest: state.oldest,
        start: state.cursors.find(after + 1) ?? [state.firstCursor, state.oldest],
        firstCursor: state.firstCursor
      }))
      if (after + 1 < place.firstCursor) return yield* new HistoryPruned({ first_cursor: place.firstCursor })
      const read = yield* Effect.result(readEvents(place, after, Math.min(place.durable, after + limit)))
      if (read._tag === "Success") return read.success
      // Blocks that were removed since the look are missing, and no damage.
      if (read.failure._tag !== "StoreCorrupted" || place.oldest === before) return yield* read.failure
      before = place.oldest
      yield* refresh
    }
  }
)

/** What the index says of events, taken between two batches. */
interface Place {
  readonly database: DatabaseReads
  readonly mobNo: number
  readonly durable: Cursor
  readonly oldest: number
  readonly start: CursorPair
  readonly firstCursor: Cursor
}

const readEvents = Effect.fnUntraced(
  function*(
    { database, durable, mobNo, start }: Place,
    after: Cursor,
    last: Cursor
  ): Effect.fn.Return<ReadonlyArray<StoredEvent>, StoreError> {
    const found: Array<StoredEvent> = []
    if (last <= after) return found
    let [cursor, position] = start
    const take = (block: Block, next: Block | undefined) => {
      const key = blockKey(mobNo, block.position)
      if (block.position !== position || block.cursor !== cursor) {
        throw corrupted(key, `position ${position} with cursor ${cursor} should come here; what is between is missing`)
      }
      position += block.lines.length
      if (next !== undefined && next.cursor <= after + 1) {
        cursor = next.cursor
        return
      }
      for (const line of block.lines) {
        const entry = parseEntry(line)
        for (const event of entry.events) {
          if (cursor > after && cursor <= last) found.push({ cursor, at: entry.at, event })
          cursor++
        }
      }
    }
    yield* database.scan(blockKeys(mobNo, position), last - after > 256 ? 1000 : 64, (values) => {
      const blocks = values.map((value) => unsealScanned(mobNo, value))
      for (const [index, block] of blocks.entries()) {
        take(block, blocks[index + 1])
        if (cursor > last) return false
      }
      return true
    })
    if (cursor <= last) {
      return yield* corrupted(blockKey(mobNo, position), `it is missing, and events ${cursor} to ${durable} with it`)
    }
    return found
  }
)
