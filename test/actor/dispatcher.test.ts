import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Dispatcher, type DispatcherShape, type Runnable } from "../../core/actor/index.ts"
import { settle, TestSystem } from "../../core/testing/index.ts"
import { everySystem } from "./fixtures.ts"

/** Something that is ready `times` times, and calls `step` each time. */
const repeated = (dispatcher: DispatcherShape, times: number, step: (limit: number) => number): Runnable => {
  let left = times
  const runnable: Runnable = {
    turn: (limit) => {
      const handled = step(limit)
      if (--left > 0) dispatcher.enqueue(runnable)
      return handled
    }
  }
  return runnable
}

const macrotask = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

for (const [systemName, layer] of everySystem) {
  describe(`the run queue, ${systemName}`, () => {
    it.effect("runs each that is enqueued once, and each later task once; then it is quiet", () =>
      Effect.gen(function*() {
        const dispatcher = yield* Dispatcher
        const ran: Array<string> = []
        for (let index = 0; index < 50; index++) {
          dispatcher.enqueue(repeated(dispatcher, 2, () => ran.push(`cell ${index}`) && 1))
          dispatcher.later(() => ran.push(`task ${index}`))
        }
        assert.isFalse(dispatcher.quiet())
        assert.deepStrictEqual(ran, [], "nothing runs within the call")
        yield* settle
        assert.isTrue(dispatcher.quiet())
        const expected = Array.from({ length: 50 }, (_, index) => [`cell ${index}`, `cell ${index}`, `task ${index}`])
          .flat()
        assert.deepStrictEqual(ran.toSorted(), expected.toSorted())
      }).pipe(Effect.provide(layer)))

    it.effect("is not quiet while a token is out; a token ends once", () =>
      Effect.gen(function*() {
        const dispatcher = yield* Dispatcher
        const first = dispatcher.begin()
        const second = dispatcher.begin()
        first()
        first()
        assert.isFalse(dispatcher.quiet())
        second()
        assert.isTrue(dispatcher.quiet())
      }).pipe(Effect.provide(layer)))
  })
}

describe("the production run queue", () => {
  it.live("serves all that is ready within one microtask, and a later task behind it", () =>
    Effect.gen(function*() {
      const dispatcher = yield* Dispatcher
      const ran: Array<string> = []
      dispatcher.enqueue({
        turn: () => {
          dispatcher.later(() => ran.push("later"))
          dispatcher.enqueue({ turn: () => ran.push("second") && 1 })
          ran.push("first")
          return 1
        }
      })
      yield* Effect.promise(() => Promise.resolve().then(() => {}).then(() => {}))
      assert.deepStrictEqual(ran, ["first", "second", "later"])
    }).pipe(Effect.provide(Dispatcher.layer)))

  it.live("lets the event loop in although there is always something ready", () =>
    Effect.gen(function*() {
      const dispatcher = yield* Dispatcher
      let on = true
      let turns = 0
      const busy: Runnable = {
        turn: (limit) => {
          turns++
          const end = performance.now() + 0.1
          while (performance.now() < end);
          if (on) dispatcher.enqueue(busy)
          return limit
        }
      }
      dispatcher.enqueue(busy)
      yield* macrotask
      yield* macrotask
      on = false
      assert.isAbove(turns, 1)
      yield* macrotask
      yield* macrotask
      assert.isTrue(dispatcher.quiet())
    }).pipe(Effect.provide(Dispatcher.layer)))

  it.live("a thousand that are ready are all served, across slices", () =>
    Effect.gen(function*() {
      const dispatcher = yield* Dispatcher
      const order: Array<number> = []
      for (let index = 0; index < 1_000; index++) {
        dispatcher.enqueue({
          turn: () => {
            order.push(index)
            const end = performance.now() + 0.02
            while (performance.now() < end);
            return 64
          }
        })
      }
      yield* settle
      assert.deepStrictEqual(order, Array.from({ length: 1_000 }, (_, index) => index))
    }).pipe(Effect.provide(Dispatcher.layer)))
})

describe("the seeded picker", () => {
  const orderOf = (seed: number) =>
    Effect.gen(function*() {
      const dispatcher = yield* Dispatcher
      const ran: Array<string> = []
      for (let index = 0; index < 10; index++) {
        dispatcher.enqueue(repeated(dispatcher, 3, (limit) => ran.push(`${index} at most ${limit}`) && 1))
        dispatcher.later(() => ran.push(`task ${index}`))
      }
      yield* settle
      return ran
    }).pipe(Effect.provide(TestSystem.layerTime(seed)))

  it.effect("gives one order a seed, and other orders other seeds", () =>
    Effect.gen(function*() {
      const orders = new Set<string>()
      for (let seed = 1; seed <= 20; seed++) {
        const order = yield* orderOf(seed)
        assert.deepStrictEqual(yield* orderOf(seed), order)
        orders.add(order.map((it) => it.replace(/ at most .*/, "")).join())
      }
      assert.strictEqual(orders.size, 20)
    }))

  it.effect("cuts turns short here and there", () =>
    Effect.gen(function*() {
      const limits = new Set((yield* orderOf(1)).flatMap((it) => /most (\d+)/.exec(it)?.[1] ?? []))
      assert.isTrue(limits.has("64"))
      assert.isAbove(limits.size, 3)
    }))
})
