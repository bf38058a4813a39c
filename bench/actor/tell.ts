/**
 * A cell that is told 10,000 messages at once, against nact, Effect's Queue, XState, gen_server and no actor at all.
 */
import { Effect, Queue } from "effect"
import { dispatch, spawn, start, stop } from "nact"
import { type ActorRef, ActorSystem } from "../../core/actor/index.ts"
import type { Numbered, XState, XStateLogic } from "../peers/xstate.ts"
import type { Peers } from "./peers.ts"
import { BURST, bursts, faster, least, type Sample, Tally } from "./rows.ts"

/** One cell that counts. */
export const cellSample = Effect.gen(function*() {
  const system = yield* ActorSystem
  const tally = new Tally()
  const ref: ActorRef<number> = yield* system.spawn<number, number, never, never>({
    name: "counter",
    init: () => Effect.succeed(0),
    behavior: (count, number) => {
      tally.saw(number)
      return Effect.succeed(count + 1)
    }
  })
  return bursts(50, tally, (number) => ref.tellUnsafe(number))
})

const nactSample = Effect.map(
  Effect.acquireRelease(Effect.sync(() => start()), (system) => Effect.sync(() => stop(system))),
  (system) => {
    const tally = new Tally()
    const actor = spawn(
      system,
      (count: number, number: number) => {
        tally.saw(number)
        return count + 1
      },
      "counter",
      { initialState: 0 }
    )
    return bursts(2, tally, (number) => dispatch(actor, number))
  }
)

const queueSample = Effect.gen(function*() {
  const queue = yield* Queue.unbounded<number>()
  const tally = new Tally()
  let count = 0
  yield* Effect.forkScoped(Effect.gen(function*() {
    for (;;) {
      const number = yield* Queue.take(queue)
      count++
      tally.saw(number)
    }
  }))
  return bursts(10, tally, (number) => Queue.offerUnsafe(queue, number))
})

/** No actor: each message is a closure. */
const closureSample = (): Sample => {
  const tally = new Tally()
  let count = 0
  return bursts(20, tally, (number) =>
    queueMicrotask(() => {
      count++
      tally.saw(number)
    }))
}

const xstateSample = (xstate: XState, count: number, make: (saw: (number: number) => void) => XStateLogic): Sample => {
  const tally = new Tally()
  const actor = xstate.createActor(make(tally.saw))
  actor.start()
  return bursts(count, tally, (number) => actor.send({ type: "number", number }))
}

const transition = (xstate: XState) => (saw: (number: number) => void) =>
  xstate.fromTransition((count, { number }: Numbered) => {
    saw(number)
    return count + 1
  }, 0)

const machine = (xstate: XState) => (saw: (number: number) => void) =>
  xstate.createMachine({
    context: { count: 0 },
    on: {
      number: {
        actions: xstate.assign(({ context, event }) => {
          saw(event.number)
          return { count: context.count + 1 }
        })
      }
    }
  })

/** Measures and prints. */
export const benchTell = ({ erlang, xstate }: Peers) =>
  Effect.gen(function*() {
    const ours = yield* cellSample
    const against = (name: string, floor: Sample, budget?: ReturnType<typeof least>) =>
      Effect.promise(() => faster(`tell, times as fast as ${name}`, ours, floor, budget))
    yield* against("raw nact", yield* nactSample, least(10))
    yield* against("Effect's Queue, generator take loop", yield* queueSample, least(2))
    yield* against("a bare closure on queueMicrotask", closureSample())
    if (erlang !== undefined) yield* against("gen_server's cast (the aim)", erlang.sample("cast", 20, BURST), least(1))
    if (xstate !== undefined) {
      yield* against("XState's machine with assign, on the sender's stack", xstateSample(xstate, 1, machine(xstate)))
      yield* against("XState's fromTransition, on the sender's stack", xstateSample(xstate, 20, transition(xstate)))
    }
  })
