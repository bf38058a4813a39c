/**
 * The store contract: where a mob's facts live. Nothing here assumes LevelDB or one process.
 *
 * One log a mob. What one actor turn of one aggregate adds is an *entry*; entries have gap-free *positions*, public
 * events gap-free *cursors*, both from 1, given when a group commit is composed and never reused. A *head* is a
 * snapshot of an aggregate after one entry. A submission is all or nothing; `committed` is called only after it is
 * durable, in submit order.
 */
import { Context, type Effect } from "effect"
import type { Cursor, Millis, MobId } from "./ids.ts"
import type { Json, JsonObject } from "./json.ts"
import type { StoreError } from "./store-errors.ts"

export * from "./store-errors.ts"

/** What one turn of one aggregate adds. */
export interface Entry {
  /** `mob`, `run/<run id>` or `inbox/<identity>`. */
  readonly aggregate: string
  /** Revision this entry becomes. Guard: the aggregate stands at `revision - 1` when the group is composed. */
  readonly revision: number
  readonly at: Millis
  readonly facts: ReadonlyArray<JsonObject>
  readonly events: ReadonlyArray<JsonObject>
  /**
   * The aggregate's state after this entry, as JSON. Called at most once, and only when the store wants a head of it; of
   * two in one group commit the later one is written.
   */
  readonly snapshot: () => Json
  /** After this entry the aggregate is at its end: a head is written, and it is no longer live. */
  readonly terminal: boolean
}

/** A head alone, for an aggregate that the store asked because its head lags. */
export interface HeadOnly {
  readonly aggregate: string
  /** Revision the snapshot is the state after; must be the aggregate's current one. Of an ended aggregate none is written. */
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
  /**
   * Not committed; or unknown: `StoreWriteFailed` or `StoreFull` that say so. Called once instead of `committed`. Must not
   * throw.
   */
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
  /**
   * Events became durable, in cursor order, after the `committed` of their submissions. Those of a batch whose outcome was
   * unknown and that is on disk all the same are told to nobody: after `reopened`, read on from the last one heard.
   */
  readonly events?: (events: ReadonlyArray<StoredEvent>) => void
  /** A write failed: everything unreleased was answered `failed`, the store is reopening. */
  readonly lost?: (error: StoreError) => void
  /** The store is open again and the epoch still ours: every live aggregate must load again. */
  readonly reopened?: () => void
  /** The store cannot be opened again, or the epoch is another's. No further call. */
  readonly closed?: (error: StoreError) => void
  /** The aggregate's head lags; answer with a submission of `heads`. */
  readonly headWanted?: (aggregate: string) => void
  /** After {@link MobLog.crowded} was true: it is not any more. `lost` says so too. */
  readonly room?: () => void
  /** The one aggregate whose heads this listener can give; all if not said. Ten thousand writers hear no others' asks. */
  readonly aggregate?: string
}

/** Bytes kept beside the log. A record refers to them by the text `blob:<sha256>` anywhere in its JSON. */
export interface BlobRef {
  /** Lower-case hex. */
  readonly sha256: string
  readonly bytes: number
}

/** What to keep when history is removed. */
export interface Keep {
  /** Events from this cursor on. */
  readonly events: Cursor
  /** Ended aggregates to forget altogether. Live and unknown ones are left alone. */
  readonly forget: ReadonlyArray<string>
}

/** What was removed. */
export interface Pruned {
  /** First cursor and first position that are left; the next one if none is. */
  readonly firstCursor: Cursor
  readonly firstPosition: number
  readonly forgotten: number
  readonly blobs: number
}

/** The reading half of a mob's log. Every read is of what is durable. */
export interface MobReads {
  readonly mob: MobId
  /** Number of the owner that may write; one more at each acquire. */
  readonly epoch: number
  /** Reads an aggregate; undefined if it never had an entry, or was forgotten. */
  readonly load: (aggregate: string) => Effect.Effect<Loaded | undefined, StoreError>
  /** Aggregates that have entries and no terminal mark, oldest first. */
  readonly live: Effect.Effect<ReadonlyArray<string>, StoreError>
  /** All aggregates whose name starts with `prefix` and that have a head, live or ended, in UTF-8 order of their names. */
  readonly aggregates: (prefix: string) => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** At most `limit` events with a cursor above `after`, in order. `HistoryPruned` if the first of them was removed. */
  readonly events: (after: Cursor, limit: number) => Effect.Effect<ReadonlyArray<StoredEvent>, StoreError>
  /** Cursor of the oldest event that was not removed; the next one if there is none. */
  readonly firstCursor: () => Cursor
  /** Cursor of the newest durable event; 0 if there never was one. */
  readonly latestCursor: () => Cursor
  /** A pinned definition. */
  readonly pinned: (digest: string) => Effect.Effect<Json | undefined, StoreError>
  /** A blob, checked against its hash; undefined if it is not there. */
  readonly blob: (sha256: string) => Effect.Effect<Uint8Array | undefined, StoreError>
}

/** One mob's log, held under one owner epoch. */
export interface MobLog extends MobReads {
  /**
   * Joins the open group; what it holds may be changed afterwards. Never throws and never waits. After a failed write it
   * answers `StoreUnavailable`.
   */
  readonly submit: (submission: Submission) => void
  /**
   * Whether more bytes wait to be written, of all mobs, than a store should have in memory. It still takes submissions; a
   * writer that can wait does so until its listener hears `room`, or `lost`.
   */
  readonly crowded: () => boolean
  /** Waits until nothing of this aggregate is open or in flight, and the store is open. */
  readonly barrier: (aggregate: string) => Effect.Effect<void, StoreError>
  /** Registers a listener; the result removes it. */
  readonly listen: (listener: StoreListener) => () => void
  /**
   * Removes a prefix of history, as far as no live aggregate needs its entries, and what `keep` forgets; then blobs that
   * no record refers to and that were there when the store was opened, unless no history was removed since it last looked
   * for those. In small steps, each of which leaves the log whole; interrupted, what was removed is removed. Positions
   * and cursors are not given again.
   */
  readonly prune: (keep: Keep) => Effect.Effect<Pruned, StoreError>
  /**
   * Keeps bytes, durable when it answers: a copy of them, hashed in one go on the caller's thread. Until the store is closed
   * no prune removes them; refer to them in a submission before that, or a prune of the next one may.
   */
  readonly putBlob: (bytes: Uint8Array) => Effect.Effect<BlobRef, StoreError>
}

/** What a store is; callers and tests branch on it. */
export interface StoreSupports {
  /** What is acknowledged outlives the process and the loss of power. */
  readonly durable: boolean
  /** Several processes may hold it at a time; owner epochs fence them. */
  readonly shared: boolean
}

/** A store that is open: all its mobs. */
export interface StoreShape {
  readonly supports: StoreSupports
  /**
   * Becomes the owner of a mob's log: durable, epoch + 1; every other owner is fenced from then on. Where that mob's own
   * records are damaged it fails with `StoreCorrupted`, and the other mobs go on.
   */
  readonly acquire: (mob: MobId) => Effect.Effect<MobLog, StoreError>
  /** Reads a mob without becoming its owner; as it is now, and not as it goes on. Undefined if there is none. */
  readonly inspect: (mob: MobId) => Effect.Effect<MobReads | undefined, StoreError>
  /**
   * Removes a mob with its entries, heads and blobs, not the definitions that it pinned; its owner is fenced. Durable from
   * the first step on: one that is interrupted is finished at the next opening. A mob of the same name begins anew.
   * Harmless if there is none.
   */
  readonly destroy: (mob: MobId) => Effect.Effect<void, StoreError>
  /** Mobs that were ever acquired and not destroyed, in UTF-8 order of their names. */
  readonly mobs: Effect.Effect<ReadonlyArray<MobId>, StoreError>
  /** Group commits that held at least one submission, since the store was opened; a probe for budgets. */
  readonly batches: () => number
}

/** The store a runtime writes to. Layers: LevelDB in a data directory, memory for tests. */
export class Journal extends Context.Service<Journal, StoreShape>()("mobwright/sdk/Journal") {}
