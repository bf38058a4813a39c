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
  type CellContext,
  type CellSpec,
  type DeadLetter,
  type DeadLetters,
  Dispatcher,
  type DispatcherShape,
  type FailedTree,
  MailboxFull,
  type Overflow,
  type Reply,
  type Restart,
  type Runnable,
  SpawnFailed,
  type StopReason,
  type Supervision,
  type TreeNode
} from "./actor/index.ts"
export { checkDefinition, DefinitionInvalid, DefinitionUnreadable, loadDefinition } from "./definition/index.ts"
export { DataFolderUnusable, JournalLevel, type JournalLevelOptions, JournalMemory } from "./journal/index.ts"
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
