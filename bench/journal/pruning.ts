/**
 * What removing 100,000 blocks of one entry each costs: time a block, what of it the main thread works, how long a writer
 * of the same mob waits for one commit meanwhile at the most, and what opening costs before and after.
 */
import { Effect } from "effect"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { JournalLevel } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { type Entry, Journal, type MobLog, type StoreError } from "../../sdk/store.ts"
import { flushes, folder } from "../disk.ts"
import { report, shown, spread } from "../measure.ts"
import { append, fill } from "./filling.ts"
import { payloadsOf } from "./workload.ts"

const BLOCKS = 100_000
/** Events that are kept. */
const KEPT = 1_000
const ROUNDS = 3

const bench = MobId.make("bench")
const next = payloadsOf(256)

const entryOf = (aggregate: string, revision: number): Entry => ({
  aggregate,
  revision,
  at: revision,
  facts: [{ type: "bench" }],
  events: [next().fact],
  snapshot: () => ({ revision }),
  terminal: false
})

const write = Effect.gen(function*() {
  const log = yield* (yield* Journal).acquire(bench)
  for (let revision = 1; revision <= BLOCKS; revision++) yield* append(log, [entryOf("mob", revision)])
})

/** Milliseconds of opening the store and taking the mob over. */
const opening = (dir: string) =>
  Effect.gen(function*() {
    const begin = performance.now()
    yield* Effect.provide(Effect.flatMap(Journal, (journal) => journal.acquire(bench)), JournalLevel.layer({ dir }))
    return performance.now() - begin
  })

/** Commits one entry after the other from this revision on until it is told to end; gives how long each took. */
const writer = (log: MobLog, first: number) => {
  const took: Array<number> = []
  let ended = false
  const done = new Promise<ReadonlyArray<number>>((resolve, reject) => {
    const go = (revision: number) => {
      const begin = performance.now()
      log.submit({
        entries: [entryOf("run/writer", revision)],
        committed: () => {
          took.push(performance.now() - begin)
          if (ended) resolve(took)
          else go(revision + 1)
        },
        failed: reject
      })
    }
    go(first)
  })
  return {
    end: Effect.promise(() => {
      ended = true
      return done
    })
  }
}

const pruneOnce = (log: MobLog): Effect.Effect<{ readonly took: number; readonly worked: number }, StoreError> =>
  Effect.gen(function*() {
    const before = process.threadCpuUsage()
    const begin = performance.now()
    yield* log.prune({ events: log.latestCursor() - KEPT, forget: [] })
    const took = performance.now() - begin
    const { system, user } = process.threadCpuUsage(before)
    return { took, worked: (system + user) / 1_000 }
  })

const waits = (took: ReadonlyArray<number>): string =>
  `${spread(took).median.toFixed(2)} ms, at most ${Math.max(...took).toFixed(1)}`

/** Measures and prints. */
export const benchPruning: Effect.Effect<void, unknown> = Effect.scoped(Effect.gen(function*() {
  const dir = yield* folder
  const store = join(dir, "store")
  yield* fill(store, write)
  const perBlock: Array<number> = []
  const share: Array<number> = []
  const flushed: Array<number> = []
  const before: Array<number> = []
  const after: Array<number> = []
  for (let round = 0; round < ROUNDS; round++) {
    const copy = join(dir, `alone ${round}`)
    cpSync(store, copy, { recursive: true })
    before.push(yield* Effect.scoped(opening(copy)))
    yield* Effect.scoped(
      Effect.gen(function*() {
        const log = yield* (yield* Journal).acquire(bench)
        const device = flushes(dir)
        const { took, worked } = yield* pruneOnce(log)
        if (device !== undefined) flushed.push((flushes(dir) ?? 0) - device)
        perBlock.push(took * 1_000 / BLOCKS)
        share.push(100 * worked / took)
      }).pipe(Effect.provide(JournalLevel.layer({ dir: copy })))
    )
    after.push(yield* Effect.scoped(opening(copy)))
  }
  report(
    `prune of ${BLOCKS.toLocaleString("en")} blocks`,
    `${shown(spread(perBlock))} us a block, the main thread works ${
      shown(spread(share), 0)
    } % of it; the device counted ${flushed.length === 0 ? "?" : spread(flushed).median} flushes`
  )
  report(
    "opening it and acquiring the mob",
    `${shown(spread(before), 1)} ms before, ${shown(spread(after), 1)} ms after`
  )
  const copy = join(dir, "written")
  cpSync(store, copy, { recursive: true })
  yield* Effect.scoped(
    Effect.gen(function*() {
      const log = yield* (yield* Journal).acquire(bench)
      const idle = writer(log, 1)
      yield* Effect.sleep(1_000)
      const alone = yield* idle.end
      const busy = writer(log, alone.length + 1)
      const { took } = yield* pruneOnce(log)
      const beside = yield* busy.end
      report(
        `a writer beside it (${took.toFixed(0)} ms)`,
        `waits for a commit ${waits(beside)} (${beside.length} commits); without it ${waits(alone)} (${alone.length})`
      )
    }).pipe(Effect.provide(JournalLevel.layer({ dir: copy })))
  )
}))
