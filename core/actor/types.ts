/**
 * The actor layer's contract: cells, their references, what a behaviour may do.
 *
 * A cell is a nact actor plus our own bounded mailbox plus an Effect behaviour. One message at a time; per-sender
 * order; nothing throws into nact.
 */
import type { Cause, Effect, Exit, Scope } from "effect"
import type { ActorCrashed, ActorStopped, AskTimeout, MailboxFull, SpawnFailed } from "./errors.ts"
import type { Restart, Supervision } from "./supervision.ts"

/** What to do with a message when a mailbox is full. */
export type Overflow = "backpressure" | "fail" | "drop"

/** Why a cell stopped. */
export type StopReason =
  /** It was stopped by its reference, or ended by itself. */
  | { readonly _tag: "Normal" }
  /** Its parent stopped it, or it ended by itself with that reason. */
  | { readonly _tag: "Shutdown" }
  | { readonly _tag: "Crashed"; readonly cause: Cause.Cause<unknown> }

/** What a watcher is told, once. */
export interface Terminated {
  readonly name: string
  readonly path: string
  readonly reason: StopReason
}

/** Answers one asker, exactly once; later answers do nothing. */
export interface Reply<in A, in E = never> {
  readonly done: (exit: Exit.Exit<A, E>) => void
}

/**
 * How to speak to a cell. A reference stays valid across restarts of the cell, and answers `ActorStopped` after its
 * end. Call its functions as methods: they are not bound.
 */
export interface ActorRef<in M> {
  /** nact's path, such as `/c3/k/c17`; names are ordinals because nact refuses most characters. */
  readonly path: string
  /** The name the spec gave; what people see. */
  readonly name: string
  /** Enters the mailbox now, or is a dead letter and gives false (stopped, or full: it cannot wait for room). */
  readonly tellUnsafe: (message: M) => boolean
  /**
   * As `tellUnsafe`, but typed. When full: waits for room with `backpressure`, fails with `fail`, and with `drop` is a
   * dead letter and succeeds. Interrupted while it waits, the message is not sent.
   */
  readonly tell: (message: M) => Effect.Effect<void, ActorStopped | MailboxFull>
  /**
   * Sends a message that carries a reply, and waits for it. `timeout` in milliseconds, waiting for room included;
   * `Infinity` waits for ever. If the cell crashes while it holds the message (an answer may be given turns later), the
   * asker gets `ActorCrashed`; a message still in the mailbox stays there. Interrupted, a later answer is dropped.
   */
  readonly ask: <A, E>(
    make: (reply: Reply<A, E>) => M,
    timeout: number
  ) => Effect.Effect<A, E | ActorStopped | ActorCrashed | AskTimeout | MailboxFull>
  /**
   * Stops the cell after its children, in reverse order of their start, each within its deadline; awaited. With
   * `drain`, messages already in the mailbox are handled first; else they become dead letters and their askers get
   * `ActorStopped`. A cell stopped like this is not started again, whatever its `restart`. Idempotent. From within its
   * own turn it does not wait.
   */
  readonly stop: (options?: { readonly drain?: boolean }) => Effect.Effect<void>
}

/**
 * What a behaviour may do with its own cell. Valid for one incarnation: afterwards every call does nothing, and `spawn`
 * fails. Call its functions as methods: they are not bound.
 */
export interface CellContext<M> {
  readonly self: ActorRef<M>
  /** Starts a child. Children stop with their parent, before it. */
  readonly spawn: <S, N, E, R>(spec: CellSpec<S, N, E, R>) => Effect.Effect<ActorRef<N>, SpawnFailed, R>
  /** The Scope of this incarnation: closed when it crashes, restarts or stops. */
  readonly scope: Scope.Scope
  /** Runs an effect in this incarnation's Scope without holding up the mailbox. Its failure crashes the cell. */
  readonly fork: <E>(effect: Effect.Effect<void, E>) => void
  /**
   * Sends `message` to this cell after `millis`, on Effect's Clock; replaces a timer of the same key. It enters the
   * mailbox even if that is full. Timers end with the incarnation: what one had sent and nobody has handled by then, or
   * by the time it is cancelled or replaced, is forgotten.
   */
  readonly setTimer: (key: string, millis: number, message: M) => void
  /**
   * The same every `millis`, the first time after `millis`. At a fixed rate, without drift; a tick that is due while the
   * one before still waits in the mailbox is left out, so that a slow cell has one waiting at most.
   */
  readonly setPeriodicTimer: (key: string, millis: number, message: M) => void
  /** Forgets that timer, and what it had sent if that is not handled yet. */
  readonly cancelTimer: (key: string) => void
  /**
   * Sends this cell one message when that one has ended for good, with the reason; at once if it has already. A restart
   * is no end. It enters the mailbox behind what is there, even if that is full: after all that the watched one had told
   * this cell. A second watch replaces the first. Watches end with the incarnation.
   */
  readonly watch: (ref: ActorRef<never>, message: (terminated: Terminated) => M) => void
  /** Forgets that watch, and its message if that is not handled yet. */
  readonly unwatch: (ref: ActorRef<never>) => void
  /**
   * Puts the message that is being handled aside; its asker waits on. False, and nothing has happened, if as many are put
   * aside as the mailbox holds, or nothing is being handled. What is aside when the incarnation ends goes back to the
   * front of the mailbox; what is aside when the cell ends is a dead letter. What a timer or a watch had sent is a message
   * like any other once it is aside.
   */
  readonly stash: () => boolean
  /** Puts all that was put aside back to the front of the mailbox, in order. */
  readonly unstash: () => void
  /** The reference of a child that the spec lists in `children`. Throws for any other. */
  readonly child: <N>(child: ChildSpec<N, unknown>) => ActorRef<N>
  /** Keeps the mailbox but handles nothing until `resume`; stop and supervision still work. */
  readonly suspend: () => void
  readonly resume: () => void
  /**
   * Ends this incarnation after the current message, as a process that returns, or that exits with `shutdown`. A
   * `permanent` child is started again, others are gone.
   */
  readonly end: (reason?: "normal" | "shutdown") => void
  /** Crashes this incarnation from outside a turn; supervision decides what follows. */
  readonly crash: (cause: Cause.Cause<unknown>) => void
}

/** One child of a cell as data: any cell whose services are `R`. Made by `child`. */
export interface ChildSpec<in N, out R> {
  readonly name: string
  /** Nothing reads it: it carries the types. */
  readonly _types?: { readonly message: (message: N) => void; readonly services: () => R }
}

/** A cell as data. `R` is captured once, when it is spawned. */
export interface CellSpec<S, M, E, R> {
  readonly name: string
  /**
   * Children that every incarnation has from its start: started in order, each when the one before is up, before `init`.
   * One that does not start is a failed start of this cell; those before it are stopped in reverse.
   */
  readonly children?: ReadonlyArray<ChildSpec<never, R>>
  /** Makes the state of one incarnation; a failure is a failed start. */
  readonly init: (context: CellContext<M>) => Effect.Effect<S, E, R>
  /**
   * Handles one message. An `Exit` costs no fiber. A failure or defect crashes the cell: its asker gets `ActorCrashed`,
   * the message is a dead letter and is not handled again, those behind it survive a restart in order. A turn that is
   * interrupted, but not by a stop, leaves the state as it was.
   */
  readonly behavior: (state: S, message: M, context: CellContext<M>) => Effect.Effect<S, E, R>
  /** Called once after each drained burst, synchronously, with the state after it; not if the burst ended in a crash. */
  readonly afterTurn?: (state: S, context: CellContext<M>) => void
  /** Runs when an incarnation that had a state ends, for whatever reason, after its children; within the deadline. */
  readonly onStop?: (state: S, reason: StopReason) => Effect.Effect<void, never, R>
  /**
   * The reply that a message carries, if it is one you made yourself and sent by `tell`: it is answered when the cell
   * crashes or stops. Those of `ask` are known without it.
   */
  readonly replyOf?: (message: M) => Reply<never, ActorCrashed | ActorStopped> | undefined
  /** Default: 65,536 messages, `fail`. */
  readonly mailbox?: { readonly capacity: number; readonly overflow: Overflow }
  /** What its parent does when it crashes or ends. Default `permanent`. */
  readonly restart?: Restart
  /**
   * Whether the parent's `autoShutdown` looks at it. It must not be `permanent`. Default false.
   */
  readonly significant?: boolean
  /**
   * Milliseconds that `children` and `init` may take together; beyond, it is a failed start with `StartTimeout`. Default
   * 30,000.
   */
  readonly startTimeout?: number | "infinity"
  /**
   * Milliseconds this cell may take to end (its children have their own), or not at all, or for ever. Default 5,000.
   * Draining has as much again. What is not over by then is abandoned: interrupted, and not waited for. `brutal` runs no `onStop`.
   */
  readonly shutdown?: number | "brutal" | "infinity"
  /** For its children. Default: one_for_one, 3 in 5,000 ms, no back-off. */
  readonly supervision?: Supervision
}

/** One node of `snapshotTree`: plain data. */
export interface TreeNode {
  readonly name: string
  readonly path: string
  readonly status: "running" | "suspended" | "restarting" | "stopping"
  /** Messages that wait, those put aside included. */
  readonly mailbox: number
  /** Messages handled, over all incarnations. */
  readonly processed: number
  readonly restarts: number
  /** Its last crash, or start that failed. `at` in milliseconds of Effect's Clock. */
  readonly lastFailure?: { readonly at: number; readonly message: string }
  readonly children: ReadonlyArray<TreeNode>
}

/** A message that reached nobody. */
export interface DeadLetter {
  readonly to: string
  readonly reason: "stopped" | "full" | "crashed"
  readonly message: unknown
}
