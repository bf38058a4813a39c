/**
 * Bursts of one: a ring of 1,000 actors hands one token around.
 */
import { Effect, Queue } from "effect"
import { dispatch, type Ref, spawn, start, stop } from "nact"
import { type ActorRef, ActorSystem } from "../../core/actor/index.ts"
import type { XState, XStateActor } from "../peers/xstate.ts"
import type { Peers } from "./peers.ts"
import { faster, least, orLost, type Sample } from "./rows.ts"

const RING = 1_000

/** Counts what each of the ring has handled. */
class Laps {
  private readonly counts = new Int32Array(RING)
  private complete: () => void = () => {}

  /** The one at `place` has the token, which goes `left` hops further. */
  readonly saw = (place: number, left: number): void => {
    // In range: places are those of the ring.
    this.counts[place]!++
    if (left === 0) this.complete()
  }

  /** Hands a token around `laps` times, and sees that each had it as often. */
  sample(laps: number, first: (left: number) => void): Sample {
    return async () => {
      this.counts.fill(0)
      const { promise, resolve } = Promise.withResolvers<void>()
      this.complete = resolve
      const begin = performance.now()
      first(laps * RING - 1)
      await orLost(promise)
      const took = performance.now() - begin
      const wrong = this.counts.findIndex((count) => count !== laps)
      if (wrong >= 0) throw new Error(`number ${wrong} had the token ${this.counts[wrong]} times, not ${laps}`)
      return took * 1_000 / (laps * RING)
    }
  }
}

const places = Array.from({ length: RING }, (_, place) => place)

/** Who comes after `place`. */
const after = <A>(ring: ReadonlyArray<A>, place: number): A => ring[(place + 1) % RING]! // the ring is whole when a token goes

const cellSample = Effect.gen(function*() {
  const system = yield* ActorSystem
  const laps = new Laps()
  const ring: Array<ActorRef<number>> = []
  for (const place of places) {
    const ref = yield* system.spawn<number, number, never, never>({
      name: "cell",
      init: () => Effect.succeed(0),
      behavior: (count, left) => {
        laps.saw(place, left)
        if (left > 0) after(ring, place).tellUnsafe(left - 1)
        return Effect.succeed(count + 1)
      }
    })
    ring.push(ref)
  }
  return laps.sample(200, (left) => ring[0]!.tellUnsafe(left))
})

const nactSample = Effect.map(
  Effect.acquireRelease(Effect.sync(() => start()), (system) => Effect.sync(() => stop(system))),
  (system) => {
    const laps = new Laps()
    const ring: ReadonlyArray<Ref<number>> = places.map((place) =>
      spawn(
        system,
        (count: number, left: number) => {
          laps.saw(place, left)
          if (left > 0) dispatch(after(ring, place), left - 1)
          return count + 1
        },
        `cell${place}`,
        { initialState: 0 }
      )
    )
    return laps.sample(20, (left) => dispatch(ring[0]!, left))
  }
)

const queueSample = Effect.gen(function*() {
  const laps = new Laps()
  const ring = yield* Effect.forEach(places, () => Queue.unbounded<number>())
  for (const place of places) {
    yield* Effect.forkScoped(Effect.gen(function*() {
      for (;;) {
        const left = yield* Queue.take(ring[place]!)
        laps.saw(place, left)
        if (left > 0) Queue.offerUnsafe(after(ring, place), left - 1)
      }
    }))
  }
  return laps.sample(10, (left) => Queue.offerUnsafe(ring[0]!, left))
})

/** No actor: each hop is a closure. */
const closureSample = (): Sample => {
  const laps = new Laps()
  const ring = places.map((place) => (left: number): void => {
    laps.saw(place, left)
    if (left > 0) queueMicrotask(() => after(ring, place)(left - 1))
  })
  return laps.sample(200, (left) => ring[0]!(left))
}

/** An XState actor handles on the sender's stack, where a ring would nest: each hop is a microtask. */
const xstateSample = (xstate: XState): Sample => {
  const laps = new Laps()
  const ring: ReadonlyArray<XStateActor> = places.map((place) => {
    const actor = xstate.createActor(xstate.fromTransition((count, { number: left }) => {
      laps.saw(place, left)
      if (left > 0) queueMicrotask(() => after(ring, place).send({ type: "number", number: left - 1 }))
      return count + 1
    }, 0))
    actor.start()
    return actor
  })
  return laps.sample(100, (left) => ring[0]!.send({ type: "number", number: left }))
}

/** Measures and prints. */
export const benchRing = ({ erlang, xstate }: Peers) =>
  Effect.gen(function*() {
    const ours = yield* cellSample
    const against = (name: string, floor: Sample, budget?: ReturnType<typeof least>) =>
      Effect.promise(() => faster(`ring of 1,000 and one token, times as fast as ${name}`, ours, floor, budget))
    yield* against("raw nact", yield* nactSample, least(10))
    yield* against("Effect's Queues, generator take loops", yield* queueSample, least(2))
    yield* against("bare closures on queueMicrotask", closureSample())
    if (erlang !== undefined) yield* against("gen_servers", erlang.sample("ring", 100 * RING))
    if (xstate !== undefined) yield* against("XState's fromTransition and queueMicrotask", xstateSample(xstate))
  })
