/**
 * All that a test of actors needs: virtual time, seeded randomness, a run queue, an actor system.
 */
import { Effect, Layer, Random } from "effect"
import { ActorSystem, Dispatcher } from "../actor/index.ts"
import { VirtualTime } from "./virtual-time.ts"

/** Effect's Random, seeded. */
const layerRandom = (seed: number | string): Layer.Layer<never> =>
  Layer.effect(
    Random.Random,
    Effect.gen(function*() {
      return yield* Random.Random
    }).pipe(Random.withSeed(seed))
  )

const layerContext = (seed: number | string) => Layer.mergeAll(VirtualTime.layer, layerRandom(`random ${seed}`))

/**
 * Systems in virtual time, under both run queues: the seeded one, under which one seed is one run of order, of time and
 * of randomness, and the one of production, whose slices are whole.
 *
 * @example
 * ```ts
 * import { Effect, Random } from "effect"
 * import { ActorSystem } from "mobwright"
 * import { advance, makeProbe, TestSystem } from "mobwright/testing"
 * import { deepStrictEqual } from "node:assert"
 *
 * const program = Effect.gen(function*() {
 *   const system = yield* ActorSystem
 *   const probe = yield* makeProbe<number>()
 *   yield* system.spawn<void, "tick", never, never>({
 *     name: "ticker",
 *     init: (context) => Effect.sync(() => context.setPeriodicTimer("tick", 60_000, "tick")),
 *     behavior: () => Effect.map(Random.nextIntBetween(1, 6), (dice) => void probe.ref.tellUnsafe(dice))
 *   })
 *   yield* advance("1 day")
 *   return probe.received()
 * })
 *
 * const seeded = await Effect.runPromise(Effect.provide(program, TestSystem.layer(42)))
 * const again = await Effect.runPromise(Effect.provide(program, TestSystem.layer(42)))
 * const production = await Effect.runPromise(Effect.provide(program, TestSystem.layerProduction(42)))
 * deepStrictEqual(seeded.length, 1_440)
 * deepStrictEqual(again, seeded)
 * deepStrictEqual(production, seeded)
 * ```
 */
export const TestSystem = {
  /** Virtual time and the seeded run queue, without an actor system. */
  layerTime: (seed: number | string = 1): Layer.Layer<Dispatcher | VirtualTime> =>
    Dispatcher.layerSeeded(seed).pipe(Layer.provideMerge(layerContext(seed))),
  /** The same with an actor system. */
  layer: (seed: number | string = 1): Layer.Layer<ActorSystem | Dispatcher | VirtualTime> =>
    ActorSystem.layer.pipe(Layer.provideMerge(TestSystem.layerTime(seed))),
  /** An actor system on production's run queue, in virtual time; `seed` is that of randomness alone. */
  layerProduction: (seed: number | string = 1): Layer.Layer<ActorSystem | Dispatcher | VirtualTime> =>
    ActorSystem.layer.pipe(Layer.provideMerge(Dispatcher.layer), Layer.provideMerge(layerContext(seed)))
}
