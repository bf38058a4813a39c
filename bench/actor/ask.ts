/**
 * The median of asks, each its own runPromise, one after the other.
 */
import { Deferred, Effect, Exit, Queue } from "effect"
import { dispatch, query, type Ref, spawn, start, stop } from "nact"
import { ActorSystem, type Reply } from "../../core/actor/index.ts"
import { spread } from "../measure.ts"
import type { Peers } from "./peers.ts"
import { most, orLost, type Sample, share } from "./rows.ts"

const ASKS = 2_000
const TIMEOUT = 5_000

/** `once` must answer how many were answered before. */
const sample = (once: () => Promise<number>): Sample => {
  let answered = 0
  return () =>
    orLost((async () => {
      const times: Array<number> = []
      for (let ask = 0; ask < ASKS; ask++) {
        const begin = performance.now()
        const answer = await once()
        times.push((performance.now() - begin) * 1_000)
        if (answer !== answered++) throw new Error(`ask ${answered} was answered ${answer}`)
      }
      return spread(times).median
    })())
}

const cellSample = Effect.gen(function*() {
  const system = yield* ActorSystem
  const ref = yield* system.spawn<number, { readonly reply: Reply<number> }, never, never>({
    name: "answerer",
    init: () => Effect.succeed(0),
    behavior: (count, { reply }) => {
      reply.done(Exit.succeed(count))
      return Effect.succeed(count + 1)
    }
  })
  return sample(() => Effect.runPromise(ref.ask((reply: Reply<number>) => ({ reply }), TIMEOUT)))
})

const queueSample = Effect.gen(function*() {
  const queue = yield* Queue.unbounded<Deferred.Deferred<number>>()
  yield* Effect.forkScoped(Effect.gen(function*() {
    let count = 0
    for (;;) Deferred.doneUnsafe(yield* Queue.take(queue), Exit.succeed(count++))
  }))
  const ask = Effect.suspend(() => {
    const deferred = Deferred.makeUnsafe<number>()
    Queue.offerUnsafe(queue, deferred)
    return Effect.timeout(Deferred.await(deferred), TIMEOUT)
  })
  return sample(() => Effect.runPromise(ask))
})

const nactSample = Effect.map(
  Effect.acquireRelease(Effect.sync(() => start()), (system) => Effect.sync(() => stop(system))),
  (system) => {
    const actor: Ref<{ readonly sender: Ref<number> }> = spawn(
      system,
      (count: number, { sender }: { readonly sender: Ref<number> }) => {
        dispatch(sender, count)
        return count + 1
      },
      "answerer",
      { initialState: 0 }
    )
    return sample(() => query(actor, (sender: Ref<number>) => ({ sender }), TIMEOUT))
  }
)

/** Measures and prints. */
export const benchAsk = ({ erlang }: Peers) =>
  Effect.gen(function*() {
    const ours = yield* cellSample
    const against = (name: string, floor: Sample, budget?: ReturnType<typeof most>) =>
      Effect.promise(() => share(`ask p50, share of the time of ${name}`, ours, floor, budget))
    yield* against("Effect's Queue + Deferred + timeout", yield* queueSample, most(0.5))
    yield* against("nact's query", yield* nactSample)
    if (erlang !== undefined) yield* against("gen_server:call (its mean)", erlang.sample("call", ASKS))
  })
