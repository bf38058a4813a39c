/**
 * Copies of a store: backups of mobs that may be running, restoring them, checking a data directory, and saving what is
 * intact of a damaged one.
 */
export { repair, type RepairError, verify, type VerifyError } from "./apart.ts"
export { backup, type BackupError, type BackupOptions, type BackupWritten, exportMob } from "./backup.ts"
export {
  BackupFileUnusable,
  MobNotStored,
  NameUnusable,
  NoRoom,
  orNoRoom,
  ReaderEnded,
  TargetTaken,
  TargetUnusable
} from "./errors.ts"
export { type Finding, remedyOfMost, type Unread } from "./finding.ts"
export type { IntoNewError } from "./into-new.ts"
export type { Loss } from "./loss.ts"
export type { Repaired, RepairOptions, SalvageError } from "./repair.ts"
export { importMob, restore, type Restored, type RestoreError } from "./restore.ts"
export type { ShadowError } from "./shadow.ts"
export type { StagingError } from "./staging.ts"
export type { Verified } from "./verify.ts"
export type { MobWritten } from "./write-mob.ts"
export type { RepairedMob } from "./write-salvage.ts"
