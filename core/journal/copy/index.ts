/**
 * Copies of a store: backups of mobs that may be running, restoring them, checking a data directory, and saving what is
 * intact of a damaged one.
 */
export { type FailedApart, repairApart, verifyApart } from "./apart.ts"
export { backup, type BackupError, type BackupOptions, type BackupWritten, exportMob } from "./backup.ts"
export { BackupFileUnusable, MobNotStored, TargetTaken } from "./errors.ts"
export type { Finding } from "./finding.ts"
export { type Loss, repair, type Repaired, type RepairError, type RepairOptions } from "./repair.ts"
export { importMob, restore, type Restored, type RestoreError } from "./restore.ts"
export type { StagingError } from "./staging.ts"
export { type Verified, verify } from "./verify.ts"
