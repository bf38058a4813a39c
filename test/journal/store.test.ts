/**
 * The store contract, the same on every medium.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as fc from "fast-check"
import { MobId } from "../../sdk/ids.ts"
import { Journal, type StoredEvent } from "../../sdk/store.ts"
import { acquire, count, entry, media, note, soak, submit, team, until, wrapped } from "./logs.ts"

describe.each(media)("a store on $name", ({ layer }) => {
  const test = <E>(body: Effect.Effect<void, E, Journal>) => () => Effect.provide(body, layer)

  it.live(
    "gives positions and cursors from 1, in submit order",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const notes: Array<string> = []
      note(log, notes, "a", [entry("mob", 1)])
      note(log, notes, "b", [entry("run/x", 1, { events: [] })])
      note(log, notes, "c", [entry("mob", 2), entry("run/y", 1)])
      note(log, notes, "d", [entry("mob", 3)])
      expect(notes).toEqual([])
      yield* until(() => notes.length === 4)
      expect(notes).toEqual(["a at 1/1", "b at 2/2", "c at 3/2", "d at 5/4"])
    }))
  )

  it.live(
    "refuses a submission whose writer was behind, alone, and gives its place to the next",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const notes: Array<string> = []
      note(log, notes, "a", [entry("mob", 1)])
      note(log, notes, "late", [entry("mob", 1)])
      note(log, notes, "early", [entry("mob", 3)])
      note(log, notes, "b", [entry("mob", 2)])
      yield* until(() => notes.length === 4)
      expect(notes).toEqual(["a at 1/1", "late RevisionConflict", "early RevisionConflict", "b at 2/2"])
    }))
  )

  it.live(
    "R11: writes a submission over two aggregates only if both guards hold",
    test(Effect.gen(function*() {
      const log = yield* acquire
      yield* submit(log, [entry("mob", 1)])
      const refused = yield* Effect.flip(submit(log, [entry("mob", 2), entry("run/a", 2)]))
      expect(refused).toMatchObject({ _tag: "RevisionConflict", aggregate: "run/a", expected: 1, actual: 0 })
      expect(count(yield* log.load("mob"))).toBe(1)
      expect(yield* log.load("run/a")).toBeUndefined()
      expect(yield* submit(log, [entry("mob", 2), entry("run/a", 1)])).toEqual({ position: 2, cursor: 2 })
    }))
  )

  it.live(
    "takes several entries of one aggregate in one submission",
    test(Effect.gen(function*() {
      const log = yield* acquire
      yield* submit(log, [entry("mob", 1), entry("mob", 2), entry("mob", 3)])
      expect(count(yield* log.load("mob"))).toBe(3)
      expect(yield* Effect.flip(submit(log, [entry("mob", 4), entry("mob", 6)]))).toMatchObject({
        actual: 4,
        expected: 5
      })
    }))
  )

  it.live(
    "answers a submission that is no JSON as not written, and goes on",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const circle: Record<string, unknown> = {}
      circle["self"] = circle
      const snapshot = () => circle as never // a state that cannot be written
      expect(yield* Effect.flip(submit(log, [entry("mob", 1, { snapshot })]))).toMatchObject({
        _tag: "StoreWriteFailed",
        outcome: "not_written"
      })
      expect(yield* submit(log, [entry("mob", 1)])).toEqual({ position: 1, cursor: 1 })
    }))
  )

  it.live(
    "writes what arrives during a batch as the next group",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      const writers = Array.from({ length: 200 }, (_, index) => `run/${index}`)
      for (const revision of [1, 2, 3]) {
        yield* Effect.forEach(writers, (name) => submit(log, [entry(name, revision)]), { concurrency: "unbounded" })
      }
      // The first that is resumed may submit before the others: two batches a round at most.
      expect(journal.batches()).toBeLessThanOrEqual(6)
      expect(log.latestCursor()).toBe(600)
    }))
  )

  it.live(
    "splits a group at 2,048 submissions",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      yield* Effect.all(Array.from({ length: 4097 }, (_, index) => submit(log, [entry(`run/${index}`, 1)])), {
        concurrency: "unbounded"
      })
      expect(journal.batches()).toBe(3)
    }))
  )

  it.live(
    "splits a group at 4 MiB",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      const facts = [{ text: "x".repeat(1024 * 1024) }]
      yield* Effect.all(Array.from({ length: 10 }, (_, index) => submit(log, [entry(`run/${index}`, 1, { facts })])), {
        concurrency: "unbounded"
      })
      expect(journal.batches()).toBe(3)
    }))
  )

  it.live(
    "has one batch in flight",
    () => {
      let flying = 0
      let most = 0
      return Effect.gen(function*() {
        const log = yield* acquire
        for (let revision = 1; revision <= 20; revision++) {
          const notes: Array<string> = []
          note(log, notes, "a", [entry("mob", revision)])
          if (revision % 3 === 0) yield* until(() => notes.length === 1)
          else yield* Effect.yieldNow
        }
        yield* log.barrier("mob")
        expect(most).toBe(1)
      }).pipe(Effect.provide(wrapped(layer, (commit) => (operations, done) => {
        most = Math.max(most, ++flying)
        commit(operations, (error) => {
          flying--
          done(error)
        })
      })))
    }
  )

  it.live(
    "tells events after their submissions, in cursor order",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const heard: Array<string> = []
      const remove = log.listen({ events: (events) => heard.push(...events.map((event) => `event ${event.cursor}`)) })
      note(log, heard, "a", [entry("mob", 1)])
      note(log, heard, "b", [entry("mob", 2), entry("run/a", 1)])
      yield* until(() => heard.length === 5)
      expect(heard).toEqual(["a at 1/1", "b at 2/2", "event 1", "event 2", "event 3"])
      remove()
      yield* submit(log, [entry("mob", 3)])
      expect(heard).toHaveLength(5)
    }))
  )

  it.live(
    "reads events after a cursor, never more than asked for",
    test(Effect.gen(function*() {
      const log = yield* acquire
      for (let revision = 1; revision <= 30; revision++) {
        const events = Array.from({ length: revision % 4 }, (_, index) => ({ type: "e", revision, index }))
        yield* submit(log, [entry("mob", revision, { events })])
      }
      const all = yield* log.events(0, 1000)
      expect(all.map((event) => event.cursor)).toEqual(
        Array.from({ length: log.latestCursor() }, (_, index) => index + 1)
      )
      for (const after of [0, 1, 17, log.latestCursor() - 1, log.latestCursor()]) {
        expect(yield* log.events(after, 5)).toEqual(all.slice(after, after + 5))
      }
      expect(all[0]).toEqual({ cursor: 1, at: 1001, event: { type: "e", revision: 1, index: 0 } })
    }))
  )

  it.live(
    "lists live aggregates by age and all of a prefix by name",
    test(Effect.gen(function*() {
      const log = yield* acquire
      yield* submit(log, [entry("run/z", 1), entry("mob", 1), entry("run/a", 1)])
      yield* submit(log, [entry("mob", 2), entry("run/m", 1, { terminal: true })])
      expect(yield* log.live).toEqual(["run/z", "mob", "run/a"])
      expect(yield* log.aggregates("run/")).toEqual(["run/a", "run/m", "run/z"])
      yield* submit(log, [entry("run/z", 2, { terminal: true })])
      expect(yield* log.live).toEqual(["mob", "run/a"])
      expect((yield* log.load("run/z"))?.head).toEqual({
        revision: 2,
        terminal: true,
        state: { aggregate: "run/z", count: 2 }
      })
    }))
  )

  it.live(
    "R10: an aggregate at its end may take an entry, under its guard",
    test(Effect.gen(function*() {
      const log = yield* acquire
      yield* submit(log, [entry("run/a", 1, { terminal: true })])
      expect(yield* Effect.flip(submit(log, [entry("run/a", 1)]))).toMatchObject({
        _tag: "RevisionConflict",
        actual: 1
      })
      yield* submit(log, [entry("run/a", 2, { terminal: true })])
      expect(count(yield* log.load("run/a"))).toBe(2)
      expect(yield* log.live).toEqual([])
      // One that does not end it again: it is live, and its head says so.
      yield* submit(log, [entry("run/a", 3)])
      expect((yield* log.load("run/a"))?.head).toMatchObject({ revision: 3, terminal: false })
      expect(yield* log.live).toEqual(["run/a"])
    }))
  )

  it.live(
    "keeps names of any script and shape apart",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const names = ["inbox/Ünal", "inbox/李", "inbox/a\nb", "inbox/\"", "inbox/ÿÿ", "inbox/👩‍🚀", "inbox/"]
      for (const name of names) yield* submit(log, [entry(name, 1)])
      expect(new Set(yield* log.aggregates("inbox/"))).toEqual(new Set(names))
      for (const name of names) expect((yield* log.load(name))?.head?.state).toEqual({ aggregate: name, count: 1 })
      expect(yield* log.aggregates("inbox/ÿ")).toEqual(["inbox/ÿÿ"])
    }))
  )

  it.live(
    "keeps pinned definitions under their digest",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const digest = "ab".repeat(32)
      yield* submit(log, [entry("mob", 1)], { pins: [{ digest, definition: { flows: ["ü"] } }] })
      expect(yield* log.pinned(digest)).toEqual({ flows: ["ü"] })
      expect(yield* log.pinned("cd".repeat(32))).toBeUndefined()
    }))
  )

  it.live(
    "R16: a second owner fences the first, also what it has submitted already",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      yield* submit(log, [entry("mob", 1)])
      const heard: Array<string> = []
      log.listen({ closed: (error) => heard.push(error._tag) })
      const taking = yield* Effect.forkChild(journal.acquire(team), { startImmediately: true })
      note(log, heard, "behind", [entry("mob", 2)])
      yield* until(() => heard.length === 2)
      expect(heard.toSorted()).toEqual(["OwnerFenced", "behind OwnerFenced"])
      const next = yield* Fiber.join(taking)
      expect([log.epoch, next.epoch]).toEqual([1, 2])
      expect(yield* Effect.flip(log.load("mob"))).toMatchObject({ _tag: "OwnerFenced", ours: 1, current: 2 })
      expect(yield* Effect.flip(log.barrier("mob"))).toMatchObject({ _tag: "OwnerFenced" })
      expect(count(yield* next.load("mob"))).toBe(1)
      yield* submit(next, [entry("mob", 2)])
    }))
  )

  it.live(
    "keeps the logs of its mobs apart",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const names = ["b", "a", "Ä"].map((name) => MobId.make(name))
      const logs = yield* Effect.forEach(names, journal.acquire)
      yield* Effect.forEach(logs, (log) => submit(log, [entry("mob", 1)]), { concurrency: "unbounded" })
      yield* Effect.forEach(logs, (log) => Effect.map(log.events(0, 10), (events) => expect(events).toHaveLength(1)))
      expect(yield* journal.mobs).toEqual(["a", "b", "Ä"])
    }))
  )

  it.live(
    "a barrier waits for what its aggregate has open and in flight",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const notes: Array<string> = []
      yield* log.barrier("mob")
      note(log, notes, "a", [entry("mob", 1)])
      yield* log.barrier("mob")
      expect(notes).toEqual(["a at 1/1"])
    }))
  )

  it.live("has no gap and no repetition under random writers, and head and tail are the whole", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(commands, { minLength: 1, maxLength: 60 }), (script) =>
          Effect.runPromise(Effect.provide(follow(script), layer))),
        { numRuns: soak ? 300 : 15 }
      )
    ))
})

interface Command {
  readonly writes: ReadonlyArray<
    { readonly aggregate: number; readonly skew: number; readonly events: number; readonly size: number }
  >
  readonly ends: boolean
  readonly wait: boolean
}

const commands: fc.Arbitrary<Command> = fc.record({
  writes: fc.array(
    fc.record({
      aggregate: fc.nat(4),
      skew: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1),
      events: fc.nat(3),
      size: fc.constantFrom(0, 10, 500)
    }),
    { minLength: 1, maxLength: 3 }
  ),
  ends: fc.constantFrom(false, false, false, true),
  wait: fc.boolean()
})

/** Plays a script against a log and a plain model of it. */
const follow = (script: ReadonlyArray<Command>) =>
  Effect.gen(function*() {
    const log = yield* acquire
    const revisions = new Map<string, number>()
    const expected: Array<string> = []
    const heard: Array<string> = []
    const tail: Array<StoredEvent> = []
    log.listen({ events: (events) => tail.push(...events) })
    let position = 1
    let cursor = 1
    for (const [index, { ends, wait, writes }] of script.entries()) {
      const after = new Map(revisions)
      let holds = true
      const entries = writes.map(({ aggregate, events, size, skew }) => {
        const name = `run/${aggregate}`
        const revision = (after.get(name) ?? 0) + 1 + skew
        if (skew !== 0) holds = false
        after.set(name, revision)
        return entry(name, revision, {
          facts: [{ revision, filler: "x".repeat(size) }],
          events: Array.from({ length: events }, () => ({ type: "e", index })),
          terminal: ends
        })
      })
      if (holds) {
        expected.push(`${index} at ${position}/${cursor}`)
        for (const item of entries) {
          position++
          cursor += item.events.length
          revisions.set(item.aggregate, item.revision)
        }
      } else expected.push(`${index} RevisionConflict`)
      note(log, heard, String(index), entries)
      if (wait) yield* until(() => heard.length === expected.length)
    }
    yield* until(() => heard.length === expected.length)
    expect(heard).toEqual(expected)
    expect(log.latestCursor()).toBe(cursor - 1)
    const events = yield* log.events(0, 10_000)
    expect(events.map((event) => event.cursor)).toEqual(Array.from({ length: cursor - 1 }, (_, index) => index + 1))
    expect(tail).toEqual(events)
    for (const [name, revision] of revisions) expect(count(yield* log.load(name))).toBe(revision)
  })
