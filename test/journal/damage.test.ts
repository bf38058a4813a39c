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
 * A directory with two mobs that took turns; its newest records stand in LevelDB's log. What is pruned has left the log
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
          if (pruned && turn === 30 && index === 0) yield* log.prune({ events: 20, forget: ["run/10", "run/20"] })
        }
      }
    }),
    JournalLevel.layer({ dir })
  ))

const flips = soak ? 400 : 40

describe("a flipped bit", () => {
  for (const [where, kind] of [["log", "log"], ["table", "ldb"], ["log after a prune", "log"]] as const) {
    it.live(
      `in LevelDB's ${where} is found, or changes nothing`,
      () =>
        Effect.gen(function*() {
          const home = yield* folder
          const base = join(home, "base")
          yield* fill(base, where === "log after a prune")
          if (kind === "ldb") {
            // Opening moves the log into a table.
            const level = new Level(join(base, "db"))
            yield* Effect.promise(() => level.open())
            yield* Effect.promise(() => level.close())
          }
          const [name = ""] = fs.readdirSync(join(base, "db")).filter((file) => file.endsWith(`.${kind}`))
            .sort((a, b) => fs.statSync(join(base, "db", b)).size - fs.statSync(join(base, "db", a)).size)
          expect(fs.statSync(join(base, "db", name)).size).toBeGreaterThan(20_000)
          const lines: Array<string> = []
          while (lines.length < flips) {
            const { ended, output } = yield* run(
              "flip-bits.ts",
              base,
              name,
              String(lines.length),
              String(flips - lines.length)
            )
            lines.push(...output)
            if (lines.length < flips) lines.push(`found: LevelDB ended the process with ${ended}`)
            expect(ended === "0" || ended === "SIGABRT" ? "" : ended).toBe("")
          }
          expect(lines.filter((line) => line.startsWith("silent"))).toEqual([])
          expect(lines.filter((line) => line.startsWith("found")).length).toBeGreaterThan(flips / 2)
        }),
      600_000
    )
  }
})

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
