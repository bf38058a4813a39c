/**
 * Work, counted instead of timed: how often the blocks of the actor layer's code were run, as V8 counts them. The same
 * work gives the same count, however busy the machine is.
 */
import { Effect } from "effect"
import { Session } from "node:inspector"

const LAYER = "/core/actor/"

/** One for the process, never closed: V8 counts less in a second one. */
let session: Session | undefined

/** Runs `effect` and gives how many blocks of the actor layer that took. */
export const countWork = <E, R>(effect: Effect.Effect<void, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    session ??= startCounting()
    takeCount(session)
    return Effect.map(effect, () => takeCount(session!))
  })

const startCounting = (): Session => {
  const started = new Session()
  started.connect()
  started.post("Profiler.enable")
  started.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  return started
}

/** Blocks run since the last time. */
const takeCount = (session: Session): number => {
  let blocks = 0
  // On this thread the answer comes before the call returns.
  session.post("Profiler.takePreciseCoverage", (_, { result }) => {
    for (const { functions, url } of result) {
      if (!url.includes(LAYER)) continue
      for (const { ranges } of functions) for (const { count } of ranges) blocks += count
    }
  })
  return blocks
}
