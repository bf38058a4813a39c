/**
 * No room: one clear cause, reads go on, and so does the store when there is room again.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import { join } from "node:path"
import { type Commit, CommitSeam, JournalLevel, JournalTasks } from "../../core/journal/index.ts"
import type { Database, Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { openStore } from "../../core/journal/store.ts"
import { Journal, StoreUnavailable } from "../../sdk/store.ts"
import { acquire, count, entry, folder, media, note, submit, team, until, wrapped } from "./logs.ts"
import { child, limitFiles, run } from "./processes.ts"

const withCode = (code: string) => Object.assign(new Error("the write failed"), { code })

/** What Node's files and LevelDB say when there is no room. */
const causes: ReadonlyArray<Error> = [
  withCode("ENOSPC"),
  withCode("EDQUOT"),
  withCode("EFBIG"),
  new Error("IO error: /data/db/000003.log: No space left on device"),
  new Error("IO error: /data/db/000003.log: File too large"),
  new Error("IO error: /data/db/000003.log: Disk quota exceeded"),
  new Error("Database failed to write", { cause: new Error("IO error: 000005.ldb: No space left on device") })
]

describe.each(media)("a store on $name without room", ({ layer }) => {
  const faulty = () => {
    const faults: Array<Error> = []
    const wrap = (commit: Commit): Commit => (operations, done) => {
      const fault = faults.shift()
      if (fault === undefined) commit(operations, done)
      else setImmediate(() => done(fault))
    }
    return { faults, layer: wrapped(layer, wrap) }
  }
  const test = <E>(body: (faults: Array<Error>) => Effect.Effect<void, E, Journal | Scope.Scope>) => () => {
    const { faults, layer } = faulty()
    return Effect.scoped(Effect.provide(body(faults), layer))
  }

  it.live(
    "says StoreFull to what was waiting, and why it takes no writes to what comes",
    test((faults) =>
      Effect.gen(function*() {
        const log = yield* acquire
        for (const [index, cause] of causes.entries()) {
          faults.push(cause)
          expect(yield* Effect.flip(submit(log, [entry("mob", index + 1)]))).toMatchObject({
            _tag: "StoreFull",
            outcome: "unknown"
          })
          const refused = yield* Effect.flip(submit(log, [entry("mob", index + 1)]))
          expect(refused).toMatchObject({ _tag: "StoreUnavailable", reason: expect.stringContaining("no room left") })
          expect(refused.message).toContain(cause.message)
          yield* log.barrier("mob")
          yield* submit(log, [entry("mob", index + 1)])
        }
        faults.push(withCode("EIO"))
        expect(yield* Effect.flip(submit(log, [entry("mob", 8)]))).toMatchObject({ _tag: "StoreWriteFailed" })
      })
    )
  )

  it.live(
    "is read as it was acknowledged, as often as asked, until it is there again",
    test((faults) =>
      Effect.gen(function*() {
        const journal = yield* Journal
        const log = yield* acquire
        const digest = "ab".repeat(32)
        yield* submit(log, [entry("mob", 1), entry("run/a", 1, { terminal: true })], {
          pins: [{ digest, definition: "pinned" }]
        })
        yield* submit(log, [entry("mob", 2)])
        const { sha256 } = yield* log.putBlob(new Uint8Array(5))
        let reopened = false
        log.listen({ reopened: () => (reopened = true) })
        faults.push(withCode("ENOSPC"))
        const heard: Array<string> = []
        note(log, heard, "full", [entry("mob", 3), entry("run/b", 1)])
        yield* until(() => heard.length === 1)
        for (let time = 0; time < 3; time++) {
          expect(count(yield* log.load("mob"))).toBe(2)
          expect(count(yield* log.load("run/a"))).toBe(1)
          expect(yield* log.load("run/b")).toBeUndefined()
          expect(yield* log.live).toEqual(["mob"])
          expect(yield* log.aggregates("run/")).toEqual(["run/a"])
          expect((yield* log.events(0, 10)).map((event) => event.cursor)).toEqual([1, 2, 3])
          expect(log.latestCursor()).toBe(3)
          expect(yield* log.pinned(digest)).toBe("pinned")
          expect(yield* log.blob(sha256)).toHaveLength(5)
          expect(yield* journal.mobs).toEqual(["team"])
          const look = (yield* journal.inspect(team))!
          expect([look.latestCursor(), count(yield* look.load("mob"))]).toEqual([3, 2])
        }
        expect(reopened).toBe(false)
        yield* log.barrier("mob")
        expect(reopened).toBe(true)
        yield* submit(log, [entry("mob", 3)])
      })
    )
  )

  it.live(
    "a read that was waiting for the batch that failed is answered",
    test((faults) =>
      Effect.gen(function*() {
        const log = yield* acquire
        yield* submit(log, [entry("mob", 1)])
        faults.push(withCode("ENOSPC"))
        note(log, [], "", [entry("mob", 2)])
        yield* until(() => faults.length === 0)
        expect(count(yield* log.load("mob"))).toBe(1)
      })
    )
  )
})

const memory = Effect.map(JournalTasks, memoryMedium)

/** A store over memory that on command fails commits, has no room, fails to open or takes 50 ms for it, reads slowly. */
const broken = Effect.gen(function*() {
  const base = yield* memory
  const disk = { full: false, room: true, opens: true, slow: false, lazy: false, tries: 0 }
  const lazily = <A, E>(read: Effect.Effect<A, E>) =>
    Effect.suspend(() => disk.lazy ? Effect.andThen(Effect.sleep(10), read) : read)
  const medium: Medium = {
    ...base,
    hasRoom: Effect.sync(() => disk.room),
    open: Effect.suspend(() => {
      disk.tries++
      const opening = disk.opens
        ? Effect.map(base.open, (database): Database => ({ ...database, get: (keys) => lazily(database.get(keys)) }))
        : new StoreUnavailable({ reason: "not now" })
      return disk.slow ? Effect.delay(opening, 50) : opening
    })
  }
  const store = yield* Effect.provideService(openStore(medium), CommitSeam, (commit) => (operations, done) => {
    if (disk.full) setImmediate(() => done(withCode("ENOSPC")))
    else commit(operations, done)
  })
  const log = yield* store.acquire(team)
  yield* submit(log, [entry("mob", 1)])
  disk.full = true
  yield* Effect.flip(submit(log, [entry("mob", 2)]))
  disk.full = false
  disk.tries = 0
  return { disk, log, store }
})

it.effect("what can be read is not closed before there is room to open another", () =>
  Effect.gen(function*() {
    const { disk, log } = yield* broken
    disk.room = false
    for (let waited = 0; waited < 60_000; waited += 100) {
      yield* TestClock.adjust(100)
      if (waited % 5000 === 0) expect(count(yield* log.load("mob"))).toBe(1)
    }
    expect(disk.tries).toBe(0)
    disk.room = true
    yield* TestClock.adjust(5000)
    expect(disk.tries).toBe(1)
    yield* submit(log, [entry("mob", 2)])
  }))

it.effect("reads wait while an opening is tried", () =>
  Effect.gen(function*() {
    const { disk, log, store } = yield* broken
    disk.slow = true
    yield* TestClock.adjust(100)
    const reads = yield* Effect.forkChild(Effect.all([
      Effect.map(log.load("mob"), count),
      Effect.map(store.inspect(team), (mob) => mob?.epoch)
    ], { concurrency: "unbounded" }))
    yield* TestClock.adjust(49)
    expect(reads.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(reads)).toEqual([1, 1])
  }))

it.effect("a read that was under way when the database is closed for the next is made again", () =>
  Effect.gen(function*() {
    const { disk, log } = yield* broken
    yield* log.load("mob")
    yield* TestClock.adjust(95)
    disk.slow = true
    disk.lazy = true
    const read = yield* Effect.forkChild(log.load("mob"))
    yield* TestClock.adjust(54)
    disk.lazy = false
    expect(read.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust(1)
    expect(count(yield* Fiber.join(read))).toBe(1)
  }))

it.effect("reads fail only when an opening failed, until one does not", () =>
  Effect.gen(function*() {
    const { disk, log, store } = yield* broken
    disk.opens = false
    yield* TestClock.adjust(100)
    expect(disk.tries).toBe(1)
    const unavailable = { _tag: "StoreUnavailable", reason: expect.stringContaining("no room left") }
    expect(yield* Effect.flip(log.load("mob"))).toMatchObject(unavailable)
    expect(yield* Effect.flip(store.inspect(team))).toMatchObject(unavailable)
    expect(yield* store.mobs).toEqual(["team"])
    disk.opens = true
    // Nothing is left to be read, so nothing is gained by asking for room.
    disk.room = false
    yield* TestClock.adjust(200)
    expect(count(yield* log.load("mob"))).toBe(1)
  }))

it.live("what a process left that was killed while it looked for room goes at the next opening", () =>
  Effect.gen(function*() {
    const dir = yield* folder
    fs.writeFileSync(join(dir, "room"), "x")
    yield* Layer.build(JournalLevel.layer({ dir }))
    expect(fs.existsSync(join(dir, "room"))).toBe(false)
  }))

it.live(
  "a process at its limit of file size goes on reading and then writing, and a second process finds all of it",
  () =>
    Effect.scoped(Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const host = yield* child("full-host.ts", [dir])
      yield* until(() => host.lines.includes("ready"))
      limitFiles(host.pid, 160 * 1024)
      yield* until(() => host.lines.length >= 20)
      limitFiles(host.pid, undefined)
      yield* until(() => host.lines.at(-1)?.startsWith("again") === true)
      const [, failed, ...looks] = host.lines
      expect(failed).toBe("failed StoreFull:unknown")
      const again = Number(looks.pop()?.split(" ")[1])
      const seen = new Set(looks.map((line) => line.split(" ").slice(0, 3).join(" ")))
      expect([...seen]).toEqual([`${again - 1} ${again - 1} ${again - 1}`])
      expect(looks.slice(0, 15).map((line) => line.split(" ").slice(3).join(" ")))
        .toEqual(Array.from({ length: 15 }, () => "StoreFull:not_written StoreUnavailable"))
      expect(yield* Effect.promise(() => host.ended)).toBe("0")
      expect((yield* run("faults/read-back.ts", dir)).output).toEqual([`read ${again} ${again} 0`])
    })),
  60_000
)
