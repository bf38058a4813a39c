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
