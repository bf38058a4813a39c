import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Scope } from "effect"
import { ActorSystem, type CellContext, type CellSpec } from "../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../core/testing/index.ts"
import { everySystem, notes, type Order, recorder } from "./fixtures.ts"

class Prefix extends Context.Service<Prefix, { readonly text: string }>()("test/Prefix") {}

for (const [systemName, layer] of everySystem) {
  describe(`a cell, ${systemName}`, () => {
    it.effect("handles one message at a time in the order told, whether or not its effects wait", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const seen: Array<number> = []
        let inside = 0
        const ref = yield* system.spawn<number, number, never, never>({
          name: "sequence",
          init: () => Effect.succeed(0),
          behavior: (count, message) => {
            assert.strictEqual(++inside, 1)
            seen.push(message)
            const done = Effect.sync(() => {
              inside--
              return count + 1
            })
            if (message % 3 === 0) return Effect.andThen(Effect.yieldNow, done)
            if (message % 3 === 1) return done
            inside--
            return Effect.succeed(count + 1)
          }
        })
        for (let message = 0; message < 1_000; message++) assert.isTrue(ref.tellUnsafe(message))
        yield* settle
        assert.deepStrictEqual(seen, Array.from({ length: 1_000 }, (_, index) => index))
        assert.strictEqual(system.snapshotTree().children[0]?.processed, 1_000)
      }).pipe(Effect.provide(layer)))

    it.effect("keeps the services it was spawned with", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const seen: Array<string> = []
        const spec: CellSpec<void, string, never, Prefix> = {
          name: "prefixed",
          init: () => Effect.map(Prefix, ({ text }) => void seen.push(`${text} init`)),
          behavior: (_, message) => Effect.map(Prefix, ({ text }) => void seen.push(`${text} ${message}`)),
          onStop: () => Effect.map(Prefix, ({ text }) => void seen.push(`${text} stop`))
        }
        const ref = yield* system.spawn(spec).pipe(Effect.provideService(Prefix, { text: "its" }))
        yield* Effect.provideService(ref.tell("message"), Prefix, { text: "another" })
        yield* settle
        yield* ref.stop()
        assert.deepStrictEqual(seen, ["its init", "its message", "its stop"])
      }).pipe(Effect.provide(layer)))

    it.effect("calls afterTurn behind each burst with the state after it, never amid one, and not after a crash", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const after: Array<number> = []
        let handling = false
        const ref = yield* system.spawn<number, number, string, never>({
          name: "turns",
          init: () => Effect.succeed(0),
          behavior: (count, message) => {
            if (message < 0) return Effect.fail("boom")
            handling = true
            return Effect.andThen(
              message % 2 === 0 ? Effect.yieldNow : Effect.void,
              Effect.sync(() => {
                handling = false
                return count + 1
              })
            )
          },
          afterTurn: (count) => {
            assert.isFalse(handling)
            after.push(count)
          }
        })
        for (let message = 0; message < 200; message++) ref.tellUnsafe(message)
        yield* settle
        assert.strictEqual(after.at(-1), 200)
        assert.isTrue(after.every((count, index) => index === 0 || count > (after[index - 1] ?? 0)))
        assert.isAtLeast(after.length, 4, "a turn handles at most 64 messages")
        after.length = 0
        ref.tellUnsafe(-1)
        yield* settle
        assert.deepStrictEqual(after, [])
      }).pipe(Effect.provide(layer)))

    it.effect("suspended, keeps its mailbox and handles nothing; resumed, goes on in order", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        let context: CellContext<Order> | undefined
        const ref = yield* system.spawn(recorder("sleeper", log, {
          init: (it) => {
            context = it
            return Effect.succeed({ texts: [], kept: [] })
          }
        }))
        ref.tellUnsafe({ type: "note", text: "1" })
        ref.tellUnsafe({ type: "suspend" })
        for (const text of ["2", "3"]) ref.tellUnsafe({ type: "note", text })
        yield* settle
        ref.tellUnsafe({ type: "note", text: "4" })
        yield* settle
        assert.deepStrictEqual(log, ["handled sleeper 1"])
        const [node] = system.snapshotTree().children
        assert.deepInclude(node, { status: "suspended", mailbox: 3 })
        context?.resume()
        context?.resume()
        yield* settle
        assert.deepStrictEqual(log, [1, 2, 3, 4].map((text) => `handled sleeper ${text}`))
        // Stop and supervision work while it is suspended.
        context?.suspend()
        ref.tellUnsafe({ type: "note", text: "after the restart" })
        context?.crash(Cause.fail("from outside"))
        yield* settle
        assert.deepStrictEqual(log.slice(4), ["stop sleeper crashed", "handled sleeper after the restart"])
        context?.suspend()
        yield* ref.stop()
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("a turn that is interrupted, but not by a stop, leaves the state as it was", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("interrupted", log))
        ref.tellUnsafe({ type: "note", text: "1" })
        ref.tellUnsafe({ type: "run", effect: Effect.andThen(Effect.yieldNow, Effect.interrupt) })
        ref.tellUnsafe({ type: "note", text: "2" })
        assert.deepStrictEqual(yield* ref.ask(notes, 1_000), ["1", "2"])
        assert.deepStrictEqual(log.filter((it) => it.startsWith("st")), ["start interrupted"])
      }).pipe(Effect.provide(layer)))

    it.effect("a fork runs beside the mailbox, ends with the incarnation, and its failure is a crash", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const contexts: Array<CellContext<Order>> = []
        const ref = yield* system.spawn(recorder("forking", log, {
          init: (context) => {
            contexts.push(context)
            context.fork(Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push("fork interrupted"))))
            return Effect.succeed({ texts: [], kept: [] })
          }
        }))
        ref.tellUnsafe({ type: "note", text: "beside" })
        yield* settle
        assert.deepStrictEqual(log, ["handled forking beside"])
        contexts[0]?.fork(Effect.andThen(Effect.yieldNow, Effect.fail("fork fails")))
        yield* settle
        assert.deepStrictEqual(log.slice(1), ["fork interrupted", "stop forking crashed"])
        assert.strictEqual(contexts.length, 2)
        contexts[1]?.fork(Effect.interrupt)
        yield* settle
        assert.strictEqual(contexts.length, 2, "an interrupted fork is no crash")
        yield* ref.stop()
        assert.deepStrictEqual(log.slice(3), ["fork interrupted", "stop forking normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("a context of an incarnation that ended does nothing", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const contexts: Array<CellContext<Order>> = []
        const ref = yield* system.spawn(recorder("renewed", log, {
          init: (context) => {
            contexts.push(context)
            return Effect.succeed({ texts: [], kept: [] })
          }
        }))
        ref.tellUnsafe({ type: "fail", error: "boom" })
        yield* settle
        const [old] = contexts
        assert.strictEqual(contexts.length, 2)
        old?.suspend()
        old?.end()
        old?.crash(Cause.fail("late"))
        old?.setTimer("late", 0, { type: "note", text: "late" })
        old?.fork(Effect.sync(() => void log.push("late")))
        const spawned = yield* Effect.exit(old?.spawn(recorder("late", log)) ?? Effect.void)
        assert.isTrue(Exit.isFailure(spawned))
        let closed = false
        yield* Effect.addFinalizer(() => Effect.sync(() => void (closed = true))).pipe(
          Effect.provideService(Scope.Scope, old!.scope)
        )
        assert.isTrue(closed, "its Scope is closed")
        ref.tellUnsafe({ type: "note", text: "on" })
        yield* settle
        assert.deepStrictEqual(log, ["stop renewed crashed", "handled renewed on"])
      }).pipe(Effect.provide(layer)))

    it.effect("an init that ends its cell starts it and lets it end", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("brief", log, {
          restart: "transient",
          init: (context) => {
            context.end()
            return Effect.succeed({ texts: [], kept: [] })
          }
        }))
        yield* settle
        assert.deepStrictEqual(log, ["stop brief normal"])
        assert.isFalse(ref.tellUnsafe({ type: "end" }))
      }).pipe(Effect.provide(layer)))

    for (
      const [how, init] of [
        ["fails", () => Effect.fail("no")],
        ["fails later", () => Effect.andThen(Effect.yieldNow, Effect.fail("no"))],
        ["throws", () => {
          throw "no"
        }],
        ["is crashed meanwhile", (context: CellContext<Order>) => {
          context.fork(Effect.andThen(Effect.yieldNow, Effect.fail("no")))
          return Effect.never
        }]
      ] as const
    ) {
      it.effect(`an init that ${how} is a SpawnFailed with its cause, and leaves nothing`, () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          const log: Array<string> = []
          const children: Array<string> = []
          const error = yield* Effect.flip(system.spawn(recorder("stillborn", log, {
            init: (context) =>
              Effect.gen(function*() {
                yield* context.spawn(recorder("child", children)).pipe(Effect.orDie)
                yield* Effect.addFinalizer(() => Effect.sync(() => void log.push("released"))).pipe(
                  Effect.provideService(Scope.Scope, context.scope)
                )
                return yield* Effect.suspend(() => init(context))
              })
          })))
          assert.strictEqual(error._tag, "SpawnFailed")
          assert.strictEqual(Cause.squash(error.cause), "no")
          assert.deepStrictEqual(log, ["released"])
          assert.deepStrictEqual(children, ["start child", "stop child shutdown"])
          assert.deepStrictEqual(system.snapshotTree().children, [])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("whoever spawns may be interrupted: the init is, and nothing is left", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const spawning = yield* Effect.forkChild(system.spawn(recorder("slow", log, {
          init: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push("init interrupted")))
        })))
        yield* settle
        yield* Fiber.interrupt(spawning)
        assert.deepStrictEqual(log, ["init interrupted"])
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))
  })
}

describe("timers", () => {
  it.effect("fire once, at their time, in order; a key holds one; crash and stop end them", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      const contexts: Array<CellContext<Order>> = []
      const ref = yield* system.spawn(recorder("timed", log, {
        init: (context) => {
          contexts.push(context)
          return Effect.succeed({ texts: [], kept: [] })
        }
      }))
      const note = (text: string) => ({ type: "note", text }) as const
      const [first] = contexts
      first?.setTimer("a", 1_000, note("a"))
      first?.setTimer("b", 500, note("b"))
      first?.setTimer("replaced", 100, note("never"))
      first?.setTimer("replaced", 2_000, note("replaced"))
      first?.setTimer("canceled", 100, note("never"))
      first?.cancelTimer("canceled")
      yield* advance(499)
      assert.deepStrictEqual(log, [])
      yield* advance(1)
      assert.deepStrictEqual(log, ["handled timed b"])
      yield* advance(1_500)
      assert.deepStrictEqual(log, ["b", "a", "replaced"].map((text) => `handled timed ${text}`))
      first?.setTimer("dies", 10, note("never"))
      first?.setTimer("dies too", 1_000, note("never"))
      ref.tellUnsafe({ type: "fail", error: "boom" })
      yield* advance(100)
      assert.isUndefined((yield* VirtualTime).nextDue(), "they left the wheel")
      assert.notInclude(log, "handled timed never")
      contexts[1]?.setTimer("again", 10, note("again"))
      contexts[1]?.suspend()
      yield* advance(100)
      assert.notInclude(log, "handled timed again")
      contexts[1]?.resume()
      yield* settle
      assert.include(log, "handled timed again")
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("enter a mailbox that is full", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      let context: CellContext<Order> | undefined
      const ref = yield* system.spawn(recorder("full", log, {
        mailbox: { capacity: 1, overflow: "fail" },
        init: (it) => {
          context = it
          it.suspend()
          return Effect.succeed({ texts: [], kept: [] })
        }
      }))
      ref.tellUnsafe({ type: "note", text: "1" })
      assert.isFalse(ref.tellUnsafe({ type: "note", text: "lost" }))
      context?.setTimer("t", 5, { type: "note", text: "timer" })
      yield* advance(5)
      context?.resume()
      yield* settle
      assert.deepStrictEqual(log, ["handled full 1", "handled full timer"])
    }).pipe(Effect.provide(TestSystem.layer())))
})
