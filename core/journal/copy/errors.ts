/**
 * What copying a store can fail with, beyond the store contract's own errors.
 */
import { Schema } from "effect"

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

/** A backup cannot be read or written where it was said to be: no such file, no permission, no room. */
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
