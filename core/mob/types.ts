/**
 * What a user holds of a mob: the `Mobs` service and the handle it gives. Handles are cheap, may be shared, and every
 * method is an Effect with its errors in the type. Interrupting a call does not undo it: once a command is in the
 * mob's mailbox it is decided and committed; ask again under the same key to learn the result.
 */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { Content } from "../../sdk/content.ts"
import type { LoadedDefinition } from "../../sdk/definition/index.ts"
import type { Cursor, FlowId, Identity, MobId, RunId } from "../../sdk/ids.ts"
import type { JsonObject } from "../../sdk/json.ts"
import type { Outcome } from "../../sdk/outcome.ts"
import type { HistoryPruned, StoredEvent, StoreError } from "../../sdk/store.ts"
import type { RunRecord, StepRecord } from "../machine/run/index.ts"
import type * as E from "./errors.ts"

export type { RunRecord, StepRecord }

/** Phase of a mob. */
export type MobPhase = "running" | "stopped" | "completed" | "destroyed"

/** A mob at a glance. */
export interface MobStatus {
  readonly mob_id: MobId
  readonly phase: MobPhase
  readonly members: number
  readonly active_runs: ReadonlyArray<RunId>
  /** The oldest public event that can be read; the next one if none can. */
  readonly first_cursor: Cursor
  readonly latest_cursor: Cursor
  /** Detached turns at this moment. */
  readonly orphaned_turns: number
}

/** A member as its mob knows it. */
export interface MemberView {
  readonly identity: Identity
  readonly role: string
  readonly phase: "active" | "broken" | "retiring" | "retired"
  readonly generation: number
  readonly fence_token: number
  readonly labels: { readonly [key: string]: string }
  /** Crash restarts over the member's life. */
  readonly restarts: number
  /** Pid of its recorded child process, if it has one. */
  readonly pid?: number
  /** Why it is broken. */
  readonly cause?: string
}

/** Answer to `runFlow`: the run, and whether it was there before under this key. */
export interface RunStarted {
  readonly run_id: RunId
  readonly existing: boolean
}

/** Answer to `submit`: accepted and durable. */
export interface WorkAccepted {
  readonly work_ref: string
  /** The same key was accepted before. */
  readonly existing: boolean
}

/** Failures that any command on a live mob may meet. */
export type CommandError = E.MobClosed | E.OutcomeUnknown | StoreError

/** A mob in this process. */
export interface MobHandle {
  readonly id: MobId
  readonly status: Effect.Effect<MobStatus, CommandError>
  /** By identity; retired members are left out. */
  readonly members: Effect.Effect<ReadonlyArray<MemberView>, CommandError>
  /** Flow ids of the definition in force, sorted. */
  readonly flows: Effect.Effect<ReadonlyArray<FlowId>, CommandError>
  /** Adds a member; replies when it is committed. It starts at once and takes work when it is up. */
  readonly spawn: (member: {
    readonly identity: string
    readonly profile: string
    readonly labels?: { readonly [key: string]: string }
  }) => Effect.Effect<
    MemberView,
    | CommandError
    | E.InvalidTransition
    | E.MemberExists
    | E.ProfileNotFound
    | E.IdentityReserved
    | E.BridgeInvalid
    | E.ArgumentInvalid
  >
  /** Lets a member go; replies when Retiring is committed. Its unfinished inputs fail `member_retired`. Idempotent. */
  readonly retire: (identity: string) => Effect.Effect<void, CommandError | E.InvalidTransition | E.MemberNotFound>
  /** Gives one member work; replies when it is durable. `key` makes it safe to ask again. `timeout_ms`: none when absent. */
  readonly submit: (identity: string, content: Content, options?: {
    readonly key?: string
    readonly timeout_ms?: number
  }) => Effect.Effect<
    WorkAccepted,
    CommandError | E.InvalidTransition | E.MemberNotFound | E.MemberRetiring | E.MemberBroken | E.ArgumentInvalid
  >
  /** Waits for the end of submitted work. */
  readonly outcome: (
    identity: string,
    work_ref: string
  ) => Effect.Effect<Outcome, CommandError | E.MemberNotFound | E.WorkNotFound>
  /**
   * Starts a run, or finds the one with this key: a running one always, an ended one only under an explicit `key`.
   * Without `key` it is sha256 of (flow, canonical params, definition digest).
   */
  readonly runFlow: (flow: string, params?: JsonObject, options?: { readonly key?: string }) => Effect.Effect<
    RunStarted,
    CommandError | E.InvalidTransition | E.FlowNotFound | E.OrchestratorMissing | E.ArgumentInvalid
  >
  readonly run: (run: string) => Effect.Effect<RunRecord, CommandError | E.RunNotFound>
  /** Waits for the end of a run. */
  readonly awaitRun: (run: string) => Effect.Effect<RunRecord, CommandError | E.RunNotFound>
  /** Newest first. */
  readonly runs: (flow?: string) => Effect.Effect<ReadonlyArray<RunRecord>, CommandError>
  /** Ends a run as canceled; an ended run is left as it is. Replies when the end is committed. */
  readonly cancel: (run: string) => Effect.Effect<RunRecord, CommandError | E.RunNotFound | E.InvalidTransition>
  /** Pauses the mob, durably. Refused while runs are active. */
  readonly stop: Effect.Effect<void, CommandError | E.InvalidTransition>
  readonly resume: Effect.Effect<void, CommandError | E.InvalidTransition>
  /** Cancels all runs, then marks the mob finished. */
  readonly complete: Effect.Effect<void, CommandError | E.InvalidTransition>
  /** Cancels all runs, retires all members, then marks the mob destroyed. Final; runs stay readable. */
  readonly destroy: Effect.Effect<void, CommandError | E.InvalidTransition>
  /** At most `limit` (1 to 1,000) public events after a cursor; one below 0 reads from the start. */
  readonly pollEvents: (after: Cursor, limit: number) => Effect.Effect<
    ReadonlyArray<StoredEvent>,
    CommandError | HistoryPruned | E.StaleEventCursor
  >
  /** All events after a cursor, then new ones as they are committed, without gap or repetition, until the mob closes. */
  readonly events: (after: Cursor) => Stream.Stream<StoredEvent, CommandError | HistoryPruned | E.StaleEventCursor>
  /** Takes the mob down in this process: nothing is recorded, runs are suspended, the next open continues. Idempotent. */
  readonly close: Effect.Effect<void>
}

/**
 * The mobs of one data directory. A mob is opened once in a process: who opens one that is open gets the same handle, and
 * it lives until the Scope of the last of them closes. `close` and a failure end it for all; the next open begins anew.
 */
export interface MobsShape {
  /** Creates a mob with its listed members. It lives until its Scope, or the layer's, closes. If it fails nothing lives. */
  readonly create: (loaded: LoadedDefinition) => Effect.Effect<
    MobHandle,
    E.MobExists | E.MemberExists | E.IdentityReserved | E.BridgeInvalid | CommandError,
    Scope.Scope
  >
  /**
   * Opens a mob and continues it; with `on_resume = "cancel"` the runs that an earlier process left are canceled. With a
   * definition of the same id, its flows, limits and topology take effect for new runs, also if the mob is open.
   */
  readonly open: (mob: MobId, loaded?: LoadedDefinition) => Effect.Effect<
    MobHandle,
    E.MobNotFound | E.DefinitionChanged | E.BridgeInvalid | CommandError,
    Scope.Scope
  >
  /** Opens the definition's mob, or creates it. */
  readonly openOrCreate: (loaded: LoadedDefinition) => Effect.Effect<
    MobHandle,
    E.DefinitionChanged | E.MemberExists | E.IdentityReserved | E.BridgeInvalid | CommandError,
    Scope.Scope
  >
  /** A mob that is open in this process. */
  readonly get: (mob: MobId) => Effect.Effect<MobHandle, E.MobNotFound>
  /** Mobs open in this process, by id. */
  readonly list: Effect.Effect<ReadonlyArray<MobHandle>>
}

/** Makes, opens and finds mobs. Needs `Journal`, `ActorSystem` and `Bridges`. */
export class Mobs extends Context.Service<Mobs, MobsShape>()("mobwright/core/Mobs") {}
