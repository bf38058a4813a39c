import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Scope } from "effect"
import {
  type ActorRef,
  ActorSystem,
  type CellContext,
  type Dispatcher,
  type Terminated
} from "../../../core/actor/index.ts"
import { advance, settle, type VirtualTime } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { act, asideOnce, makeGate, note, parentOf, PATIENT, scribe, spawnScribe, type Task } from "./fixtures.ts"

/** What a watcher is sent: which target, and why it ended. */
const told = ({ name, reason }: Terminated): Task =>
  note(`${name}: ${reason._tag}${reason._tag === "Crashed" ? ` ${String(Cause.squash(reason.cause))}` : ""}`)

const never = () => note("never")

/** A watcher, and two targets under a parent of their own that gives them one restart. */
const spawnWatched = Effect.gen(function*() {
  const watcher = yield* spawnScribe()
  const contexts = { target: [] as Array<CellContext<Task>>, sibling: [] as Array<CellContext<Task>> }
  const refs: Array<ActorRef<Task>> = []
  const parents: Array<CellContext<never>> = []
  const parent = yield* watcher.system.spawn(
    parentOf({ ...PATIENT, intensity: 1, period: 5_000 }, (context) =>
      Effect.gen(function*() {
        parents.push(context)
        for (const name of ["target", "sibling"] as const) {
          refs.push(yield* context.spawn(scribe([], contexts[name], { name, restart: "transient" })))
        }
      }))
  )
  const crash = (name: "target" | "sibling", cause: string) =>
    Effect.andThen(Effect.sync(() => contexts[name].at(-1)!.crash(Cause.fail(cause))), settle)
  return {
    ...watcher,
    parent,
    parentContext: parents[0]!,
    target: refs[0]!,
    targetContext: () => contexts.target.at(-1)!,
    crash
  }
})

type Watched = Effect.Success<typeof spawnWatched>

/** How a target ends, and what its watcher is told. */
const ENDS: ReadonlyArray<
  readonly [string, (watched: Watched) => Effect.Effect<void, never, Dispatcher | VirtualTime>, string]
> = [
  ["is stopped", ({ target }) => target.stop(), "Normal"],
  ["is stopped with drain", ({ target }) => target.stop({ drain: true }), "Normal"],
  [
    "stops itself",
    ({ target }) => Effect.sync(() => void target.tellUnsafe({ text: "stop", run: () => target.stop() })),
    "Normal"
  ],
  ["ends", ({ targetContext }) => Effect.sync(() => targetContext().end()), "Normal"],
  ["ends with shutdown", ({ targetContext }) => Effect.sync(() => targetContext().end("shutdown")), "Shutdown"],
  ["crashes too often", ({ crash }) => Effect.andThen(crash("target", "1"), crash("target", "2")), "Crashed 2"],
  ["has a sibling that does", ({ crash }) => Effect.andThen(crash("sibling", "1"), crash("sibling", "2")), "Shutdown"],
  ["has a parent that is stopped", ({ parent }) => parent.stop(), "Shutdown"],
  ["has a parent that ends", ({ parentContext }) => Effect.sync(() => parentContext.end()), "Shutdown"],
  [
    "has a parent that crashes",
    ({ parentContext }) => Effect.sync(() => parentContext.crash(Cause.fail("boom"))),
    "Shutdown"
  ]
]

for (const [systemName, layer] of everySystem) {
  describe(`watch, ${systemName}`, () => {
    for (const [how, end, expected] of ENDS) {
      it.effect(`a target that ${how}: ${expected}, once`, () =>
        Effect.gen(function*() {
          const watched = yield* spawnWatched
          const { context, log, target } = watched
          context().watch(target, told)
          yield* settle
          assert.deepStrictEqual(log, [])
          yield* end(watched)
          yield* settle
          assert.deepStrictEqual(log, [`1 target: ${expected}`])
          // Whoever watches too late is told the same.
          context().watch(target, told)
          yield* settle
          assert.deepStrictEqual(log.slice(1), [`1 target: ${expected}`])
        }).pipe(Effect.provide(layer)))
    }

    for (
      const [how, options, supervision, crashes] of [
        ["is temporary", { restart: "temporary" }, PATIENT, 1],
        ["may not restart, where each counts for itself", {}, { ...PATIENT, intensity: 0, counted: "each" }, 1],
        ["may restart once, and not twice", {}, { ...PATIENT, intensity: 1, counted: "each", period: 5_000 }, 2]
      ] as const
    ) {
      it.effect(`a target that crashes, and ${how}: Crashed, once`, () =>
        Effect.gen(function*() {
          const watcher = yield* spawnScribe()
          const { context, ref } = yield* spawnScribe({ name: "target", ...options }, supervision)
          watcher.context().watch(ref, told)
          for (let crash = 1; crash <= crashes; crash++) {
            context().crash(Cause.fail(crash))
            yield* settle
          }
          assert.deepStrictEqual(watcher.log, [`1 target: Crashed ${crashes}`])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("a target that is stopped while it waits for its restart: that crash, once", () =>
      Effect.gen(function*() {
        const watcher = yield* spawnScribe()
        const backoff = { initial: 1_000, max: 1_000, jitter: 0, reset: 1 }
        const { context, ref } = yield* spawnScribe({ name: "target" }, { ...PATIENT, backoff })
        watcher.context().watch(ref, told)
        context().crash(Cause.fail("boom"))
        yield* settle
        assert.deepStrictEqual(watcher.log, [])
        yield* ref.stop()
        yield* advance(2_000)
        assert.deepStrictEqual(watcher.log, ["1 target: Crashed boom"])
      }).pipe(Effect.provide(layer)))

    it.effect("is told the name and the path that the reference has", () =>
      Effect.gen(function*() {
        const { context, target } = yield* spawnWatched
        const seen: Array<Terminated> = []
        context().watch(target, (terminated) => {
          seen.push(terminated)
          return note("")
        })
        yield* target.stop()
        const { name, path } = target
        assert.deepStrictEqual(seen, [{ name, path, reason: { _tag: "Normal" } }])
      }).pipe(Effect.provide(layer)))

    it.effect("a restart is no end", () =>
      Effect.gen(function*() {
        const { context, crash, log, target } = yield* spawnWatched
        context().watch(target, told)
        yield* crash("target", "first")
        assert.deepStrictEqual(log, [])
        yield* target.stop()
        yield* settle
        assert.deepStrictEqual(log, ["1 target: Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("a second watch replaces the first, before the end and after", () =>
      Effect.gen(function*() {
        const { context, contexts, log, target } = yield* spawnWatched
        context().watch(target, () => assert.fail("nobody asks it"))
        context().watch(target, told)
        yield* target.stop()
        yield* settle
        assert.deepStrictEqual([log, contexts.length], [["1 target: Normal"], 1])
        context().suspend()
        context().watch(target, never)
        context().watch(target, () => note("again"))
        context().resume()
        yield* settle
        assert.deepStrictEqual(log, ["1 target: Normal", "1 again"])
      }).pipe(Effect.provide(layer)))

    it.effect("unwatch forgets it: before the end, and when the message is in the mailbox already", () =>
      Effect.gen(function*() {
        const { context, letters, log, node, target } = yield* spawnWatched
        const other = yield* spawnScribe()
        context().watch(target, never)
        context().watch(other.ref, never)
        context().unwatch(target)
        context().unwatch(target)
        yield* target.stop()
        context().suspend()
        yield* other.ref.stop()
        assert.strictEqual(node()?.mailbox, 1)
        context().unwatch(other.ref)
        context().resume()
        yield* settle
        assert.deepStrictEqual([log, letters()], [[], []])
        assert.deepInclude(node(), { mailbox: 0, processed: 0 })
        // It may be watched again.
        context().watch(target, told)
        yield* settle
        assert.deepStrictEqual(log, ["1 target: Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("watches end with the life that made them: in the mailbox, or not told yet", () =>
      Effect.gen(function*() {
        const { context, letters, log, target } = yield* spawnWatched
        const other = yield* spawnScribe()
        context().suspend()
        context().watch(target, never)
        context().watch(other.ref, never)
        yield* target.stop()
        context().crash(Cause.fail("boom"))
        yield* other.ref.stop()
        yield* settle
        assert.deepStrictEqual([log, letters()], [[], []])
        context().watch(target, told)
        context().watch(other.ref, told)
        yield* settle
        assert.deepStrictEqual(log, ["2 target: Normal", "2 scribe: Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("comes after all that the target had told, by its messages, its onStop and its children", () =>
      Effect.gen(function*() {
        const { context, log, ref, system } = yield* spawnWatched
        const tells = (text: string) => Effect.sync(() => void ref.tellUnsafe(note(text)))
        const spec = (name: string) => scribe([], [], { name, onStop: () => tells(`${name} stops`) })
        const target = yield* system.spawn({
          ...spec("target"),
          behavior: (life) =>
            Effect.gen(function*() {
              yield* tells("1")
              yield* life.context.spawn(spec("child"))
              yield* Effect.yieldNow
              yield* tells("2")
              life.context.end()
              yield* tells("3")
              return life
            }),
          restart: "temporary"
        })
        context().watch(target, told)
        target.tellUnsafe(note("go"))
        yield* settle
        assert.deepStrictEqual(log, ["1 1", "1 2", "1 3", "1 child stops", "1 target stops", "1 target: Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("comes behind what is in the mailbox, though that is full, and in front of who waits for room", () =>
      Effect.gen(function*() {
        const { context, log, ref } = yield* spawnScribe({ mailbox: { capacity: 2, overflow: "backpressure" } })
        const other = yield* spawnScribe()
        context().watch(other.ref, told)
        context().suspend()
        for (const text of ["1", "2", "3"]) {
          yield* Effect.forkChild(ref.tell(note(text)), { startImmediately: true })
        }
        yield* other.ref.stop()
        context().resume()
        yield* settle
        assert.deepStrictEqual(log, ["1 1", "1 2", "1 scribe: Normal", "1 3"])
      }).pipe(Effect.provide(layer)))

    it.effect("a cell that watches itself is told nothing, and ends all the same", () =>
      Effect.gen(function*() {
        const { context, letters, log, ref } = yield* spawnScribe()
        context().watch(ref, never)
        context().unwatch(ref)
        context().watch(ref, never)
        ref.tellUnsafe(note("1"))
        yield* settle
        yield* ref.stop()
        assert.deepStrictEqual([log, letters()], [["1 1"], []])
      }).pipe(Effect.provide(layer)))

    it.effect("two that watch each other: the second is told of the first", () =>
      Effect.gen(function*() {
        const [one, two] = [yield* spawnScribe(), yield* spawnScribe()]
        one.context().watch(two.ref, told)
        two.context().watch(one.ref, told)
        yield* one.ref.stop()
        yield* settle
        yield* two.ref.stop()
        assert.deepStrictEqual([one.log, two.log], [[], ["1 scribe: Normal"]])
      }).pipe(Effect.provide(layer)))

    it.effect("a reference of something else is a TypeError, which crashes who watches it", () =>
      Effect.gen(function*() {
        const { log, node, ref } = yield* spawnScribe()
        const foreign = { ...ref, name: "foreign" }
        ref.tellUnsafe(act("watches", ({ context }) => context.watch(foreign, never)))
        ref.tellUnsafe(note("behind"))
        yield* settle
        assert.deepStrictEqual(log, ["2 behind"])
        assert.include(node()?.lastFailure?.message, "foreign is not a cell")
      }).pipe(Effect.provide(layer)))

    it.effect("a cell of another system can be watched", () =>
      Effect.gen(function*() {
        const { context, log } = yield* spawnScribe()
        const scope = yield* Scope.make()
        const services = yield* Layer.buildWithScope(Layer.fresh(ActorSystem.layer), scope)
        const other = yield* Effect.provide(spawnScribe(), services)
        context().watch(other.ref, told)
        yield* other.ref.stop()
        yield* settle
        assert.deepStrictEqual(log, ["1 scribe: Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("a function that throws crashes who watches, and nobody else", () =>
      Effect.gen(function*() {
        const { context, contexts, node, target } = yield* spawnWatched
        const other = yield* spawnScribe()
        const throws = () => {
          throw new Error("no message")
        }
        context().watch(target, throws)
        other.context().watch(target, told)
        yield* target.stop()
        yield* settle
        assert.deepStrictEqual([contexts.length, other.log], [2, ["1 target: Normal"]])
        assert.include(node()?.lastFailure?.message, "no message")
        // The same where the target has ended before.
        context().watch(target, throws)
        yield* settle
        assert.strictEqual(contexts.length, 3)
      }).pipe(Effect.provide(layer)))

    it.effect("a watcher that suspends, drains or has ended", () =>
      Effect.gen(function*() {
        const [suspended, drains, ended] = [yield* spawnScribe(), yield* spawnScribe(), yield* spawnScribe()]
        const target = yield* spawnScribe()
        for (const { context } of [suspended, drains, ended]) context().watch(target.ref, told)
        const gate = makeGate()
        suspended.context().suspend()
        drains.ref.tellUnsafe({ text: "held", run: () => gate.wait })
        yield* settle
        yield* Effect.forkChild(drains.ref.stop({ drain: true }), { startImmediately: true })
        yield* ended.ref.stop()
        yield* target.ref.stop()
        gate.open()
        yield* settle
        assert.deepStrictEqual([suspended.log, drains.log, ended.log], [[], ["1 held"], []])
        assert.strictEqual(target.system.deadLetters.count(), 0)
        suspended.context().resume()
        yield* settle
        assert.deepStrictEqual(suspended.log, ["1 scribe: Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("its message is one like any other once it is put aside: neither unwatch nor a restart forgets it", () =>
      Effect.gen(function*() {
        const { context, log, target } = yield* spawnWatched
        context().watch(target, () => asideOnce("told"))
        yield* target.stop()
        yield* settle
        context().unwatch(target)
        context().end()
        yield* settle
        assert.deepStrictEqual(log, ["2 told"])
      }).pipe(Effect.provide(layer)))

    it.effect("a cell may watch from its init, each life anew", () =>
      Effect.gen(function*() {
        const { log, system, target } = yield* spawnWatched
        const contexts: Array<CellContext<Task>> = []
        const watching: Array<string> = []
        const { init, ...spec } = scribe(watching, contexts, { name: "watching" })
        yield* system.spawn({
          ...spec,
          init: (context) => {
            context.watch(target, told)
            return init(context)
          }
        })
        contexts[0]!.end()
        yield* settle
        yield* target.stop()
        yield* settle
        contexts[1]!.end()
        yield* settle
        assert.deepStrictEqual([watching, log], [["2 target: Normal", "3 target: Normal"], []])
      }).pipe(Effect.provide(layer)))
  })
}
