/**
 * State of a mob: its phase, its members, its active runs, the keys of runs. Immutable; changed by `evolveMob` alone.
 */
import type { ProcessRecord } from "../../../sdk/bridge.ts"
import type { Fence, FlowId, Identity, Millis, MobId, RunId } from "../../../sdk/ids.ts"
import type { Buckets, Recent } from "../buckets.ts"
import type { RosterEntry } from "../protocol.ts"

/** Finished runs whose explicit keys are remembered. */
export const KEYS_KEPT = 10_000

/** Retired members that are remembered, so that an identity spawned again goes on counting its generations. */
export const RETIRED_KEPT = 10_000

/** Phase of a mob. One that is ending has the phase it is on the way to. */
export type Phase = "running" | "stopped" | "completed" | "destroyed"

/** Why an incarnation is no more. */
export interface Cause {
  readonly code: string
  readonly message: string
  /** Last lines of the member's log, newest last. */
  readonly log: ReadonlyArray<string>
}

/** One member. */
export interface MemberState extends RosterEntry {
  readonly labels: { readonly [key: string]: string }
  /** `host`: ends with the host process. `remote`: lives elsewhere. */
  readonly lifetime: "host" | "remote"
  /** When its current fence was given. */
  readonly since: Millis
  /** Times of its last crashes, at most those of the restart period. */
  readonly crashes: ReadonlyArray<Millis>
  /** Crashes in a row, each after less than 60 s of life. Sets the back-off. */
  readonly streak: number
  /** Crash restarts over its life. */
  readonly restarts: number
  /** It crashed, and its next incarnation is due then. */
  readonly restart_at: Millis | undefined
  /** Its last crash, or why it is broken. */
  readonly cause: Cause | undefined
  /** Its child process, to be ended before a next incarnation; forgotten when that is recorded. */
  readonly process: { readonly fence: Fence; readonly record: ProcessRecord } | undefined
}

/** A run that is admitted and not released. */
export interface ActiveRun {
  readonly flow_id: FlowId
  readonly key: string
  /** The key was given by the caller, not derived. */
  readonly explicit: boolean
  readonly digest: string
}

/** The mob aggregate. */
export interface MobState {
  readonly mob_id: MobId
  /** Digest of the definition in force for new runs. */
  readonly digest: string
  /** Absolute folder that the definition's relative paths are meant from. */
  readonly base: string
  readonly phase: Phase
  /** `phase` is admitted but not reached: runs are being canceled, members retired. */
  readonly ending: boolean
  /** Owner epoch of the process that last gave all members a new fence. */
  readonly epoch: number
  readonly next_fence: Fence
  /** Grows with each change of the roster. */
  readonly version: number
  /** By identity, the last retired ones included. */
  readonly members: Buckets<Identity, MemberState>
  /** Retired members, oldest first; derived. */
  readonly retired: Recent<null>
  /** Members that wait for a restart, with its time; derived. */
  readonly waiting: Buckets<Identity, Millis>
  readonly active: Buckets<RunId, ActiveRun>
  /** Keys of active runs; derived. */
  readonly keys: Buckets<string, RunId>
  /** Explicit keys of finished runs. */
  readonly finished: Recent<RunId>
}
