/**
 * Heads, checkpoints, and what an opening has to read.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { aggregateOf } from "../../core/journal/keys.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { JournalTasks } from "../../core/journal/seams.ts"
import { openStore } from "../../core/journal/store.ts"
import type { MobLog } from "../../sdk/store.ts"
import { count, entry, note, submit, team, until } from "./logs.ts"

const memory = Effect.map(JournalTasks, memoryMedium)
const acquireOn = (medium: Medium) => Effect.flatMap(openStore(medium), (store) => store.acquire(team))

/** Counts how often an aggregate's snapshot is asked for. */
const counting = (state = 2000) => {
  const asked: Array<number> = []
  const next = (aggregate: string, revision: number, size: number, more: Partial<Parameters<typeof entry>[2]> = {}) =>
    entry(aggregate, revision, {
      facts: [{ revision, filler: "x".repeat(size) }],
      events: [],
      snapshot: () => {
        asked.push(revision)
        return { aggregate, count: revision, filler: "y".repeat(state) }
      },
      ...more
    })
  return { asked, next }
}

describe("a head is written", () => {
  it.effect("at creation, when what followed outweighs it, and at the end", () =>
    Effect.gen(function*() {
      const log = yield* acquireOn(yield* memory)
      const { asked, next } = counting(30_000)
      for (let revision = 1; revision <= 20; revision++) yield* submit(log, [next("run/a", revision, 6500)])
      // Entries are about 6,600 characters and the head about 30,030.
      expect(asked).toEqual([1, 6, 11, 16])
      yield* submit(log, [next("run/a", 21, 400, { terminal: true })])
      expect(asked).toEqual([1, 6, 11, 16, 21])
      expect(count(yield* log.load("run/a"))).toBe(21)
    }))

  it.effect("not before 16 KiB followed the last one, however small it is", () =>
    Effect.gen(function*() {
      const log = yield* acquireOn(yield* memory)
      const { asked, next } = counting(10)
      for (let revision = 1; revision <= 8; revision++) yield* submit(log, [next("run/a", revision, 5400)])
      expect(asked).toEqual([1, 4, 7])
      expect(count(yield* log.load("run/a"))).toBe(8)
    }))

  it.effect("when the store asks, because the first entry since is 4,000 positions behind", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const log = yield* acquireOn(medium)
      const wanted: Array<string> = []
      const { asked, next } = counting()
      yield* submit(log, [next("run/slow", 1, 0)])
      yield* submit(log, [next("run/slow", 2, 0)])
      log.listen({
        headWanted: (aggregate) => {
          wanted.push(aggregate)
        }
      })
      yield* fill(log, 4000)
      expect(wanted).toEqual([])
      yield* fill(log, 10)
      expect(wanted).toEqual(["run/slow"])
      expect(
        yield* Effect.flip(submit(log, [], { heads: [{ aggregate: "run/slow", revision: 1, snapshot: () => 0 }] }))
      )
        .toMatchObject({ _tag: "RevisionConflict", actual: 2 })
      const before = log.latestCursor()
      yield* submit(log, [], {
        heads: [{ aggregate: "run/slow", revision: 2, snapshot: () => ({ aggregate: "run/slow", count: 2 }) }]
      })
      expect(log.latestCursor()).toBe(before)
      expect(asked).toEqual([1])
      expect(yield* log.load("run/slow")).toMatchObject({ head: { revision: 2, terminal: false }, entries: [] })
      yield* fill(log, 2000)
      expect(wanted).toEqual(["run/slow"])
      expect(count(yield* (yield* acquireOn(medium)).load("run/slow"))).toBe(2)
    }))

  it.effect("and asked for again when nobody answers", () =>
    Effect.gen(function*() {
      const log = yield* acquireOn(yield* memory)
      const wanted: Array<string> = []
      const { next } = counting()
      yield* submit(log, [next("run/slow", 1, 0)])
      yield* submit(log, [next("run/slow", 2, 0)])
      log.listen({
        headWanted: (aggregate) => {
          wanted.push(aggregate)
        }
      })
      yield* fill(log, 5500)
      expect(wanted).toEqual(["run/slow", "run/slow"])
    }))
})

it.effect("an aggregate at its end is no longer kept in memory", () =>
  Effect.gen(function*() {
    const medium = yield* memory
    const looked: Array<string> = []
    const log = yield* acquireOn({
      ...medium,
      open: Effect.map(medium.open, (database) => ({
        ...database,
        getSync: (key) => {
          looked.push(aggregateOf(key))
          return database.getSync(key)
        }
      }))
    })
    yield* submit(log, [entry("run/a", 1)])
    yield* submit(log, [entry("run/a", 2, { terminal: true })])
    expect(looked).toEqual(["run/a"])
    yield* submit(log, [entry("run/a", 3, { terminal: true })])
    expect(looked).toEqual(["run/a", "run/a"])
  }))

describe("an opening", () => {
  it.effect("finds every aggregate as head and tail, whatever was written between", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const revisions = new Map<string, number>()
      let seed = 7
      const random = (below: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % below
      for (let round = 0; round < 6; round++) {
        const log = yield* acquireOn(medium)
        for (const [name, revision] of revisions) expect([name, count(yield* log.load(name))]).toEqual([name, revision])
        const ended = yield* log.aggregates("")
        expect(ended.filter((name) => !revisions.has(name))).toEqual([])
        for (let turn = 0; turn < 700; turn++) {
          const name = `run/${random(40)}`
          const revision = (revisions.get(name) ?? 0) + 1
          revisions.set(name, revision)
          const item = entry(name, revision, {
            facts: [{ revision, filler: "x".repeat(random(300)) }],
            terminal: random(30) === 0
          })
          if (turn % 50 === 49) yield* submit(log, [item])
          else note(log, [], "", [item])
        }
        yield* log.barrier("run/0")
        expect((yield* log.events(0, 100_000)).map((event) => event.cursor))
          .toEqual(Array.from({ length: (round + 1) * 700 }, (_, index) => index + 1))
        expect(yield* log.events(1234, 3)).toEqual((yield* log.events(0, 100_000)).slice(1234, 1237))
      }
    }))

  it.effect("reads each block of the tail once: the loads that follow it read nothing", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const log = yield* acquireOn(medium)
      const { next } = counting()
      for (let revision = 1; revision <= 4; revision++) {
        yield* submit(log, [next("run/a", revision, 0), next("run/b", revision, 0)])
      }
      let reads = 0
      const again = yield* acquireOn({
        ...medium,
        open: Effect.map(medium.open, (database) => ({
          ...database,
          get: (keys) => {
            reads++
            return database.get(keys)
          }
        }))
      })
      reads = 0
      expect(count(yield* again.load("run/a"))).toBe(4)
      expect(count(yield* again.load("run/b"))).toBe(4)
      expect(reads).toBe(0)
      // A second load, and one of an aggregate that has moved on, look at the disk.
      expect(count(yield* again.load("run/a"))).toBe(4)
      expect(reads).toBe(2)
      const third = yield* acquireOn(medium)
      yield* submit(third, [next("run/b", 5, 0)])
      expect(count(yield* third.load("run/b"))).toBe(5)
    }))

  it.effect("reads no more than 5,000 entries, however long the history", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const log = yield* acquireOn(medium)
      const { next } = counting()
      // One aggregate waits for weeks and answers when it is asked.
      yield* submit(log, [next("run/slow", 1, 0)])
      yield* submit(log, [next("run/slow", 2, 0)])
      log.listen({
        headWanted: (aggregate) =>
          log.submit({
            entries: [],
            heads: [{ aggregate, revision: 2, snapshot: () => ({ aggregate, count: 2 }) }],
            committed: () => {},
            failed: () => {}
          })
      })
      let most = 0
      for (let round = 0; round < 24; round++) {
        yield* fill(log, 617)
        most = Math.max(most, yield* entriesReadBy(medium))
      }
      expect(most).toBeGreaterThan(512)
      expect(most).toBeLessThan(5000)
    }))
})

/** Adds `entries` entries of short-lived runs. */
const fill = (log: MobLog, entries: number) =>
  Effect.gen(function*() {
    const notes: Array<string> = []
    for (let index = 0; index < entries; index++) {
      note(log, notes, "", [entry(`run/short-${serial++}`, 1, { terminal: true })])
      if (index % 20 === 19) yield* until(() => notes.length === index + 1)
    }
    yield* until(() => notes.length === entries)
  })
let serial = 0

/** Entries in the blocks that opening the mob looks at, after the database was verified. */
const entriesReadBy = (medium: Medium) =>
  Effect.gen(function*() {
    let read = 0
    let watching = false
    const watched: Medium = {
      ...medium,
      open: Effect.map(medium.open, (database) => ({
        ...database,
        scan: (range, chunk, each) =>
          database.scan(range, chunk, (values) => {
            if (watching) read += values.reduce((sum, value) => sum + value.split("\n").length - 1, 0)
            return each(values)
          })
      }))
    }
    const store = yield* openStore(watched)
    watching = true
    // The writer knows nothing of this owner: in memory nobody holds a lock.
    yield* store.acquire(team)
    return read
  })
