/**
 * What a store call can fail with.
 */
import { Schema } from "effect"

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

/** There is no room left where the store is kept. It stays readable, takes no writes, and opens again by itself when there is. */
export class StoreFull extends Schema.TaggedError<StoreFull>()("StoreFull", {
  /** `unknown`: what was written last may be on disk all the same; ask again under the same key. */
  outcome: Schema.Literals(["unknown", "not_written"]),
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "STORE_FULL"
  override get message() {
    return `the store has no room left: ${this.reason}; free some space, it goes on by itself${
      this.outcome === "unknown" ? "; the outcome of this write is unknown, ask again under the same key" : ""
    }`
  }
}

/** The store was closed: its Scope ended. It answers nothing any more. */
export class StoreClosed extends Schema.TaggedError<StoreClosed>()("StoreClosed", {}) {
  /** Stable code of this error. */
  readonly code = "STORE_CLOSED"
  override get message() {
    return "the store was closed; open it again"
  }
}

/** The store is reopening after a failed write, or could not read just now. */
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
  | StoreFull
  | StoreUnavailable
  | StoreClosed
  | OwnerFenced
  | RevisionConflict
  | HistoryPruned
  | SchemaUnsupported
