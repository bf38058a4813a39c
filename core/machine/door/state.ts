/**
 * State of a member's door: in memory only, rebuilt from the owners of its inputs and from what the member observes.
 */
import type { BridgeExit } from "../../../sdk/bridge.ts"
import type { Fence, Generation, Identity, InputId } from "../../../sdk/ids.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { Buckets } from "../buckets.ts"
import type { Dispatch, MemberPhase, Owner } from "../protocol.ts"

/** What a door knows of one input. */
export interface DoorEntry {
  readonly input: InputId
  readonly owner: Owner
  /** Order in which the door heard of it. */
  readonly order: number
  /** What its owner last dispatched; undefined for an input that only the member told of. */
  readonly dispatch: Dispatch | undefined
  /** Fence under which it was handed to the connection; 0 for never. At most once a fence. */
  readonly delivered: Fence
  /** Fence at whose binding the member was running it; 0 for none. */
  readonly observed: Fence
  /** Its reported outcome, held until the owner answers `settled` or `stale` (R6). */
  readonly outcome: { readonly fence: Fence; readonly outcome: Outcome } | undefined
}

/** A member's door. */
export interface DoorState {
  readonly identity: Identity
  readonly phase: MemberPhase
  readonly generation: Generation
  /** Fence of the connection that is being made or is up; 0 for none. */
  readonly fence: Fence
  /** The connection of `fence` is up. */
  readonly up: boolean
  /** Newest fence that may have been bound. No fence up to it is bound again (R4). */
  readonly last: Fence
  /** The mob is stopped: nothing is delivered from the inbox (R17). */
  readonly paused: boolean
  /** How the last incarnation ended. */
  readonly exit: BridgeExit | undefined
  /** Why it is broken. */
  readonly reason: string
  readonly entries: Buckets<InputId, DoorEntry>
  readonly next_order: number
  /** Entries that have a dispatch; a retiring door is drained at 0. */
  readonly claims: number
  /** Retiring: inputs that the closed inbox abandoned; undefined until it is closed. */
  readonly abandoned: number | undefined
  /** Retiring: `drained` was said since the mob last asked. */
  readonly drained: boolean
}

/**
 * A door that starts. `fence` is the member's fence in the committed roster, or 0 if this is its first door since
 * the mob was opened in this process: then no process was bound to that fence yet.
 */
export const doorInitial = (
  { identity, phase, generation, fence }: {
    readonly identity: Identity
    readonly phase: MemberPhase
    readonly generation: Generation
    readonly fence: Fence
  }
): DoorState => ({
  identity,
  phase,
  generation,
  fence: 0,
  up: false,
  last: fence,
  paused: false,
  exit: undefined,
  reason: "",
  entries: Buckets.empty(),
  next_order: 0,
  claims: 0,
  abandoned: undefined,
  drained: false
})
