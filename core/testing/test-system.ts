/**
 * All that a test of actors needs, under one seed: virtual time, randomness, the seeded run queue, an actor system.
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

/** One seed is one run: of order, of time, of randomness. */
export const TestSystem = {
  /** Virtual time and the seeded run queue, without an actor system. */
  layerTime: (seed: number | string = 1): Layer.Layer<Dispatcher | VirtualTime> =>
    Dispatcher.layerSeeded(seed).pipe(
      Layer.provideMerge(Layer.mergeAll(VirtualTime.layer, layerRandom(`random ${seed}`)))
    ),
  /** The same with an actor system. */
  layer: (seed: number | string = 1): Layer.Layer<ActorSystem | Dispatcher | VirtualTime> =>
    ActorSystem.layer.pipe(Layer.provideMerge(TestSystem.layerTime(seed)))
}
