/**
 * The restart policy of members (design 4): back-off 100 ms x 2 up to 30 s, jitter 20 %, back to 100 ms after 60 s of
 * life, and broken on the sixth crash within 60 s.
 */
import type { Millis } from "../../../sdk/ids.ts"
import type { MemberState } from "./state.ts"

/** Restarts within the period that are granted. */
export const RESTARTS = 5

/** The period, and the life after which the back-off starts again: 60 s. */
export const PERIOD = 60_000

const FIRST = 100
const LONGEST = 30_000
const JITTER = 0.2

/** Crashes that count at this time: those of the period before it, and this one. */
export const recentCrashes = (member: MemberState, at: Millis): ReadonlyArray<Millis> => [
  ...member.crashes.filter((crash) => crash > at - PERIOD),
  at
]

/** Crashes in a row, this one included. */
export const streakAt = (member: MemberState, at: Millis): number => at - member.since >= PERIOD ? 1 : member.streak + 1

/** Milliseconds before the next incarnation of a member with so many crashes in a row; `random` is in [0, 1). */
export const backoff = (streak: number, random: number): number => {
  const delay = Math.min(LONGEST, FIRST * 2 ** (streak - 1))
  return Math.round(delay * (1 - JITTER + 2 * JITTER * random))
}
