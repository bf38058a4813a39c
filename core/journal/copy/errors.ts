/**
 * What copying, checking and repairing a store can fail with, beyond the store contract's own errors.
 */
import { Schema } from "effect"
import { StoreFull } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import { saysFull } from "../full.ts"

/** The target of a restore or a repair holds something already. Nothing was written. */
export class TargetTaken extends Schema.TaggedError<TargetTaken>()("TargetTaken", {
  target: Schema.String,
  /** What is there, such as `mob team`. */
  holds: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "TARGET_TAKEN"
  override get message() {
    return `${this.target} holds ${this.holds} already; nothing was written; give another data directory`
  }
}

/** The target of a restore or a repair cannot be made where it was said to be. Nothing was written. */
export class TargetUnusable extends Schema.TaggedError<TargetUnusable>()("TargetUnusable", {
  target: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "TARGET_UNUSABLE"
  override get message() {
    return `no store can be made at ${this.target}: ${this.reason}; nothing was written; give another data directory`
  }
}

/** A name that a repair was given for a number of a mob cannot be meant. Nothing was written. */
export class NameUnusable extends Schema.TaggedError<NameUnusable>()("NameUnusable", {
  number: Schema.Int,
  mob: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "NAME_UNUSABLE"
  override get message() {
    return `the name ${this.number}=${this.mob} cannot be meant: ${this.reason}; nothing was written`
  }
}

/** A backup cannot be read or written where it was said to be: no such file, no permission, something else is there. */
export class BackupFileUnusable extends Schema.TaggedError<BackupFileUnusable>()("BackupFileUnusable", {
  file: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "BACKUP_FILE_UNUSABLE"
  override get message() {
    return `the backup ${this.file} cannot be used: ${this.reason}`
  }
}

/** There is no mob of this name in the store. */
export class MobNotStored extends Schema.TaggedError<MobNotStored>()("MobNotStored", {
  mob: Schema.String,
  where: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "MOB_NOT_STORED"
  override get message() {
    return `there is no mob ${this.mob} in ${this.where}`
  }
}

/** There is no room for what a copy, a check or a repair writes. It has ended, and says nothing about the store. */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", {
  where: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "NO_ROOM"
  override get message() {
    return `there is no room for it at ${this.where}: ${this.reason}; free some space, then run it again`
  }
}

/** The process that read a store ended before it answered, and not by what it read. It says nothing about the store. */
export class ReaderEnded extends Schema.TaggedError<ReaderEnded>()("ReaderEnded", {
  dir: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "READER_ENDED"
  override get message() {
    return `the process that read ${this.dir} ended before it answered: ${this.reason}; this says nothing about the store`
  }
}

/** A failure for want of room as {@link NoRoom}, others as they are: nothing here goes on by itself, as a store does. */
export const orNoRoom = (where: string) => <E extends Error>(error: E): E | NoRoom =>
  !(error instanceof NoRoom) && (error instanceof StoreFull || saysFull(error))
    ? new NoRoom({
      where,
      reason: "reason" in error && typeof error.reason === "string" ? error.reason : reasonOf(error)
    })
    : error
