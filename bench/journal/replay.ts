/**
 * What reading all events back costs: a store of 1,000,000 events of 256 B, 64 a block, read in pages through the store
 * contract: each block checked, each entry parsed. Two floors read values and do nothing with them, as fast as LevelDB
 * gives them (`nextv(1000)`, 1 MiB, utf8, one chunk ahead): the journal's own blocks, and one key an event, which is what
 * a log without blocks would have to read. A third parses the blocks' lines as well.
 */
import { Effect } from "effect"
import { Level } from "level"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { JournalLevel } from "../../core/journal/index.ts"
import { blockKeys, type Key } from "../../core/journal/keys.ts"
import { MobId } from "../../sdk/ids.ts"
import { type Entry, Journal, type MobLog } from "../../sdk/store.ts"
import { folder } from "../disk.ts"
import { pairs, report, shown, spread } from "../measure.ts"
import { append, fill } from "./filling.ts"
import { type Payload, payloadsOf } from "./workload.ts"

const EVENTS = 1_000_000
const BLOCK = 64
/** Events of one sample of a pair; all of them are read once. */
const SAMPLE = 100_000
/** Events that a reader asks for at a time. */
const PAGE = 10_000

const bench = MobId.make("bench")

const entryOf = (revision: number, { fact }: Payload): Entry => ({
  aggregate: "mob",
  revision,
  at: revision,
  facts: [{ type: "bench" }],
  events: [fact],
  snapshot: () => ({ revision }),
  terminal: false
})

const write = (next: () => Payload) =>
  Effect.gen(function*() {
    const log = yield* (yield* Journal).acquire(bench)
    for (let revision = 1; revision <= EVENTS; revision += BLOCK) {
      yield* append(log, Array.from({ length: BLOCK }, (_, index) => entryOf(revision + index, next())))
    }
  })

const openLevel = (dir: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const level = new Level<Key, string>(dir, { keyEncoding: "buffer", valueEncoding: "utf8" })
      await level.open()
      return level
    }),
    (level) => Effect.promise(() => level.close())
  )

const writeSingly = async (level: Level<Key, string>, next: () => Payload) => {
  for (let at = 0; at < EVENTS; at += 10_000) {
    await level.batch(Array.from({ length: 10_000 }, (_, index) => {
      const key = Buffer.alloc(12)
      key.writeUIntBE(at + index, 6, 6)
      return { type: "put" as const, key, value: next().text }
    }))
  }
}

/** Values of a range, a chunk at a time, the next one under way; ends when `each` has seen enough. */
const readRaw = async (level: Level<Key, string>, range: object, each: (values: Array<string>) => boolean) => {
  const values = level.values({ ...range, highWaterMarkBytes: 1024 * 1024 })
  try {
    for (let next = values.nextv(1_000);;) {
      const found = await next
      if (found.length === 0) return
      next = values.nextv(1_000)
      // Closing the iterator ends the one that is not wanted any more.
      next.catch(() => {})
      if (!each(found)) return
    }
  } finally {
    await values.close()
  }
}

const timed = async (task: () => Promise<unknown>): Promise<number> => {
  const begin = performance.now()
  await task()
  return performance.now() - begin
}

const blocksRaw = (level: Level<Key, string>, parse: boolean) => () =>
  timed(async () => {
    let left = SAMPLE / BLOCK
    await readRaw(level, blockKeys(1, 0), (values) => {
      if (parse) {
        for (const value of values) {
          const lines = value.split("\n")
          for (let line = 1; line < lines.length; line++) JSON.parse(lines[line] ?? "")
        }
      }
      return (left -= values.length) > 0
    })
  })

const singlyRaw = (level: Level<Key, string>) => () =>
  timed(async () => {
    let left = SAMPLE
    await readRaw(level, {}, (values) => (left -= values.length) > 0)
  })

const replay = (log: MobLog, events: number) => async (): Promise<number> => {
  const begin = performance.now()
  for (let cursor = 0; cursor < events;) {
    const page = await Effect.runPromise(log.events(cursor, PAGE))
    const last = page.at(-1)?.cursor
    if (last !== cursor + PAGE) throw new Error(`${last} is not the last of ${PAGE} events after ${cursor}`)
    cursor = last
  }
  return performance.now() - begin
}

/** Measures and prints. */
export const benchReplay: Effect.Effect<void, unknown> = Effect.scoped(Effect.gen(function*() {
  const dir = yield* folder
  const store = join(dir, "store")
  const next = payloadsOf(256)
  yield* fill(store, write(next))
  cpSync(join(store, "db"), join(dir, "blocks"), { recursive: true })
  const blocks = yield* openLevel(join(dir, "blocks"))
  const singly = yield* openLevel(join(dir, "singly"))
  yield* Effect.promise(() => writeSingly(singly, next))
  yield* Effect.gen(function*() {
    const log = yield* (yield* Journal).acquire(bench)
    const rows: ReadonlyArray<readonly [name: string, floor: () => Promise<number>, most?: number]> = [
      ["reading the same blocks raw", blocksRaw(blocks, false), 1.5],
      ["reading one key an event raw", singlyRaw(singly), 1.5],
      ["reading the same blocks raw and parsing their lines", blocksRaw(blocks, true)]
    ]
    for (const [name, floor, most] of rows) {
      const found = yield* Effect.promise(() => pairs(replay(log, SAMPLE), floor))
      const ratios = spread(found.map((pair) => pair.ours / pair.floor))
      report(
        `replay of ${SAMPLE.toLocaleString("en")} events, time against ${name}`,
        `${shown(ratios)}; ${spread(found.map((it) => it.ours)).median.toFixed(0)} against ${
          spread(found.map((it) => it.floor)).median.toFixed(0)
        } ms`,
        most === undefined ? undefined : { text: `<= ${most}`, held: ratios.median <= most }
      )
    }
    const all = yield* Effect.promise(replay(log, EVENTS))
    report(`replay of ${EVENTS.toLocaleString("en")} events, once`, `${all.toFixed(0)} ms`)
  }).pipe(Effect.provide(JournalLevel.layer({ dir: store })))
}))
