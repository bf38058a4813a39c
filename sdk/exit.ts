/**
 * Effects that have ended already.
 */
import { type Effect, Exit } from "effect"

/**
 * The Exit that an effect is, if it is one (`Effect.succeed(x)` is), else undefined. Running such an effect needs no
 * fiber, which on a hot path is most of the cost.
 */
export const exitOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Exit.Exit<A, E> | undefined =>
  // An effect that is an Exit is one of its own A and E.
  Exit.isExit(effect) ? effect as Exit.Exit<A, E> : undefined
