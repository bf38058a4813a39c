/**
 * One life of a cell, from its `init` to its end: its state, its timers, forks, Scope and children. It is what the
 * behaviour gets as its context. Everything but the state is made when it is first asked for.
 */
import { Cause, Effect, Exit, Fiber, Scope } from "effect"
import { Deadline, type Deadlines } from "./deadlines.ts"
import type { SpawnFailed } from "./errors.ts"
import type { Host } from "./parts.ts"
import { Supervisor } from "./supervisor.ts"
import type { ActorRef, CellContext, CellSpec, StopReason } from "./types.ts"

/** How long a cell may take to end, unless its spec says. */
const DEFAULT_SHUTDOWN = 5_000

class Timer extends Deadline {
  private readonly incarnation: Incarnation
  private readonly key: string
  private readonly message: unknown

  constructor(incarnation: Incarnation, key: string, message: unknown) {
    super()
    this.incarnation = incarnation
    this.key = key
    this.message = message
  }

  override due(): void {
    this.incarnation.timerDue(this.key, this.message)
  }
}

class Overdue extends Deadline {
  private readonly give: () => void

  constructor(give: () => void) {
    super()
    this.give = give
  }

  override due(): void {
    this.give()
  }
}

/** Runs `effect` with the time a cell may take; what is left over is interrupted and not waited for. */
const within = (
  fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>,
  deadlines: Deadlines,
  millis: number,
  effect: Effect.Effect<void>
): Effect.Effect<void> => {
  if (!Number.isFinite(millis)) return effect
  return Effect.callback<void>((resume) => {
    const fiber = fork(effect)
    if (fiber.pollUnsafe() !== undefined) return resume(Effect.void)
    const overdue = new Overdue(() => {
      resume(Effect.void)
      fiber.interruptUnsafe()
    })
    deadlines.add(overdue, millis)
    fiber.addObserver(() => {
      deadlines.remove(overdue)
      resume(Effect.void)
    })
  })
}

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
  /** A turn is under way. */
  busy = false
  /** What that turn does in a fiber. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** An effect of the behaviour that is not an Exit, to be run in the fiber. */
  pending: Effect.Effect<unknown, unknown> | undefined = undefined
  /** The program of that fiber. */
  loop: Effect.Effect<void, unknown> | undefined = undefined
  children: Supervisor | undefined = undefined
  private readonly host: Host
  private turnEnded: (() => void) | undefined = undefined
  private ownScope: Scope.Closeable | undefined = undefined
  private timers: Map<string, Timer> | undefined = undefined
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
    if (!this.live) return
    this.cancelTimer(key)
    const timer = new Timer(this, key, message)
    const timers = this.timers ??= new Map()
    timers.set(key, timer)
    this.host.shared.deadlines.add(timer, millis)
  }

  cancelTimer(key: string): void {
    const timer = this.timers?.get(key)
    if (timer === undefined) return
    this.timers?.delete(key)
    this.host.shared.deadlines.remove(timer)
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

  end(): void {
    if (!this.live) return
    this.live = false
    this.host.down({ _tag: "Normal" })
  }

  crash(cause: Cause.Cause<unknown>): void {
    if (!this.live) return
    this.live = false
    this.cause = cause
    this.host.down({ _tag: "Crashed", cause })
  }

  /** @internal */
  timerDue(key: string, message: unknown): void {
    this.timers?.delete(key)
    if (this.live) this.host.accept(message)
  }

  /** The turn is over; whoever waits for that goes on. */
  endTurn(): void {
    this.busy = false
    const ended = this.turnEnded
    this.turnEnded = undefined
    ended?.()
  }

  /** Ends it, once: turn and forks, children in reverse, `onStop`, Scope. Later calls wait for the first. */
  close(reason: StopReason): Effect.Effect<void> {
    if (this.ending === "over") return Effect.void
    if (this.ending === "closing") return this.awaitEnd()
    this.ending = "closing"
    if (this.live) {
      this.live = false
      this.host.pause()
    }
    const { spec, shared } = this.host
    if (this.timers !== undefined) {
      for (const timer of this.timers.values()) shared.deadlines.remove(timer)
      this.timers = undefined
    }
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
    this.state =
      this.pending =
      this.loop =
      this.forks =
      this.children =
        undefined
    const waiting = this.waiting
    this.waiting = undefined
    if (waiting !== undefined) { for (const resume of waiting) resume() }
  }

  private forkEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)) this.crash(exit.cause)
  }
}
