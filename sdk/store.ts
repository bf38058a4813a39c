/**
 * The store contract: where a mob's facts live. Nothing here assumes LevelDB or one process.
 *
 * One log a mob. What one actor turn of one aggregate adds is an *entry*; entries have gap-free *positions*, public
 * events gap-free *cursors*, both from 1, given when a group commit is composed and never reused. A *head* is a
 * snapshot of an aggregate after one entry. A submission is all or nothing; `committed` is called only after it is
 * durable, in submit order.
 */
import { Context, type Effect, Schema } from "effect"
import type { Cursor, Millis, MobId } from "./ids.ts"
import type { Json, JsonObject } from "./json.ts"

/** What one turn of one aggregate adds. */
export interface Entry {
  /** `mob`, `run/<run id>` or `inbox/<identity>`. */
  readonly aggregate: string
  /** Revision this entry becomes. Guard: the aggregate stands at `revision - 1` when the group is composed. */
  readonly revision: number
  readonly at: Millis
  readonly facts: ReadonlyArray<JsonObject>
  readonly events: ReadonlyArray<JsonObject>
  /** The aggregate's state after this entry, as JSON. Called at most once, only when a head is written with it. */
  readonly snapshot: () => Json
  /** After this entry the aggregate is at its end: a head is written, and it is no longer live. */
  readonly terminal: boolean
}

/** A head alone, for an aggregate that the store asked because its head lags. */
export interface HeadOnly {
  readonly aggregate: string
  /** Revision the snapshot is the state after; must be the aggregate's current revision. */
  readonly revision: number
  readonly snapshot: () => Json
}

/** A unit of commit: all of it becomes durable or nothing does. */
export interface Submission {
  readonly entries: ReadonlyArray<Entry>
  readonly heads?: ReadonlyArray<HeadOnly>
  /** Definitions to keep under their digest (lower-case hex sha256). */
  readonly pins?: ReadonlyArray<{ readonly digest: string; readonly definition: Json }>
  /** Durable. Called once, synchronously, in submit order within the mob. Must not throw. */
  readonly committed: (at: Committed) => void
  /** Not committed, or unknown (`StoreWriteFailed`). Called once instead of `committed`. Must not throw. */
  readonly failed: (error: StoreError) => void
}

/** Where a submission landed. */
export interface Committed {
  /** Position of its first entry. */
  readonly position: number
  /** Cursor of its first event, or the one the next event will get. */
  readonly cursor: Cursor
}

/** An aggregate as it is on disk: newest head, and the entries after it in order. */
export interface Loaded {
  /** Undefined if there is no head; then `entries` start at revision 1. */
  readonly head: { readonly revision: number; readonly state: Json; readonly terminal: boolean } | undefined
  readonly entries: ReadonlyArray<
    { readonly revision: number; readonly at: Millis; readonly facts: ReadonlyArray<JsonObject> }
  >
}

/** A public event with its place. */
export interface StoredEvent {
  readonly cursor: Cursor
  readonly at: Millis
  /** The event, with its `type`. */
  readonly event: JsonObject
}

/** What a writer of a mob hears from the store. Each is called synchronously and must not throw. */
export interface StoreListener {
  /** Events became durable, in cursor order, after the `committed` of their submissions. */
  readonly events?: (events: ReadonlyArray<StoredEvent>) => void
  /** A write failed: everything unreleased was answered `failed`, the store is reopening. */
  readonly lost?: (error: StoreError) => void
  /** The store is open again and the epoch still ours: every live aggregate must load again. */
  readonly reopened?: () => void
  /** The store cannot be opened again, or the epoch is another's. No further call. */
  readonly closed?: (error: StoreError) => void
  /** The aggregate's head lags; answer with a submission of `heads`. */
  readonly headWanted?: (aggregate: string) => void
}

/** One mob's log, held under one owner epoch. */
export interface MobLog {
  readonly mob: MobId
  /** Number of the owner that may write; one more at each acquire. */
  readonly epoch: number
  /** Joins the open group. Never throws and never waits. After a failed write it answers `StoreUnavailable`. */
  readonly submit: (submission: Submission) => void
  /** Waits until nothing of this aggregate is open or in flight, and the store is open. */
  readonly barrier: (aggregate: string) => Effect.Effect<void, StoreError>
  /** Reads an aggregate; undefined if it never had an entry. */
  readonly load: (aggregate: string) => Effect.Effect<Loaded | undefined, StoreError>
  /** Aggregates that have entries and no terminal mark, oldest first. */
  readonly live: Effect.Effect<ReadonlyArray<string>, StoreError>
  /** All aggregates whose name starts with `prefix` and that have a head, live or ended, by name. */
  readonly aggregates: (prefix: string) => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** At most `limit` events with a cursor above `after`, in order. */
  readonly events: (after: Cursor, limit: number) => Effect.Effect<ReadonlyArray<StoredEvent>, StoreError>
  /** Cursor of the newest durable event; 0 if there is none. */
  readonly latestCursor: () => Cursor
  /** A pinned definition. */
  readonly pinned: (digest: string) => Effect.Effect<Json | undefined, StoreError>
  /** Registers a listener; the result removes it. */
  readonly listen: (listener: StoreListener) => () => void
}

/** A store that is open: one data directory, all its mobs. */
export interface StoreShape {
  /** Becomes the owner of a mob's log: durable, epoch + 1; every other owner is fenced from then on. */
  readonly acquire: (mob: MobId) => Effect.Effect<MobLog, StoreError>
  /** Mobs that were ever acquired, by name. */
  readonly mobs: Effect.Effect<ReadonlyArray<MobId>, StoreError>
  /** Group commits that held at least one submission, since the store was opened; a probe for budgets. */
  readonly batches: () => number
}

/** The store a runtime writes to. Layers: LevelDB in a data directory, memory for tests. */
export class Journal extends Context.Service<Journal, StoreShape>()("mobwright/sdk/Journal") {}

/** Somebody else holds the data directory. */
export class StoreLocked extends Schema.TaggedError<StoreLocked>()("StoreLocked", {
  dir: Schema.String,
  /** From `owner.json`, when there is one and its process lives. */
  pid: Schema.optionalKey(Schema.Int),
  since: Schema.optionalKey(Schema.String),
  socket: Schema.optionalKey(Schema.String)
}) {
  /** Stable code of this error. */
  readonly code = "STORE_LOCKED"
  override get message() {
    const who = this.pid === undefined
      ? "another process"
      : `process ${this.pid}${this.since ? ` (since ${this.since})` : ""}`
    return `the data directory ${this.dir} is held by ${who}; stop it, or give another --data`
  }
}

/** What is on disk is not what was written. Nothing was changed. */
export class StoreCorrupted extends Schema.TaggedError<StoreCorrupted>()("StoreCorrupted", {
  /** File, key or record. */
  where: Schema.String,
  what: Schema.String,
  remedy: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "STORE_CORRUPTED"
  override get message() {
    return `the store is damaged at ${this.where}: ${this.what}; ${this.remedy}`
  }
}

/** A write failed. `unknown`: it may be on disk all the same; ask again under the same key. */
export class StoreWriteFailed extends Schema.TaggedError<StoreWriteFailed>()("StoreWriteFailed", {
  outcome: Schema.Literals(["unknown", "not_written"]),
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "STORE_WRITE_FAILED"
  override get message() {
    return this.outcome === "unknown"
      ? `a write to the store failed, outcome unknown: ${this.reason}; ask again under the same key once space and disk are well`
      : `a write to the store failed and nothing was written: ${this.reason}`
  }
}

/** The store is reopening after a failed write, or closed. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "STORE_UNAVAILABLE"
  override get message() {
    return `the store takes no writes now: ${this.reason}; try again`
  }
}

/** Another process became the owner of this mob. */
export class OwnerFenced extends Schema.TaggedError<OwnerFenced>()("OwnerFenced", {
  mob: Schema.String,
  ours: Schema.Int,
  current: Schema.Int
}) {
  /** Stable code of this error. */
  readonly code = "OWNER_FENCED"
  override get message() {
    return `mob ${this.mob} has another owner now (epoch ${this.current}, ours was ${this.ours}); this process lets go of it`
  }
}

/** A submission's guard did not hold: its writer was behind. The writer loads again. */
export class RevisionConflict extends Schema.TaggedError<RevisionConflict>()("RevisionConflict", {
  aggregate: Schema.String,
  expected: Schema.Int,
  actual: Schema.Int
}) {
  /** Stable code of this error. */
  readonly code = "REVISION_CONFLICT"
  override get message() {
    return `${this.aggregate} stands at revision ${this.actual}, not ${this.expected}; nothing was written`
  }
}

/** The events asked for were pruned. */
export class HistoryPruned extends Schema.TaggedError<HistoryPruned>()("HistoryPruned", {
  first_cursor: Schema.Int
}) {
  /** Stable code of this error. */
  readonly code = "HISTORY_PRUNED"
  override get message() {
    return `events before cursor ${this.first_cursor} were pruned; read on from there`
  }
}

/** The directory was written by another version. */
export class SchemaUnsupported extends Schema.TaggedError<SchemaUnsupported>()("SchemaUnsupported", {
  what: Schema.String,
  found: Schema.Int,
  supported: Schema.Int
}) {
  /** Stable code of this error. */
  readonly code = "SCHEMA_UNSUPPORTED"
  override get message() {
    return `${this.what} has version ${this.found}, this program reads version ${this.supported}; use the program that wrote it`
  }
}

/** Everything a store call can fail with. */
export type StoreError =
  | StoreLocked
  | StoreCorrupted
  | StoreWriteFailed
  | StoreUnavailable
  | OwnerFenced
  | RevisionConflict
  | HistoryPruned
  | SchemaUnsupported
