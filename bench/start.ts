/**
 * What opening costs with 5,000 entries after the heads.
 */
import { Effect } from "effect"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { JournalLevel } from "../core/journal/index.ts"
import { MobId } from "../sdk/ids.ts"
import { type Entry, Journal, type MobLog, type StoreError } from "../sdk/store.ts"
import { folder } from "./disk.ts"
import { PAIRS, report, shown, spread } from "./measure.ts"

/** Live aggregates, and the entries of each after its head: together as much as the store lets a tail grow. */
const AGGREGATES = 100
const ENTRIES = 50

const bench = MobId.make("bench")

const entryOf = (aggregate: string, revision: number): Entry => ({
  aggregate,
  revision,
  at: revision,
  facts: [{ v: 1, type: "bench", text: "x".repeat(100) }],
  events: [],
  snapshot: () => ({ revision }),
  terminal: false
})

const append = (log: MobLog, entries: ReadonlyArray<Entry>) =>
  Effect.callback<void, StoreError>((resume) =>
    log.submit({
      entries,
      committed: () => resume(Effect.void),
      failed: (error) => resume(Effect.fail(error))
    })
  )

const names = Array.from({ length: AGGREGATES }, (_, index) => `bench/${index}`)

const fill = Effect.gen(function*() {
  const log = yield* (yield* Journal).acquire(bench)
  for (let revision = 1; revision <= ENTRIES + 1; revision++) {
    yield* Effect.forEach(names, (name) => append(log, [entryOf(name, revision)]), {
      concurrency: "unbounded",
      discard: true
    })
  }
})

/** Opens the store, takes the mob over and loads all that lives; gives entries found. */
const openAll = Effect.gen(function*() {
  const log = yield* (yield* Journal).acquire(bench)
  let entries = 0
  for (const name of yield* log.live) entries += (yield* log.load(name))?.entries.length ?? 0
  return entries
})

/** Measures and prints. */
export const benchStart = (): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const dir = yield* folder
    const store = join(dir, "store")
    yield* Effect.provide(fill, JournalLevel.layer({ dir: store }))
    const times: Array<number> = []
    let entries = 0
    for (let round = 0; round < PAIRS; round++) {
      const copy = join(dir, `copy${round}`)
      cpSync(store, copy, { recursive: true })
      yield* Effect.scoped(Effect.gen(function*() {
        const begin = performance.now()
        entries = yield* Effect.provide(
          Effect.tap(openAll, () => Effect.sync(() => times.push(performance.now() - begin))),
          JournalLevel.layer({ dir: copy })
        )
      }))
    }
    const took = spread(times)
    report(
      `opening ${AGGREGATES} live aggregates with ${entries} entries after their heads, milliseconds`,
      shown(took, 1),
      { text: "<= 50", held: took.median <= 50 }
    )
  })))
