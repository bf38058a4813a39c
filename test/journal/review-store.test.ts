/**
 * The store's core, each test a finding of a review that it would fail on.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import mutable from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { MarkFile } from "../../core/journal/folder.ts"
import type { Commit, Operation } from "../../core/journal/index.ts"
import { checkpointKey, mobKey } from "../../core/journal/keys.ts"
import { holdLevel } from "../../core/journal/level.ts"
import type { Database, Medium } from "../../core/journal/medium.ts"
import { openStore } from "../../core/journal/store.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal } from "../../sdk/store.ts"
import { count, entry, folder, media, submit, team, until } from "./logs.ts"
import { memory, nothing, open } from "./pruning.ts"

/** A medium whose databases are others' with something in front. */
const over = (medium: Medium, wrap: (database: Database) => Partial<Database>): Medium => ({
  ...medium,
  open: Effect.map(medium.open, (database) => ({ ...database, ...wrap(database) }))
})

const write = (medium: Medium, operations: ReadonlyArray<Operation>) =>
  Effect.flatMap(
    medium.open,
    (database) => Effect.callback<void>((resume) => database.commit(operations, () => resume(Effect.void)))
  )

const noRoom = () => Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })

describe("a MARK", () => {
  it.effect("that is longer than it should be is mended by the next acknowledgement", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      fs.writeFileSync(join(dir, "MARK"), Buffer.alloc(64, 1))
      const mark = new MarkFile(dir)
      assert.strictEqual(mark.read(), undefined)
      mark.write(7)
      mark.close()
      assert.strictEqual(new MarkFile(dir).read(), 7)
    }))
})

describe("a new store without room", () => {
  it.effect("says StoreFull when its first record cannot be written", () =>
    Effect.gen(function*() {
      const full = over(yield* memory, () => ({ commit: (_, done) => queueMicrotask(() => done(noRoom())) }))
      const error = yield* Effect.flip(openStore(full))
      assert.strictEqual(error._tag, "StoreFull")
    }))

  it.effect("says StoreFull when its folder cannot be made", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const { mkdirSync } = mutable
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          mutable.mkdirSync = () => {
            throw noRoom()
          }
          syncBuiltinESMExports()
        }),
        () =>
          Effect.sync(() => {
            mutable.mkdirSync = mkdirSync
            syncBuiltinESMExports()
          })
      )
      const error = yield* Effect.flip(openStore(holdLevel(dir, undefined)))
      assert.strictEqual(error._tag, "StoreFull")
    }))
})

describe("opening", () => {
  it.effect("asks for the floors of many mobs at once, and for strangers not mob by mob", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const store = yield* open(medium)
      for (let index = 0; index < 300; index++) {
        yield* submit(yield* store.acquire(MobId.make(`mob-${index}`)), [entry("mob", 1)])
      }
      let trips = 0
      yield* open(over(medium, (database) => ({
        get: (keys) => {
          trips++
          return database.get(keys)
        },
        keys: (range, limit) => {
          trips++
          return database.keys(range, limit)
        }
      })))
      assert.isBelow(trips, 10)
    }))

  it.effect("finds blocks of a number that no mob has, before, between and after those that have one", () =>
    Effect.gen(function*() {
      for (const missing of [1, 2, 3]) {
        const medium = yield* memory
        const store = yield* open(medium)
        for (const name of ["a", "b", "c"]) yield* submit(yield* store.acquire(MobId.make(name)), [entry("mob", 1)])
        yield* write(medium, [{ type: "del", key: mobKey(["a", "b", "c"][missing - 1]!) }])
        const error = yield* Effect.flip(open(medium))
        assert.deepInclude(error, { _tag: "StoreCorrupted", where: `block 1 of mob number ${missing}` })
      }
    }))

  it.effect("goes on when one mob's checkpoint is damaged: that mob alone is lost", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const store = yield* open(medium)
      for (const name of ["sound", "damaged"]) {
        const log = yield* store.acquire(MobId.make(name))
        for (let revision = 1; revision <= 600; revision++) yield* submit(log, [entry("mob", revision)])
        yield* log.prune({ events: 100, forget: [] })
      }
      yield* write(medium, [{ type: "put", key: checkpointKey(2), value: "{\"v\":1}\nno checkpoint" }])
      const again = yield* open(medium)
      assert.strictEqual(count(yield* (yield* again.acquire(MobId.make("sound"))).load("mob")), 600)
      const error = yield* Effect.flip(again.acquire(MobId.make("damaged")))
      assert.deepInclude(error, { _tag: "StoreCorrupted", where: "the checkpoint of mob number 2" })
      yield* again.destroy(MobId.make("damaged"))
      assert.strictEqual((yield* again.acquire(MobId.make("damaged"))).latestCursor(), 0)
    }))
})

describe.each(media)("names on $name", ({ layer }) => {
  it.live("are in one order, of mobs and of aggregates", () =>
    Effect.gen(function*() {
      const journal = yield* Journal
      const names = ["b", "\u{1F600}", "\uffff", "a", "\u00e9"]
      for (const name of names) yield* journal.acquire(MobId.make(name))
      const log = yield* journal.acquire(MobId.make("a"))
      yield* submit(log, names.map((name) => entry(name, 1)))
      const sorted = ["a", "b", "\u00e9", "\uffff", "\u{1F600}"]
      assert.deepStrictEqual(yield* journal.mobs, sorted.map((name) => MobId.make(name)))
      assert.deepStrictEqual(yield* log.aggregates(""), sorted)
    }).pipe(Effect.provide(layer)))
})

describe("reopening", () => {
  it.effect("is tried again when something throws that must not", () =>
    Effect.gen(function*() {
      let seams = 0
      let faults = 1
      const seam = (commit: Commit): Commit => {
        seams++
        if (seams === 2) throw new Error("a seam that throws")
        return (operations, done) =>
          operations.length > 0 && seams === 1 && faults-- === 0
            ? queueMicrotask(() => done(new Error("a fault")))
            : commit(operations, done)
      }
      const store = yield* open(yield* memory, seam)
      const log = yield* store.acquire(team)
      const heard: Array<string> = []
      log.listen({ reopened: () => heard.push("reopened") })
      yield* Effect.flip(submit(log, [entry("mob", 1)]))
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Effect.flip(log.load("mob")))._tag, "StoreUnavailable")
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(heard, ["reopened"])
      yield* submit(log, [entry("mob", 1)])
      assert.strictEqual(store.batches(), 1)
    }))
})

describe("a read that is interrupted while it waits for a batch", () => {
  it.effect("does not happen afterwards", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const before = yield* (yield* open(medium)).acquire(team)
      for (const revision of [1, 2]) yield* submit(before, [entry("run/a", revision)])
      let held: (() => void) | undefined
      let gets = 0
      const counted = over(medium, (database) => ({
        get: (keys) => {
          gets++
          return database.get(keys)
        }
      }))
      let holding = false
      const store = yield* open(counted, (commit) => (operations, done) => {
        if (!holding) return commit(operations, done)
        held = () => commit(operations, done)
      })
      const log = yield* store.acquire(team)
      holding = true
      const writing = yield* Effect.forkChild(submit(log, [entry("run/b", 1)]))
      yield* until(() => held !== undefined)
      const reading = yield* Effect.forkChild(log.load("run/a"), { startImmediately: true })
      yield* Fiber.interrupt(reading)
      held?.()
      yield* Fiber.join(writing)
      gets = 0
      // What the opening read is kept for one load.
      assert.strictEqual(count(yield* log.load("run/a")), 2)
      assert.strictEqual(gets, 0)
    }))
})

describe("a sweep of blobs", () => {
  /** A store with one blob of an earlier opening that nothing refers to, or that an entry does; counts its scans. */
  const withBlob = Effect.fnUntraced(function*(referred: boolean, hold: Effect.Effect<void> = Effect.void) {
    const medium = yield* memory
    const before = yield* (yield* open(medium)).acquire(team)
    const { sha256 } = yield* before.putBlob(new Uint8Array([1, 2, 3]))
    const facts = [{ type: "kept", at: referred ? `blob:${sha256}` : "" }]
    for (const revision of [1, 2]) {
      yield* submit(before, [entry("run/a", revision, { facts, terminal: revision === 2 })])
    }
    const scans = { count: 0 }
    const store = yield* open(over(medium, (database) => ({
      scan: (range, chunk, each) => {
        scans.count++
        return Effect.andThen(hold, database.scan(range, chunk, each))
      }
    })))
    return { log: yield* store.acquire(team), scans }
  })
  const all = { events: 1, forget: [] }

  it.effect("looks through history once, and again only when something was removed", () =>
    Effect.gen(function*() {
      const { log, scans } = yield* withBlob(true)
      yield* log.prune(all)
      scans.count = 0
      assert.strictEqual((yield* log.prune(all)).blobs, 0)
      assert.strictEqual(scans.count, 0)
      assert.deepInclude(yield* log.prune(nothing), { blobs: 1, firstPosition: 3 })
    }))

  it.effect("that was interrupted is made good by the next prune, though that removes nothing", () =>
    Effect.gen(function*() {
      let hold: Effect.Effect<void> = Effect.void
      const { log, scans } = yield* withBlob(false, Effect.suspend(() => hold))
      hold = Effect.never
      scans.count = 0
      const pruning = yield* Effect.forkChild(log.prune(all))
      yield* until(() => scans.count > 0)
      yield* Fiber.interrupt(pruning)
      hold = Effect.void
      assert.strictEqual((yield* log.prune(all)).blobs, 1)
    }))
})
