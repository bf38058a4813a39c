/**
 * Supervision as data: how a parent treats its children, as Erlang/OTP's supervisor has it, with back-off on top.
 *
 * | strategy | what a crash of one child restarts |
 * | --- | --- |
 * | `one_for_one` | that child |
 * | `one_for_all` | all children |
 * | `rest_for_one` | that child and those started after it |
 * | `simple_one_for_one` | that child; children are many and alike, started by `spawn` only, and stopped all at once |
 *
 * | restart | after a crash | after an end by itself, normal or shutdown | after `stop` |
 * | --- | --- | --- | --- |
 * | `permanent` | started again | started again | gone |
 * | `transient` | started again | gone | gone |
 * | `temporary` | gone | gone | gone |
 *
 * The awkward cases:
 * - A start that fails, at a restart, is one more crash: it counts, and what was started after the crash is stopped again
 *   in reverse where the strategy says so. At a first start it fails `spawn`, and nothing is left.
 * - What crashes while others are stopped or wait for their restart joins that restart: it counts once more only if it
 *   crashed by itself after it was up.
 * - A child that somebody stops while its restart is under way, or waits, is not started.
 * - A child that crashes while its parent stops, or has ended, is not restarted and crashes nobody: its end is awaited.
 * - An escalation crashes the parent's incarnation, also in the middle of a turn: that turn is interrupted, its message
 *   is not handled again. A parent that is ending already ends with the reason it had.
 * - Two that crash at once count twice under `one_for_one` and restart side by side; under the other group strategies the
 *   second one joins.
 * - A group that restarts after back-off waits for the longest delay in it.
 *
 * Other than in OTP: too many restarts crash the parent with the child's cause, so that a transient parent is restarted;
 * a transient child that ended normally stays gone when its group restarts later; a child counted by itself (`each`) that
 * is given up does not trigger `autoShutdown`.
 */

/** When a child that ended is started again. */
export type Restart = "permanent" | "transient" | "temporary"

/** What becomes of the others. */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one" | "simple_one_for_one"

/** How long to wait before a restart: `min(initial * 2^(n-1), max)`, plus or minus `jitter`. */
export interface Backoff {
  /** Milliseconds before the first restart. */
  readonly initial: number
  readonly max: number
  /** A share of the delay, from 0 to 1. */
  readonly jitter: number
  /** After this many milliseconds without a crash of that child, n starts over. */
  readonly reset: number
}

/** How a parent treats its children. */
export interface Supervision {
  readonly strategy: Strategy
  /** More than `intensity` restarts within `period` milliseconds are too many. `Infinity` never is. */
  readonly intensity: number
  readonly period: number
  /**
   * What restarts are counted against. `together`, as in OTP: too many, of whichever children, crash the parent with the
   * last one's cause. `each`: children have nothing to do with each other; the one that crashes too often is stopped with
   * its cause, and the others and the parent live. Default `together`.
   */
  readonly counted?: "together" | "each"
  readonly backoff?: Backoff
  /**
   * Whether the parent ends, with `shutdown`, when children that are `significant` have ended by themselves and are not
   * started again: one of them, or the last. What the parent or a caller stopped does not count. Default `never`.
   */
  readonly autoShutdown?: "never" | "any_significant" | "all_significant"
}

/** OTP's strategy; three restarts in 5,000 ms. */
export const DEFAULT_SUPERVISION: Supervision = { strategy: "one_for_one", intensity: 3, period: 5_000 }
