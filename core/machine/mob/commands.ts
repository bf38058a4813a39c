/**
 * Commands of a mob. Times and random values come in with them, because the machine has neither clock nor dice.
 */
import type { Fence, FlowId, Generation, Identity, Millis, MobId, RunId } from "../../../sdk/ids.ts"
import type { ToMob } from "../protocol.ts"
import type { Cause } from "./state.ts"

/** A member to be. */
export interface MemberSpec {
  readonly identity: Identity
  readonly role: string
  readonly labels: { readonly [key: string]: string }
  readonly lifetime: "host" | "remote"
}

/** How a run ended. */
export type RunStatus = "completed" | "failed" | "canceled"

/** A run whose *committed* phase is terminal, although the mob has not released it yet (R9). */
export interface EndedRun {
  readonly run_id: RunId
  readonly status: RunStatus
}

/** Messages from cells, with the time and, for the jitter of a restart, a number in [0, 1). */
type FromCells =
  | Extract<ToMob, { type: "incarnation_lost" }> & { readonly at: Millis; readonly random: number }
  | Exclude<ToMob, { type: "incarnation_lost" }>

/** What a mob can be asked. */
export type MobCommand =
  /** Makes the mob and its listed members. Refused with `mob_exists`. */
  | {
    readonly type: "create"
    readonly at: Millis
    readonly mob_id: MobId
    readonly digest: string
    readonly base: string
    /** Owner epoch of this process. */
    readonly epoch: number
    readonly members: ReadonlyArray<MemberSpec>
  }
  /**
   * The mob cell started: after an open, a failed commit or a crash of its own (R1). The first one under an owner
   * epoch that is committed gives all active members a new fence, those that live in the host a new generation
   * (protocol 18; recorded processes are ended before); any other has no facts. All that committed state implies is
   * told again.
   */
  | { readonly type: "opened"; readonly at: Millis; readonly epoch: number }
  /** A definition of the same id is in force from here on. */
  | { readonly type: "revise"; readonly digest: string; readonly base: string }
  | { readonly type: "spawn"; readonly at: Millis } & MemberSpec
  /** Lets a member go. Idempotent. */
  | { readonly type: "retire"; readonly identity: Identity }
  /** A member that cannot be started at all: its process would not die, its behaviour is missing. */
  | { readonly type: "break_member"; readonly at: Millis; readonly identity: Identity; readonly cause: Cause }
  /** A crashed member's back-off is over; see `nextRestart`. */
  | { readonly type: "restart_due"; readonly at: Millis; readonly identity: Identity }
  /** Is this member fit for new work? Never has facts; the reply is its generation and fence. */
  | { readonly type: "check_submit"; readonly identity: Identity }
  /** Admits a run. `ended`: the run that holds this key (`runWithKey`), if its committed phase is terminal. */
  | {
    readonly type: "admit_run"
    readonly run_id: RunId
    readonly flow_id: FlowId
    readonly key: string
    readonly explicit: boolean
    readonly digest: string
    readonly ended: ReadonlyArray<EndedRun>
  }
  /** A run whose facts cannot be folded. */
  | { readonly type: "run_unreadable"; readonly run_id: RunId; readonly cause: string }
  /** These ended runs are removed: their keys are free again. */
  | { readonly type: "forget_runs"; readonly runs: ReadonlyArray<RunId> }
  /** Pauses. `ended`: of `activeRuns`, those whose committed phase is terminal. Any other refuses the stop (R9). */
  | { readonly type: "stop"; readonly ended: ReadonlyArray<EndedRun> }
  | { readonly type: "resume" }
  /** Cancels runs, retires members, then completes: the last fact comes with the last run or member. */
  | { readonly type: "complete" }
  /** As `complete`, for good. Asked again while it is under way, it tells everybody again. */
  | { readonly type: "destroy" }
  | FromCells

/** What a command answers. */
export type MobReply =
  | { readonly type: "done" }
  /** To `spawn` and `check_submit`. */
  | { readonly type: "member"; readonly identity: Identity; readonly generation: Generation; readonly fence: Fence }
