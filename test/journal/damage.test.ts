/**
 * Damage on disk, and what pruning leaves: either all of it is found, or what is read is what was written.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Level } from "level"
import * as fs from "node:fs"
import { join } from "node:path"
import { entryLine, sealBlock } from "../../core/journal/block.ts"
import { sealCheckpoint } from "../../core/journal/checkpoint.ts"
import { sealHead } from "../../core/journal/head.ts"
import { JournalLevel } from "../../core/journal/index.ts"
import { blockKey, checkpointKey, headKey, metaKey, mobKey } from "../../core/journal/keys.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { sealMeta, sealMob } from "../../core/journal/registry.ts"
import type { Operation } from "../../core/journal/seams.ts"
import { openStore } from "../../core/journal/store.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal } from "../../sdk/store.ts"
import { count, entry, folder, soak, submit, team } from "./logs.ts"
import { run } from "./processes.ts"

const mobs = ["team", "other"].map((name) => MobId.make(name))

/**
 * A directory with two mobs that took turns, and some that wrote once; its newest records stand in LevelDB's log. What is pruned has left the log
 * by then: it holds the prune, and what came after it.
 */
const fill = (dir: string, pruned: boolean) =>
  Effect.scoped(Effect.provide(
    Effect.gen(function*() {
      const journal = yield* Journal
      const logs = yield* Effect.forEach(mobs, journal.acquire)
      const pins = [{ digest: "0f".repeat(32), definition: { text: "z".repeat(300) } }]
      for (let turn = 1; turn <= 150; turn++) {
        for (const [index, log] of logs.entries()) {
          if (turn > 20 && index === 1 && turn < 140) continue
          const filler = Array.from({ length: 20 }, (_, at) => ((turn * 31 + at * 7) % 997).toString(36)).join("")
          const entries = [
            entry("mob", turn > 139 && index === 1 ? turn - 119 : turn, {
              facts: [{ revision: turn > 139 && index === 1 ? turn - 119 : turn, filler }]
            })
          ]
          if (turn % 5 === 0) entries.push(entry(`run/${turn}`, 1, { terminal: turn % 10 === 0 }))
          yield* submit(log, entries, turn === 1 ? { pins } : {})
          // Of these nothing but the number of the group commit tells that they are missing.
          if (turn % 6 === 0 && index === 0) {
            yield* submit(yield* journal.acquire(MobId.make(`once-${turn}`)), [entry("mob", 1)])
          }
          if (pruned && turn === 30 && index === 0) yield* log.prune({ events: 20, forget: ["run/10", "run/20"] })
        }
      }
    }),
    JournalLevel.layer({ dir })
  ))

const places = soak ? 500 : 40

/** Lines of the reader, one a place. Where LevelDB ends the process, the next one goes on behind that place. */
const damaged = Effect.fnUntraced(function*(base: string) {
  const lines: Array<string> = []
  while (lines.length < places) {
    const left = String(places - lines.length)
    const { ended, output } = yield* run("faults/damage-places.ts", base, String(lines.length), left)
    lines.push(...output)
    if (lines.length < places) lines.push(`somewhere: ended ${ended}`)
  }
  return lines
})

/** What a place came to: how it was damaged, what was seen, and what was said of it. */
const outcome = (line: string) => {
  const [, how = "", seen = "", said = ""] = /^(\S+)[^:]*: (\S+) ?(.*)$/.exec(line) ?? []
  return { line, how, seen, said }
}

describe("a flipped bit or a cut file", () => {
  for (const state of ["log", "tables", "log after a prune"] as const) {
    it.live(
      `in a store that stands in LevelDB's ${state} is found, or changes nothing`,
      () =>
        Effect.gen(function*() {
          const base = join(yield* folder, "base")
          yield* fill(base, state === "log after a prune")
          if (state === "tables") {
            // Opening moves the log into a table.
            const level = new Level(join(base, "db"))
            yield* Effect.promise(() => level.open())
            yield* Effect.promise(() => level.close())
          }
          const shown = process.env["MOB_SHOW"] === "1"
          const outcomes = (yield* damaged(base)).map(outcome)
          if (shown) console.log(outcomes.map(({ line }) => line).join("\n"))
          const counts = Map.groupBy(outcomes, ({ how, seen }) => `${how} ${seen}`)
          console.info([...counts].sort().map(([what, lines]) => `${what} ${lines.length}`).join(", "))
          const never = outcomes.filter(({ how, seen }) =>
            seen === "wrong" || seen === "silent" || seen === "shorter" && how !== "cut-without-MARK"
          )
          expect(never).toEqual([])
          const found = outcomes.filter(({ seen }) => seen === "found")
          for (const { line, said } of found) expect(said, line).toMatch(/^StoreCorrupted at \S/)
          expect(found.length).toBeGreaterThan(places / 3)
          // LevelDB's own assertions; nothing was read.
          const ended = outcomes.filter(({ seen }) => seen === "ended")
          for (const { said } of ended) expect(said).toBe("SIGABRT")
        }),
      1_800_000
    )
  }
})

it.live.each(["CURRENT", "MANIFEST", "ldb", "log"])(
  "a lost %s is found, and the tables that are left stay as they are",
  (lost) =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      for (const round of [0, 1]) yield* once(dir, round)
      const [name = ""] = fs.readdirSync(join(dir, "db")).filter((file) => file.includes(lost))
      fs.rmSync(join(dir, "db", name))
      const tables = () => fs.readdirSync(join(dir, "db")).filter((file) => file.endsWith(".ldb"))
      const before = tables()
      const error = yield* Effect.flip(once(dir, 2))
      expect(error).toMatchObject({ _tag: "StoreCorrupted", where: expect.stringContaining(dir) })
      expect(tables()).toEqual(expect.arrayContaining(before))
    })
)

/** One more submission to a directory. */
const once = (dir: string, round: number) =>
  Effect.gen(function*() {
    yield* submit(yield* (yield* Journal).acquire(team), [entry(`run/${round}`, 1)])
  }).pipe(Effect.provide(JournalLevel.layer({ dir })), Effect.scoped)

describe("a log whose beginning was pruned", () => {
  const line = (revision: number) => entryLine(entry("mob", revision), 1)
  // An entry without events: only positions tell that its block is missing.
  const quiet = (position: number, seq: number, cursor: number, revision: number): Operation => ({
    type: "put",
    key: blockKey(1, position),
    value: sealBlock(blockKey(1, position), { seq, position, cursor }, [
      entryLine(entry("mob", revision, { events: [] }), 1)
    ])
  })
  const state = JSON.stringify({ aggregate: "mob", count: 4 })
  const meta = (seqFloor: number): Operation => ({
    type: "put",
    key: metaKey,
    value: sealMeta({ format: 1, seqFloor })
  })
  const owner: Operation = { type: "put", key: mobKey(team), value: sealMob(team, { mobNo: 1, epoch: 1 }) }
  const head = (revision: number, position: number): Operation => ({
    type: "put",
    key: headKey(1, "mob"),
    value: sealHead(1, "mob", { revision, position, born: 1, terminal: false, text: state })
  })
  const block = (position: number, seq: number, revisions: ReadonlyArray<number>): Operation => ({
    type: "put",
    key: blockKey(1, position),
    value: sealBlock(blockKey(1, position), { seq, position, cursor: position }, revisions.map(line))
  })
  const checkpoint = (nextPosition: number, oldest: number, need: number, rev: number): Operation => ({
    type: "put",
    key: checkpointKey(1),
    value: sealCheckpoint(1, {
      nextPosition,
      nextCursor: nextPosition,
      oldest,
      firstCursor: oldest,
      settledSeq: 0,
      live: [{ aggregate: "mob", born: 1, rev, position: rev, need }],
      cursors: [[oldest, oldest]],
      distance: 1024
    })
  })
  const openOn = (operations: ReadonlyArray<Operation>) =>
    Effect.gen(function*() {
      const medium = memoryMedium({ later: queueMicrotask, begin: () => () => {} })
      const database = yield* medium.open
      yield* Effect.callback<void>((resume) => database.commit(operations, () => resume(Effect.void)))
      return yield* (yield* openStore(medium)).acquire(team)
    })

  it.effect("opens above its floors, and says what is gone", () =>
    Effect.gen(function*() {
      const log = yield* openOn([
        meta(3),
        owner,
        head(4, 4),
        checkpoint(6, 4, 5, 5),
        block(4, 3, [4]),
        block(5, 4, [5]),
        block(6, 5, [6, 7])
      ])
      expect(count(yield* log.load("mob"))).toBe(7)
      expect(yield* Effect.flip(log.events(2, 10))).toMatchObject({ _tag: "HistoryPruned", first_cursor: 4 })
      expect((yield* log.events(3, 10)).map((event) => event.cursor)).toEqual([4, 5, 6, 7])
      expect(yield* submit(log, [entry("mob", 8)])).toEqual({ position: 8, cursor: 8 })
    }))

  it.effect("gives no position, cursor or seq again when nothing is left of it", () =>
    Effect.gen(function*() {
      const log = yield* openOn([meta(9), owner, head(4, 4), checkpoint(5, 5, 0, 4)])
      expect(count(yield* log.load("mob"))).toBe(4)
      expect(log.latestCursor()).toBe(4)
      expect(yield* log.events(4, 10)).toEqual([])
      expect(yield* submit(log, [entry("mob", 5)])).toEqual({ position: 5, cursor: 5 })
      expect((yield* log.events(4, 10)).map((event) => event.cursor)).toEqual([5])
    }))

  it.effect("says so when events that it should have are missing, whatever is asked for", () =>
    Effect.gen(function*() {
      const log = yield* openOn([meta(3), owner, head(4, 4), checkpoint(6, 4, 5, 5), block(5, 4, [5])])
      expect(yield* Effect.flip(log.events(3, 1))).toMatchObject({ _tag: "StoreCorrupted" })
      expect((yield* openOn([meta(3), owner, head(4, 4), checkpoint(6, 5, 5, 5), block(5, 4, [5])])).latestCursor())
        .toBe(5)
    }))

  const broken: ReadonlyArray<readonly [string, ReadonlyArray<Operation>]> = [
    ["a block is missing in the middle", [head(4, 4), checkpoint(6, 4, 5, 5), block(5, 4, [5]), block(7, 5, [7])]],
    ["blocks before the checkpoint are missing", [head(4, 4), checkpoint(6, 4, 5, 5), block(4, 4, [4])]],
    ["a group commit is missing", [head(4, 4), checkpoint(6, 4, 5, 5), block(5, 4, [5]), block(6, 6, [6])]],
    ["the head is missing", [checkpoint(6, 4, 5, 5), block(5, 4, [5])]],
    ["the head is ahead of the log", [head(7, 7), checkpoint(6, 4, 5, 5), block(5, 4, [5])]],
    ["the head is of before what the log still has", [head(3, 3), checkpoint(6, 4, 5, 5), block(5, 4, [5])]],
    ["the head names another entry", [head(5, 4), checkpoint(6, 4, 5, 5), block(5, 4, [5])]],
    ["the head names another entry of its aggregate", [
      head(4, 5),
      checkpoint(6, 4, 4, 5),
      block(4, 3, [4]),
      block(5, 4, [5])
    ]],
    ["a block without events is missing", [head(5, 5), checkpoint(6, 4, 0, 5), block(5, 4, [5]), quiet(7, 5, 6, 6)]],
    ["a revision is missing", [head(4, 4), checkpoint(6, 4, 5, 5), block(5, 4, [5]), block(6, 5, [7])]],
    ["blocks of a mob that is not registered", [{ ...block(5, 4, [5]), key: blockKey(2, 5) }]]
  ]
  for (const [name, operations] of broken) {
    it.effect(`is refused when ${name}`, () =>
      Effect.gen(function*() {
        expect(yield* Effect.flip(openOn([meta(3), owner, ...operations]))).toMatchObject({ _tag: "StoreCorrupted" })
      }))
  }
})
