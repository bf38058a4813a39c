/**
 * A durable cell: a cell that writes one aggregate.
 *
 * It holds a *tip* (state after all accepted steps) and hears, in order, when each submitted turn is on disk. A message
 * is decided against the tip; what one drained burst decides is submitted once; effects and replies of a turn are
 * released at its sync, in order. A turn without facts keeps its place behind what is still in flight (R2). A failed
 * commit, and a crash, drop the tip: the cell loads again and tells again what committed state implies (R1).
 */
import { type Cause, Clock, Effect, Exit } from "effect"
import type { Millis } from "../../sdk/ids.ts"
import type { JsonObject } from "../../sdk/json.ts"
import type { Entry, MobLog, StoreError, Submission } from "../../sdk/store.ts"
import type { CellContext, CellSpec, StopReason } from "../actor/index.ts"
import type { Aggregate } from "./aggregate.ts"
import { DurableCell } from "./durable-cell.ts"

/** An effect of a turn, run after its sync. */
export interface Release {
  /** One that throws crashes its cell, which tells again what its committed state implies (R1). */
  readonly release: () => void
  /** Called instead when the commit failed or its fate is unknown; for askers. Must not throw. */
  readonly abandon?: (reason: Abandoned) => void
}

/** Why an effect was not released. */
export type Abandoned =
  | { readonly _tag: "StoreFailed"; readonly error: StoreError }
  | { readonly _tag: "CellStopped"; readonly reason: StopReason }

/** What one message comes to. */
export interface Step<F> {
  readonly facts: ReadonlyArray<F>
  readonly releases: ReadonlyArray<Release>
  /** Entries of other aggregates in the same submission: `create run` alone (R11). */
  readonly entries?: ReadonlyArray<Entry>
  readonly pins?: Submission["pins"]
}

/** The part of a durable cell that its owner writes. Made anew for each incarnation. */
export interface DurableBehavior<S, F, M> {
  /** Decides one message. Synchronous; must not change anything but its own transient state. */
  readonly handle: (state: S | undefined, message: M, now: Millis) => Step<F>
  /** R1: after each load, before any message: tells again all that committed state implies. */
  readonly started: (state: S | undefined, now: Millis) => Step<F>
  /** A turn is on disk; called before its releases. */
  readonly committed?: (state: S) => void
  /** Called after each drained burst, with everything submitted. */
  readonly settled?: (state: S | undefined, now: Millis) => void
  /** The incarnation ends. */
  readonly stopped?: (reason: StopReason) => Effect.Effect<void>
}

/** A durable cell as data. */
export interface DurableSpec<S, F extends JsonObject, M> {
  readonly log: MobLog
  readonly aggregate: Aggregate<S, F>
  /** State known to be committed already, so that the first start need not load it. */
  readonly preloaded?: { readonly state: S; readonly revision: number }
  readonly behavior: (cell: DurableContext<M>) => DurableBehavior<S, F, M>
  /** The store is closed for good, or another owner took over. */
  readonly closed: (error: StoreError) => void
  /** An incarnation crashed, or could not be started. Must not throw. */
  readonly crashed?: (cause: Cause.Cause<unknown>) => void
  readonly cell: Omit<CellSpec<never, M, never, never>, "init" | "behavior" | "afterTurn" | "onStop">
}

/** What the owner's part may use. */
export interface DurableContext<M> {
  readonly cell: CellContext<M>
}

/** One incarnation of a durable cell: what its cell calls. */
export interface DurableIncarnation<M> {
  readonly handle: (message: M) => void
  readonly flush: () => void
  readonly stop: (reason: StopReason) => Effect.Effect<void>
}

/** Makes the cell of an aggregate. Its `init` fails with a `StoreError` when the aggregate cannot be read. */
export const durable = <S, F extends JsonObject, M>(
  spec: DurableSpec<S, F, M>
): CellSpec<DurableIncarnation<M>, M, StoreError, never> => {
  let preloaded = spec.preloaded
  return {
    ...spec.cell,
    // It waits for a disk that is full, however long that takes.
    startTimeout: "infinity",
    init: (context) =>
      Effect.gen(function*() {
        const cell = new DurableCell(spec, context, yield* Clock.Clock)
        const first = preloaded
        preloaded = undefined
        yield* cell.start(first)
        return cell
      }),
    behavior: (cell, message) => {
      cell.handle(message)
      return Exit.succeed(cell)
    },
    afterTurn: (cell) => cell.flush(),
    onStop: (cell, reason) => cell.stop(reason)
  }
}
