/**
 * How a test lets actors come to rest, and lets time pass. A bare `TestClock.adjust` sees neither the run queue nor what
 * is under way outside; a test holds the tests of actors to these two.
 */
import { type Duration, Duration as Durations, Effect, Option } from "effect"
import { Dispatcher } from "../actor/index.ts"
import { VirtualTime } from "./virtual-time.ts"

/** Rounds of the event loop that must be quiet one after the other: nact hands a message over in the round after. */
const QUIET_ROUNDS = 2

/**
 * Waits until no cell is ready, no token is out, and no fiber of the test's Scheduler has something to run. Works under
 * any Dispatcher; what sleeps stays asleep. Without `VirtualTime` it sees cells and tokens only, not fibers that yield.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ActorSystem } from "mobwright"
 * import { settle, TestSystem } from "mobwright/testing"
 * import { strictEqual } from "node:assert"
 *
 * const program = Effect.gen(function*() {
 *   const system = yield* ActorSystem
 *   let sum = 0
 *   const adder = yield* system.spawn<void, number, never, never>({
 *     name: "adder",
 *     init: () => Effect.void,
 *     behavior: (_, number) => Effect.andThen(Effect.yieldNow, Effect.sync(() => void (sum += number)))
 *   })
 *   for (const number of [1, 2, 3]) adder.tellUnsafe(number)
 *   strictEqual(sum, 0)
 *   yield* settle
 *   strictEqual(sum, 6)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TestSystem.layer()))
 * ```
 */
export const settle: Effect.Effect<void, never, Dispatcher> = Effect.gen(function*() {
  const dispatcher = yield* Dispatcher
  const time = yield* Effect.serviceOption(VirtualTime)
  const isQuiet = () => dispatcher.quiet() && (Option.isNone(time) || time.value.pendingTasks() === 0)
  yield* Effect.callback<void>((resume) => {
    let quiet = 0
    const look = () => {
      quiet = isQuiet() ? quiet + 1 : 0
      if (quiet >= QUIET_ROUNDS) return resume(Effect.void)
      round = setImmediate(look)
    }
    let round = setImmediate(look)
    return Effect.sync(() => clearImmediate(round))
  })
})

/**
 * Lets virtual time pass: settles, goes to the next due sleep, settles, and so on until `duration` has passed. Costs what
 * the sleeps cost, not the time.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ActorSystem } from "mobwright"
 * import { advance, TestSystem } from "mobwright/testing"
 * import { strictEqual } from "node:assert"
 *
 * const program = Effect.gen(function*() {
 *   const system = yield* ActorSystem
 *   let rung = 0
 *   yield* system.spawn<void, "ring", never, never>({
 *     name: "alarm",
 *     init: (context) => Effect.sync(() => context.setTimer("wake", 8 * 3_600_000, "ring")),
 *     behavior: () => Effect.sync(() => void rung++)
 *   })
 *   yield* advance("7 hours")
 *   strictEqual(rung, 0)
 *   yield* advance("1 hour")
 *   strictEqual(rung, 1)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TestSystem.layer()))
 * ```
 */
export const advance = (duration: Duration.Input): Effect.Effect<void, never, Dispatcher | VirtualTime> =>
  Effect.gen(function*() {
    const time = yield* VirtualTime
    yield* settle
    const end = time.now() + Durations.toMillis(Durations.fromInputUnsafe(duration))
    for (let due = time.nextDue(); due !== undefined && due <= end; due = time.nextDue()) {
      time.moveTo(due)
      yield* settle
    }
    time.moveTo(end)
    yield* settle
  })
