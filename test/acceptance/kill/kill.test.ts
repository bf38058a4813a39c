/**
 * `mob run` is killed, again and again, and each time the same command continues the run: nothing is lost, nothing is
 * counted twice, and no member works beside its successor.
 *
 * Half of the kills are at batches of the run by construction, half at shares of the span that unharmed runs took here
 * and now. A kill that met no run under way, as `inspect` sees it, is drawn again, twice at most; nearly all must meet
 * one.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { commands, countedBatches, folder, type Kill, type Place, place, printedRun } from "./command.ts"
import { completions, executions, look, outcomeOf, overlaps, readRecord, survivors, untrue } from "./evidence.ts"

const soak = process.env["MOB_EFFORT"] === "soak"
const KILLS = soak ? 50 : 10
/** Kills that must have met a run under way. */
const MET = soak ? 40 : 8
/** Draws of one kill, the first included. */
const DRAWS = 3

const cache = folder()
const mob = commands(cache.dir)

/** What an unharmed run gives: the same every time. */
let unharmed: unknown
/** `<step>/<lane>` of each input, sorted. */
let inputs: ReadonlyArray<string>
/** Batches from the one that admits the run to the one that ends it; the fewest that were seen. */
let batches: number
/** Milliseconds from a run's start to its end; the shortest that was seen. */
let span: number

const table: Array<string> = []

const sorted = (texts: ReadonlyArray<string>) => [...texts].sort()

beforeAll(async () => {
  const seen: Array<{ readonly batches: number; readonly span: number }> = []
  for (let round = 0; round < 3; round++) {
    using at = place()
    const run = printedRun(await mob.counted(at))
    unharmed ??= outcomeOf(run)
    expect(outcomeOf(run)).toEqual(unharmed)
    inputs = sorted(completions(await look(at.data), run.run_id))
    expect(inputs).toEqual(sorted(executions(readRecord(at.record), run.run_id)))
    seen.push({ batches: countedBatches(at), span: (run.completed_at ?? 0) - run.started_at })
  }
  batches = Math.min(...seen.map((it) => it.batches))
  span = Math.min(...seen.map((it) => it.span))
  table.push(`unharmed: ${seen.map((it) => `${it.batches} batches in ${it.span} ms`).join(", ")}`)
}, 60_000)

afterAll(() => {
  console.log(table.join("\n"))
  cache[Symbol.dispose]()
})

const wordsOf = (kill: Kill) =>
  "side" in kill ? `${kill.side} batch ${kill.batch}` : `at ${Math.round(100 * kill.millis / span)} % of the span`

/** Kills a run, more than once if asked, then continues it to its end. Says whether every kill met a run under way. */
const round = async (at: Place, ...kills: ReadonlyArray<Kill>): Promise<boolean> => {
  /** Of each kill that met a run: that run, what it had completed, and how much had been recorded. */
  const met: Array<{ readonly run: string; readonly completed: ReadonlyArray<string>; readonly lines: number }> = []
  for (const kill of kills) {
    const { exit, stderr } = await mob.killed(at, kill)
    // A moment that was after its end is a miss.
    if (exit !== "SIGKILL") expect(exit, stderr).toBe(0)
    const log = await look(at.data)
    expect(untrue(log, stderr)).toEqual([])
    const run = log.runs.find((it) => it.status === "running")?.run_id
    if (run !== undefined) met.push({ run, completed: completions(log, run), lines: readRecord(at.record).length })
  }

  const ended = await mob.run(at)
  const record = readRecord(at.record)
  const run = printedRun(ended)
  const again = record.slice(met[0]?.lines)
  table.push([
    met.length === kills.length ? "met   " : "missed",
    kills.map(wordsOf).join(", ").padEnd(20),
    ...met.map((it) => `${it.completed.length} of ${inputs.length} inputs done,`),
    `${executions(again, run.run_id).length} executed by`,
    met.length === 0 ? "a new run" : "the same run, continued"
  ].join(" "))

  expect(outcomeOf(run)).toEqual(unharmed)
  const log = await look(at.data)
  expect(log.cursors).toEqual(log.cursors.map((_, index) => index + 1))
  for (const { run_id, status } of log.runs) {
    expect(status).toBe("completed")
    expect(sorted(completions(log, run_id))).toEqual(inputs)
    expect(sorted([...new Set(executions(record, run_id))])).toEqual(inputs)
  }
  for (const { completed, lines, run: interrupted } of met) {
    expect(run.run_id).toBe(interrupted)
    expect(log.runs).toHaveLength(1)
    // What the log had as done is not done again.
    expect(executions(record.slice(lines), interrupted).filter((it) => completed.includes(it))).toEqual([])
  }
  expect(overlaps(record)).toEqual([])
  expect(survivors(record)).toEqual([])
  return met.length === kills.length
}

/** Shares that cover a whole evenly however many are drawn. */
function* shares(): Generator<number, never> {
  for (let n = 1;; n++) yield (n * 0.618_033_988_75) % 1
}

/** Both sides of each batch between which a run is under way, in their order. */
const spots = (): ReadonlyArray<Kill> => [
  { side: "after", batch: 1 },
  ...Array.from({ length: batches - 2 }, (_, index): ReadonlyArray<Kill> => [
    { side: "before", batch: index + 2 },
    { side: "after", batch: index + 2 }
  ]).flat(),
  { side: "before", batch: "end" }
]

describe("kill -9 of mob run", () => {
  it("loses nothing and repeats nothing, whenever it comes", async () => {
    const half = KILLS / 2
    const places = spots()
    const share = shares()
    const spot = (at: number): Kill => places[Math.floor(at * places.length)] ?? { side: "before", batch: "end" }
    const moment = (at: number): Kill => ({ millis: at * span })
    let [met, metAtFirst] = [0, 0]
    for (let index = 0; index < KILLS; index++) {
      // The halves take turns, so that neither has a quiet machine for itself.
      const draw = index % 2 === 0 ? spot : moment
      let at = (Math.floor(index / 2) + 0.5) / half
      for (let tries = 0; tries < DRAWS; tries++, at = share.next().value) {
        using home = place()
        if (!await round(home, draw(at))) continue
        met += 1
        if (tries === 0) metAtFirst += 1
        break
      }
    }
    table.push(`${met} of ${KILLS} kills met a run under way, ${metAtFirst} of them when first drawn`)
    expect(met).toBeGreaterThanOrEqual(MET)
  }, soak ? 1_800_000 : 300_000)

  it("before a run is admitted leaves none, after its end leaves it ended", async () => {
    using early = place()
    expect(await round(early, { side: "before", batch: 1 })).toBe(false)
    expect((await look(early.data)).runs).toHaveLength(1)
    using late = place()
    expect(await round(late, { side: "after", batch: "end" })).toBe(false)
    expect((await look(late.data)).runs).toHaveLength(2)
  }, 120_000)

  it("may come again while the run is being continued", async () => {
    using at = place()
    const kills: ReadonlyArray<Kill> = [
      { side: "after", batch: Math.floor(batches / 2) },
      { side: "before", batch: 1 },
      { side: "after", batch: 2 }
    ]
    expect(await round(at, ...kills)).toBe(true)
  }, 120_000)
})
