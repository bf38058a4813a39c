/**
 * 10,000 crashes, each when the restart before is completed, against nact's own reset.
 */
import { Effect } from "effect"
import { dispatch, spawn, start, stop } from "nact"
import { ActorSystem } from "../../core/actor/index.ts"
import { most, orLost, share } from "./rows.ts"

const RESTARTS = 10_000

const crash = new Error("crash")

/** Counts the lives of one actor, each of which crashes with its first message. */
class Lives {
  private left = 0
  private crashes = 0
  private complete: () => void = () => {}

  /** A life begins; `tell` sends it what it crashes with. Not the first one: that is sent from outside. */
  begin(tell: () => void): void {
    if (this.left === 0) return
    if (--this.left > 0) tell()
    else this.complete()
  }

  crash(): never {
    this.crashes++
    throw crash
  }

  /** Gives the microseconds of a restart. */
  async sample(tell: () => void): Promise<number> {
    this.left = RESTARTS
    this.crashes = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    this.complete = resolve
    const begin = performance.now()
    tell()
    await orLost(promise)
    const took = performance.now() - begin
    if (this.crashes !== RESTARTS) throw new Error(`there were ${this.crashes} crashes, not ${RESTARTS}`)
    return took * 1_000 / RESTARTS
  }
}

const cellSample = Effect.gen(function*() {
  const system = yield* ActorSystem
  const lives = new Lives()
  const child = Promise.withResolvers<() => void>()
  yield* system.spawn<number, never, unknown, never>({
    name: "parent",
    supervision: { strategy: "one_for_one", intensity: Infinity, period: 5_000 },
    init: (context) =>
      Effect.map(
        context.spawn<number, null, never, never>({
          name: "crasher",
          init: ({ self }) => {
            lives.begin(() => self.tellUnsafe(null))
            return Effect.succeed(0)
          },
          behavior: () => lives.crash()
        }),
        (ref) => {
          child.resolve(() => ref.tellUnsafe(null))
          return 0
        }
      ),
    behavior: (count) => Effect.succeed(count)
  })
  const tell = yield* Effect.promise(() => child.promise)
  return async () => {
    const before = system.deadLetters.count()
    const took = await lives.sample(tell)
    const letters = system.deadLetters.count() - before
    if (letters !== RESTARTS) throw new Error(`${letters} of the messages it crashed with are dead letters`)
    return took
  }
})

const nactSample = Effect.map(
  Effect.acquireRelease(Effect.sync(() => start()), (system) => Effect.sync(() => stop(system))),
  (system) => {
    const lives = new Lives()
    const actor = spawn(system, (): number => lives.crash(), "crasher", {
      initialStateFunc: ({ self }) => {
        lives.begin(() => dispatch(self, null))
        return 0
      },
      onCrash: (_message, _error, { reset }) => reset
    })
    return () => lives.sample(() => dispatch(actor, null))
  }
)

/** Measures and prints. */
export const benchRestarts = Effect.gen(function*() {
  const [ours, floor] = [yield* cellSample, yield* nactSample]
  yield* Effect.promise(() =>
    share("10,000 restarts, crash to serving, share of the time of nact's own reset", ours, floor, most(1))
  )
})
