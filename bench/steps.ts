/**
 * What durable steps cost: runs of ten steps over local members on LevelDB, against the same batches written raw.
 *
 * The floor of a row is what its own runs wrote: the recorded batches, key for key in length and value for value, one
 * synced after the other, through `level` itself. So a ratio of 1 is a run that costs nothing but its disk.
 */
import { Effect } from "effect"
import type { MobHandle } from "../core/index.ts"
import type { Operation } from "../core/journal/index.ts"
import { Journal } from "../sdk/store.ts"
import { type Floor, flushes, folder, openFloor, Recorder } from "./disk.ts"
import { pairs, report, shown, spread, timed } from "./measure.ts"
import { host, manyRuns, oneRun, openMob, released, STEPS, WIDTH } from "./mobs.ts"

interface Row {
  readonly name: string
  readonly flow: "sequence" | "fan"
  /** Steps (or targets) of one run. */
  readonly steps: number
  readonly runs: number
  readonly inFlight: number
  readonly unit: "runs/s" | "steps/s"
  /** Fewest of `unit`. */
  readonly fewest: number
  /** Highest ratio to the floor. */
  readonly ratio?: number
}

const rows: ReadonlyArray<Row> = [
  {
    name: "10 steps, one run at a time",
    flow: "sequence",
    steps: STEPS,
    runs: 20,
    inFlight: 1,
    unit: "runs/s",
    fewest: 300,
    ratio: 1.25
  },
  {
    name: "10 steps, 32 runs in flight",
    flow: "sequence",
    steps: STEPS,
    runs: 320,
    inFlight: 32,
    unit: "steps/s",
    fewest: 20_000
  },
  {
    name: "10 steps, 100 runs in flight",
    flow: "sequence",
    steps: STEPS,
    runs: 500,
    inFlight: 100,
    unit: "steps/s",
    fewest: 30_000
  },
  {
    name: "fan-out of 100, one run at a time",
    flow: "fan",
    steps: WIDTH,
    runs: 20,
    inFlight: 1,
    unit: "steps/s",
    fewest: 33_000
  },
  {
    name: "fan-out of 100, 8 runs in flight",
    flow: "fan",
    steps: WIDTH,
    runs: 64,
    inFlight: 8,
    unit: "steps/s",
    fewest: 67_000
  }
]

/** Group commits of single runs, from the first block to the release. */
const batchesOfRuns = (mob: MobHandle, flow: "sequence" | "fan", most: number) =>
  Effect.gen(function*() {
    const { batches } = yield* Journal
    const found: Array<number> = []
    for (let run = 0; run < 50; run++) {
      yield* released(mob)
      const before = batches()
      yield* oneRun(mob, flow)
      yield* released(mob)
      found.push(batches() - before)
    }
    const { median } = spread(found)
    report(
      `${flow === "sequence" ? "10 steps" : "fan-out of 100"}, synced batches of a run, first block to release`,
      `${median} (at most ${Math.max(...found)})`,
      { text: `<= ${most}`, held: Math.max(...found) <= most }
    )
  })

/** Batches beside what the device counted, for a thousand runs. */
const flushesOfRuns = (mob: MobHandle, dir: string) =>
  Effect.gen(function*() {
    const { batches } = yield* Journal
    const begun = flushes(dir)
    if (begun === undefined) return report("flushes of the block device", "the machine shows no counter")
    yield* Effect.sleep(1_000)
    const idle = (flushes(dir) ?? 0) - begun
    const before = { batches: batches(), flushes: flushes(dir) ?? 0, at: performance.now() }
    yield* manyRuns(mob, "sequence", 1_000, 1)
    yield* released(mob)
    const seconds = (performance.now() - before.at) / 1_000
    const counted = (flushes(dir) ?? 0) - before.flushes
    report(
      "10 steps, 1,000 runs one at a time",
      `${batches() - before.batches} synced batches; the device counted ${counted} flushes in ${seconds.toFixed(1)} s`
        + ` (it is not ours alone: ${idle} in the idle second before)`
    )
  })

const measureRow = (mob: MobHandle, floor: Floor, recorder: Recorder, row: Row) =>
  Effect.gen(function*() {
    const { batches } = yield* Journal
    const { flow, fewest, inFlight, name, ratio, runs, steps, unit } = row
    const run = Effect.runPromiseWith(yield* Effect.context<never>())
    let written: ReadonlyArray<ReadonlyArray<Operation>> = []
    const perRun: Array<number> = []
    const perStep: Array<number> = []
    const ours = async () => {
      recorder.take()
      const before = batches()
      const { took, worked } = await timed(() => run(manyRuns(mob, flow, runs, inFlight)))
      perStep.push(worked * 1_000 / (runs * steps))
      await run(released(mob))
      perRun.push((batches() - before) / runs)
      written = recorder.take()
      return took
    }
    const found = yield* Effect.promise(() =>
      pairs(ours, () => floor.write(written.map((operations) => floor.like(operations))))
    )
    const counted = unit === "runs/s" ? runs : runs * steps
    const paces = spread(found.map((pair) => counted / pair.ours * 1_000))
    report(
      name,
      `${shown(paces, 0)} ${unit}, ${spread(perRun).median.toFixed(2)} batches a run, ${
        shown(spread(perStep), 1)
      } us of the main thread a step`,
      { text: `>= ${fewest.toLocaleString("en")}`, held: paces.median >= fewest }
    )
    const ratios = spread(found.map((pair) => pair.ours / pair.floor))
    report(
      `  time against the same batches raw (raw: ${
        shown(spread(found.map((pair) => counted / pair.floor * 1_000)), 0)
      } ${unit})`,
      shown(ratios),
      ratio === undefined ? undefined : { text: `<= ${ratio}`, held: ratios.median <= ratio }
    )
  })

/** Measures and prints all rows. */
export const benchSteps = (only = ""): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const dir = yield* folder
    const recorder = new Recorder()
    const floor = yield* openFloor
    yield* Effect.gen(function*() {
      const mob = yield* openMob
      yield* manyRuns(mob, "sequence", 3_000, 32)
      yield* manyRuns(mob, "fan", 100, 4)
      if (only === "") {
        yield* batchesOfRuns(mob, "sequence", 12)
        yield* batchesOfRuns(mob, "fan", 3)
        yield* flushesOfRuns(mob, dir)
      }
      for (const row of rows) if (row.name.includes(only)) yield* measureRow(mob, floor, recorder, row)
    }).pipe(Effect.provide(host(dir, recorder)))
  })))
