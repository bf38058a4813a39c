/**
 * How late timers are beside eight cells that always have something to do.
 */
import { Effect } from "effect"
import { type ActorRef, ActorSystem } from "../../core/actor/index.ts"
import { report, shown, spread } from "../measure.ts"
import { orLost } from "./rows.ts"

const FLOODED = 8
/** Messages that wait in a flooded cell at any time: more than a turn handles. */
const WAITING = 256
/** What a flooded cell does with one. */
const BUSY_MILLIS = 0.02
const WARM_MILLIS = 500

const TIMERS = 200
/** From one to the next: no multiple of what a round of the run queue takes. */
const APART_MILLIS = 7.3
const ROUNDS = 5

/** How many milliseconds late the latest hundredth may begin. */
const LATE = 15

/** A cell that is idle only when `over`. Gives how much it handled. */
const flooded = (over: () => boolean) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    let handled = 0
    const ref: ActorRef<null> = yield* system.spawn<number, null, never, never>({
      name: "flooded",
      init: () => Effect.succeed(0),
      behavior: (count, _, { self }) => {
        const end = performance.now() + BUSY_MILLIS
        while (performance.now() < end);
        handled++
        if (!over()) self.tellUnsafe(null)
        return Effect.succeed(count + 1)
      }
    })
    for (let message = 0; message < WAITING; message++) ref.tellUnsafe(null)
    return () => handled
  })

/** Sets all timers of one cell, and gives how late the message of each was handled. */
const timers = Effect.gen(function*() {
  const system = yield* ActorSystem
  const late: Array<number> = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const ref = yield* system.spawn<number, number, never, never>({
    name: "timed",
    init: (context) => {
      for (let timer = 1; timer <= TIMERS; timer++) {
        const millis = timer * APART_MILLIS
        context.setTimer(`${timer}`, millis, performance.now() + millis)
      }
      return Effect.succeed(0)
    },
    behavior: (count, due) => {
      late.push(performance.now() - due)
      if (late.length === TIMERS) resolve()
      return Effect.succeed(count + 1)
    }
  })
  yield* Effect.promise(() => orLost(promise))
  yield* ref.stop()
  if (late.some((millis) => millis < 0)) throw new Error("a timer was early")
  return late
})

/** Sleeps in fibers of their own, and gives how much too long each slept. Node's own timers may be early. */
const sleeps = Effect.forEach(
  Array.from({ length: TIMERS }, (_, timer) => (timer + 1) * APART_MILLIS),
  (millis) =>
    Effect.suspend(() => {
      const due = performance.now() + millis
      return Effect.map(Effect.sleep(millis), () => performance.now() - due)
    }),
  { concurrency: "unbounded" }
)

const p99 = (late: ReadonlyArray<number>): number =>
  late.toSorted((left, right) => left - right)[Math.ceil(late.length * 0.99) - 1] ?? Number.NaN

/** Measures and prints. */
export const benchTimers = Effect.gen(function*() {
  for (const [name, lateness] of [["setTimer", timers], ["Effect.sleep", sleeps]] as const) {
    let over = false
    const handled = yield* Effect.replicateEffect(flooded(() => over), FLOODED)
    yield* Effect.sleep(WARM_MILLIS)
    const total = () => handled.reduce((sum, count) => sum + count(), 0)
    const before = { at: performance.now(), total: total() }
    const rounds = yield* Effect.replicateEffect(lateness, ROUNDS)
    const busy = (total() - before.total) * BUSY_MILLIS / (performance.now() - before.at)
    over = true
    const found = spread(rounds.map(p99))
    report(
      `${name} beside ${FLOODED} flooded cells, milliseconds late, p99 of ${TIMERS}`,
      `${shown(found, 1)}; median ${spread(rounds.flat()).median.toFixed(1)}, latest ${
        Math.max(...rounds.flat()).toFixed(1)
      }; the flooded worked ${(busy * 100).toFixed(0)} % of the time`,
      { text: `<= ${LATE}`, held: found.median <= LATE }
    )
  }
})
