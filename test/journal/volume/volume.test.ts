/**
 * Events without end through a pruned journal on disk: 64 MB in the gate, 10 GB under `MOB_EFFORT=soak`. What is kept is
 * a window; memory, the folder and what an opening reads stay as they were after a warm-up.
 *
 * Bytes are those handed over as facts and events; they hardly compress, so that LevelDB writes about as many. It removes
 * lazily: what was pruned stays in its tables until they are merged.
 */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { holdLevel } from "../../../core/journal/level.ts"
import { openStore } from "../../../core/journal/store.ts"
import type { MobLog } from "../../../sdk/store.ts"
import { folder, soak, team } from "../logs.ts"
import { counted, memory, sizeOf } from "./measures.ts"
import { check, Team, TURNS } from "./team.ts"

const MB = 1024 * 1024

const bytes = soak ? 10 * 1024 * MB : 64 * MB
const eventBytes = soak ? 4096 : 1024
const writers = soak ? 1000 : 128
/** Events that a prune keeps. */
const kept = soak ? 20_000 : 4096
/** The store is opened so often; each life takes the same number of rounds, after each of which is measured. */
const lives = 4
const rounds = soak ? 16 : 8
const turns = Math.ceil(bytes / eventBytes / lives / rounds)

/** What may be held more at the end than after the first half: noise of the collector and of LevelDB's allocator. */
const heldSlack = 0.6 * MB
const residentSlack = 64 * MB
/** What LevelDB may have on disk beyond what is kept: its log, level 0, and what was pruned and not merged yet. */
const diskSlack = 64 * MB

interface Round {
  readonly held: number
  readonly resident: number
  readonly disk: number
}

it.live("stays level while events pass through, from the second quarter to the last", () =>
  Effect.gen(function*() {
    const dir = join(yield* folder, "data")
    const people = new Team(writers, 4, eventBytes)
    const quarters: Array<ReadonlyArray<Round>> = []
    const openings: Array<number> = []
    for (let life = 0; life < lives; life++) {
      yield* Effect.scoped(Effect.gen(function*() {
        const { medium, read } = counted(holdLevel(dir, undefined))
        const log = yield* (yield* openStore(medium)).acquire(team)
        openings.push(read.length)
        yield* people.goOn(log)
        const measured: Array<Round> = []
        for (let round = 0; round < rounds; round++) {
          yield* pass(log, people)
          measured.push({ ...memory(), disk: sizeOf(dir) })
        }
        quarters.push(measured)
      }))
    }
    expect(people.bytes).toBeGreaterThanOrEqual(bytes)
    if (soak) console.log(table(quarters, openings))
    const [, second = [], , last = []] = quarters
    expect(median(last, "held") - median(second, "held")).toBeLessThan(heldSlack)
    expect(median(last, "resident") - median(second, "resident")).toBeLessThan(residentSlack)
    for (const { disk } of [...second, ...last]) expect(disk).toBeLessThan(4 * kept * eventBytes + diskSlack)
    expect(median(last, "disk")).toBeLessThan(1.25 * median(second, "disk") + 16 * MB)
    expect(openings[3]).toBeLessThan(1.5 * (openings[1] ?? 0) + MB)
  }), soak ? 3_600_000 : 60_000)

it.live("gives back at once the room of much that is pruned, without being opened again", () =>
  Effect.gen(function*() {
    const dir = join(yield* folder, "data")
    const log = yield* (yield* openStore(holdLevel(dir, undefined))).acquire(team)
    const people = new Team(16, 4, 64 * 1024)
    yield* people.goOn(log)
    yield* people.take(1024)
    expect(sizeOf(dir)).toBeGreaterThan(64 * MB)
    yield* log.prune({ events: people.turns, forget: people.takeEnded() })
    expect(sizeOf(dir)).toBeLessThan(32 * MB)
    expect((yield* log.events(people.turns - 1, 2)).map(({ cursor }) => cursor)).toEqual([people.turns])
  }))

/** A round: turns are taken while what lies before the window is removed; then both ends of the window are looked at. */
const pass = Effect.fnUntraced(function*(log: MobLog, people: Team) {
  const wanted = Math.max(1, log.latestCursor() - kept + 1)
  const [pruned] = yield* Effect.all([
    log.prune({ events: wanted, forget: people.takeEnded() }),
    people.take(turns)
  ], { concurrency: "unbounded" })
  // A whole block goes or none of it; a group is no larger than all writers at once.
  expect(pruned.firstCursor).toBeLessThanOrEqual(wanted)
  expect(pruned.firstCursor).toBeGreaterThan(wanted - writers)
  // Those that live, and those that ended since the prune began.
  expect((yield* log.aggregates("run/")).length).toBeLessThanOrEqual(writers + turns / TURNS)
  if (pruned.firstCursor > 1) {
    expect(yield* Effect.flip(log.events(pruned.firstCursor - 2, 1)))
      .toMatchObject({ _tag: "HistoryPruned", first_cursor: pruned.firstCursor })
  }
  for (const after of [pruned.firstCursor - 1, people.turns - 1000]) {
    const events = yield* log.events(after, 1000)
    expect(events).toHaveLength(1000)
    events.forEach((event, index) => check(event, after + 1 + index))
  }
})

const median = (quarter: ReadonlyArray<Round>, of: keyof Round): number =>
  quarter.map((round) => round[of]).sort((a, b) => a - b)[quarter.length >> 1] ?? Number.NaN

const table = (quarters: ReadonlyArray<ReadonlyArray<Round>>, openings: ReadonlyArray<number>): string =>
  quarters.map((quarter, index) => {
    const figures = (["held", "resident", "disk"] as const).map((of) =>
      `${of} ${(median(quarter, of) / MB).toFixed(1)}`
    )
    return `quarter ${index + 1}: ${figures.join(", ")} MB; its opening read ${
      ((openings[index] ?? 0) / MB).toFixed(1)
    } MB`
  }).join("\n")
