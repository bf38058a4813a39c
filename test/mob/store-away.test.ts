/**
 * A store that cannot be read, or written, for a while. Nothing that only lasts a while is held against a run or a
 * member: they go on when the store is back, and closing in between records nothing of them.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { Bridges, type MobHandle, mobsLayer } from "mobwright"
import { Journal, StoreUnavailable } from "mobwright/sdk"
import { advance, settle, TestSystem } from "mobwright/testing"
import { openCopied } from "../../core/journal/copy/open-copied.ts"
import { CommitSeam, JournalTasks } from "../../core/journal/index.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { journalTasks } from "../../core/runtime.ts"
import { FakeMembers } from "./fake-members.ts"
import { StoredOtherwise } from "./stored-otherwise.ts"
import { chain, define, host, leftUnderWay } from "./world.ts"

/** A disk that is full, or cannot be opened at all, while it says so. */
class Disk {
  isFull = false
  isGone = false

  /** A journal on it. */
  readonly journal = Layer.effect(
    Journal,
    Effect.gen({ self: this }, function*() {
      const medium = memoryMedium(yield* JournalTasks)
      return yield* Effect.orDie(openCopied({
        ...medium,
        hasRoom: Effect.sync(() => !this.isFull),
        open: Effect.suspend(() => this.isGone ? new StoreUnavailable({ reason: "its disk is gone" }) : medium.open)
      }))
    })
  ).pipe(
    Layer.provide(journalTasks),
    Layer.provide(Layer.succeed(CommitSeam, (commit) => (operations, done) => {
      if (this.isFull) done(Object.assign(new Error("no space left on device"), { code: "ENOSPC" }))
      else if (this.isGone) done(new Error("its disk is gone"))
      else commit(operations, done)
    }))
  )
}

type Services = Effect.Services<ReturnType<typeof host>> | Effect.Services<ReturnType<typeof advance>>

interface Parts {
  readonly members: FakeMembers
  readonly store: StoredOtherwise
  readonly disk: Disk
}

const scenario = <A, E>(test: (parts: Parts) => Effect.Effect<A, E, Services>, seed = 1) => {
  const parts: Parts = { members: new FakeMembers(), store: new StoredOtherwise(), disk: new Disk() }
  const world = mobsLayer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(Layer.provide(parts.store.journal, parts.disk.journal), Bridges.layer([parts.members.bridge]))
    ),
    Layer.provideMerge(parts.store.layer),
    Layer.provideMerge(TestSystem.layer(seed))
  )
  return test(parts).pipe(Effect.provide(world))
}

/** Turns may take longer than the store is away. */
const patient = { timeout_ms: 3_600_000 }

const definition = (limits: Parameters<typeof define>[0]["limits"] = {}) =>
  define({
    members: ["w-1", { identity: "o-1", profile: "other" }],
    flows: [["main", chain(2, "worker", patient)], ["other", chain(1, "other", patient)]],
    limits
  })

/** The mob of these tests, left under way. */
const left = (members: FakeMembers) => Effect.flatMap(definition(), (loaded) => leftUnderWay(loaded, members))

const unavailable = new StoreUnavailable({ reason: "a read failed" })

/** Nothing was said of a run or a member that lasts. */
const expectNothingHeld = (store: StoredOtherwise) =>
  expect(store.since(0).filter((it) => /unreadable|broken|run_failed/.test(it))).toEqual([])

const expectAllDone = Effect.fnUntraced(function*(
  mob: MobHandle,
  { main, other, work }: { readonly main: string; readonly other: string; readonly work: string }
) {
  expect((yield* mob.run(main)).status).toBe("completed")
  expect((yield* mob.run(other)).status).toBe("completed")
  expect(yield* mob.outcome("w-1", work)).toMatchObject({ status: "completed" })
  expect((yield* mob.members).map(({ phase }) => phase)).toEqual(["active", "active"])
  expect((yield* mob.status).active_runs).toEqual([])
})

describe("a read that fails for a while", () => {
  for (
    const [what, isMet] of [
      ["a run", (name: string) => name.startsWith("run/")],
      ["an inbox", (name: string) => name.startsWith("inbox/")],
      ["all runs and inboxes", (name: string) => name.includes("/")]
    ] as const
  ) {
    it.live(`of ${what}, five times, is tried again, and all goes on`, () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const before = yield* left(members)
          const failures = new Map<string, number>()
          store.fails = (name) => {
            if (!isMet(name)) return undefined
            const count = (failures.get(name) ?? 0) + 1
            failures.set(name, count)
            return count <= 5 ? unavailable : undefined
          }
          const { mob } = yield* host(before.loaded)
          yield* advance("10 seconds")
          expect([...failures.values()].every((count) => count > 5)).toBe(true)
          expect(failures.size).toBeGreaterThan(0)
          yield* expectAllDone(mob, before)
          expectNothingHeld(store)
        })
      ))

    it.live(`of ${what}, for five minutes, costs nobody anything but the time`, () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const before = yield* left(members)
          store.fails = (name) => isMet(name) ? unavailable : undefined
          const { mob } = yield* host(before.loaded)
          yield* advance("5 minutes")
          expect((yield* mob.status).active_runs).toHaveLength(2)
          store.fails = () => undefined
          yield* advance("10 seconds")
          yield* expectAllDone(mob, before)
          expectNothingHeld(store)
        })
      ))

    it.live(`of ${what}, while the mob is closed, is forgotten with it`, () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const before = yield* left(members)
          store.fails = (name) => isMet(name) ? unavailable : undefined
          const first = yield* host(before.loaded)
          yield* advance("1 minute")
          const closing = yield* Effect.forkChild(first.mob.close)
          yield* advance("1 minute")
          expect(closing.pollUnsafe()).toBeDefined()
          yield* first.crash
          store.fails = () => undefined
          const { mob } = yield* host(before.loaded)
          yield* advance("10 seconds")
          yield* expectAllDone(mob, before)
          expectNothingHeld(store)
        })
      ))
  }

  it.live("of the definition that a run is pinned to, is tried again", () =>
    scenario(({ members, store }) =>
      Effect.gen(function*() {
        const before = yield* left(members)
        members.answer = () => undefined
        // Another definition is in force, so that the one of the runs must be read.
        const revised = yield* definition({ max_step_retries: 3 })
        const first = yield* host(revised)
        yield* first.crash
        members.answer = () => "done"
        let count = 0
        store.fails = (name) => name === before.loaded.digest && ++count <= 7 ? unavailable : undefined
        const { mob } = yield* host(revised)
        yield* advance("1 minute")
        expect(count).toBeGreaterThan(7)
        yield* expectAllDone(mob, before)
        expectNothingHeld(store)
      })
    ))

  it.live("of one run does not hold up another", () =>
    scenario(({ members, store }) =>
      Effect.gen(function*() {
        const { loaded, main, other } = yield* left(members)
        store.fails = (name) => name === `run/${main}` ? unavailable : undefined
        const { mob } = yield* host(loaded)
        yield* advance("10 seconds")
        expect((yield* mob.run(other)).status).toBe("completed")
        const next = yield* mob.runFlow("main", {}, { key: "next" })
        yield* advance("1 second")
        expect((yield* mob.run(next.run_id)).status).toBe("completed")
        expect((yield* mob.status).active_runs).toEqual([main])
        expectNothingHeld(store)
      })
    ))
})

describe("a load that never answers", () => {
  for (const what of ["run/", "inbox/w-1"]) {
    it.live(`(${what}) does not keep its mob from being closed, and nothing is recorded`, () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const before = yield* left(members)
          store.waits = (name) => name.startsWith(what) ? Effect.never : Effect.void
          const first = yield* host(before.loaded)
          yield* advance("1 minute")
          const closing = yield* Effect.forkChild(first.mob.close)
          yield* advance("1 minute")
          expect(closing.pollUnsafe()).toBeDefined()
          yield* first.crash
          store.waits = () => Effect.void
          const { mob } = yield* host(before.loaded)
          yield* advance("10 seconds")
          yield* expectAllDone(mob, before)
          expectNothingHeld(store)
        })
      ))

    it.live(`(${what}) until the very moment its mob is closed records nothing`, () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const before = yield* left(members)
          for (const order of ["answer first", "close first"] as const) {
            const gate = yield* Deferred.make<void>()
            store.waits = (name) => name.startsWith(what) ? Deferred.await(gate) : Effect.void
            const first = yield* host(before.loaded)
            if (order === "answer first") yield* Deferred.succeed(gate, undefined)
            const closing = yield* Effect.forkChild(first.mob.close, { startImmediately: true })
            yield* Deferred.succeed(gate, undefined)
            yield* advance("1 minute")
            expect(closing.pollUnsafe()).toBeDefined()
            yield* first.crash
          }
          store.waits = () => Effect.void
          const { mob } = yield* host(before.loaded)
          yield* advance("10 seconds")
          yield* expectAllDone(mob, before)
          expectNothingHeld(store)
        })
      ))
  }
})

describe("a disk that is full for five minutes", () => {
  for (const [how, set] of [["full", "isFull"], ["gone altogether", "isGone"]] as const) {
    it.live(`(${how}) while a run's cell and a member's cell start again, costs neither of them anything`, () =>
      scenario(({ disk, members, store }) =>
        Effect.gen(function*() {
          const before = yield* left(members)
          members.answer = () => undefined
          const { mob } = yield* host(before.loaded)
          yield* settle
          // The member's cell, then the run's, start again; their loads take a while, and then the disk is away.
          store.waits = () => Effect.sleep("1 second")
          store.crashes.push("run ", "member w-1")
          const deliveries = members.deliveries("w-1").slice(-2)
          for (const { input } of deliveries) members.end("w-1", input, "done at last")
          yield* advance("500 millis")
          disk[set] = true
          const more = yield* Effect.forkChild(Effect.exit(mob.submit("o-1", "more")))
          yield* advance("5 minutes")
          expectNothingHeld(store)
          disk[set] = false
          members.answer = () => "done"
          yield* advance("1 minute")
          expect(store.crashes).toEqual([])
          store.waits = () => Effect.void
          expect((yield* Fiber.join(more))._tag).toBe("Failure")
          for (const incarnation of members.incarnations.filter((it) => it.alive)) {
            for (const { input } of incarnation.delivered) members.end(incarnation.identity, input, "done")
          }
          yield* advance("1 minute")
          yield* expectAllDone(mob, before)
          expectNothingHeld(store)
        })
      ))

    it.live(`(${how}) while a mob is opened, lets it go on as soon as there is room`, () =>
      scenario(({ disk, members, store }) =>
        Effect.gen(function*() {
          const before = yield* left(members)
          // Its coordinator's first commit is the one that fails.
          let commits = 0
          store.onSubmit = () => {
            if (++commits === 1) disk[set] = true
          }
          const opening = yield* Effect.forkChild(Effect.result(host(before.loaded)))
          yield* advance("5 minutes")
          expectNothingHeld(store)
          disk[set] = false
          yield* advance("1 minute")
          expect(opening.pollUnsafe()).toBeDefined()
          const { mob } = yield* host(before.loaded)
          yield* advance("1 minute")
          yield* expectAllDone(mob, before)
          expectNothingHeld(store)
        })
      ))
  }
})
