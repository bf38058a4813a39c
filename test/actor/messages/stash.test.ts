import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import type { Reply } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { act, asideOnce, ask, makeGate, note, PATIENT, spawnScribe, type Task } from "./fixtures.ts"

const unstash = (text: string) => act(text, ({ context }) => context.unstash())

/** One that is put aside each time. */
const alwaysAside = (text: string): Task => act(text, (life) => void life.putAside())

/** Put aside the first time, and answered the second time. */
const answerTheSecondTime = (reply: Reply<string>) => {
  let visits = 0
  return act("", (life) => {
    if (visits++ === 0) life.putAside()
    else reply.done(Exit.succeed(`answered ${life.number}`))
  }).run
}

for (const [systemName, layer] of everySystem) {
  describe(`stash, ${systemName}`, () => {
    it.effect("what is aside goes back to the front in the order it came, before what is behind", () =>
      Effect.gen(function*() {
        const { log, node, ref } = yield* spawnScribe()
        for (const text of ["1", "2", "3"]) ref.tellUnsafe(asideOnce(text))
        for (const task of [note("4"), unstash("5"), note("6"), note("7")]) ref.tellUnsafe(task)
        yield* settle
        assert.deepStrictEqual(log, ["1 4", "1 5", "1 1", "1 2", "1 3", "1 6", "1 7"])
        assert.deepInclude(node(), { mailbox: 0, processed: 7 })
      }).pipe(Effect.provide(layer)))

    it.effect("what is aside waits and is not handled: the tree counts it so", () =>
      Effect.gen(function*() {
        const { context, node, ref } = yield* spawnScribe()
        for (const text of ["1", "2"]) ref.tellUnsafe(asideOnce(text))
        ref.tellUnsafe(note("3"))
        yield* settle
        assert.deepInclude(node(), { mailbox: 2, processed: 1 })
        context().suspend()
        ref.tellUnsafe(note("4"))
        context().unstash()
        assert.deepInclude(node(), { mailbox: 3, processed: 1 })
        context().resume()
        yield* settle
        assert.deepInclude(node(), { mailbox: 0, processed: 4 })
      }).pipe(Effect.provide(layer)))

    it.effect("an asker waits for what is aside, and for the answer that follows", () =>
      Effect.gen(function*() {
        const { node, ref } = yield* spawnScribe()
        const aside = yield* ask(ref, "aside", { run: answerTheSecondTime })
        const behind = yield* ask(ref, "behind")
        yield* settle
        assert.deepStrictEqual([aside(), behind()], ["waits", "answered 1"])
        ref.tellUnsafe(unstash("back"))
        yield* settle
        assert.strictEqual(aside(), "answered 1")
        assert.deepInclude(node(), { mailbox: 0, processed: 3 })
      }).pipe(Effect.provide(layer)))

    it.effect("as many are put aside as the mailbox holds; one more is false, and that message is handled", () =>
      Effect.gen(function*() {
        const { log, node, ref } = yield* spawnScribe({ mailbox: { capacity: 3, overflow: "backpressure" } })
        const got: Array<boolean> = []
        for (const text of ["1", "2", "3", "4", "5"]) {
          yield* ref.tell(act(text, (life) => {
            got.push(life.putAside())
          }))
        }
        yield* settle
        assert.deepStrictEqual([got, log], [[true, true, true, false, false], ["1 4", "1 5"]])
        assert.deepInclude(node(), { mailbox: 3, processed: 2 })
      }).pipe(Effect.provide(layer)))

    it.effect("what went back may make the mailbox longer than it may be, and then it is full", () =>
      Effect.gen(function*() {
        const { context, letters, log, ref } = yield* spawnScribe({ mailbox: { capacity: 2, overflow: "fail" } })
        for (const text of ["1", "2"]) ref.tellUnsafe(asideOnce(text))
        yield* settle
        context().suspend()
        for (const text of ["3", "4"]) assert.isTrue(ref.tellUnsafe(note(text)))
        context().unstash()
        assert.isFalse(ref.tellUnsafe(note("5")))
        context().resume()
        yield* settle
        assert.deepStrictEqual(log, ["1 1", "1 2", "1 3", "1 4"])
        assert.deepStrictEqual(letters(), ["full 5"])
      }).pipe(Effect.provide(layer)))

    it.effect("a sender that waits for room comes in behind what went back", () =>
      Effect.gen(function*() {
        const { context, log, ref } = yield* spawnScribe({ mailbox: { capacity: 2, overflow: "backpressure" } })
        for (const text of ["1", "2"]) ref.tellUnsafe(asideOnce(text))
        yield* settle
        context().suspend()
        for (const text of ["3", "4"]) ref.tellUnsafe(note(text))
        yield* Effect.forkChild(ref.tell(note("5")), { startImmediately: true })
        context().unstash()
        context().resume()
        yield* settle
        assert.deepStrictEqual(log, ["1 1", "1 2", "1 3", "1 4", "1 5"])
      }).pipe(Effect.provide(layer)))

    it.effect("a message is put aside once a turn, however often that is said", () =>
      Effect.gen(function*() {
        const { context, log, node, ref } = yield* spawnScribe()
        const got: Array<boolean> = []
        ref.tellUnsafe(act("1", (life) => {
          for (let time = 0; time < 3; time++) got.push(life.putAside())
        }))
        yield* settle
        assert.deepStrictEqual(got, [true, true, true])
        assert.deepInclude(node(), { mailbox: 1, processed: 0 })
        context().unstash()
        yield* settle
        assert.deepInclude(node(), { mailbox: 1, processed: 0 })
        assert.deepStrictEqual(log, [])
      }).pipe(Effect.provide(layer)))

    it.effect("nothing is put aside where nothing is being handled", () =>
      Effect.gen(function*() {
        const got: Array<boolean> = []
        const { context, contexts, log, node, ref } = yield* spawnScribe({
          afterTurn: (_, context) => void got.push(context.stash())
        })
        got.push(context().stash())
        ref.tellUnsafe(note("1"))
        yield* settle
        got.push(context().stash())
        context().end()
        yield* settle
        got.push(contexts[0]!.stash())
        contexts[0]!.unstash()
        assert.isTrue(got.length >= 4 && got.every((it) => !it), String(got))
        assert.deepInclude(node(), { mailbox: 0, processed: 1 })
        assert.deepStrictEqual(log, ["1 1"])
      }).pipe(Effect.provide(layer)))

    it.effect("unstash leaves what is being handled, and was put aside before, where it is", () =>
      Effect.gen(function*() {
        const { context, log, ref } = yield* spawnScribe()
        ref.tellUnsafe(asideOnce("1"))
        ref.tellUnsafe(alwaysAside("2"))
        let visits = 0
        ref.tellUnsafe(act("3", (life) => {
          if (visits++ > 0) return
          life.putAside()
          life.context.unstash()
        }))
        ref.tellUnsafe(note("4"))
        yield* settle
        assert.deepStrictEqual(log, ["1 1", "1 4"])
        context().unstash()
        yield* settle
        assert.deepStrictEqual(log, ["1 1", "1 4", "1 3"])
      }).pipe(Effect.provide(layer)))

    it.effect("unstash, and then stash: the others are back, and it is aside", () =>
      Effect.gen(function*() {
        const { context, log, ref } = yield* spawnScribe()
        ref.tellUnsafe(asideOnce("1"))
        const asked = yield* ask(ref, "2", { run: answerTheSecondTime })
        ref.tellUnsafe(asideOnce("3", (life) => life.context.unstash()))
        ref.tellUnsafe(note("4"))
        yield* settle
        assert.deepStrictEqual([log, asked()], [["1 1", "1 2", "1 4"], "answered 1"])
        context().unstash()
        yield* settle
        assert.deepStrictEqual(log, ["1 1", "1 2", "1 4", "1 3"])
      }).pipe(Effect.provide(layer)))

    it.effect("amid a turn that waits, the message may be put aside, and the others put back, from beside it", () =>
      Effect.gen(function*() {
        const { context, log, node, ref } = yield* spawnScribe()
        const gate = makeGate()
        ref.tellUnsafe(asideOnce("1"))
        ref.tellUnsafe({ text: "2", run: () => gate.wait })
        yield* settle
        assert.isTrue(context().stash())
        context().unstash()
        assert.deepInclude(node(), { mailbox: 2, processed: 0 })
        gate.open()
        yield* settle
        // The turn went on to its end; what it handled is aside all the same.
        assert.deepStrictEqual(log, ["1 2", "1 1"])
        assert.deepInclude(node(), { mailbox: 1, processed: 1 })
        context().unstash()
        yield* settle
        assert.deepStrictEqual(log, ["1 2", "1 1", "1 2"])
      }).pipe(Effect.provide(layer)))

    it.effect("unstash wakes a cell that has nothing else to do", () =>
      Effect.gen(function*() {
        const { context, log, ref } = yield* spawnScribe()
        ref.tellUnsafe(asideOnce("1"))
        yield* settle
        context().unstash()
        yield* settle
        assert.deepStrictEqual(log, ["1 1"])
      }).pipe(Effect.provide(layer)))

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

    it.effect("messages that were taken and are not answered keep their askers, whatever is put aside and back", () =>
      Effect.gen(function*() {
        const { context, log, node, ref } = yield* spawnScribe()
        const kept: Array<Reply<string>> = []
        const keep = (reply: Reply<string>) => () => Exit.succeed(void kept.push(reply))
        const first = yield* ask(ref, "kept 1", { run: keep })
        const aside = yield* ask(ref, "aside 1", { run: answerTheSecondTime })
        const second = yield* ask(ref, "kept 2", { run: keep })
        ref.tellUnsafe(asideOnce("aside 2"))
        const third = yield* ask(ref, "kept 3", { run: keep })
        yield* settle
        assert.deepInclude(node(), { mailbox: 2, processed: 3 })
        context().suspend()
        const behind = yield* ask(ref, "behind")
        context().unstash()
        context().crash(Cause.fail("boom"))
        // Those that were taken, and none else.
        assert.deepStrictEqual([first(), second(), third()], ["ActorCrashed", "ActorCrashed", "ActorCrashed"])
        assert.deepStrictEqual([aside(), behind()], ["waits", "waits"])
        yield* settle
        assert.deepStrictEqual([aside(), behind()], ["answered 2", "answered 2"])
        assert.deepStrictEqual(log.slice(3), ["2 aside 1", "2 aside 2", "2 behind"])
        assert.deepInclude(node(), { mailbox: 0, processed: 6 })
      }).pipe(Effect.provide(layer)))

    it.effect("an answer may be given while the message is aside, and it is handled all the same", () =>
      Effect.gen(function*() {
        const { context, log, ref } = yield* spawnScribe()
        let visits = 0
        const asked = yield* ask(ref, "1", {
          run: (reply) => (life) => {
            if (visits++ === 0) life.putAside()
            return Exit.succeed(reply.done(Exit.succeed(`visit ${visits}`)))
          }
        })
        yield* settle
        assert.strictEqual(asked(), "visit 1")
        context().unstash()
        yield* settle
        assert.deepStrictEqual([asked(), log], ["visit 1", ["1 1"]])
      }).pipe(Effect.provide(layer)))
  })
}

describe("stash in virtual time", () => {
  it.effect("a deadline passes while its message is aside; the message is handled when it is back", () =>
    Effect.gen(function*() {
      const { context, log, node, ref } = yield* spawnScribe()
      const early = yield* ask(ref, "early", { run: answerTheSecondTime, timeout: 100 })
      const late = yield* ask(ref, "late", { run: answerTheSecondTime, timeout: 200 })
      yield* advance(99)
      assert.deepStrictEqual([early(), late()], ["waits", "waits"])
      yield* advance(1)
      assert.deepStrictEqual([early(), late()], ["AskTimeout", "waits"])
      assert.deepInclude(node(), { mailbox: 2, processed: 0 })
      context().unstash()
      yield* settle
      assert.deepStrictEqual([early(), late(), log], ["AskTimeout", "answered 1", ["1 early", "1 late"]])
      yield* advance(200)
      assert.isUndefined((yield* VirtualTime).nextDue())
    }).pipe(Effect.provide(TestSystem.layer())))

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
