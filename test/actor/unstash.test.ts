import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { ActorSystem, type CellContext, type Reply } from "../../core/actor/index.ts"
import { settle, TestSystem } from "../../core/testing/index.ts"

interface Question {
  readonly name: string
  readonly reply: Reply<string>
}

describe("asks that go back to the mailbox", () => {
  it.effect("are owed again once they are taken: a crash tells their askers, and not those behind", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const contexts: Array<CellContext<Question>> = []
      let aside = true
      const ref = yield* system.spawn<void, Question, never, never>({
        name: "patient",
        init: (context) => Effect.sync(() => void contexts.push(context)),
        behavior: (_, { name }, context) => {
          if (name === "first" && aside) context.stash()
          // Nobody is answered here: the first is owed, the second waits behind a cell that is suspended.
          else context.suspend()
          return Effect.void
        }
      })
      const ask = (name: string) =>
        Effect.forkChild(Effect.flip(ref.ask((reply: Reply<string>) => ({ name, reply }), Infinity)), {
          startImmediately: true
        })
      const first = yield* ask("first")
      yield* settle
      contexts[0]?.suspend()
      const second = yield* ask("second")
      aside = false
      contexts[0]?.unstash()
      contexts[0]?.resume()
      yield* settle
      contexts[0]?.crash(Cause.fail("boom"))
      yield* settle
      assert.strictEqual((yield* Fiber.join(first))._tag, "ActorCrashed")
      assert.isUndefined(second.pollUnsafe())
      yield* ref.stop()
      assert.strictEqual((yield* Fiber.join(second))._tag, "ActorStopped")
    }).pipe(Effect.provide(TestSystem.layer())))
})
