/**
 * A cell that keeps what it is told, and what a test expects of that.
 */
import { Effect } from "effect"
import { isDeepStrictEqual } from "node:util"
import { type ActorRef, ActorSystem, type Dispatcher, type SpawnFailed } from "../actor/index.ts"
import { ExpectationFailed } from "./expectation.ts"
import { settle } from "./settle.ts"

/**
 * A probe cell. Expectations settle first, then look at the messages behind the last one that was expected; one that
 * fails takes none of them. Messages are equal if Node's `isDeepStrictEqual` says so.
 */
export interface Probe<M> {
  readonly ref: ActorRef<M>
  /** All that it was told so far, in order, whether expected or not. */
  readonly received: () => ReadonlyArray<M>
  /** The next messages are these, in this order; more may follow. */
  readonly expect: (
    ...messages: readonly [M, ...ReadonlyArray<M>]
  ) => Effect.Effect<void, ExpectationFailed, Dispatcher>
  /** There are no more messages. */
  readonly expectNothing: Effect.Effect<void, ExpectationFailed, Dispatcher>
  /** Takes the next message, whatever it is: to look at parts of it, or to answer the reply that it carries. */
  readonly next: Effect.Effect<M, ExpectationFailed, Dispatcher>
}

/**
 * Starts a probe at the root of the system.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { type ActorRef, ActorSystem } from "mobwright"
 * import { makeProbe, TestSystem } from "mobwright/testing"
 *
 * const program = Effect.gen(function*() {
 *   const system = yield* ActorSystem
 *   const probe = yield* makeProbe<number>("sums")
 *   const adder = (to: ActorRef<number>) =>
 *     system.spawn<number, number, never, never>({
 *       name: "adder",
 *       init: () => Effect.succeed(0),
 *       behavior: (sum, number) => Effect.sync(() => {
 *         to.tellUnsafe(sum + number)
 *         return sum + number
 *       })
 *     })
 *   const ref = yield* adder(probe.ref)
 *   for (const number of [1, 2, 3]) ref.tellUnsafe(number)
 *   yield* probe.expect(1, 3)
 *   yield* probe.expect(6)
 *   yield* probe.expectNothing
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TestSystem.layer()))
 * ```
 */
export const makeProbe = <M>(name = "probe"): Effect.Effect<Probe<M>, SpawnFailed, ActorSystem> =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const received: Array<M> = []
    /** How many were expected. */
    let taken = 0
    const ref = yield* system.spawn<void, M, never, never>({
      name,
      init: () => Effect.void,
      behavior: (_, message) => {
        received.push(message)
        return Effect.void
      }
    })
    const failed = (expected: unknown, actual: unknown) =>
      Effect.fail(new ExpectationFailed({ subject: name, expected, actual }))
    const looked = <A>(look: () => Effect.Effect<A, ExpectationFailed>) => Effect.andThen(settle, Effect.suspend(look))
    return {
      ref,
      received: () => received.slice(),
      expect: (...messages) =>
        looked(() => {
          const next = received.slice(taken, taken + messages.length)
          if (!isDeepStrictEqual(next, messages)) return failed(messages, next)
          taken += messages.length
          return Effect.void
        }),
      expectNothing: looked(() => taken === received.length ? Effect.void : failed([], received.slice(taken))),
      next: looked(() => {
        const next = received.slice(taken, taken + 1)
        if (next.length === 0) return failed("a message", "none")
        taken++
        return Effect.succeed(next[0] as M) // there is one, which may be undefined
      })
    }
  })
