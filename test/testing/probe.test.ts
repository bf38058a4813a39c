import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { type ActorRef, ActorSystem, type Reply } from "../../core/actor/index.ts"
import { ExpectationFailed, makeProbe } from "../../core/testing/index.ts"
import { everySystem } from "../actor/fixtures.ts"

/** A cell that hands on what it is told, after a while. */
const relay = <M>(to: ActorRef<M>) =>
  Effect.flatMap(ActorSystem, (system) =>
    system.spawn<void, M, never, never>({
      name: "relay",
      init: () => Effect.void,
      behavior: (_, message) => Effect.andThen(Effect.yieldNow, Effect.sync(() => void to.tellUnsafe(message)))
    }))

for (const [systemName, layer] of everySystem) {
  describe(`a probe, ${systemName}`, () => {
    it.effect("expects what is still on its way, one or several, in order", () =>
      Effect.gen(function*() {
        const probe = yield* makeProbe<{ readonly job: number }>()
        const first = yield* relay(yield* relay(probe.ref))
        for (const job of [1, 2, 3, 4]) first.tellUnsafe({ job })
        yield* probe.expect({ job: 1 })
        yield* probe.expect({ job: 2 }, { job: 3 })
        assert.deepStrictEqual(yield* probe.next, { job: 4 })
        yield* probe.expectNothing
        assert.deepStrictEqual(probe.received(), [{ job: 1 }, { job: 2 }, { job: 3 }, { job: 4 }])
      }).pipe(Effect.provide(layer)))

    it.effect("fails on another message, a wrong order, or none, and takes nothing then", () =>
      Effect.gen(function*() {
        const probe = yield* makeProbe<string>("till")
        const first = yield* relay(probe.ref)
        for (const message of ["a", "b"]) first.tellUnsafe(message)
        const failed = yield* Effect.flip(probe.expect("b"))
        assert.instanceOf(failed, ExpectationFailed)
        assert.strictEqual(
          failed.message,
          "till did not hold what was expected\nexpected: [ 'b' ]\nreceived: [ 'a' ]"
        )
        const { actual, code, expected } = yield* Effect.flip(probe.expect("a", "b", "c"))
        assert.deepStrictEqual([code, expected, actual], ["EXPECTATION_FAILED", ["a", "b", "c"], ["a", "b"]])
        assert.deepStrictEqual((yield* Effect.flip(probe.expectNothing)).actual, ["a", "b"])
        yield* probe.expect("a", "b")
        assert.strictEqual(
          (yield* Effect.flip(probe.next)).message,
          "till did not hold what was expected\nexpected: a message\nreceived: none"
        )
        assert.deepStrictEqual((yield* Effect.flip(probe.expect("a"))).actual, [])
      }).pipe(Effect.provide(layer)))

    it.effect("sees a message that nobody expected, also one that is on its way", () =>
      Effect.gen(function*() {
        const probe = yield* makeProbe<string>()
        yield* probe.expectNothing
        const first = yield* relay(yield* relay(probe.ref))
        first.tellUnsafe("late")
        assert.deepStrictEqual((yield* Effect.flip(probe.expectNothing)).actual, ["late"])
        yield* probe.expect("late")
        yield* probe.expectNothing
      }).pipe(Effect.provide(layer)))

    it.effect("hands a message out, so that a test answers in its place", () =>
      Effect.gen(function*() {
        const probe = yield* makeProbe<Reply<number>>()
        const asking = yield* Effect.forkChild(probe.ref.ask((reply: Reply<number>) => reply, 1_000), {
          startImmediately: true
        })
        const reply = yield* probe.next
        assert.isUndefined(asking.pollUnsafe())
        reply.done(Exit.succeed(42))
        yield* probe.expectNothing
        assert.deepStrictEqual(asking.pollUnsafe(), Exit.succeed(42))
      }).pipe(Effect.provide(layer)))

    it.effect("tells undefined from nothing, and errors by what they say", () =>
      Effect.gen(function*() {
        const probe = yield* makeProbe<Error | undefined>()
        probe.ref.tellUnsafe(undefined)
        assert.deepStrictEqual((yield* Effect.flip(probe.expectNothing)).actual, [undefined])
        yield* probe.expect(undefined)
        assert.deepStrictEqual((yield* Effect.flip(probe.expect(undefined))).actual, [])
        probe.ref.tellUnsafe(new Error("a"))
        yield* Effect.flip(probe.expect(new Error("b")))
        yield* Effect.flip(probe.expect(new TypeError("a")))
        yield* probe.expect(new Error("a"))
      }).pipe(Effect.provide(layer)))
  })
}
