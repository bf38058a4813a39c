/** The end of a cell of a nact function: what nact gets wrong there must not be seen. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { dispatch, spawn, stop } from "nact"
import {
  type ActorRef,
  ActorSystem,
  type CellContext,
  child,
  type NactContext,
  nactRef,
  type Reply
} from "../../core/actor/index.ts"
import { advance, settle } from "../../core/testing/index.ts"
import { everySystem } from "./fixtures.ts"
import { gated, makeGates, ported, queryOf, settleNact, tagOf } from "./nact-fixtures.ts"

for (const [systemName, layer] of everySystem) {
  describe(`the end of a nact function's cell, ${systemName}`, () => {
    it.effect("a stop waits for the promise, and onStop has the state it came to", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const gates = makeGates()
        const ref = yield* system.spawn(ported("slow", "", gated(log, gates.pass), {
          onStop: (state) => Effect.sync(() => void log.push(`state ${state}`))
        }))
        for (const name of ["a", "b"]) ref.tellUnsafe(name)
        yield* settle
        const stopping = yield* Effect.forkChild(ref.stop(), { startImmediately: true })
        yield* settle
        assert.isUndefined(stopping.pollUnsafe())
        yield* gates.open("a")
        assert.isDefined(stopping.pollUnsafe())
        assert.deepStrictEqual(log, ["begin a", "end a", "state a"])
        assert.deepStrictEqual(system.deadLetters.last().map((it) => it.message), ["b"])
      }).pipe(Effect.provide(layer)))

    it.effect("a promise that is not over by the deadline is abandoned, and may reject when it likes", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const gates = makeGates()
        const ref = yield* system.spawn(ported("slow", "", gated(log, gates.pass), { shutdown: 100 }))
        const queried = yield* Effect.forkChild(queryOf<string, never>(ref, () => "a"), { startImmediately: true })
        yield* settleNact
        const stopping = yield* Effect.forkChild(ref.stop(), { startImmediately: true })
        yield* advance(99)
        assert.isUndefined(stopping.pollUnsafe())
        yield* advance(1)
        assert.isDefined(stopping.pollUnsafe())
        // Unseen, this would be an unhandled rejection, with which vitest fails.
        yield* gates.fail("a", new Error("late"))
        const exit = queried.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && tagOf(exit.value) === "ActorCrashed")
        assert.deepStrictEqual(log, ["begin a"])
      }).pipe(Effect.provide(layer)))

    it.effect("a restart waits for the promise: never two handlers at once", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const gates = makeGates()
        const slow = child(ported("slow", "", gated(log, gates.pass)))
        const bad = child(ported<number, string>("bad", 0, () => {
          throw new Error("boom")
        }))
        const refs: Array<ActorRef<string>> = []
        yield* system.spawn<void, string, never, never>({
          name: "both",
          supervision: { strategy: "one_for_all", intensity: 3, period: 5_000 },
          children: [slow, bad],
          init: (context) => Effect.sync(() => void refs.push(context.child(slow), context.child(bad))),
          behavior: () => Effect.void
        })
        for (const name of ["a", "b"]) refs[0]?.tellUnsafe(name)
        yield* settle
        refs[1]?.tellUnsafe("crash")
        yield* settle
        assert.deepStrictEqual(log, ["begin a"])
        yield* gates.open("a")
        assert.deepStrictEqual(log, ["begin a", "end a", "begin b"])
        yield* gates.open("b")
      }).pipe(Effect.provide(layer)))

    it.effect("an asker that stops the cell with the answer in hand waits for what the function still does", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const gates = makeGates()
        const tidy = async (done: number, reply: Reply<number>) => {
          reply.done(Exit.succeed(done))
          await gates.pass(`tidy ${done}`)
          log.push(`tidy ${done}`)
          return done + 1
        }
        const ref = yield* system.spawn(ported("tidy", 0, tidy, {
          onStop: (done) => Effect.sync(() => void log.push(`state ${done}`))
        }))
        const ask = (then: Effect.Effect<unknown>) =>
          Effect.forkChild(
            Effect.andThen(ref.ask((reply: Reply<number>) => reply, 1_000), then),
            { startImmediately: true }
          )
        yield* ask(Effect.void)
        yield* settle
        // Handled by the fiber that waits for the first.
        const stopping = yield* ask(ref.stop())
        yield* gates.open("tidy 0")
        assert.isUndefined(stopping.pollUnsafe())
        yield* gates.open("tidy 1")
        assert.isDefined(stopping.pollUnsafe())
        assert.deepStrictEqual(log, ["tidy 0", "tidy 1", "state 2"])
        assert.strictEqual(system.deadLetters.count(), 0)
      }).pipe(Effect.provide(layer)))

    for (const how of ["at once", "in its promise"] as const) {
      it.effect(`nact's stop of its own actor ${how} stops the cell: no message after it, no restart`, () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          const log: Array<string> = []
          const leave = (_: undefined, text: string, { self }: NactContext<string>) => {
            log.push(text)
            if (text === "leave") stop(self)
            return undefined
          }
          const ref = yield* system.spawn(ported<undefined, string>(
            "leaver",
            undefined,
            how === "at once" ? leave : async (state, text, context) => {
              await undefined
              return leave(state, text, context)
            },
            { onStop: (_, reason) => Effect.sync(() => void log.push(reason._tag)) }
          ))
          for (const text of ["a", "leave", "b", "c"]) ref.tellUnsafe(text)
          yield* settleNact
          assert.deepStrictEqual(log, ["a", "leave", "Normal"])
          assert.deepStrictEqual(system.deadLetters.last().map((it) => it.message), ["b", "c"])
          assert.deepStrictEqual(system.snapshotTree().children, [])
          assert.isFalse(ref.tellUnsafe("late"))
        }).pipe(Effect.provide(layer)))
    }

    it.effect("what nact's spawn hung below it ends with each incarnation, and all below that", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const note = (text: string) => () => void log.push(text)
        const nest = (_: undefined, text: string, { children, self }: NactContext<string>) => {
          if (text === "crash") throw new Error("boom")
          log.push(`${children.size} before`)
          // Throws if the one of the incarnation before is still there.
          const nested = spawn(self, note("nested"), "nested", { afterStop: note("nested ends") })
          spawn(nested, note("inner"), "inner", { afterStop: note("inner ends") })
          return undefined
        }
        const ref = yield* system.spawn(ported<undefined, string>("nest", undefined, nest))
        ref.tellUnsafe("begin")
        ref.tellUnsafe("crash")
        ref.tellUnsafe("begin")
        yield* settleNact
        assert.deepStrictEqual(log.toSorted(), ["0 before", "0 before", "inner ends", "nested ends"])
        yield* ref.stop()
        yield* settleNact
        assert.deepStrictEqual(log.slice(4).toSorted(), ["inner ends", "nested ends"])
        assert.strictEqual(system.deadLetters.count(), 1)
      }).pipe(Effect.provide(layer)))

    it.effect("what a nact actor below it escalates crashes the cell", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const boss = (_: undefined, text: string, { children, self }: NactContext<string>) => {
          log.push(`${text} ${children.size}`)
          const clerk = spawn(
            self,
            (_: undefined, text: string) => {
              if (text === "bad") throw new Error("beyond me")
              log.push(`clerk ${text}`)
              return undefined
            },
            "clerk",
            { onCrash: (_message, _error, context) => context.escalate }
          )
          dispatch(clerk, text)
          return undefined
        }
        const ref = yield* system.spawn(ported<undefined, string>("boss", undefined, boss))
        ref.tellUnsafe("bad")
        yield* settleNact
        ref.tellUnsafe("good")
        yield* settleNact
        assert.deepStrictEqual(log, ["bad 0", "good 0", "clerk good"])
        const [node] = system.snapshotTree().children
        assert.deepStrictEqual([node?.restarts, node?.lastFailure?.message], [1, "beyond me"])
      }).pipe(Effect.provide(layer)))

    it.effect("a nact actor below it that fails after the cell's end harms nobody", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const gates = makeGates()
        const boss = (_: undefined, _text: string, { self }: NactContext<string>) => {
          const clerk = spawn(self, () => gates.pass("work"), "clerk", {
            onCrash: (_message, _error, context) => context.escalate
          })
          dispatch(clerk, "work")
          return undefined
        }
        const ref = yield* system.spawn(ported<undefined, string>("boss", undefined, boss))
        ref.tellUnsafe("go")
        yield* settleNact
        yield* ref.stop()
        // nact would look for the parent of an actor that has none any more: an unhandled rejection.
        yield* gates.fail("work", new Error("late"))
        yield* settleNact
      }).pipe(Effect.provide(layer)))

    it.effect("an init that spawns by nact finds nothing of the incarnation before, nor of a start that failed", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        let starts = 0
        const init = (context: CellContext<string>) =>
          Effect.suspend(() => {
            // nact refuses a name that is taken.
            spawn(nactRef(context.self), () => undefined, "clerk")
            return ++starts === 2 ? Effect.fail("the second start") : Effect.void
          })
        const ref = yield* system.spawn<void, string, string, never>({
          name: "office",
          init,
          behavior: () => Effect.fail("closed")
        })
        ref.tellUnsafe("close")
        yield* settle
        const [node] = system.snapshotTree().children
        assert.deepStrictEqual([starts, node?.restarts, node?.status], [3, 2, "running"])
        assert.strictEqual(node?.lastFailure?.message, "the second start")
      }).pipe(Effect.provide(layer)))
  })
}
