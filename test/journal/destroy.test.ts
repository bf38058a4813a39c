/**
 * Destroying a mob: nothing of it is left, its name is free, its number is not.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Commit, CommitSeam, JournalTasks } from "../../core/journal/index.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { openStore } from "../../core/journal/store.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal, type MobLog } from "../../sdk/store.ts"
import { acquire, count, entry, media, note, submit, team, until } from "./logs.ts"

const other = MobId.make("other")

/** A few live and ended aggregates, and a blob. */
const write = Effect.fnUntraced(function*(log: MobLog, turns: number) {
  const { sha256 } = yield* log.putBlob(new TextEncoder().encode(`blob of ${log.mob}`))
  for (let turn = 1; turn <= turns; turn++) {
    yield* submit(log, [entry("mob", turn), entry(`run/${turn}`, 1, { terminal: turn % 2 === 0 })])
  }
  return sha256
})

describe.each(media)("destroying a mob on $name", ({ layer }) => {
  const test = <E>(body: Effect.Effect<void, E, Journal | Scope.Scope>) => () =>
    Effect.scoped(Effect.provide(body, layer))

  it.live(
    "leaves nothing of it, and all of the others",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const [log, left] = yield* Effect.all([journal.acquire(team), journal.acquire(other)])
      yield* write(log, 10)
      const blob = yield* write(left, 10)
      yield* journal.destroy(team)
      expect(yield* journal.mobs).toEqual(["other"])
      expect(yield* journal.inspect(team)).toBeUndefined()
      expect(count(yield* left.load("mob"))).toBe(10)
      expect(yield* left.events(0, 100)).toHaveLength(20)
      expect(yield* left.blob(blob)).toBeDefined()
      yield* submit(left, [entry("mob", 11)])
    }))
  )

  it.live(
    "fences its owner, who hears that it is closed",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      yield* write(log, 2)
      const heard: Array<string> = []
      log.listen({ closed: (error) => heard.push(error._tag) })
      note(log, heard, "before", [entry("mob", 3)])
      yield* journal.destroy(team)
      note(log, heard, "after", [entry("mob", 4)])
      yield* until(() => heard.length === 3)
      expect(heard).toEqual(["before at 5/5", "OwnerFenced", "after OwnerFenced"])
      const fenced = { _tag: "OwnerFenced", ours: 1, current: 2 }
      expect(yield* Effect.flip(log.load("mob"))).toMatchObject(fenced)
      expect(yield* Effect.flip(log.prune({ events: 1, forget: [] }))).toMatchObject(fenced)
      expect(yield* Effect.flip(log.putBlob(new Uint8Array(1)))).toMatchObject(fenced)
    }))
  )

  it.live(
    "lets one of the same name begin anew, under a later epoch",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const blob = yield* write(yield* acquire, 3)
      yield* journal.destroy(team)
      const log = yield* acquire
      expect([log.epoch, log.latestCursor()]).toEqual([3, 0])
      expect(yield* log.live).toEqual([])
      expect(yield* log.aggregates("")).toEqual([])
      expect(yield* log.load("mob")).toBeUndefined()
      expect(yield* log.blob(blob)).toBeUndefined()
      expect(yield* submit(log, [entry("mob", 1)])).toEqual({ position: 1, cursor: 1 })
      expect(yield* log.events(0, 10)).toHaveLength(1)
    }))
  )

  it.live(
    "does no harm where there is none, or twice, or at the same time",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      yield* journal.destroy(team)
      expect(yield* journal.mobs).toEqual([])
      yield* write(yield* acquire, 3)
      yield* Effect.all([journal.destroy(team), journal.destroy(team)], { concurrency: "unbounded" })
      yield* journal.destroy(team)
      expect(yield* journal.mobs).toEqual([])
    }))
  )

  it.live(
    "a look that is under way says that it is gone",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      yield* write(yield* acquire, 3)
      const look = (yield* journal.inspect(team))!
      yield* journal.destroy(team)
      expect(yield* Effect.flip(look.events(0, 10))).toMatchObject({ _tag: "OwnerFenced", ours: 1, current: 2 })
    }))
  )
})

/** A store over a medium, in the test's Scope. */
const open = (medium: Medium, wrap: (commit: Commit) => Commit = (commit) => commit) =>
  Effect.provideService(openStore(medium), CommitSeam, wrap)

const memory = Effect.map(JournalTasks, memoryMedium)

/** Numbers of the mobs that have any key under a table. */
const numbersOn = Effect.fnUntraced(function*(medium: Medium) {
  const database = yield* medium.open
  const keys = yield* database.keys({ gte: Buffer.from([0x10]), lt: Buffer.from([0x13]) })
  return [...new Set(keys.map((key) => key.readUInt32BE(1)))]
})

it.effect("a number is never given again, also after opening anew", () =>
  Effect.gen(function*() {
    const medium = yield* memory
    const first = yield* open(medium)
    yield* write(yield* first.acquire(team), 2)
    yield* first.destroy(team)
    const second = yield* open(medium)
    yield* write(yield* second.acquire(other), 2)
    expect(yield* numbersOn(medium)).toEqual([2])
    yield* write(yield* second.acquire(team), 2)
    expect(yield* numbersOn(medium)).toEqual([2, 3])
    yield* second.destroy(team)
    yield* write(yield* (yield* open(medium)).acquire(team), 2)
    expect(yield* numbersOn(medium)).toEqual([2, 4])
  }))

it.effect("the group commits that went with it are not missed, and not counted again", () =>
  Effect.gen(function*() {
    const medium = yield* memory
    const store = yield* open(medium)
    yield* submit(yield* store.acquire(other), [entry("mob", 1)])
    yield* write(yield* store.acquire(team), 5)
    yield* store.destroy(team)
    expect(medium.readMark()).toBe(6)
    const again = yield* (yield* open(medium)).acquire(other)
    yield* submit(again, [entry("mob", 2)])
    expect(medium.readMark()).toBe(7)
    yield* open(medium)
  }))

describe("destroying a large mob", () => {
  // The tombstone, 3 steps of blocks, 2 of heads, and the end.
  for (const batch of [1, 2, 4, 6, 7]) {
    it.effect(`is finished by the next opening when the process dies before batch ${batch}`, () =>
      Effect.gen(function*() {
        const medium = yield* memory
        let left = Infinity
        const unanswered: Array<(error?: unknown) => void> = []
        const store = yield* open(medium, (commit) => (operations, done) => {
          if (--left > 0) commit(operations, done)
          else unanswered.push(done)
        })
        // The Scope's end waits for what is in flight.
        yield* Effect.addFinalizer(() => Effect.sync(() => unanswered.forEach((done) => done("gone"))))
        const log = yield* store.acquire(team)
        yield* log.putBlob(new Uint8Array(3))
        yield* submit(yield* store.acquire(other), [entry("mob", 1)])
        for (let turn = 1; turn <= 2100; turn++) {
          yield* submit(log, [entry("mob", turn), ...turn % 2 === 0 ? [] : [entry(`run/${turn}`, 1)]])
        }
        left = batch
        yield* Effect.forkChild(store.destroy(team), { startImmediately: true })
        yield* until(() => left <= 0)
        const again = yield* open(medium)
        expect(yield* again.mobs).toEqual(batch === 1 ? ["other", "team"] : ["other"])
        expect(yield* numbersOn(medium)).toEqual(batch === 1 ? [1, 2] : [2])
        expect(yield* medium.blobs.names(1)).toHaveLength(batch === 1 ? 1 : 0)
        expect(count(yield* (yield* again.acquire(other)).load("mob"))).toBe(1)
        const next = yield* again.acquire(team)
        expect(count(yield* next.load("mob"))).toBe(batch === 1 ? 2100 : 0)
      }))
  }

  it.effect("is finished by the next acquire when a write fails", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      let failAt = Infinity
      const store = yield* open(medium, (commit) => (operations, done) => {
        if (--failAt === 0) setImmediate(() => done(new Error("the disk is gone")))
        else commit(operations, done)
      })
      yield* write(yield* store.acquire(team), 1500)
      failAt = 3
      expect(yield* Effect.flip(store.destroy(team))).toMatchObject({ _tag: "StoreWriteFailed", outcome: "unknown" })
      yield* TestClock.adjust(100)
      expect(yield* store.mobs).toEqual([])
      const log = yield* store.acquire(team)
      expect(yield* log.live).toEqual([])
      yield* write(log, 2)
      expect(yield* numbersOn(medium)).toEqual([2])
    }))
})
