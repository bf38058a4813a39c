/**
 * One incarnation of a durable cell: its tip, what it has decided and not submitted, and what is in flight.
 */
import { Cause, type Clock, Effect } from "effect"
import type { JsonObject } from "../../sdk/json.ts"
import type { Entry, StoreError, Submission } from "../../sdk/store.ts"
import type { CellContext, StopReason } from "../actor/index.ts"
import { loadAggregate, untilReadable } from "./aggregate.ts"
import type { DurableBehavior, DurableIncarnation, DurableSpec, Release, Step } from "./durable.ts"

interface InFlight<S> {
  readonly state: S
  readonly releases: Array<Release>
}

/** What one incarnation holds; its cell calls `start`, then the rest. */
export class DurableCell<S, F extends JsonObject, M> implements DurableIncarnation<M> {
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
      room: () => {
        if (!this.lost) this.context.resume()
      },
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
    const isLate = () => turn !== this.loads || this.ended !== undefined
    const { aggregate, log } = this.spec
    return log.barrier(aggregate.name).pipe(
      Effect.andThen(loadAggregate(log, aggregate)),
      untilReadable,
      Effect.matchEffect({
        // A later failure began another load: that one decides, and resumes.
        onFailure: (error) => isLate() ? Effect.succeed(false) : Effect.fail(error),
        onSuccess: (loaded) =>
          Effect.sync(() => {
            if (isLate()) return false
            this.begin(loaded)
            return true
          })
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
    // Its mailbox fills, and who can wait waits there.
    if (log.crowded()) this.context.suspend()
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
