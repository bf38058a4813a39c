/**
 * A behaviour that is a generator with a service against the same effects in a bare loop.
 */
import { Context, Effect, Layer } from "effect"
import { ActorSystem } from "../../core/actor/index.ts"
import { BURST, bursts, most, share, Tally } from "./rows.ts"

const BURSTS = 10

class Step extends Context.Service<Step, { readonly of: (count: number) => number }>()("bench/Step") {
  static readonly layer = Layer.succeed(this, { of: (count) => count + 1 })
}

const step = Effect.fnUntraced(function*(count: number) {
  const service = yield* Step
  return service.of(count)
})

/** Measures and prints. */
export const benchBehaviour = Effect.gen(function*() {
  const system = yield* ActorSystem
  const tally = new Tally()
  const ref = yield* system.spawn<number, number, never, Step>({
    name: "generator",
    init: () => Effect.succeed(0),
    behavior: (count, number) => {
      tally.saw(number)
      return step(count)
    }
  })
  const run = Effect.runPromiseWith(yield* Effect.context<Step>())
  const bare = async () => {
    const begin = performance.now()
    let count = 0
    let number = 0
    await run(Effect.whileLoop({
      while: () => number++ < BURSTS * BURST,
      body: () => step(count),
      step: (next) => {
        count = next
      }
    }))
    if (count !== BURSTS * BURST) throw new Error(`the loop went round ${count} times`)
    return (performance.now() - begin) * 1_000 / (BURSTS * BURST)
  }
  const ours = bursts(BURSTS, tally, (number) => ref.tellUnsafe(number))
  yield* Effect.promise(() =>
    share("generator with a service, share of a bare whileLoop's time", ours, bare, most(1.35))
  )
}).pipe(Effect.provide(Step.layer))
