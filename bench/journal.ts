/**
 * What appends of 256 B cost through the store contract, against raw LevelDB.
 *
 * Two floors: the batches that the journal itself wrote (same shape), and what a program without a journal would write:
 * one key an append, one batch a flush.
 */
import { Effect, Layer } from "effect"
import { CommitSeam, JournalLevel } from "../core/journal/index.ts"
import type { Operation } from "../core/journal/index.ts"
import { MobId } from "../sdk/ids.ts"
import { Journal, type MobLog, type StoreError } from "../sdk/store.ts"
import { type Floor, flushes, folder, openFloor, Recorder } from "./disk.ts"
import { pairs, report, shown, spread, timed } from "./measure.ts"

/** Bytes of an append's fact as JSON. */
const BYTES = 256

const fact = { type: "bench", text: "" }
const text = "0123456789abcdef".repeat(BYTES / 16).slice(JSON.stringify(fact).length)
const facts = [{ ...fact, text }]

interface Row {
  readonly writers: number
  /** Appends of each writer in a sample. */
  readonly each: number
  readonly by: "byCallback" | "byFiber"
}

const rows: ReadonlyArray<Row> = [
  { writers: 1, each: 200, by: "byCallback" },
  { writers: 64, each: 100, by: "byCallback" },
  { writers: 64, each: 100, by: "byFiber" },
  { writers: 1_000, each: 20, by: "byCallback" }
]

type Writer = (count: number) => Promise<void>

/** Appends that this writer awaits, one after the other; `count` of them. */
const writer = (log: MobLog, aggregate: string) => {
  let revision = 0
  const append = (committed: () => void, failed: (error: StoreError) => void) => {
    revision += 1
    const snapshot = () => revision
    log.submit({
      entries: [{ aggregate, revision, at: revision, facts, events: [], snapshot, terminal: false }],
      committed,
      failed
    })
  }
  /** As a durable cell submits: the next one from the callback of the one before. */
  const byCallback: Writer = (count) =>
    new Promise((resolve, reject) => {
      let left = count
      const next = () => {
        if (left-- === 0) resolve()
        else append(next, reject)
      }
      next()
    })
  const effect = Effect.callback<void, StoreError>((resume) =>
    append(() => resume(Effect.void), (error) => resume(Effect.fail(error)))
  )
  const byFiber: Writer = (count) => Effect.runPromise(Effect.asVoid(Effect.repeat(effect, { times: count - 1 })))
  return { byCallback, byFiber }
}

const measureRow = (log: MobLog, floor: Floor, recorder: Recorder, dir: string, { by, each, writers }: Row) =>
  Effect.gen(function*() {
    const { batches } = yield* Journal
    const appends = Array.from({ length: writers }, (_, index) => writer(log, `bench/${by}/${writers}/${index}`)[by])
    let written: ReadonlyArray<ReadonlyArray<Operation>> = []
    const counts: Array<number> = []
    const flushed: Array<number> = []
    const perAppend: Array<number> = []
    const total = writers * each
    const ours = async () => {
      recorder.take()
      const before = batches()
      const device = flushes(dir)
      const { took, worked } = await timed(() => Promise.all(appends.map((append) => append(each))))
      counts.push(batches() - before)
      perAppend.push(worked * 1_000 / total)
      if (device !== undefined) flushed.push((flushes(dir) ?? 0) - device)
      written = recorder.take()
      return took
    }
    const value = JSON.stringify(facts[0])
    const keyed = () => floor.write(Array.from({ length: each }, () => floor.of(writers, value)))
    const shaped = () => floor.write(written.map((operations) => floor.like(operations)))
    for (
      const [name, raw] of [["the same batches", shaped], ["one key an append, one batch a flush", keyed]] as const
    ) {
      const found = yield* Effect.promise(() => pairs(ours, raw))
      const ratios = spread(found.map((pair) => pair.floor / pair.ours))
      const paces = spread(found.map((pair) => total / pair.ours * 1_000))
      report(
        `${writers} ${by === "byFiber" ? "fibers" : "writers"}, pace against raw: ${name}`,
        `${shown(ratios)}; ${shown(paces, 0)} appends/s`,
        writers === 64 && by === "byCallback" ? { text: ">= 0.8", held: ratios.median >= 0.8 } : undefined
      )
    }
    report(
      `  ${total} appends`,
      `${shown(spread(perAppend))} us of the main thread each; ${spread(counts).median} synced batches; ${
        flushed.length === 0
          ? "the machine shows no counter of flushes"
          : `${spread(flushed).median} flushes of the device`
      }`
    )
  })

/** Measures and prints all rows. */
export const benchJournal = (): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const dir = yield* folder
    const recorder = new Recorder()
    const floor = yield* openFloor
    yield* Effect.gen(function*() {
      const log = yield* (yield* Journal).acquire(MobId.make("bench"))
      for (const row of rows) yield* measureRow(log, floor, recorder, dir, row)
    }).pipe(
      Effect.provide(JournalLevel.layer({ dir }).pipe(Layer.provide(Layer.succeed(CommitSeam, recorder.seam))))
    )
  })))
