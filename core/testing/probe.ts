/**
 * A cell that keeps what it is told.
 */
import { Effect } from "effect"
import { type ActorRef, ActorSystem, type SpawnFailed } from "../actor/index.ts"

/** A probe cell. */
export interface Probe<M> {
  readonly ref: ActorRef<M>
  /** What it was told so far, in order. */
  readonly received: () => ReadonlyArray<M>
}

/** Starts a probe at the root of the system. */
export const makeProbe = <M>(name = "probe"): Effect.Effect<Probe<M>, SpawnFailed, ActorSystem> =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const received: Array<M> = []
    const ref = yield* system.spawn<void, M, never, never>({
      name,
      init: () => Effect.void,
      behavior: (_, message) => {
        received.push(message)
        return Effect.void
      }
    })
    return { ref, received: () => received.slice() }
  })
