/**
 * Virtual time that shows its next due sleep, and a Scheduler that knows whether a task waits.
 *
 * Effect's TestClock hides its sleeps and warns by the process's timers; this clock hides nothing and touches no
 * ambient time. The scheduler wraps the one in the context, so what runs when is decided as before, and counts.
 */
import { Clock, Context, Duration, Effect, Layer, Scheduler } from "effect"

/** What `settle` and `advance` drive. */
export interface VirtualTimeShape {
  /** Milliseconds since the start. */
  readonly now: () => number
  /** When the earliest sleep ends; undefined if nobody sleeps. */
  readonly nextDue: () => number | undefined
  /** Moves to `time` and ends the sleeps that are due by then, those of one instant in the order they began. */
  readonly moveTo: (time: number) => void
  /** Tasks that the Scheduler has taken and not yet run. */
  readonly pendingTasks: () => number
}

/**
 * Virtual time; starts at 0. Its layer installs the Clock and the Scheduler. A test of actors has it from `TestSystem`
 * and moves it by `advance`.
 *
 * @example
 * ```ts
 * import { Clock, Effect } from "effect"
 * import { advance, TestSystem, VirtualTime } from "mobwright/testing"
 * import { strictEqual } from "node:assert"
 *
 * const program = Effect.gen(function*() {
 *   const time = yield* VirtualTime
 *   yield* Effect.forkChild(Effect.sleep("1 hour"), { startImmediately: true })
 *   strictEqual(time.nextDue(), 3_600_000)
 *   yield* advance("1 hour")
 *   strictEqual(time.nextDue(), undefined)
 *   strictEqual(yield* Clock.currentTimeMillis, time.now())
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TestSystem.layerTime()))
 * ```
 */
export class VirtualTime extends Context.Service<VirtualTime, VirtualTimeShape>()("mobwright/testing/VirtualTime") {
  static readonly layer: Layer.Layer<VirtualTime> = Layer.effectContext(Effect.gen(function*() {
    const clock = new VirtualClock()
    const counting = countTasks(yield* Scheduler.Scheduler)
    const shape: VirtualTimeShape = {
      now: () => clock.currentTimeMillisUnsafe(),
      nextDue: () => clock.nextDue(),
      moveTo: (time) => clock.moveTo(time),
      pendingTasks: counting.pending
    }
    return Context.make(VirtualTime, shape).pipe(
      Context.add(Clock.Clock, clock),
      Context.add(Scheduler.Scheduler, counting.scheduler)
    )
  }))
}

interface Sleep {
  /** Microseconds. */
  readonly due: number
  readonly number: number
  wake: (() => void) | undefined
}

const isBefore = (left: Sleep, right: Sleep): boolean =>
  left.due < right.due || (left.due === right.due && left.number < right.number)

/** Counts whole microseconds, so that whoever sleeps what is left, however little, gets there. */
class VirtualClock implements Clock.Clock {
  private micros = 0
  private slept = 0
  /** Binary heap; interrupted sleeps stay until they reach the top. */
  private readonly sleeps: Array<Sleep> = []

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  currentTimeMillisUnsafe(): number {
    return this.micros / 1_000
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.micros) * 1_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    return Effect.callback<void>((resume) => {
      if (!Number.isFinite(millis)) return
      const due = this.micros + Math.max(1, Math.round(millis * 1_000))
      const sleep: Sleep = { due, number: this.slept++, wake: () => resume(Effect.void) }
      this.push(sleep)
      return Effect.sync(() => {
        sleep.wake = undefined
      })
    })
  }

  nextDue(): number | undefined {
    for (let first = this.sleeps[0]; first !== undefined; first = this.sleeps[0]) {
      if (first.wake !== undefined) return first.due / 1_000
      this.pop()
    }
    return undefined
  }

  moveTo(time: number): void {
    for (let due = this.nextDue(); due !== undefined && due <= time; due = this.nextDue()) {
      const first = this.pop()
      this.micros = Math.max(this.micros, first.due)
      first.wake?.()
    }
    this.micros = Math.max(this.micros, Math.round(time * 1_000))
  }

  private push(sleep: Sleep): void {
    const { sleeps } = this
    let at = sleeps.push(sleep) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = sleeps[parent]! // in range
      if (isBefore(above, sleep)) break
      sleeps[at] = above
      at = parent
    }
    sleeps[at] = sleep
  }

  /** Only if there is one. */
  private pop(): Sleep {
    const { sleeps } = this
    const first = sleeps[0]!
    const last = sleeps.pop()!
    const { length } = sleeps
    if (length === 0) return first
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= length) break
      if (child + 1 < length && isBefore(sleeps[child + 1]!, sleeps[child]!)) child++
      const below = sleeps[child]! // in range
      if (isBefore(last, below)) break
      sleeps[at] = below
      at = child
    }
    sleeps[at] = last
    return first
  }
}

const countTasks = (parent: Scheduler.Scheduler) => {
  let pending = 0
  const scheduler: Scheduler.Scheduler = {
    executionMode: parent.executionMode,
    shouldYield: (fiber) => parent.shouldYield(fiber),
    makeDispatcher() {
      const dispatcher = parent.makeDispatcher()
      return {
        scheduleTask(task, priority) {
          pending++
          dispatcher.scheduleTask(() => {
            pending--
            task()
          }, priority)
        },
        flush: () => dispatcher.flush()
      }
    }
  }
  return { scheduler, pending: () => pending }
}
