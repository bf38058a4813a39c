import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import {
  act,
  alwaysAside,
  answerTheSecondTime,
  asideOnce,
  ask,
  makeGate,
  note,
  PATIENT,
  spawnScribe,
  type Task,
  unstash
} from "./fixtures.ts"

for (const [systemName, layer] of everySystem) {
  describe(`stash, and the end of a life, ${systemName}`, () => {
    for (
      const [how, fail] of [
        ["fails", () => Exit.fail("boom")],
        ["fails later", () => Effect.andThen(Effect.yieldNow, Effect.fail("boom"))]
      ] as const
    ) {
      it.effect(`a message that is put aside, and ${how}, crashed: it is not handled again, those aside before are`, () =>
        Effect.gen(function*() {
          const { letters, log, node, ref } = yield* spawnScribe()
          const first = yield* ask(ref, "1", { run: answerTheSecondTime })
          const second = yield* ask(ref, "2", { run: () => ({ context }) => context.stash() ? fail() : Exit.void })
          ref.tellUnsafe(note("3"))
          yield* settle
          assert.deepStrictEqual([first(), second()], ["answered 2", "ActorCrashed"])
          assert.deepStrictEqual([log, letters()], [["2 1", "2 3"], ["crashed 2"]])
          assert.deepInclude(node(), { mailbox: 0, processed: 3, restarts: 1 })
        }).pipe(Effect.provide(layer)))
    }

    it.effect("one that is put aside, puts the others back, and fails, crashed: its asker is told", () =>
      Effect.gen(function*() {
        const { letters, log, ref } = yield* spawnScribe()
        for (const text of ["1", "2"]) ref.tellUnsafe(asideOnce(text))
        const asked = yield* ask(ref, "3", {
          run: () => (life) => {
            life.putAside()
            life.context.unstash()
            return Exit.fail("boom")
          }
        })
        yield* settle
        assert.deepStrictEqual([log, letters(), asked()], [["2 1", "2 2"], ["crashed 3"], "ActorCrashed"])
      }).pipe(Effect.provide(layer)))

    it.effect("a life that has crashed puts nothing aside any more, nor back", () =>
      Effect.gen(function*() {
        const { log, node, ref } = yield* spawnScribe()
        const got: Array<boolean> = []
        ref.tellUnsafe(asideOnce("1"))
        ref.tellUnsafe(act("2", ({ context }) => {
          context.crash(Cause.fail("boom"))
          context.unstash()
          got.push(context.stash())
        }))
        yield* settle
        assert.deepStrictEqual([got, log], [[false], ["1 2", "2 1"]])
        assert.deepInclude(node(), { mailbox: 0, processed: 2 })
      }).pipe(Effect.provide(layer)))

    for (
      const [how, end] of [
        ["ends", (life) => life.context.end()],
        ["is crashed", (life) => life.context.crash(Cause.fail("outside"))]
      ] as ReadonlyArray<readonly [string, (life: Parameters<NonNullable<Task["run"]>>[0]) => void]>
    ) {
      it.effect(`a message that is put aside in a turn in which its life ${how} waits for the next one`, () =>
        Effect.gen(function*() {
          const { letters, log, ref } = yield* spawnScribe()
          ref.tellUnsafe(asideOnce("1"))
          let visits = 0
          const asked = yield* ask(ref, "2", {
            run: (reply) => (life) => {
              if (visits++ > 0) return Exit.succeed(reply.done(Exit.succeed(`answered ${life.number}`)))
              life.putAside()
              return Exit.succeed(end(life))
            }
          })
          ref.tellUnsafe(note("3"))
          yield* settle
          assert.deepStrictEqual([log, letters(), asked()], [["2 1", "2 2", "2 3"], [], "answered 2"])
        }).pipe(Effect.provide(layer)))

      it.effect(`one that is put aside, whose life ${how}, and that fails then, has one fate`, () =>
        Effect.gen(function*() {
          const { letters, log, ref } = yield* spawnScribe()
          let visits = 0
          ref.tellUnsafe({
            text: "1",
            run: (life) => {
              if (visits++ > 0) return Exit.void
              life.putAside()
              end(life)
              return Exit.fail("boom")
            }
          })
          yield* settle
          assert.strictEqual(log.length + letters().length, 1, `handled ${log}, dead letters ${letters()}`)
        }).pipe(Effect.provide(layer)))
    }

    it.effect("crashed from outside amid its turn, a message that is aside is no dead letter, and its asker waits on", () =>
      Effect.gen(function*() {
        const { context, letters, log, ref } = yield* spawnScribe()
        let visits = 0
        const asked = yield* ask(ref, "1", {
          run: (reply) => ({ context, number }) => {
            if (visits++ > 0) return Exit.succeed(reply.done(Exit.succeed(`answered ${number}`)))
            return context.stash() ? Effect.never : Exit.void
          }
        })
        ref.tellUnsafe(note("2"))
        yield* settle
        context().crash(Cause.fail("outside"))
        yield* settle
        assert.deepStrictEqual([log, letters(), asked()], [["2 1", "2 2"], [], "answered 2"])
      }).pipe(Effect.provide(layer)))

    it.effect("a sibling's restart hands what is aside to the next life, with its askers", () =>
      Effect.gen(function*() {
        const { context, log, ref, sibling } = yield* spawnScribe({}, { ...PATIENT, strategy: "one_for_all" })
        const asked = yield* ask(ref, "1", { run: answerTheSecondTime })
        ref.tellUnsafe(asideOnce("2"))
        yield* settle
        context().suspend()
        ref.tellUnsafe(note("3"))
        sibling().crash(Cause.fail("boom"))
        yield* settle
        assert.deepStrictEqual([log, asked()], [["2 1", "2 2", "2 3"], "answered 2"])
      }).pipe(Effect.provide(layer)))

    it.effect("what is aside when the cell stops is a dead letter, in front of what is behind, and its asker is told", () =>
      Effect.gen(function*() {
        const { context, letters, ref } = yield* spawnScribe()
        const asked = yield* ask(ref, "1", { run: answerTheSecondTime })
        ref.tellUnsafe(asideOnce("2"))
        yield* settle
        context().suspend()
        ref.tellUnsafe(note("3"))
        yield* ref.stop()
        assert.deepStrictEqual([letters(), asked()], [["stopped 1", "stopped 2", "stopped 3"], "ActorStopped"])
      }).pipe(Effect.provide(layer)))

    for (const drain of [false, true]) {
      it.effect(`a message that is aside while its turn waits is one dead letter, stopped ${drain ? "with" : "without"} drain`, () =>
        Effect.gen(function*() {
          const answers: Array<string> = []
          const { letters, ref } = yield* spawnScribe({
            shutdown: 100,
            replyOf: ({ text }) => ({ done: (exit) => void answers.push(`${text} ${Exit.isFailure(exit)}`) })
          })
          ref.tellUnsafe({
            text: "1",
            run: ({ context }) => Effect.andThen(Effect.sync(() => context.stash()), Effect.never)
          })
          yield* settle
          yield* Effect.forkChild(ref.stop({ drain }), { startImmediately: true })
          yield* advance(1_000)
          assert.deepStrictEqual([letters(), answers], [["stopped 1"], ["1 true"]])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("with drain, what is put back meanwhile is handled, and what stays aside is a dead letter", () =>
      Effect.gen(function*() {
        const { letters, log, ref } = yield* spawnScribe()
        const gate = makeGate()
        ref.tellUnsafe({ text: "1", run: () => gate.wait })
        yield* settle
        for (const task of [asideOnce("2"), note("3"), unstash("4"), alwaysAside("5")]) ref.tellUnsafe(task)
        yield* Effect.forkChild(ref.stop({ drain: true }), { startImmediately: true })
        gate.open()
        yield* settle
        assert.deepStrictEqual([log, letters()], [["1 1", "1 3", "1 4", "1 2"], ["stopped 5"]])
      }).pipe(Effect.provide(layer)))
  })
}

describe("stash, and turns that are abandoned", () => {
  it.effect("an abandoned turn's message is not put aside by the next life", () =>
    Effect.gen(function*() {
      const { context, contexts, letters, log, ref } = yield* spawnScribe({ shutdown: 100 })
      const gate = makeGate()
      ref.tellUnsafe({ text: "1", run: () => Effect.uninterruptible(gate.wait) })
      yield* settle
      context().crash(Cause.fail("boom"))
      yield* advance(100)
      assert.strictEqual(contexts.length, 2)
      assert.isFalse(context().stash())
      context().unstash()
      gate.open()
      yield* settle
      assert.deepStrictEqual([log, letters()], [[], ["crashed 1"]])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("an abandoned turn that ends touches nothing that the next life has put aside", () =>
    Effect.gen(function*() {
      const { context, letters, log, ref } = yield* spawnScribe({ shutdown: 100 })
      const [old, gate] = [makeGate(), makeGate()]
      ref.tellUnsafe({ text: "1", run: () => Effect.uninterruptible(old.wait) })
      yield* settle
      context().crash(Cause.fail("boom"))
      yield* advance(100)
      ref.tellUnsafe({
        text: "2",
        run: ({ context }) => context.stash() ? Effect.andThen(gate.wait, Effect.fail("boom")) : Exit.void
      })
      yield* settle
      old.open()
      yield* settle
      gate.open()
      yield* settle
      assert.deepStrictEqual([log, letters()], [[], ["crashed 1", "crashed 2"]])
    }).pipe(Effect.provide(TestSystem.layer())))
})
