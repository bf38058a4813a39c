/**
 * What an owner makes of a message about one of its inputs: the one place that knows fences, redelivery and
 * detached turns. Runs and inboxes turn the verdict into their own facts.
 */
import type { Fence, Identity } from "../../sdk/ids.ts"
import type { Outcome } from "../../sdk/outcome.ts"
import type { ToOwner } from "./protocol.ts"

/** An input redelivered more often than this fails with `redelivery_limit`. */
export const REDELIVERY_LIMIT = 5

/** What an owner's state holds of an input. */
export interface InputRecord {
  /** `dispatched`: unfinished; `detached`: left behind, may still run; `closed`: has an outcome, failed or ended. */
  readonly status: "dispatched" | "detached" | "closed"
  readonly target: Identity
  /** Fence of the last dispatch or redelivery. */
  readonly fence: Fence
  readonly redeliveries: number
  readonly on_unknown: "redeliver" | "fail"
}

/** What to do. Every verdict but `ignore`, `redeliver` and `stale` ends with `settled` to the door. */
export type Verdict =
  /** Nothing to do and nothing to answer. */
  | { readonly verdict: "ignore" }
  /** Closed before: answer `settled`. */
  | { readonly verdict: "settle" }
  /** Answer `stale`; count a dead letter. */
  | { readonly verdict: "stale"; readonly current: Fence }
  /** Take the outcome; if `redelivered`, the fact `redelivered` under `fence` comes first, in the same turn (R5). */
  | { readonly verdict: "outcome"; readonly fence: Fence; readonly redelivered: boolean; readonly outcome: Outcome }
  /** Commit `redelivered` under `fence`, then dispatch again. */
  | { readonly verdict: "redeliver"; readonly fence: Fence }
  /** Close it as failed. */
  | { readonly verdict: "fail"; readonly code: string; readonly reason: string }
  /** A detached turn is over: commit `ended`. */
  | { readonly verdict: "ended" }

const ignore: Verdict = { verdict: "ignore" }
const settle: Verdict = { verdict: "settle" }
const ended: Verdict = { verdict: "ended" }

/** Judges one message about one input. Pure; `record` is undefined for an input the owner does not know. */
export const judge = (record: InputRecord | undefined, message: Exclude<ToOwner, { type: "who" }>): Verdict => {
  if (message.type === "ended") return record?.status === "detached" ? ended : ignore
  if (record === undefined || record.status === "closed") return settle
  switch (message.type) {
    case "outcome": {
      if (record.status === "detached") return ended
      if (message.fence < record.fence) return { verdict: "stale", current: record.fence }
      const redelivered = message.fence > record.fence
      return { verdict: "outcome", fence: message.fence, redelivered, outcome: message.outcome }
    }
    case "reincarnated": {
      const { known } = message
      if (record.status === "detached") return known.state === "running" ? ignore : ended
      if (message.fence <= record.fence) return ignore
      if (known.state === "outcome") {
        return { verdict: "outcome", fence: message.fence, redelivered: true, outcome: known.outcome }
      }
      if (known.state === "nothing" && record.on_unknown === "fail") {
        return { verdict: "fail", code: "outcome_unknown", reason: "the member crashed and on_unknown is fail" }
      }
      if (record.redeliveries >= REDELIVERY_LIMIT) {
        const reason = `redelivered ${REDELIVERY_LIMIT} times and the member crashed each time`
        return { verdict: "fail", code: "redelivery_limit", reason }
      }
      return { verdict: "redeliver", fence: message.fence }
    }
    case "retiring":
      return record.status === "detached" ? ended : { verdict: "fail", code: message.code, reason: message.reason }
  }
}
