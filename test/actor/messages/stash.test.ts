import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import type { Reply } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import {
  act,
  alwaysAside,
  answerTheSecondTime,
  asideOnce,
  ask,
  makeGate,
  note,
  spawnScribe,
  unstash
} from "./fixtures.ts"

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
})
