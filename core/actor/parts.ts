/**
 * What the parts of the actor layer know of each other: the services that all cells of a system share, a cell as its
 * supervisor sees it, and a cell as its incarnation sees it.
 */
import type { Cause, Clock, Context, Effect, Fiber, Random } from "effect"
import type { DeadLetterOffice } from "./dead-letters.ts"
import type { Deadlines } from "./deadlines.ts"
import type { DispatcherShape } from "./dispatcher.ts"
import type { Envelope } from "./envelope.ts"
import type { SpawnFailed } from "./errors.ts"
import type { Incarnation } from "./incarnation.ts"
import type { NactTree } from "./nact-tree.ts"
import type { TapOffice } from "./tap.ts"
import type { ActorRef, CellSpec, StopReason, TreeNode } from "./types.ts"
import type { Watched } from "./watch.ts"

/** A spec inside the layer: state, messages and failures are opaque here, and its services are captured. */
export type AnySpec = CellSpec<unknown, unknown, unknown, never>

/** What all cells of one system share. */
export interface Shared {
  readonly dispatcher: DispatcherShape
  readonly clock: Clock.Clock
  readonly deadlines: Deadlines
  readonly deadLetters: DeadLetterOffice
  readonly tap: TapOffice
  readonly tree: NactTree
  readonly random: Random.Random
  /** Runs an effect with the system's services, at once until it first waits. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

/**
 * `starting`: `init` is under way. `restarting`: its incarnation has ended, or is ending, and supervision has the word.
 * `stopping`: for good.
 */
export type Phase = "starting" | "running" | "restarting" | "stopping" | "stopped"

/** A cell, as its supervisor sees it. */
export interface Child {
  readonly spec: AnySpec
  readonly phase: Phase
  /** How often it crashed in a row, and when last; for the back-off. */
  readonly crashes: { row: number; at: number }
  /** Restarts that count against its own intensity, where a supervisor counts each child by itself. */
  readonly restartTimes: Array<number>
  /** Begins a new incarnation. Fails with the cause, and then nothing of that incarnation is left. An Exit if it needs no fiber. */
  readonly start: () => Effect.Effect<void, Cause.Cause<unknown>>
  /** Ends the incarnation and keeps the mailbox; awaited. An Exit if it is over at once. */
  readonly halt: (reason: StopReason) => Effect.Effect<void>
  /** Ends the cell; awaited. */
  readonly stopAs: (reason: StopReason, drain: boolean) => Effect.Effect<void>
  /** A cell whose incarnation has ended stops being a cell: at once. */
  readonly dispose: (reason: StopReason) => void
  /** It will be started again after so many milliseconds. */
  readonly willRestart: (delay: number) => void
  /** It is about to be started again. */
  readonly countRestart: () => void
  /** Itself as data. */
  readonly inspect: () => Omit<TreeNode, "children">
  /** Those below it, in the order of their start. */
  readonly below: () => Iterable<Child>
}

/** A cell, as its incarnation sees it. */
export interface Host {
  readonly shared: Shared
  readonly spec: AnySpec
  readonly services: Context.Context<never>
  readonly self: ActorRef<unknown>
  /** Starts a child of `incarnation`. */
  readonly spawn: <S, N, E, R>(
    incarnation: object,
    spec: CellSpec<S, N, E, R>
  ) => Effect.Effect<ActorRef<N>, SpawnFailed, R>
  /** The cell behind a reference. Throws if it is none of this layer. */
  readonly watched: (ref: ActorRef<never>) => Watched
  /** Puts an envelope into the mailbox, full or not. */
  readonly accept: (envelope: Envelope) => void
  /** Looks again whether there is something to do. */
  readonly schedule: () => void
  /** Handles nothing after the current message, until `schedule`. */
  readonly pause: () => void
  /** Puts the current message of `incarnation` aside. */
  /** It has ended, and its turn is not waited for any more. */
  readonly cutShort: (incarnation: Incarnation) => void
  readonly stash: (incarnation: object) => boolean
  readonly unstash: (incarnation: object) => void
  /** The incarnation, which was live, is not any more. */
  readonly down: (reason: StopReason) => void
}
