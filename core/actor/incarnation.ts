/**
 * One life of a cell, from its `init` to its end: its state, its timers, forks, Scope and children. It is what the
 * behaviour gets as its context. Everything but the state is made when it is first asked for.
 */
import { Cause, Effect, Exit, Fiber, Scope } from "effect"
import { NOTHING } from "./envelope.ts"
import type { SpawnFailed } from "./errors.ts"
import type { Host } from "./parts.ts"
import type { Supervisor } from "./supervisor.ts"
import { Timers } from "./timers.ts"
import type { ActorRef, CellContext, CellSpec, ChildSpec, StopReason, Terminated } from "./types.ts"
import { Watches } from "./watch.ts"
import { within } from "./within.ts"

/** How long a cell may take to end, unless its spec says. */
const DEFAULT_SHUTDOWN = 5_000

/** One life of a cell. */
export class Incarnation implements CellContext<unknown> {
  /** Its behaviour may be called. Never true again once it was false. */
  live = true
  suspended = false
  /** `init` gave it a state. */
  started = false
  state: unknown = undefined
  /** Why it is not live, if it crashed. */
  cause: Cause.Cause<unknown> | undefined = undefined
  /** How it ended by itself, if it did not crash. */
  endedAs: StopReason | undefined = undefined
  /** It ends by itself when the turn is over. */
  private ends: StopReason | undefined = undefined
  /** A turn is under way. */
  busy = false
  /** What that turn does in a fiber. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** An effect of the behaviour that is not an Exit, to be run in the fiber. */
  pending: Effect.Effect<unknown, unknown> | undefined = undefined
  /** What that effect handles; NOTHING if there is none, or somebody has answered for it. */
  message: unknown = NOTHING
  /** While `init` runs in a fiber: ends the waiting for it. */
  abort: (() => void) | undefined = undefined
  /** The program of that fiber. */
  loop: Effect.Effect<void, unknown> | undefined = undefined
  children: Supervisor | undefined = undefined
  private readonly host: Host
  private turnEnded: (() => void) | undefined = undefined
  private ownScope: Scope.Closeable | undefined = undefined
  private timers: Timers | undefined = undefined
  private watches: Watches | undefined = undefined
  /** References of those that the spec lists in `children`. */
  private listed: Map<object, ActorRef<never>> | undefined = undefined
  private forks: Set<Fiber.Fiber<unknown, unknown>> | undefined = undefined
  private ending: "open" | "closing" | "over" = "open"
  /** Who waits for the end. */
  private waiting: Array<() => void> | undefined = undefined

  constructor(host: Host) {
    this.host = host
  }

  get self(): ActorRef<unknown> {
    return this.host.self
  }

  get scope(): Scope.Scope {
    if (this.ownScope === undefined) {
      this.ownScope = Scope.makeUnsafe()
      // Asked for too late: closed from the start, so that what is added to it runs at once.
      if (this.ending !== "open") Scope.closeUnsafe(this.ownScope, Exit.void)
    }
    return this.ownScope
  }

  spawn<S, N, E, R>(spec: CellSpec<S, N, E, R>): Effect.Effect<ActorRef<N>, SpawnFailed, R> {
    return this.host.spawn(this, spec)
  }

  fork<E>(effect: Effect.Effect<void, E>): void {
    if (!this.live) return
    const fiber: Fiber.Fiber<unknown, unknown> = Effect.runForkWith(this.host.services)(effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.forkEnded(exit)
    const forks = this.forks ??= new Set()
    forks.add(fiber)
    fiber.addObserver((exit) => {
      forks.delete(fiber)
      this.forkEnded(exit)
    })
  }

  setTimer(key: string, millis: number, message: unknown): void {
    if (this.live) this.timersMade().set(key, millis, message, false)
  }

  setPeriodicTimer(key: string, millis: number, message: unknown): void {
    if (this.live) this.timersMade().set(key, millis, message, true)
  }

  cancelTimer(key: string): void {
    this.timers?.cancel(key)
  }

  watch(ref: ActorRef<never>, message: (terminated: Terminated) => unknown): void {
    if (!this.live) return
    this.watches ??= new Watches({
      accept: (envelope) => this.host.accept(envelope),
      failed: (defect) => this.crash(Cause.die(defect))
    })
    this.watches.add(this.host.watched(ref), message)
  }

  unwatch(ref: ActorRef<never>): void {
    if (this.live) this.watches?.remove(this.host.watched(ref))
  }

  stash(): boolean {
    return this.live && this.host.stash(this)
  }

  unstash(): void {
    if (this.live) this.host.unstash(this)
  }

  child<N>(child: ChildSpec<N, unknown>): ActorRef<N> {
    const ref = this.listed?.get(child)
    if (ref === undefined) throw new TypeError(`${this.self.name} lists no child ${child.name}, or it is not up yet`)
    return ref as ActorRef<N> // it was made from that child's spec
  }

  /** The reference of a listed child, which is up. */
  list(child: object, ref: ActorRef<never>): void {
    const listed = this.listed ??= new Map()
    listed.set(child, ref)
  }

  suspend(): void {
    if (!this.live) return
    this.suspended = true
    this.host.pause()
  }

  resume(): void {
    if (!this.live || !this.suspended) return
    this.suspended = false
    this.host.schedule()
  }

  end(reason: "normal" | "shutdown" = "normal"): void {
    if (!this.live) return
    const as: StopReason = reason === "normal" ? { _tag: "Normal" } : { _tag: "Shutdown" }
    if (!this.busy || !this.started) return this.endNow(as)
    this.ends = as
    this.host.pause()
  }

  private endNow(reason: StopReason): void {
    this.live = false
    this.endedAs = reason
    this.children?.freeze()
    this.host.down(reason)
  }

  crash(cause: Cause.Cause<unknown>): void {
    if (!this.live) return
    this.live = false
    this.children?.freeze()
    this.cause = cause
    this.host.down({ _tag: "Crashed", cause })
  }

  /** Its start takes too long. */
  overdue(cause: Cause.Cause<unknown>): void {
    if (this.live) return this.crash(cause)
    // It ended itself, and hangs.
    this.cause ??= cause
    this.abort?.()
  }

  /** The turn is over; whoever waits for that goes on. */
  endTurn(): void {
    this.busy = false
    const ended = this.turnEnded
    this.turnEnded = undefined
    ended?.()
    if (this.ends !== undefined && this.live) this.endNow(this.ends)
  }

  /** Ends it, once: turn and forks, children in reverse, `onStop`, Scope. Later calls wait for the first. */
  close(reason: StopReason): Effect.Effect<void> {
    if (this.ending === "over") return Effect.void
    if (this.ending === "closing") return this.awaitEnd()
    this.ending = "closing"
    if (this.live) {
      this.live = false
      this.children?.freeze()
      this.host.pause()
    }
    const { spec, shared } = this.host
    this.timers?.cancelAll()
    this.watches?.removeAll()
    const idle = !this.busy && this.forks === undefined && this.children === undefined && this.ownScope === undefined
    if (idle && !(this.started && spec.onStop !== undefined)) this.over()
    // Detached: whoever asked for the end may be interrupted, the end goes on.
    else shared.fork(Effect.ensuring(this.dismantle(reason), Effect.sync(() => this.over())))
    return this.isOver() ? Effect.void : this.awaitEnd()
  }

  private dismantle(reason: StopReason): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { spec, services, shared } = this.host
      const { shutdown = DEFAULT_SHUTDOWN } = spec
      const brutal = shutdown === "brutal"
      let left = shutdown === "infinity" ? Infinity : brutal ? 0 : shutdown
      const timed = (effect: Effect.Effect<void>) =>
        Effect.suspend(() => {
          const before = shared.deadlines.now()
          return Effect.map(within(shared.fork, shared.deadlines, left, effect), () => {
            left = Math.max(0, left - (shared.deadlines.now() - before))
          })
        })

      const forks = [...this.forks ?? []]
      this.fiber?.interruptUnsafe()
      for (const fiber of forks) fiber.interruptUnsafe()
      if (!brutal && this.busy) yield* timed(this.awaitTurn())
      if (!brutal && forks.length > 0) yield* timed(Effect.asVoid(Fiber.awaitAll(forks)))
      if (this.children !== undefined) yield* this.children.shutdown()
      if (!brutal && this.started && spec.onStop !== undefined) {
        const stop = Effect.suspend(() => spec.onStop?.(this.state, reason) ?? Effect.void).pipe(
          Effect.catchCause((cause) => Effect.logError(`onStop of ${spec.name} failed`, cause)),
          Effect.provideContext(services)
        )
        yield* timed(stop)
      }
      if (this.ownScope !== undefined) {
        const close = Scope.close(this.ownScope, reason._tag === "Crashed" ? Exit.failCause(reason.cause) : Exit.void)
        if (brutal) shared.fork(close)
        else yield* timed(close)
      }
    })
  }

  private timersMade(): Timers {
    return this.timers ??= new Timers(this.host.shared.deadlines, this.host)
  }

  private awaitTurn(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (!this.busy) return resume(Effect.void)
      this.turnEnded = () => resume(Effect.void)
    })
  }

  private isOver(): boolean {
    return this.ending === "over"
  }

  private awaitEnd(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.ending === "over") return resume(Effect.void)
      const waiting = this.waiting ??= []
      waiting.push(() => resume(Effect.void))
    })
  }

  /** What it held may be large, and references to the context may outlive it. */
  private over(): void {
    this.ending = "over"
    if (this.busy) this.host.cutShort(this)
    this.abort?.()
    this.state =
      this.pending =
      this.loop =
      this.forks =
      this.children =
      this.abort =
      this.listed =
        undefined
    const waiting = this.waiting
    this.waiting = undefined
    if (waiting !== undefined) { for (const resume of waiting) resume() }
  }

  private forkEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)) this.crash(exit.cause)
  }
}
