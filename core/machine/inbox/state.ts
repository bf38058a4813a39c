/**
 * State of a member's inbox: work given to one member, across its generations. Immutable; changed by `evolveInbox`.
 */
import type { Content } from "../../../sdk/content.ts"
import type { Fence, Generation, Identity, Millis } from "../../../sdk/ids.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { Buckets, Recent } from "../buckets.ts"

/** Ended pieces of work whose outcomes and keys are remembered. */
export const OUTCOMES_KEPT = 10_000

/** A piece of work that is accepted and not over. */
export interface WorkItem {
  readonly work_ref: string
  readonly key: string
  readonly content: Content
  readonly deadline: Millis | undefined
  /** `detached`: it timed out, its outcome is recorded, but the turn may still run. */
  readonly status: "dispatched" | "detached"
  readonly fence: Fence
  readonly redeliveries: number
  /** Order of acceptance. */
  readonly order: number
}

/** The inbox aggregate. */
export interface InboxState {
  readonly identity: Identity
  /** Newest generation for which it was closed, and how many inputs that abandoned. */
  readonly closed: { readonly generation: Generation; readonly abandoned: number } | undefined
  /** It was closed, and no work was accepted since: there is nothing to go on with. */
  readonly over: boolean
  readonly next_order: number
  /** By work reference. */
  readonly open: Buckets<string, WorkItem>
  /** Work reference by key, of open and remembered work whose key is not its reference. */
  readonly keys: Buckets<string, string>
  /** By work reference. */
  readonly ended: Recent<{ readonly key: string; readonly outcome: Outcome }>
}

/** An inbox before its first fact. It has no head, and costs nothing on disk. */
export const inboxInitial = (identity: Identity): InboxState => ({
  identity,
  closed: undefined,
  over: false,
  next_order: 0,
  open: Buckets.empty(),
  keys: Buckets.empty(),
  ended: Recent.of(OUTCOMES_KEPT)
})
