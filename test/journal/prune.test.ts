/**
 * Pruning, the same on every medium: what goes, what stays, what is counted on; and who reads meanwhile.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { Journal, type MobLog } from "../../sdk/store.ts"
import { acquire, count, entry, media, soak, submit, team } from "./logs.ts"
import { cursors, headOf, nothing, range } from "./pruning.ts"

/** Answers as a cell does that is up to date. */
const answering = (log: MobLog, revisions: ReadonlyMap<string, number>) => {
  const asked: Array<string> = []
  log.listen({
    headWanted: (aggregate) => {
      asked.push(aggregate)
      log.submit({
        entries: [],
        ...headOf(aggregate, revisions.get(aggregate) ?? 0),
        committed: () => {},
        failed: () => {}
      })
    }
  })
  return asked
}

describe.each(media)("pruning on $name", ({ layer }) => {
  const test = <E>(body: Effect.Effect<void, E, Journal | Scope.Scope>) => () =>
    Effect.scoped(Effect.provide(body, layer))

  it.live(
    "removes whole blocks before the one that holds the first event to keep",
    test(Effect.gen(function*() {
      const log = yield* acquire
      for (let run = 1; run <= 10; run++) {
        yield* submit(log, [entry(`run/${run}`, 1, { terminal: true }), entry("mob", run)])
      }
      // The mob's own entries hold everything: it has no head after its first.
      expect(yield* log.prune({ events: 12, forget: [] })).toMatchObject({ firstCursor: 3, firstPosition: 3 })
      yield* submit(log, [], headOf("mob", 10))
      expect(yield* log.prune({ events: 12, forget: [] })).toEqual({
        firstCursor: 11,
        firstPosition: 11,
        forgotten: 0,
        blobs: 0
      })
      expect(yield* Effect.flip(log.events(9, 10))).toMatchObject({ _tag: "HistoryPruned", first_cursor: 11 })
      expect(yield* cursors(log, 10)).toEqual(range(11, 20))
      expect(count(yield* log.load("mob"))).toBe(10)
      expect(count(yield* log.load("run/1"))).toBe(1)
      expect(yield* log.live).toEqual(["mob"])
      expect(yield* submit(log, [entry("mob", 11)])).toEqual({ position: 21, cursor: 21 })
    }))
  )

  it.live(
    "gives no position, cursor or epoch again when nothing is left",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      for (let run = 1; run <= 5; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      expect(yield* log.prune(nothing)).toMatchObject({ firstCursor: 6, firstPosition: 6 })
      expect(yield* log.events(5, 10)).toEqual([])
      expect(yield* Effect.flip(log.events(4, 10))).toMatchObject({ _tag: "HistoryPruned", first_cursor: 6 })
      const next = yield* journal.acquire(team)
      expect([next.epoch, next.latestCursor()]).toEqual([2, 5])
      expect(yield* Effect.flip(next.events(0, 1))).toMatchObject({ _tag: "HistoryPruned", first_cursor: 6 })
      expect(yield* submit(next, [entry("run/6", 1)])).toEqual({ position: 6, cursor: 6 })
      expect(yield* cursors(next, 5)).toEqual([6])
    }))
  )

  it.live(
    "asks live aggregates that hold it back for a head, and goes as far as those who do not answer let it",
    test(Effect.gen(function*() {
      const log = yield* acquire
      for (const name of ["run/deaf", "run/idle"]) {
        for (const revision of [1, 2, 3]) yield* submit(log, [entry(name, revision)])
      }
      for (let run = 1; run <= 5; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      const asked = answering(log, new Map([["run/idle", 3]]))
      // Its second entry is the first that its head does not cover.
      expect(yield* log.prune(nothing)).toMatchObject({ firstPosition: 2 })
      expect(asked).toEqual(["run/deaf", "run/idle"])
      yield* submit(log, [], headOf("run/deaf", 3))
      expect(yield* log.prune(nothing)).toMatchObject({ firstPosition: 12 })
      for (const name of ["run/deaf", "run/idle"]) expect(count(yield* log.load(name))).toBe(3)
      expect(yield* log.live).toEqual(["run/deaf", "run/idle"])
    }))
  )

  it.live(
    "forgets ended aggregates, and leaves live and unknown ones alone",
    test(Effect.gen(function*() {
      const log = yield* acquire
      yield* submit(log, [entry("run/live", 1), entry("run/a", 1, { terminal: true }), entry("run/b", 1)])
      yield* submit(log, [entry("run/b", 2, { terminal: true })])
      const forget = ["run/live", "run/a", "run/nobody", "run/b", "run/a"]
      expect(yield* log.prune({ events: 1, forget })).toMatchObject({ forgotten: 2, firstCursor: 1 })
      expect(yield* log.aggregates("run/")).toEqual(["run/live"])
      expect(yield* log.load("run/b")).toBeUndefined()
      expect(yield* log.prune({ events: 1, forget })).toMatchObject({ forgotten: 0 })
      expect(yield* cursors(log, 0)).toEqual([1, 2, 3, 4])
    }))
  )

  it.live(
    "a forgotten name begins anew, whatever of its first life is still in the log",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      let log = yield* acquire
      // Holds the log, so that its blocks are read again at each opening.
      yield* submit(log, [entry("run/slow", 1)])
      yield* submit(log, [entry("run/slow", 2)])
      for (const revision of [1, 2, 3, 4]) {
        yield* submit(log, [entry("run/a", revision, { terminal: revision === 4 })])
      }
      yield* log.prune({ events: 1, forget: ["run/a"] })
      expect(yield* Effect.flip(submit(log, [entry("run/a", 5)]))).toMatchObject({ expected: 4, actual: 0 })
      for (const revision of [1, 2, 3]) {
        yield* submit(log, [entry("run/a", revision)])
        log = yield* journal.acquire(team)
        expect(count(yield* log.load("run/a"))).toBe(revision)
      }
      // A checkpoint that knows the second life.
      yield* log.prune({ events: 1, forget: [] })
      log = yield* journal.acquire(team)
      expect(count(yield* log.load("run/a"))).toBe(3)
      expect(yield* log.live).toEqual(["run/slow", "run/a"])
    }))
  )

  it.live(
    "a reader that races it gets its events or HistoryPruned, and an aggregate that is whole",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const revisions = new Map([["mob", 0]])
      answering(log, revisions)
      let over = false
      const wrong: Array<unknown> = []
      const reader = Effect.gen(function*() {
        for (let after = 0; !over;) {
          const read = yield* Effect.result(log.events(after, 50))
          if (read._tag === "Success") {
            if (read.success.some((event, index) => event.cursor !== after + 1 + index)) wrong.push("a gap")
            after = read.success.at(-1)?.cursor ?? after
          } else if (read.failure._tag === "HistoryPruned") after = read.failure.first_cursor - 1
          else wrong.push(read.failure)
          const loaded = yield* Effect.result(log.load("mob"))
          if (loaded._tag === "Failure") wrong.push(loaded.failure)
          else count(loaded.success)
        }
      })
      const readers = yield* Effect.forkChild(Effect.all([reader, reader, reader], { concurrency: "unbounded" }))
      for (let revision = 1; revision <= (soak ? 2000 : 200); revision++) {
        const at = yield* submit(log, [entry("mob", revision)])
        revisions.set("mob", revision)
        if (revision % 7 === 0) yield* log.prune({ events: at.cursor - (revision % 3), forget: [] })
      }
      over = true
      yield* Fiber.join(readers)
      expect(wrong).toEqual([])
    }))
  )

  it.live(
    "is refused to an owner that was fenced",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      yield* submit(log, [entry("run/a", 1, { terminal: true })])
      const next = yield* journal.acquire(team)
      expect(yield* Effect.flip(log.prune(nothing))).toMatchObject({ _tag: "OwnerFenced" })
      expect(yield* cursors(next, 0)).toEqual([1])
    }))
  )

  it.live(
    "two at a time are one after the other",
    test(Effect.gen(function*() {
      const log = yield* acquire
      for (let run = 1; run <= 50; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      const forget = range(1, 50).map((run) => `run/${run}`)
      const [a, b] = yield* Effect.all([log.prune({ events: 20, forget }), log.prune({ events: 40, forget })], {
        concurrency: "unbounded"
      })
      expect([a.firstCursor, b.firstCursor, a.forgotten + b.forgotten]).toEqual([20, 40, 50])
    }))
  )
})
