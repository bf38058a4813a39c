/**
 * What a mob forgets. Pure: given what there is, it says what goes. Only ended runs that the mob has released are ever
 * given to it (R9).
 */
import type { Cursor, Millis, RunId } from "../../sdk/ids.ts"

/** How much is kept; `Infinity` keeps all. */
export interface Retention {
  /** Ended runs. */
  readonly runs: number
  /** Public events. */
  readonly events: number
  /** Milliseconds that either is kept. */
  readonly age: Millis
}

/** An ended run, and when it ended. */
interface EndedAt {
  readonly run: RunId
  readonly at: Millis
}

const DAY = 86_400_000

/** What the limits of a definition say: an absent one has its default, zero keeps all. */
export const retentionOf = (limits: {
  readonly max_kept_runs?: number | undefined
  readonly max_kept_events?: number | undefined
  readonly max_kept_days?: number | undefined
}): Retention => ({
  runs: unlessZero(limits.max_kept_runs ?? 10_000),
  events: unlessZero(limits.max_kept_events ?? 1_000_000),
  age: unlessZero(limits.max_kept_days ?? 30) * DAY
})

const unlessZero = (limit: number): number => limit === 0 ? Infinity : limit

/** Ended runs to forget: those past their age, and the oldest of those that are too many. */
export const runsToForget = (
  retention: Retention,
  ended: ReadonlyArray<EndedAt>,
  now: Millis
): ReadonlyArray<RunId> => {
  const oldest = [...ended].sort((a, b) => a.at - b.at)
  const tooMany = Math.max(0, oldest.length - retention.runs)
  return oldest.filter(({ at }, index) => index < tooMany || at < now - retention.age).map(({ run }) => run)
}

/** First event to keep, given the first one that is young enough. */
export const eventsToKeep = (retention: Retention, latest: Cursor, young: Cursor): Cursor =>
  Math.max(young, latest + 1 - retention.events)
