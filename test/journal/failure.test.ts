/**
 * Failed commits: the first one ends the handle, everything unreleased is answered, the store opens again and takes
 * what is on disk for true.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { type Commit, CommitSeam } from "../../core/journal/index.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { JournalTasks } from "../../core/journal/seams.ts"
import { openStore } from "../../core/journal/store.ts"
import { Journal, type MobLog, type StoreShape, StoreUnavailable } from "../../sdk/store.ts"
import { acquire, count, entry, media, note, soak, submit, team, until, wrapped } from "./logs.ts"

/** A disk that fails its next commits on command, with or without having written them. */
class Disk {
  readonly faults: Array<"lost" | "written"> = []
  readonly wrap = (commit: Commit): Commit => (operations, done) => {
    const fault = this.faults.shift()
    if (fault === undefined) return commit(operations, done)
    if (fault === "lost") return setImmediate(() => done(new Error("the cable came off")))
    commit(operations, () => done(new Error("no answer from the disk")))
  }
}

describe.each(media)("a store on $name whose commit fails", ({ layer }) => {
  const test = <E>(body: (disk: Disk) => Effect.Effect<void, E, Journal | Scope.Scope>) => () => {
    const disk = new Disk()
    return Effect.scoped(Effect.provide(body(disk), wrapped(layer, disk.wrap)))
  }

  it.live(
    "answers everything unreleased in order, then lost, and is there again",
    test((disk) =>
      Effect.gen(function*() {
        const log = yield* acquire
        yield* submit(log, [entry("mob", 1)])
        const heard: Array<string> = []
        log.listen({
          events: (events) => heard.push(`${events.length} events`),
          lost: (error) => heard.push(`lost ${error._tag}`),
          reopened: () => heard.push("reopened"),
          closed: () => heard.push("closed")
        })
        disk.faults.push("lost")
        note(log, heard, "a", [entry("mob", 2)])
        yield* until(() => disk.faults.length === 0)
        note(log, heard, "b", [entry("mob", 3)])
        note(log, heard, "c", [entry("run/a", 1)])
        yield* until(() => heard.length > 0)
        expect(heard).toEqual([
          "a StoreWriteFailed",
          "b StoreWriteFailed",
          "c StoreWriteFailed",
          "lost StoreWriteFailed"
        ])
        note(log, heard, "d", [entry("mob", 2)])
        expect(count(yield* log.load("mob"))).toBe(1)
        expect(yield* log.events(0, 10)).toHaveLength(1)
        yield* log.barrier("mob")
        expect(heard.slice(4)).toEqual(["d StoreUnavailable", "reopened"])
        expect(count(yield* log.load("mob"))).toBe(1)
        expect(yield* submit(log, [entry("mob", 2)])).toEqual({ position: 2, cursor: 2 })
        yield* until(() => heard.at(-1) === "1 events")
      })
    )
  )

  it.live(
    "R15: takes positions, cursors and guards from disk when the failed batch was written all the same",
    test((disk) =>
      Effect.gen(function*() {
        const log = yield* acquire
        yield* submit(log, [entry("mob", 1)])
        disk.faults.push("written")
        expect(yield* Effect.flip(submit(log, [entry("mob", 2), entry("run/a", 1)]))).toMatchObject({
          _tag: "StoreWriteFailed",
          outcome: "unknown"
        })
        yield* log.barrier("mob")
        expect(count(yield* log.load("mob"))).toBe(2)
        expect(log.latestCursor()).toBe(3)
        expect(yield* Effect.flip(submit(log, [entry("mob", 2)]))).toMatchObject({
          _tag: "RevisionConflict",
          actual: 2
        })
        expect(yield* submit(log, [entry("mob", 3)])).toEqual({ position: 4, cursor: 4 })
        expect(yield* log.live).toEqual(["mob", "run/a"])
      })
    )
  )

  it.live(
    "an acquire that fails can be asked again",
    test((disk) =>
      Effect.gen(function*() {
        disk.faults.push("written")
        expect(yield* Effect.flip(acquire)).toMatchObject({ _tag: "StoreWriteFailed" })
        const journal = yield* Journal
        const again: Effect.Effect<MobLog, unknown> = Effect.catchTag(journal.acquire(team), "StoreUnavailable", () =>
          Effect.suspend(() =>
            Effect.delay(again, 10)
          ))
        expect((yield* again).epoch).toBe(2)
      })
    )
  )

  it.live(
    "a conflict found while composing keeps its own answer",
    test((disk) =>
      Effect.gen(function*() {
        const log = yield* acquire
        const heard: Array<string> = []
        disk.faults.push("lost")
        note(log, heard, "a", [entry("mob", 1)])
        note(log, heard, "behind", [entry("mob", 1)])
        yield* until(() => heard.length === 2)
        expect(heard).toEqual(["a StoreWriteFailed", "behind RevisionConflict"])
      })
    )
  )
})

/** A store over a medium, in the test's Scope. */
const open = (medium: Medium, wrap: (commit: Commit) => Commit = (commit) => commit) =>
  Effect.provideService(openStore(medium), CommitSeam, wrap)

const memory = Effect.map(JournalTasks, memoryMedium)

it.effect("opens again after 100 ms, doubled up to 5 s, for ever", () =>
  Effect.gen(function*() {
    const disk = new Disk()
    const base = yield* memory
    let broken = false
    const tries: Array<number> = []
    const medium: Medium = {
      ...base,
      open: Effect.flatMap(Effect.clockWith((clock) => clock.currentTimeMillis), (now) => {
        tries.push(now)
        return broken ? new StoreUnavailable({ reason: "still full" }) : base.open
      })
    }
    const log = yield* (yield* open(medium, disk.wrap)).acquire(team)
    const lostAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    broken = true
    disk.faults.push("lost")
    yield* Effect.flip(submit(log, [entry("mob", 1)]))
    tries.length = 0
    for (let waited = 0; waited < 30_000; waited += 100) yield* TestClock.adjust(100)
    expect(tries.map((at) => at - lostAt)).toEqual([100, 300, 700, 1500, 3100, 6300, 11_300, 16_300, 21_300, 26_300])
    broken = false
    yield* TestClock.adjust(5000)
    expect(yield* submit(log, [entry("mob", 1)])).toEqual({ position: 1, cursor: 1 })
  }))

it.effect("closes a mob whose epoch is another's when it opens again", () =>
  Effect.gen(function*() {
    const disk = new Disk()
    const medium = yield* memory
    const ours = yield* open(medium, disk.wrap)
    const log = yield* ours.acquire(team)
    const heard: Array<string> = []
    log.listen({ closed: (error) => heard.push(error._tag), reopened: () => heard.push("reopened") })
    disk.faults.push("lost")
    yield* Effect.flip(submit(log, [entry("mob", 1)]))
    // Two stores over one memory, as two processes are over one directory while neither holds the lock for long.
    const theirs = yield* (yield* open(medium)).acquire(team)
    yield* submit(theirs, [entry("mob", 1)])
    yield* TestClock.adjust(100)
    expect(heard).toEqual(["OwnerFenced"])
    expect(yield* Effect.flip(submit(log, [entry("mob", 2)]))).toMatchObject({
      _tag: "OwnerFenced",
      ours: 1,
      current: 2
    })
    expect(yield* Effect.flip(log.load("mob"))).toMatchObject({ _tag: "OwnerFenced" })
  }))

it.effect("stays closed when acknowledged batches are gone after opening again", () =>
  Effect.gen(function*() {
    const disk = new Disk()
    const base = yield* memory
    const medium: Medium = { ...base, readMark: () => disk.faults.length === 0 && marked ? 7 : undefined }
    let marked = false
    const log = yield* (yield* open(medium, disk.wrap)).acquire(team)
    const heard: Array<string> = []
    log.listen({ closed: (error) => heard.push(error._tag) })
    disk.faults.push("lost")
    yield* Effect.flip(submit(log, [entry("mob", 1)]))
    marked = true
    const waiting = yield* Effect.forkChild(Effect.flip(log.barrier("mob")))
    yield* TestClock.adjust(100)
    expect(heard).toEqual(["StoreCorrupted"])
    expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "StoreCorrupted" })
    expect(yield* Effect.flip(submit(log, [entry("mob", 1)]))).toMatchObject({ _tag: "StoreCorrupted" })
  }))

it.effect("holds a token while a batch is under way, and none while it waits to open again", () => {
  let held = 0
  const disk = new Disk()
  return Effect.gen(function*() {
    const log = yield* (yield* open(yield* memory, disk.wrap)).acquire(team)
    yield* until(() => held === 0)
    const notes: Array<string> = []
    note(log, notes, "a", [entry("mob", 1)])
    expect(held).toBe(1)
    yield* log.barrier("mob")
    yield* until(() => held === 0)
    disk.faults.push("lost")
    yield* Effect.flip(submit(log, [entry("mob", 2)]))
    yield* until(() => held === 0)
    yield* TestClock.adjust(100)
    yield* submit(log, [entry("mob", 2)])
    yield* until(() => held === 0)
  }).pipe(Effect.provideService(JournalTasks, {
    later: queueMicrotask,
    begin: () => {
      held++
      return () => {
        held--
      }
    }
  }))
})

it.effect("answers every refusal before it says that it is open again, however late its tasks run", () => {
  const later: Array<() => void> = []
  let holding = false
  const disk = new Disk()
  return Effect.gen(function*() {
    const log = yield* (yield* open(yield* memory, disk.wrap)).acquire(team)
    const heard: Array<string> = []
    log.listen({ reopened: () => heard.push("reopened") })
    disk.faults.push("lost")
    yield* Effect.flip(submit(log, [entry("mob", 1)]))
    // Out of the callback that answered, in which the committer would refuse at once.
    yield* Effect.yieldNow
    holding = true
    note(log, heard, "late", [entry("mob", 1)])
    yield* TestClock.adjust(100)
    expect(heard).toEqual(["late StoreUnavailable", "reopened"])
    holding = false
    for (const task of later) task()
    expect(heard).toHaveLength(2)
    yield* submit(log, [entry("mob", 1)])
  }).pipe(Effect.provideService(JournalTasks, {
    later: (task) => holding ? later.push(task) : queueMicrotask(task),
    begin: () => () => {}
  }))
})

describe("under random faults", () => {
  it.effect("every acknowledgement stands after opening anew, and nothing is given twice", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.constantFrom("none" as const, "none" as const, "none" as const, "lost" as const, "written" as const),
            { maxLength: 40 }
          ),
          fc.integer({ min: 1, max: 4 }),
          (faults, writers) =>
            Effect.runPromise(Effect.scoped(Effect.provide(endure(faults, writers), TestClock.layer())))
        ),
        { numRuns: soak ? 1000 : 60 }
      )
    ))
})

/** Writers that load again after each failure, over a disk with these faults; then another opening looks. */
const endure = (faults: ReadonlyArray<"none" | "lost" | "written">, writers: number) =>
  Effect.gen(function*() {
    const plan = [...faults]
    const disk = new Disk()
    const medium = yield* memory
    const store = yield* open(medium, (commit) => {
      const inner = disk.wrap(commit)
      return (operations, done) => {
        const fault = plan.shift()
        if (fault !== undefined && fault !== "none") disk.faults.push(fault)
        inner(operations, done)
      }
    })
    const log = yield* acquireWhenOpen(store)
    const acked: Array<
      { readonly aggregate: string; readonly revision: number; readonly position: number; readonly cursor: number }
    > = []
    const write = Effect.fnUntraced(function*(aggregate: string) {
      let revision = count(yield* reload(log, aggregate))
      for (let turn = 0; turn < 12; turn++) {
        const result = yield* Effect.result(submit(log, [entry(aggregate, revision + 1, { terminal: turn === 11 })]))
        if (result._tag === "Success") acked.push({ aggregate, revision: ++revision, ...result.success })
        else revision = count(yield* reload(log, aggregate))
      }
    })
    yield* moving(
      Effect.forEach(Array.from({ length: writers }, (_, index) => `run/${index}`), write, { concurrency: "unbounded" })
    )
    const again = yield* (yield* open(medium)).acquire(team)
    const events = yield* again.events(0, 10_000)
    expect(events.map((event) => event.cursor)).toEqual(
      Array.from({ length: again.latestCursor() }, (_, index) => index + 1)
    )
    for (const { aggregate, cursor, revision } of acked) {
      expect(events[cursor - 1]?.event).toMatchObject({ aggregate, revision })
      expect(count(yield* again.load(aggregate))).toBeGreaterThanOrEqual(revision)
    }
    expect(new Set(acked.map((at) => at.position)).size).toBe(acked.length)
  })

const reload = (log: MobLog, aggregate: string) =>
  Effect.retry(Effect.andThen(log.barrier(aggregate), log.load(aggregate)), {
    while: (error) => error._tag === "StoreUnavailable"
  })

const acquireWhenOpen = (store: StoreShape) =>
  moving(Effect.retry(Effect.andThen(Effect.yieldNow, store.acquire(team)), {
    while: (error) => error._tag === "StoreUnavailable" || error._tag === "StoreWriteFailed"
  }))

/** Runs an effect while the virtual clock moves on. */
const moving = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(100)
    return yield* Fiber.join(fiber)
  })
