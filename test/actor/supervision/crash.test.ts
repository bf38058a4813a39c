/**
 * One crash, seen from the messages: what becomes of the one that crashed, of those behind it, and of their askers.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { ActorCrashed, ActorSystem, type Reply } from "../../../core/actor/index.ts"
import { everySystem, notes } from "../fixtures.ts"
import { trio } from "./family.ts"

for (const [systemName, layer] of everySystem) {
  describe(`a crash, ${systemName}`, () => {
    for (const how of ["fail", "die", "throw"] as const) {
      it.effect(`a behaviour that ${how}s crashes; what was behind the message is handled by the next incarnation, in order`, () =>
        Effect.gen(function*() {
          const { family, system } = yield* trio("one_for_one")
          const b = family.ref("b")
          b.tellUnsafe({ type: "note", text: "1" })
          b.tellUnsafe({ type: how, error: "boom", defect: "boom" })
          for (const text of ["2", "3", "4"]) b.tellUnsafe({ type: "note", text })
          assert.deepStrictEqual(yield* b.ask(notes, 1_000), ["2", "3", "4"])
          assert.deepStrictEqual(family.take(), [
            "handled b 1",
            "stop b crashed boom",
            "start b",
            "handled b 2",
            "handled b 3",
            "handled b 4"
          ])
          const letters = system.deadLetters.last()
          assert.deepStrictEqual(letters.map((it) => it.reason), ["crashed"])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("an asker whose message crashes the cell gets the cause, one behind it gets its answer", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn<
          number,
          { readonly crash: boolean; readonly reply: Reply<number> },
          string,
          never
        >({
          name: "picky",
          init: () => Effect.succeed(0),
          behavior: (count, { crash, reply }) => {
            if (crash) return Effect.fail("no")
            reply.done(Exit.succeed(count))
            return Effect.succeed(count + 1)
          }
        })
        const ask = (crash: boolean) => ref.ask((reply: Reply<number>) => ({ crash, reply }), 1_000)
        const [first, second] = yield* Effect.all([Effect.exit(ask(true)), Effect.exit(ask(false))], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(second, Exit.succeed(0))
        const error = Exit.isFailure(first) ? Cause.squash(first.cause) : undefined
        assert.instanceOf(error, ActorCrashed)
        assert.strictEqual(error.code, "ACTOR_CRASHED")
        assert.strictEqual(Cause.squash(error.cause), "no")
      }).pipe(Effect.provide(layer)))
  })
}
