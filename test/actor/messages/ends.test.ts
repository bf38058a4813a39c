import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { act, ask, makeGate, note, spawnScribe, tell } from "./fixtures.ts"

for (const [systemName, layer] of everySystem) {
  describe(`the end of a cell among its messages, ${systemName}`, () => {
    it.effect("a message that was handled is no dead letter, though the next one of the same turn stops the cell", () =>
      Effect.gen(function*() {
        const answers: Array<string> = []
        const { context, letters, log, ref } = yield* spawnScribe({
          replyOf: ({ text }) => ({ done: () => void answers.push(text) })
        })
        context().suspend()
        ref.tellUnsafe({ text: "1", run: () => Effect.yieldNow })
        // The asker goes on at once, within the turn that answers.
        const stops = ref.ask<void, never>((reply) => act("2", () => reply.done(Exit.void)), 1_000)
        yield* Effect.forkChild(Effect.andThen(stops, ref.stop()), { startImmediately: true })
        ref.tellUnsafe(note("3"))
        context().resume()
        yield* settle
        assert.deepStrictEqual([log, letters(), answers], [["1 1", "1 2"], ["stopped 3"], ["3"]])
      }).pipe(Effect.provide(layer)))

    for (const how of ["ends", "is suspended"] as const) {
      it.effect(`a message of a cell that drains, and in the middle of which it ${how}, is handled to its end`, () =>
        Effect.gen(function*() {
          const { letters, log, ref } = yield* spawnScribe()
          const gate = makeGate()
          ref.tellUnsafe({ text: "1", run: () => gate.wait })
          ref.tellUnsafe({
            text: "2",
            run: ({ context }) => {
              if (how === "ends") context.end()
              else context.suspend()
              return Effect.yieldNow
            }
          })
          ref.tellUnsafe(note("3"))
          yield* settle
          yield* Effect.forkChild(ref.stop({ drain: true }), { startImmediately: true })
          gate.open()
          yield* settle
          assert.deepStrictEqual([log, letters()], [["1 1", "1 2"], ["stopped 3"]])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("a message that cannot be interrupted runs to its end, and is a dead letter all the same", () =>
      Effect.gen(function*() {
        const { letters, log, ref } = yield* spawnScribe()
        const seen: Array<string> = []
        ref.tellUnsafe({
          text: "1",
          run: () => Effect.uninterruptible(Effect.andThen(Effect.sleep(50), Effect.sync(() => void seen.push("end"))))
        })
        ref.tellUnsafe(note("2"))
        yield* settle
        const stopping = yield* Effect.forkChild(ref.stop(), { startImmediately: true })
        yield* advance(49)
        assert.isUndefined(stopping.pollUnsafe())
        yield* advance(1)
        assert.isDefined(stopping.pollUnsafe())
        assert.deepStrictEqual([seen, log, letters()], [["end"], [], ["stopped 1", "stopped 2"]])
      }).pipe(Effect.provide(layer)))

    it.effect("a sender that left while it waited for room is no dead letter of the stop", () =>
      Effect.gen(function*() {
        const { context, letters, ref } = yield* spawnScribe({ mailbox: { capacity: 1, overflow: "backpressure" } })
        context().suspend()
        ref.tellUnsafe(note("1"))
        const left = yield* Effect.forkChild(ref.tell(note("left")), { startImmediately: true })
        const late = yield* ask(ref, "late", { timeout: 100 })
        const waits = yield* tell(ref, "waits")
        yield* Fiber.interrupt(left)
        yield* advance(100)
        yield* ref.stop()
        assert.deepStrictEqual([late(), waits()], ["AskTimeout", "ActorStopped"])
        assert.deepStrictEqual(letters().toSorted(), ["stopped 1", "stopped waits"])
      }).pipe(Effect.provide(layer)))

    it.effect("what is told while a cell ends for good was accepted, and is a dead letter", () =>
      Effect.gen(function*() {
        const gate = makeGate()
        const { context, letters, log, ref } = yield* spawnScribe({ onStop: () => gate.wait, restart: "temporary" })
        context().end()
        yield* settle
        const told = yield* tell(ref, "told")
        const asked = yield* ask(ref, "asked")
        assert.deepStrictEqual([told(), asked()], ["told", "waits"])
        gate.open()
        yield* settle
        assert.deepStrictEqual([log, letters(), asked()], [[], ["stopped told", "stopped asked"], "ActorStopped"])
      }).pipe(Effect.provide(layer)))
  })
}
