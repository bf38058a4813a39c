/**
 * Mobwright: durable teams of members under supervision. This is the face of the runtime; what plugin authors need
 * alone is in `mobwright/sdk`.
 */
export * from "../sdk/index.ts"
export {
  ActorCrashed,
  type ActorRef,
  ActorStopped,
  ActorSystem,
  type ActorSystemShape,
  AskTimeout,
  type Backoff,
  type CellContext,
  type CellSpec,
  checkSpec,
  child,
  type ChildSpec,
  type DeadLetter,
  type DeadLetters,
  Dispatcher,
  type DispatcherShape,
  dynamicSupervisor,
  type DynamicSupervisorOptions,
  type FailedTree,
  type LifecycleEvent,
  MailboxFull,
  type NactContext,
  type NactFunction,
  type NactRef,
  nactRef,
  type Overflow,
  type Reply,
  type Restart,
  type Runnable,
  SpawnFailed,
  SpecInvalid,
  type StartChild,
  startChild,
  StartTimeout,
  type StopReason,
  type Strategy,
  type Supervision,
  supervisor,
  type SupervisorOptions,
  type Tap,
  type Terminated,
  type TreeNode
} from "./actor/index.ts"
// In place of the SDK's, of which it has all.
export { Behavior } from "./behavior.ts"
export { checkDefinition, DefinitionInvalid, DefinitionUnreadable, loadDefinition } from "./definition/index.ts"
export {
  backup,
  type BackupError,
  BackupFileUnusable,
  type BackupOptions,
  type BackupWritten,
  exportMob,
  type Finding,
  importMob,
  type IntoNewError,
  type Loss,
  MobNotStored,
  type MobWritten,
  NameUnusable,
  NoRoom,
  ReaderEnded,
  repair,
  type Repaired,
  type RepairedMob,
  type RepairError,
  type RepairOptions,
  restore,
  type Restored,
  type RestoreError,
  type SalvageError,
  type ShadowError,
  type StagingError,
  TargetTaken,
  TargetUnusable,
  type Unread,
  type Verified,
  verify,
  type VerifyError
} from "./journal/copy/index.ts"
export { DataFolderUnusable, JournalLevel, type JournalLevelOptions, JournalMemory } from "./journal/index.ts"
export {
  readSecrets,
  SecretsBusy,
  type SecretsError,
  type SecretsReadError,
  SecretsUnsafe,
  writeSecret
} from "./journal/secrets.ts"
export * from "./mob/errors.ts"
export {
  type CommandError,
  type MemberView,
  type MobHandle,
  type MobPhase,
  Mobs,
  mobsLayer,
  type MobsShape,
  type MobStatus,
  type RunRecord,
  type RunStarted,
  type StepRecord,
  type WorkAccepted
} from "./mob/index.ts"
export { type AnyBridge, BridgeIdTaken, Bridges } from "./plugin/index.ts"
export { runtime, type RuntimeOptions } from "./runtime.ts"
