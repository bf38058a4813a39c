import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer } from "effect"
import { ActorSystem, Dispatcher } from "../../../core/actor/index.ts"
import { settle, VirtualTime } from "../../../core/testing/index.ts"
import { act, spawnScribe } from "./fixtures.ts"
import { countWork } from "./work.ts"

/** Time that jumps: whoever sleeps wakes late, as in a process that was busy elsewhere. Virtual time never does that. */
const makeJumpingClock = Effect.gen(function*() {
  let now = 0
  let sleeps: Array<{ readonly due: number; readonly wake: () => void }> = []
  const clock = Object.assign(Object.create(yield* Clock.Clock) as Clock.Clock, { // its own methods, but for these
    currentTimeMillisUnsafe: () => now,
    monotonicTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
    sleep: (duration: Duration.Duration) =>
      Effect.callback<void>((resume) => {
        const sleep = { due: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleeps.push(sleep)
        return Effect.sync(() => {
          sleeps = sleeps.filter((it) => it !== sleep)
        })
      })
  })
  const jumpTo = (time: number) => {
    now = time
    const due = sleeps.filter((it) => it.due <= now)
    sleeps = sleeps.filter((it) => it.due > now)
    for (const { wake } of due) wake()
    return settle
  }
  return { clock, jumpTo, now: () => now }
})

/** A system on such a clock. */
const inJumps = <A, E>(
  use: (time: Effect.Success<typeof makeJumpingClock>) => Effect.Effect<A, E, ActorSystem | Dispatcher>
) =>
  Effect.gen(function*() {
    const time = yield* makeJumpingClock
    const layer = ActorSystem.layer.pipe(
      Layer.provideMerge(Dispatcher.layer),
      Layer.provideMerge(Layer.provideMerge(Layer.succeed(Clock.Clock, time.clock), VirtualTime.layer))
    )
    return yield* Effect.provide(use(time), layer)
  })

describe("timers of a process that was busy elsewhere", () => {
  it.effect("a periodic one that wakes many periods late sends one tick, and then is on its grid again", () =>
    inJumps(({ jumpTo, now }) =>
      Effect.gen(function*() {
        const { context } = yield* spawnScribe()
        const ticks: Array<number> = []
        context().setPeriodicTimer("tick", 10, act("", () => void ticks.push(now())))
        for (const time of [10, 17, 20, 1_005, 1_009, 1_010, 1_020, 2_030, 2_039, 2_040]) yield* jumpTo(time)
        assert.deepStrictEqual(ticks, [10, 20, 1_005, 1_010, 1_020, 2_030, 2_040])
      })
    ))

  it.effect("to be a million periods late costs no more than to be ten late", () =>
    Effect.gen(function*() {
      const jumpOver = (periods: number) =>
        inJumps(({ jumpTo }) =>
          Effect.gen(function*() {
            const { context, log } = yield* spawnScribe()
            context().setPeriodicTimer("tick", 10, act("tick", () => {}))
            const work = yield* countWork(jumpTo(10 * periods + 5))
            assert.deepStrictEqual(log, ["1 tick"])
            return work
          })
        )
      assert.strictEqual(yield* jumpOver(1_000_000), yield* jumpOver(10))
    }))

  it.effect("single ones that are late send all, in the order in which they were due", () =>
    inJumps(({ jumpTo }) =>
      Effect.gen(function*() {
        const { context, log } = yield* spawnScribe()
        for (const millis of [30, 10, 20]) context().setTimer(String(millis), millis, act(String(millis), () => {}))
        yield* jumpTo(1_000)
        assert.deepStrictEqual(log, ["1 10", "1 20", "1 30"])
      })
    ))
})
