/**
 * Reads of one mob's log: aggregates, events, pinned definitions. Each looks at the memory index between two batches,
 * so that it only ever names what is durable, and then reads the disk. The same for a writer's log and for inspect.
 */
import { Effect } from "effect"
import type { Cursor } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import { HistoryPruned, type Loaded, type MobLog, type StoredEvent, type StoreError } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import { type Block, linePrefix, parseEntry, unsealBlock, unsealScanned } from "./block.ts"
import { headState, unsealHead } from "./head.ts"
import { aggregateOf, blockKey, blockKeys, headKey, headKeys, type Key, pinKey } from "./keys.ts"
import type { Database } from "./medium.ts"
import type { AggregateState, MobState, Read } from "./mob-state.ts"
import { corrupted, unseal } from "./seal.ts"

/** Runs `look` when the index says what is on disk. Fails while there is no open database. */
export type WhenQuiet = <A>(look: (state: MobState, database: Database) => A) => Effect.Effect<A, StoreError>

/** The reading half of a log. */
type LogReads = Pick<MobLog, "load" | "live" | "aggregates" | "events" | "pinned">

/** Reads over one mob. */
export const logReads = (whenQuiet: WhenQuiet): LogReads => ({
  load: (aggregate) => load(whenQuiet, aggregate),
  live: whenQuiet((state) =>
    Array.from(state.aggregates.values())
      .filter((aggregate) => !aggregate.terminal)
      .sort((a, b) => a.born - b.born)
      .map((aggregate) => aggregate.aggregate)
  ),
  aggregates: (prefix) =>
    whenQuiet((state, database) => ({ database, mobNo: state.mobNo })).pipe(
      Effect.flatMap(({ database, mobNo }) => database.keys(headKeys(mobNo, prefix))),
      Effect.map((keys) => keys.map(aggregateOf))
    ),
  events: (after, limit) => events(whenQuiet, after, limit),
  pinned: (digest) =>
    whenQuiet((_, database) => database).pipe(
      Effect.flatMap((database) => database.get([pinKey(digest)])),
      Effect.flatMap(([value]) => value === undefined ? Effect.undefined : attempt(() => pinned(pinKey(digest), value)))
    )
})

// The checksum matched, so this is what the committer wrote.
const pinned = (key: Key, value: string): Json => JSON.parse(unseal(key, value).body) as Json

/** What the index says of an aggregate, taken between two batches. */
interface Sighting {
  readonly mobNo: number
  readonly database: Database
  readonly state: MobState
  readonly known: Pick<AggregateState, "revision" | "headRevision" | "blocks"> | undefined
  readonly read: Read | undefined
}

const sight = (aggregate: string) => (state: MobState, database: Database): Sighting => {
  const known = state.aggregates.get(aggregate)
  const read = known?.read
  // Kept for one load only: the next one would find memory full of what nobody asks for again.
  if (known !== undefined) known.read = undefined
  return {
    mobNo: state.mobNo,
    database,
    state,
    known: known && { revision: known.revision, headRevision: known.headRevision, blocks: [...known.blocks] },
    read
  }
}

const load = Effect.fnUntraced(
  function*(whenQuiet: WhenQuiet, aggregate: string): Effect.fn.Return<Loaded | undefined, StoreError> {
    for (;;) {
      const sighting = yield* whenQuiet(sight(aggregate))
      const { database, known, mobNo, read } = sighting
      if (read !== undefined) return yield* attempt(() => loaded(mobNo, aggregate, read))
      const key = headKey(mobNo, aggregate)
      const [value] = yield* database.get([key])
      const head = value === undefined ? undefined : yield* attempt(() => unsealHead(mobNo, aggregate, value))
      if (head === undefined) {
        if (known !== undefined) return yield* corrupted(key, "it is missing")
        return undefined
      }
      if (known === undefined) {
        // It came to life since the look, or it is at its end.
        if (!head.terminal) {
          if (!sighting.state.aggregates.has(aggregate)) {
            return yield* corrupted(key, "it is live, but the log does not know it")
          }
          continue
        }
        return yield* attempt(() => loaded(mobNo, aggregate, { head, entries: [] }))
      }
      const entries = yield* readEntries(database, mobNo, aggregate, known.blocks, head.revision, known.revision)
      if (entries !== undefined) return yield* attempt(() => loaded(mobNo, aggregate, { head, entries }))
      // A newer head may have made blocks needless, and pruning taken them, since the look.
      if (head.revision === known.headRevision) {
        return yield* corrupted(
          key,
          `not all entries from revision ${head.revision} to ${known.revision} are in the log`
        )
      }
    }
  }
)

/** Entries with a revision above `after` up to `last`; undefined if one is not there. */
const readEntries = Effect.fnUntraced(
  function*(
    database: Database,
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
    whenQuiet: WhenQuiet,
    after: Cursor,
    limit: number
  ): Effect.fn.Return<ReadonlyArray<StoredEvent>, StoreError> {
    const { database, durable, firstCursor, mobNo, start } = yield* whenQuiet((state, database) => ({
      database,
      mobNo: state.mobNo,
      durable: state.durableCursor,
      firstCursor: state.firstCursor,
      start: state.cursors.find(after + 1) ?? [state.firstCursor, state.oldest] as const
    }))
    if (after + 1 < firstCursor) return yield* new HistoryPruned({ first_cursor: firstCursor })
    const last = Math.min(durable, after + limit)
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
    yield* database.scan(blockKeys(mobNo, position), limit > 256 ? 1000 : 64, (values) => {
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
