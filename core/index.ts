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
  Dispatcher,
  MailboxFull,
  type Overflow,
  type Reply,
  type Restart,
  SpawnFailed,
  type StopReason,
  type Supervision,
  type TreeNode
} from "./actor/index.ts"
export { JournalLevel, JournalMemory } from "./journal/index.ts"
export * from "./mob/index.ts"
export { type AnyBridge, BridgeIdTaken, Bridges } from "./plugin/index.ts"
export { runtime, type RuntimeOptions } from "./runtime.ts"
