/**
 * A durable cell: a cell that writes one aggregate.
 *
 * It holds a *tip* (state after all accepted steps) and hears, in order, when each submitted turn is on disk. A message
 * is decided against the tip; what one drained burst decides is submitted once; effects and replies of a turn are
 * released at its sync, in order. A turn without facts keeps its place behind what is still in flight (R2). A failed
 * commit, and a crash, drop the tip: the cell loads again and tells again what committed state implies (R1).
 */
import { Cause, Clock, Effect, Exit } from "effect"
import type { Millis } from "../../sdk/ids.ts"
import type { JsonObject } from "../../sdk/json.ts"
import type { Entry, MobLog, StoreError, Submission } from "../../sdk/store.ts"
import type { CellContext, CellSpec, StopReason } from "../actor/index.ts"
import { type Aggregate, loadAggregate, untilReadable } from "./aggregate.ts"

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

interface InFlight<S> {
  readonly state: S
  readonly releases: Array<Release>
}

/** One incarnation of a durable cell: what its cell calls. */
export interface DurableIncarnation<M> {
  readonly handle: (message: M) => void
  readonly flush: () => void
  readonly stop: (reason: StopReason) => Effect.Effect<void>
}

class DurableCell<S, F extends JsonObject, M> {
  private tip: S | undefined
  private revision = 0
  private readonly flying: Array<InFlight<S>> = []
  private facts: Array<F> = []
  private events: Array<JsonObject> = []
  private releases: Array<Release> = []
  private entries: Array<Entry> = []
  private pins: Array<NonNullable<Submission["pins"]>[number]> = []
  private ended: StopReason | undefined
  private lost = false
  private loads = 0
  private unlisten = () => {}
  private readonly spec: DurableSpec<S, F, M>
  private readonly context: CellContext<M>
  private readonly behavior: DurableBehavior<S, F, M>
  private readonly clock: Clock.Clock

  constructor(spec: DurableSpec<S, F, M>, context: CellContext<M>, clock: Clock.Clock) {
    this.spec = spec
    this.context = context
    this.clock = clock
    this.behavior = spec.behavior({ cell: context })
  }

  /** Awaits the barrier, loads, tells again. */
  readonly start = (preloaded: DurableSpec<S, F, M>["preloaded"]): Effect.Effect<void, StoreError> => {
    this.unlisten()
    this.unlisten = this.spec.log.listen({
      lost: () => this.suspend(),
      reopened: () => this.reload(),
      closed: (error) => this.spec.closed(error),
      headWanted: () => this.writeHead(),
      aggregate: this.spec.aggregate.name
    })
    const begun = preloaded === undefined ? this.load() : Effect.sync(() => this.begin(preloaded))
    // What never started is never stopped either.
    return Effect.onError(begun, (cause) => Effect.sync(() => this.notStarted(cause)))
  }

  private notStarted(cause: Cause.Cause<unknown>) {
    this.unlisten()
    this.ended = { _tag: "Crashed", cause }
    if (!Cause.hasInterruptsOnly(cause)) this.spec.crashed?.(cause)
  }

  /** False if it came too late. */
  private load(): Effect.Effect<boolean, StoreError> {
    const turn = ++this.loads
    const { aggregate, log } = this.spec
    return log.barrier(aggregate.name).pipe(
      Effect.andThen(loadAggregate(log, aggregate)),
      untilReadable,
      Effect.map((loaded) => {
        // A later failure began another load: that one decides, and resumes.
        if (turn !== this.loads || this.ended !== undefined) return false
        this.begin(loaded)
        return true
      })
    )
  }

  private begin(loaded: { readonly state: S; readonly revision: number } | undefined) {
    this.tip = loaded?.state
    this.revision = loaded?.revision ?? 0
    this.lost = false
    if (this.tip !== undefined) this.behavior.committed?.(this.tip)
    this.take(this.behavior.started(this.tip, this.clock.currentTimeMillisUnsafe()))
    this.flush()
  }

  private suspend() {
    this.lost = true
    this.loads++
    this.context.suspend()
  }

  private reload() {
    if (this.ended !== undefined) return
    // Also when it began to listen only now: a load that is under way is of before.
    this.suspend()
    this.context.fork(
      this.load().pipe(
        Effect.map((begun) => {
          if (begun) this.context.resume()
        })
      )
    )
  }

  handle(message: M): void {
    this.take(this.behavior.handle(this.tip, message, this.clock.currentTimeMillisUnsafe()))
  }

  private take(step: Step<F>) {
    const { aggregate } = this.spec
    for (const fact of step.facts) {
      const before = this.tip
      const after = aggregate.evolve(before, fact)
      this.tip = after
      this.facts.push(fact)
      for (const event of aggregate.project(before, fact, after)) this.events.push(event)
    }
    for (const release of step.releases) this.releases.push(release)
    if (step.entries !== undefined) this.entries.push(...step.entries)
    if (step.pins !== undefined) this.pins.push(...step.pins)
  }

  /** Submits what the burst decided; one submission a burst. */
  flush(): void {
    const { releases } = this
    if (this.facts.length === 0) {
      if (releases.length > 0) {
        this.releases = []
        const last = this.flying.at(-1)
        if (last === undefined) this.release(releases)
        else for (const it of releases) last.releases.push(it)
      }
    } else this.submit()
    this.behavior.settled?.(this.tip, this.clock.currentTimeMillisUnsafe())
  }

  private submit() {
    // A fact was taken, so there is a state.
    const state = this.tip as S
    const { aggregate, log } = this.spec
    const flying: InFlight<S> = { state, releases: this.releases }
    this.flying.push(flying)
    this.revision += 1
    const entry: Entry = {
      aggregate: aggregate.name,
      revision: this.revision,
      at: this.clock.currentTimeMillisUnsafe(),
      facts: this.facts,
      events: this.events,
      snapshot: () => aggregate.encode(state),
      terminal: aggregate.isTerminal(state)
    }
    const submission: Submission = {
      entries: this.entries.length === 0 ? [entry] : [entry, ...this.entries],
      ...(this.pins.length > 0 ? { pins: this.pins } : {}),
      committed: () => this.synced(flying),
      failed: (error) => this.failed(flying, error)
    }
    this.facts = []
    this.events = []
    this.releases = []
    this.entries = []
    this.pins = []
    log.submit(submission)
  }

  private synced(flying: InFlight<S>) {
    this.flying.shift()
    if (this.ended !== undefined) return
    try {
      this.behavior.committed?.(flying.state)
    } catch (defect) {
      return this.broken(flying.releases, Cause.die(defect))
    }
    this.release(flying.releases)
  }

  private release(releases: ReadonlyArray<Release>) {
    let begun = 0
    try {
      for (const it of releases) {
        begun += 1
        it.release()
      }
    } catch (defect) {
      this.broken(releases.slice(begun - 1), Cause.die(defect))
    }
  }

  /** What is left of a turn whose release threw is told by the incarnation that follows; its askers hear of it now. */
  private broken(releases: ReadonlyArray<Release>, cause: Cause.Cause<unknown>) {
    this.context.crash(cause)
    for (const it of releases) it.abandon?.({ _tag: "CellStopped", reason: { _tag: "Crashed", cause } })
  }

  private failed(flying: InFlight<S>, error: StoreError) {
    const index = this.flying.indexOf(flying)
    if (index >= 0) this.flying.splice(index, 1)
    if (this.ended !== undefined) return
    for (const it of flying.releases) it.abandon?.({ _tag: "StoreFailed", error })
    if (this.lost) return
    this.suspend()
    switch (error._tag) {
      case "RevisionConflict":
        // A guard that did not hold is this cell's alone (R15).
        return this.reload()
      case "StoreUnavailable":
        // It is being opened again, or could not read the guard and says nothing more.
        return this.reload()
      case "OwnerFenced":
      case "StoreClosed":
        // The store says `closed`.
        return
      case "StoreFull":
      case "StoreWriteFailed":
        if (error.outcome === "unknown") return
    }
    // The store goes on without what this cell decided, such as an outcome that is no JSON: nobody else will say so.
    this.context.crash(Cause.fail(error))
  }

  private writeHead() {
    if (this.lost || this.ended !== undefined || this.tip === undefined || this.revision === 0) return
    // The tip would be ahead of the revision; the store asks again.
    if (this.facts.length > 0) return
    const state = this.tip
    this.spec.log.submit({
      entries: [],
      heads: [{
        aggregate: this.spec.aggregate.name,
        revision: this.revision,
        snapshot: () => this.spec.aggregate.encode(state)
      }],
      committed: () => {},
      failed: () => {}
    })
  }

  /** The incarnation is over: nothing of it is released any more; its successor awaits the barrier. */
  stop(reason: StopReason): Effect.Effect<void> {
    this.ended = reason
    this.unlisten()
    if (reason._tag === "Crashed") this.spec.crashed?.(reason.cause)
    for (const flying of this.flying) {
      for (const it of flying.releases) it.abandon?.({ _tag: "CellStopped", reason })
    }
    for (const it of this.releases) it.abandon?.({ _tag: "CellStopped", reason })
    return this.behavior.stopped?.(reason) ?? Effect.void
  }
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
        return {
          handle: (message) => cell.handle(message),
          flush: () => cell.flush(),
          stop: (reason) => cell.stop(reason)
        }
      }),
    behavior: (cell, message) => {
      cell.handle(message)
      return Exit.succeed(cell)
    },
    afterTurn: (cell) => cell.flush(),
    onStop: (cell, reason) => cell.stop(reason)
  }
}
