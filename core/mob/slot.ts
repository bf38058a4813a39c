/**
 * Where the cells of members and of runs hang: a supervisor for alike children, which are started from outside.
 */
import { Effect, Exit } from "effect"
import type { CellContext, CellSpec, Supervision } from "../actor/index.ts"

/** A supervisor's context, through which its children are started. */
export type Slot = CellContext<never>

/**
 * A supervisor for alike children, which are started from outside through its context. It never escalates: nobody
 * would start its children again. Each child has a limit of its own, past which its run fails or its member is broken.
 */
export const slotCell = (
  name: string,
  ready: (slot: Slot) => void,
  backoff?: NonNullable<Supervision["backoff"]>
): CellSpec<null, never, never, never> => ({
  name,
  restart: "permanent",
  shutdown: "infinity",
  supervision: {
    strategy: "one_for_one",
    intensity: Number.MAX_SAFE_INTEGER,
    period: 60_000,
    ...(backoff === undefined ? {} : { backoff })
  },
  init: (context) =>
    Effect.sync(() => {
      ready(context)
      return null
    }),
  behavior: (state) => Exit.succeed(state)
})

/** Times within the period before now, and now. */
export const recently = (
  times: ReadonlyArray<number> | undefined,
  now: number,
  period: number
): ReadonlyArray<number> => [
  ...(times ?? []).filter((at) => at > now - period),
  now
]
