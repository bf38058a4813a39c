import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { type ActorRef, ActorSystem, type CellContext } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { act, asideOnce, note, scribe, spawnScribe, type Task } from "./fixtures.ts"
import { countWork } from "./work.ts"

/** Ten times as many cost ten times as much: what grows otherwise would show. */
const isLinear = <E, R>(many: number, work: (count: number) => Effect.Effect<void, E, R>) =>
  Effect.gen(function*() {
    const few = many / 10
    const forFew = yield* countWork(work(few))
    const forMany = yield* countWork(work(many))
    assert.isAbove(forFew, few, "it did something")
    assert.isBelow(forMany / forFew, 12, `${forFew} for ${few}, ${forMany} for ${many}`)
  })

describe("work", () => {
  it.effect("10,000 watchers of one target are told in work that is linear in them", () =>
    isLinear(10_000, (count) =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const contexts: Array<CellContext<Task>> = []
        const target = yield* system.spawn(scribe([], [], { name: "target" }))
        for (let watcher = 0; watcher < count; watcher++) yield* system.spawn(scribe(log, contexts))
        for (const context of contexts) context.watch(target, ({ name }) => note(name))
        yield* target.stop()
        yield* settle
        assert.strictEqual(log.length, count)
      }).pipe(Effect.provide(TestSystem.layer()))))

  it.effect("one watcher of 10,000 targets is told of each in work that is linear in them", () =>
    isLinear(10_000, (count) =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const { context, log } = yield* spawnScribe()
        const targets: Array<ActorRef<Task>> = []
        for (let target = 0; target < count; target++) targets.push(yield* system.spawn(scribe([], [])))
        for (const [index, target] of targets.entries()) context().watch(target, () => note(String(index)))
        // Half of them are not watched any more, and watched again.
        for (const [index, target] of targets.entries()) {
          if (index % 2 === 0) continue
          context().unwatch(target)
          context().watch(target, () => note(String(index)))
        }
        for (const target of targets) yield* target.stop()
        yield* settle
        assert.strictEqual(log.length, count)
        assert.deepStrictEqual([log[0], log.at(-1)], ["1 0", `1 ${count - 1}`])
      }).pipe(Effect.provide(TestSystem.layer()))))

  it.effect("a watcher of many targets that ends forgets them in work that is linear in them", () =>
    isLinear(2_000, (count) =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const { context, contexts, log } = yield* spawnScribe()
        for (let target = 0; target < count; target++) {
          context().watch(yield* system.spawn(scribe([], [])), () => note("never"))
        }
        context().end()
        yield* settle
        assert.deepStrictEqual([contexts.length, log], [2, []])
      }).pipe(Effect.provide(TestSystem.layer()))))

  it.effect("many messages are put aside and back, and handled, in work that is linear in them", () =>
    isLinear(2_000, (count) =>
      Effect.gen(function*() {
        const { log, node, ref } = yield* spawnScribe()
        for (let number = 1; number <= count; number++) ref.tellUnsafe(asideOnce(String(number)))
        yield* settle
        assert.strictEqual(node()?.mailbox, count)
        ref.tellUnsafe(act("back", ({ context }) => context.unstash()))
        yield* settle
        assert.deepStrictEqual([log.length, log[1], log.at(-1)], [count + 1, "1 1", `1 ${count}`])
      }).pipe(Effect.provide(TestSystem.layer()))))

  for (const how of ["all together", "one by one"] as const) {
    it.effect(`asks are put aside and back ${how}, though as many are owed, in work that is linear in them`, () =>
      isLinear(2_000, (count) =>
        Effect.gen(function*() {
          const { ref } = yield* spawnScribe()
          let answered = 0
          const ask = (visits: number) => {
            let visit = 0
            const asking = ref.ask<void, never>((reply) =>
              act("", ({ context }) => {
                if (++visit === visits) reply.done(Exit.void)
                else if (visits > 1) context.stash()
              }), Infinity)
            return Effect.forkDetach(Effect.map(asking, () => void answered++), { startImmediately: true })
          }
          for (let number = 0; number < count; number++) yield* ask(0)
          for (let number = 1; number <= count; number++) {
            yield* ask(2)
            if (how === "one by one" || number === count) ref.tellUnsafe(act("", ({ context }) => context.unstash()))
          }
          yield* settle
          assert.strictEqual(answered, count)
        }).pipe(Effect.provide(TestSystem.layer()))))
  }

  it.effect("many timers are set, fire, and are replaced in work that is linear in them", () =>
    isLinear(2_000, (count) =>
      Effect.gen(function*() {
        const { context, log } = yield* spawnScribe()
        for (let time = 0; time < 2; time++) {
          for (let key = 0; key < count; key++) context().setTimer(String(key), 1 + key % 100, note(String(time)))
        }
        yield* advance(100)
        assert.deepStrictEqual([log.length, new Set(log)], [count, new Set(["1 1"])])
      }).pipe(Effect.provide(TestSystem.layer()))))

  it.effect("timers that have sent and watches that have told leave nothing for the end of a life to undo", () =>
    Effect.gen(function*() {
      const endAfter = (count: number) =>
        Effect.gen(function*() {
          const { context, log, system } = yield* spawnScribe()
          for (let number = 0; number < count; number++) {
            context().setTimer(String(number), 1, note("sent"))
            const target = yield* system.spawn(scribe([], []))
            yield* target.stop()
            context().watch(target, () => note("told"))
          }
          yield* advance(1)
          assert.strictEqual(log.length, 2 * count)
          return yield* countWork(Effect.andThen(Effect.sync(() => context().end()), settle))
        }).pipe(Effect.provide(TestSystem.layerProduction()))
      assert.strictEqual(yield* endAfter(1_000), yield* endAfter(1))
    }))
})
