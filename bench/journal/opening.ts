/**
 * What opening costs with 5,000 entries after the heads: the store, the mob's log, and a load of everything that lives.
 * In few blocks, as many writers at a time leave them, and in one block an entry, as one writer does.
 */
import { Effect } from "effect"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { JournalLevel } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { type Entry, Journal } from "../../sdk/store.ts"
import { folder } from "../disk.ts"
import { PAIRS, report, shown, spread } from "../measure.ts"
import { append, fill } from "./filling.ts"

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

const names = Array.from({ length: AGGREGATES }, (_, index) => `bench/${index}`)

const tail = (concurrency: number | "unbounded") =>
  Effect.gen(function*() {
    const log = yield* (yield* Journal).acquire(bench)
    for (let revision = 1; revision <= ENTRIES + 1; revision++) {
      yield* Effect.forEach(names, (name) => append(log, [entryOf(name, revision)]), { concurrency, discard: true })
    }
  })

/** Takes the mob over and loads all that lives; gives entries found. */
const loadAll = Effect.gen(function*() {
  const log = yield* (yield* Journal).acquire(bench)
  let entries = 0
  for (const name of yield* log.live) entries += (yield* log.load(name))?.entries.length ?? 0
  return entries
})

const measureOpening = Effect.fnUntraced(function*(dir: string, blocks: string, concurrency: number | "unbounded") {
  const store = join(dir, blocks)
  yield* fill(store, tail(concurrency))
  const times: Array<number> = []
  let entries = 0
  for (let round = 0; round < PAIRS; round++) {
    const copy = join(dir, `${blocks} ${round}`)
    cpSync(store, copy, { recursive: true })
    const begin = performance.now()
    entries = yield* Effect.scoped(Effect.provide(
      Effect.tap(loadAll, () => Effect.sync(() => times.push(performance.now() - begin))),
      JournalLevel.layer({ dir: copy })
    ))
  }
  const took = spread(times)
  report(
    `opening ${AGGREGATES} live aggregates with ${entries} entries after their heads in ${blocks}, milliseconds`,
    shown(took, 1),
    { text: "<= 50", held: took.median <= 50 }
  )
})

/** Measures and prints. */
export const benchOpening: Effect.Effect<void, unknown> = Effect.scoped(Effect.gen(function*() {
  const dir = yield* folder
  yield* measureOpening(dir, `${ENTRIES} blocks`, "unbounded")
  yield* measureOpening(dir, `${AGGREGATES * ENTRIES} blocks`, 1)
}))
