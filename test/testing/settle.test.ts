import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Random } from "effect"
import { type ActorRef, ActorSystem, Dispatcher, type Reply } from "../../core/actor/index.ts"
import { advance, makeProbe, settle, TestSystem, VirtualTime } from "../../core/testing/index.ts"
import { effort, everySystem, seeds } from "../actor/fixtures.ts"

/** A chain of cells, each of which does `step` and then tells the next; gives the first. */
const chain = (hops: number, step: Effect.Effect<void>, last: () => void) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    let next: ActorRef<void> | undefined
    for (let hop = 0; hop < hops; hop++) {
      const target = next
      next = yield* system.spawn<void, void, never, never>({
        name: `hop ${hop}`,
        init: () => Effect.void,
        behavior: () =>
          Effect.andThen(step, Effect.sync(() => target === undefined ? last() : void target.tellUnsafe()))
      })
    }
    return next!
  })

for (const [systemName, layer] of everySystem) {
  describe(`settle, ${systemName}`, () => {
    for (const [kind, step] of [["answer at once", Effect.void], ["yield", Effect.yieldNow]] as const) {
      it.effect(`waits for a chain of fifty hops that ${kind}`, () =>
        Effect.gen(function*() {
          for (let round = 0; round < 20; round++) {
            let done = 0
            const first = yield* chain(50, step, () => done++)
            first.tellUnsafe()
            yield* settle
            assert.strictEqual(done, 1)
          }
        }).pipe(Effect.provide(layer)))
    }

    it.effect("waits for a token, and not for what sleeps", () =>
      Effect.gen(function*() {
        const dispatcher = yield* Dispatcher
        const asleep = yield* Effect.forkChild(Effect.sleep("1 minute"), { startImmediately: true })
        const end = dispatcher.begin()
        const settling = yield* Effect.forkChild(settle, { startImmediately: true })
        yield* Effect.promise(() =>
          new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))))
        )
        assert.isUndefined(settling.pollUnsafe())
        end()
        yield* Fiber.join(settling)
        assert.isUndefined(asleep.pollUnsafe())
      }).pipe(Effect.provide(layer)))
  })
}

describe("advance", () => {
  it.effect("lets a chain of fifty hops that each sleep a second finish in fifty seconds, not before", () =>
    Effect.forEach(seeds(5, 100), (seed) =>
      Effect.gen(function*() {
        let done = 0
        const first = yield* chain(50, Effect.sleep("1 second"), () => done++)
        first.tellUnsafe()
        yield* advance(49_999)
        assert.strictEqual(done, 0)
        yield* advance(1)
        assert.strictEqual(done, 1)
      }).pipe(Effect.provide(TestSystem.layer(seed)))))

  it.effect("shows each sleeper its own time", () =>
    Effect.gen(function*() {
      const seen: Array<readonly [number, number]> = []
      yield* Effect.forEach([70, 10, 30, 10, 0.25, 86_400_000], (millis) =>
        Effect.forkChild(
          Effect.andThen(Effect.sleep(millis), Effect.map(Clock.currentTimeMillis, (at) => seen.push([millis, at])))
        ))
      yield* advance("1 day")
      assert.deepStrictEqual(seen, [0.25, 10, 10, 30, 70, 86_400_000].map((millis) => [millis, millis]))
      assert.strictEqual((yield* VirtualTime).now(), 86_400_000)
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("ends the sleeps of one instant in the order they began", () =>
    Effect.gen(function*() {
      const woken: Array<number> = []
      for (let sleeper = 0; sleeper < 50; sleeper++) {
        const sleep = Effect.andThen(Effect.sleep(10), Effect.sync(() => woken.push(sleeper)))
        yield* Effect.forkChild(sleep, { startImmediately: true })
      }
      yield* advance(10)
      assert.deepStrictEqual(woken, Array.from({ length: 50 }, (_, index) => index))
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("passes a day with thousands of timeouts in a moment", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      let ticks = 0
      let timeouts = 0
      const deaf = yield* system.spawn<void, Reply<void>, never, never>({
        name: "deaf",
        init: () => Effect.void,
        behavior: () => Effect.void
      })
      const ticker = yield* system.spawn<void, "tick", never, never>({
        name: "ticker",
        init: (context) => Effect.sync(() => context.setTimer("tick", 60_000, "tick")),
        behavior: (_, message, context) => {
          ticks++
          context.setTimer("tick", 60_000, message)
          return Effect.ignore(
            Effect.tapError(deaf.ask((reply: Reply<void>) => reply, 30_000), () => Effect.sync(() => void timeouts++))
          )
        }
      })
      yield* advance("86400 seconds")
      assert.strictEqual(ticks, 1_440)
      assert.strictEqual(timeouts, 1_439, "the last one still waits")
      yield* ticker.stop()
    }).pipe(Effect.provide(TestSystem.layer())))
})

describe("a test system", () => {
  /** Something that depends on order, time and randomness. */
  const run = (seed: number) =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const probe = yield* makeProbe<string>()
      const workers = yield* Effect.forEach([1, 2, 3, 4, 5], (worker) =>
        system.spawn<void, number, never, never>({
          name: `worker ${worker}`,
          init: () => Effect.void,
          behavior: (_, job) =>
            Effect.gen(function*() {
              yield* Effect.sleep(yield* Random.nextIntBetween(0, 3))
              probe.ref.tellUnsafe(`${job} by ${worker} at ${yield* Clock.currentTimeMillis}`)
            })
        }))
      for (let job = 0; job < effort(50, 500); job++) workers[job % 5]?.tellUnsafe(job)
      yield* advance("1 minute")
      return probe.received().join("\n")
    }).pipe(Effect.provide(TestSystem.layer(seed)))

  it.effect("repeats itself under one seed, and differs under others", () =>
    Effect.gen(function*() {
      const first = yield* run(1)
      for (let again = 0; again < 3; again++) assert.strictEqual(yield* run(1), first)
      const runs = new Set([first, yield* run(2), yield* run(3), yield* run(4)])
      assert.strictEqual(runs.size, 4)
    }))
})
