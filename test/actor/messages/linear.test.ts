import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { type ActorRef, ActorSystem, type CellContext } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { act, asideOnce, note, scribe, spawnScribe, type Task } from "./fixtures.ts"
import { countWork } from "./work.ts"

const FEW = 1_000
const MANY = 10_000

/** Ten times as many cost ten times as much, and no more than a little of what grows otherwise. */
const isLinear = <E, R>(work: (count: number) => Effect.Effect<void, E, R>) =>
  Effect.gen(function*() {
    const few = yield* countWork(work(FEW))
    const many = yield* countWork(work(MANY))
    assert.isAbove(few, FEW, "it did something")
    assert.isBelow(many / few, 1.2 * MANY / FEW, `${few} for ${FEW}, ${many} for ${MANY}`)
  })

describe("work", () => {
  it.effect("10,000 watchers of one target are told in work that is linear in them", () =>
    isLinear((count) =>
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
      }).pipe(Effect.provide(TestSystem.layer()))
    ))

  it.effect("one watcher of 10,000 targets is told of each in work that is linear in them", () =>
    isLinear((count) =>
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
      }).pipe(Effect.provide(TestSystem.layer()))
    ))

  it.effect("a watcher of 10,000 targets that ends forgets them in work that is linear in them", () =>
    isLinear((count) =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const { context, contexts, log } = yield* spawnScribe()
        for (let target = 0; target < count; target++) {
          context().watch(yield* system.spawn(scribe([], [])), () => note("never"))
        }
        context().end()
        yield* settle
        assert.deepStrictEqual([contexts.length, log], [2, []])
      }).pipe(Effect.provide(TestSystem.layer()))
    ))

  it.effect("10,000 messages are put aside and back, and handled, in work that is linear in them", () =>
    isLinear((count) =>
      Effect.gen(function*() {
        const { log, node, ref } = yield* spawnScribe()
        for (let number = 1; number <= count; number++) ref.tellUnsafe(asideOnce(String(number)))
        yield* settle
        assert.strictEqual(node()?.mailbox, count)
        ref.tellUnsafe(act("back", ({ context }) => context.unstash()))
        yield* settle
        assert.deepStrictEqual([log.length, log[1], log.at(-1)], [count + 1, "1 1", `1 ${count}`])
      }).pipe(Effect.provide(TestSystem.layer()))
    ))

  it.effect("10,000 asks are put aside and back, and answered, though as many are owed, in work that is linear in them", () =>
    isLinear((count) =>
      Effect.gen(function*() {
        const { ref } = yield* spawnScribe()
        const ask = (visits: number) => {
          let visit = 0
          return ref.ask<number, never>((reply) =>
            act("", ({ context }) => {
              if (++visit === visits) reply.done(Exit.succeed(visit))
              else if (visits > 1) context.stash()
            }), Infinity)
        }
        for (let number = 0; number < count; number++) yield* Effect.forkDetach(ask(0), { startImmediately: true })
        let answered = 0
        for (let number = 0; number < count; number++) {
          yield* Effect.forkDetach(Effect.map(ask(2), () => void answered++), { startImmediately: true })
        }
        yield* settle
        assert.strictEqual(answered, 0)
        ref.tellUnsafe(act("back", ({ context }) => context.unstash()))
        yield* settle
        assert.strictEqual(answered, count)
      }).pipe(Effect.provide(TestSystem.layer()))
    ))

  it.effect("10,000 timers are set, fire, and are replaced in work that is linear in them", () =>
    isLinear((count) =>
      Effect.gen(function*() {
        const { context, log } = yield* spawnScribe()
        for (let time = 0; time < 2; time++) {
          for (let key = 0; key < count; key++) context().setTimer(String(key), 1 + key % 100, note(String(time)))
        }
        yield* advance(100)
        assert.deepStrictEqual([log.length, new Set(log)], [count, new Set(["1 1"])])
      }).pipe(Effect.provide(TestSystem.layer()))
    ))
})
