/**
 * The actor layer: cells with bounded mailboxes over nact's tree, supervision as data, and the run queue as a port.
 */
export { nactRef } from "./cell.ts"
export type { DeadLetters } from "./dead-letters.ts"
export { Dispatcher, type DispatcherShape, type Runnable } from "./dispatcher.ts"
export { ActorCrashed, ActorStopped, AskTimeout, MailboxFull, SpawnFailed } from "./errors.ts"
export type { NactRef } from "./nact-tree.ts"
export { ActorSystem, type ActorSystemShape, type FailedTree } from "./system.ts"
export type {
  ActorRef,
  CellContext,
  CellSpec,
  DeadLetter,
  Overflow,
  Reply,
  Restart,
  StopReason,
  Supervision,
  TreeNode
} from "./types.ts"
