/**
 * The actor layer: cells with bounded mailboxes over nact's tree, supervision as data, and the run queue as a port.
 *
 * What becomes of a message, by where it is and what happens to the cell:
 *
 * | message | crash, restarted | crash, gone | end, restarted | sibling's restart | back-off | stop | drain | suspended |
 * | --- | --- | --- | --- | --- | --- | --- | --- | --- |
 * | being handled | crashed | crashed | handled | stopped | - | stopped | handled | handled |
 * | behind it | next | stopped | next | next | kept | stopped | handled | kept |
 * | put aside | next | stopped | next | next | kept | stopped | stopped | kept |
 * | waits for room | next | refused | next | next | kept | refused | refused | kept |
 * | told now | next | refused | next | next | kept | refused | refused | kept |
 * | asked, taken | ActorCrashed | ActorCrashed | ActorStopped | ActorStopped | - | ActorStopped | answered | waits |
 * | asked, behind | answered | ActorStopped | answered | answered | waits | ActorStopped | answered | waits |
 * | from a timer | forgotten | forgotten | forgotten | forgotten | - | forgotten | handled | kept |
 * | Terminated | forgotten | forgotten | forgotten | forgotten | - | forgotten | handled | kept |
 *
 * - `handled`: by this incarnation, to its end. `next`: by the next incarnation, in order, once. `kept`: in its place
 *   until the cell goes on.
 * - `crashed`, `stopped`: a dead letter with that reason. `refused`: a dead letter `stopped`, and its sender gets
 *   `ActorStopped` if it can be told. `forgotten`: gone, and nobody misses it.
 * - An asker gets `ActorCrashed` or `ActorStopped`, is `answered`, or `waits` for as long as its deadline allows.
 * - "crash, gone" is a crash of a child that is not restarted, or once too often. A message that is being handled when
 *   its incarnation is ended from outside is interrupted, and not handled again. One that cannot be interrupted may run
 *   to its end within the cell's deadline; it is a dead letter all the same, and the state it came to is dropped.
 * - What was put aside waits in front of what is behind; "asked, taken" is one whose answer the behaviour still owes.
 *
 * Signals (stop, crash, suspend, resume, a parent's end) are no messages: they never wait behind any, and never for room.
 */
export { nactRef } from "./cell.ts"
export { checkSpec } from "./check.ts"
export { child, supervisor, type SupervisorOptions } from "./children.ts"
export type { DeadLetters } from "./dead-letters.ts"
export { Dispatcher, type DispatcherShape, type Runnable } from "./dispatcher.ts"
export { dynamicSupervisor, type DynamicSupervisorOptions, type StartChild, startChild } from "./dynamic-supervisor.ts"
export {
  ActorCrashed,
  ActorStopped,
  AskTimeout,
  MailboxFull,
  SpawnFailed,
  SpecInvalid,
  StartTimeout
} from "./errors.ts"
export { Behavior, type NactContext, type NactFunction } from "./from-nact.ts"
export type { NactRef } from "./nact-tree.ts"
export type { Backoff, Restart, Strategy, Supervision } from "./supervision.ts"
export { ActorSystem, type ActorSystemShape, type FailedTree } from "./system.ts"
export type { LifecycleEvent, Tap } from "./tap.ts"
export type {
  ActorRef,
  CellContext,
  CellSpec,
  ChildSpec,
  DeadLetter,
  Overflow,
  Reply,
  StopReason,
  Terminated,
  TreeNode
} from "./types.ts"
