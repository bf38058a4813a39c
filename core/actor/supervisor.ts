/**
 * What becomes of the others when one child crashes or ends: supervision.ts says what is right, this does it.
 *
 * A supervisor is in the run queue like a cell: a crash is a report to it, so nothing of it happens inside the turn that
 * crashed. Each recovery is one sequence: the broken incarnation ends, those that the strategy names are stopped in
 * reverse, the back-off passes, they are started in order. Where each child recovers by itself, they do so side by side;
 * else there is one recovery, and what crashes meanwhile joins it. A recovery that needs to wait for nothing needs no
 * fiber.
 */
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import type { Runnable } from "./dispatcher.ts"
import type { NactRef } from "./nact-tree.ts"
import type { Child, Shared } from "./parts.ts"
import type { Supervision } from "./supervision.ts"
import type { StopReason } from "./types.ts"

/** What a supervisor is told. */
interface Report {
  readonly child: Child
  readonly reason: StopReason
}

/** Is a child that ended for `reason` started again? */
const isRestarted = (child: Child, reason: StopReason): boolean => {
  const { restart = "permanent" } = child.spec
  return restart === "permanent" || (restart === "transient" && reason._tag === "Crashed")
}

const causeOf = (reason: StopReason): Cause.Cause<unknown> =>
  reason._tag === "Crashed" ? reason.cause : Cause.die(new Error("the child ended normally, and too often"))

interface SupervisorOptions {
  readonly shared: Shared
  /** Cells above these children. */
  readonly depth: number
  readonly supervision: Supervision
  /** The children cannot be kept up, or this one cannot where each counts for itself. */
  readonly escalate: (child: Child, cause: Cause.Cause<unknown>) => void
  /** Significant children have ended, and the parent is to end with them. */
  readonly autoShutdown: () => void
  /** A child gave its place under this node of nact's tree back. */
  readonly left: (node: NactRef<never>) => void
}

/** Levels of a tree that are stopped on one stack. */
const STACK_LEVELS = 64

/** What a report comes to. */
type Verdict = "restart" | "nothing" | "exceeded"

/** The children of one incarnation, in the order of their start. */
export class Supervisor implements Runnable {
  readonly children = new Set<Child>()
  /** Those that start for the first time: not yet children, but they end with them. */
  private readonly starting = new Set<Child>()
  /** Takes no more children and no more reports. */
  closed = false
  private readonly options: SupervisorOptions
  private reports: Array<Report> = []
  private queued = false
  private readonly restartTimes: Array<number> = []
  private readonly recoveries = new Map<Child | "all", Recovery>()

  constructor(options: SupervisorOptions) {
    this.options = options
  }

  /** A child's incarnation is not live any more. */
  report(child: Child, reason: StopReason): void {
    if (this.closed) return
    this.reports.push({ child, reason })
    if (this.queued) return
    this.queued = true
    this.options.shared.dispatcher.enqueue(this)
  }

  /** A child is stopped for good by somebody else: its restart is off. */
  forget(child: Child): void {
    const recovery = this.recoveries.get(this.alone ? child : "all")
    recovery?.wake()
  }

  /** See the options. */
  left(node: NactRef<never>): void {
    this.options.left(node)
  }

  get depth(): number {
    return this.options.depth
  }

  get supervision(): Supervision {
    return this.options.supervision
  }

  /** Each child recovers by itself. */
  private get alone(): boolean {
    const { strategy } = this.options.supervision
    return strategy === "one_for_one" || strategy === "simple_one_for_one"
  }

  turn(): number {
    this.queued = false
    const reports = this.reports
    this.reports = []
    if (this.alone) {
      for (const report of reports) {
        const recovery = this.recoveries.get(report.child)
        if (recovery !== undefined) recovery.add([report])
        else if (!this.recoverAtOnce(report)) this.recover(report.child, [report])
      }
    } else if (reports.length > 0) {
      // All at once: those that crashed together are one recovery.
      const recovery = this.recoveries.get("all")
      if (recovery === undefined) this.recover("all", reports)
      else recovery.add(reports)
    }
    return Math.max(1, reports.length)
  }

  /**
   * Stops all children, each awaited within its deadline: in reverse order of their start, and where they are many and
   * alike all at once.
   */
  shutdown(): Effect.Effect<void> {
    this.freeze()
    if (this.children.size === 0 && this.starting.size === 0 && this.recoveries.size === 0) return Effect.void
    const stop = this.supervision.strategy === "simple_one_for_one"
      ? Effect.suspend(() => this.stopAllAtOnce())
      : this.stopInReverse()
    // Each level stops within the one above, and ends before it: so deep a tree goes on with a stack of its own, both ways.
    if (this.options.depth % STACK_LEVELS !== 0) return stop
    return Effect.andThen(Effect.andThen(Effect.yieldNow, stop), Effect.yieldNow)
  }

  private stopInReverse(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const recovering = [...this.recoveries.values()].flatMap((recovery) => recovery.fiber ?? [])
      if (recovering.length > 0) yield* Fiber.interruptAll(recovering)
      for (const child of [...this.children, ...this.starting].reverse()) yield* child.stopAs(SHUTDOWN, false)
    })
  }

  private stopAllAtOnce(): Effect.Effect<void> {
    const { shared } = this.options
    for (const recovery of this.recoveries.values()) recovery.fiber?.interruptUnsafe()
    return Effect.callback<void>((resume) => {
      let left = 1
      const ended = () => {
        if (--left === 0) resume(Effect.void)
      }
      for (const child of [...this.starting, ...this.children]) {
        left++
        const fiber = shared.fork(child.stopAs(SHUTDOWN, false))
        if (fiber.pollUnsafe() === undefined) fiber.addObserver(ended)
        else ended()
      }
      ended()
    })
  }

  /** The first start of one that will be a child. */
  awaitStart<E>(child: Child, start: Effect.Effect<void, E>): Effect.Effect<void, E> {
    if (Exit.isExit(start)) return start
    this.starting.add(child)
    return Effect.ensuring(start, Effect.sync(() => this.starting.delete(child)))
  }

  /** The incarnation whose children these are is ending: nobody is started again. */
  freeze(): void {
    this.closed = true
    this.reports = []
  }

  /** Those that stop with `child`, in the order of their start, without itself. */
  companions(child: Child): ReadonlyArray<Child> {
    if (this.alone) return []
    const all = [...this.children]
    return this.supervision.strategy === "one_for_all"
      ? all.filter((it) => it !== child)
      : all.slice(all.indexOf(child) + 1)
  }

  /** What `child` has reported and nobody has seen yet. */
  takeReport(child: Child): Report | undefined {
    const report = this.reports.find((it) => it.child === child)
    if (report !== undefined) this.reports = this.reports.filter((it) => it !== report)
    return report
  }

  /** Says what becomes of a child that has ended, and does it unless that is a restart. */
  judge(child: Child, reason: StopReason): Verdict {
    if (this.closed || child.phase !== "restarting") return "nothing"
    if (!isRestarted(child, reason)) {
      child.dispose(reason)
      if (child.spec.significant === true) this.missed()
      return "nothing"
    }
    if (this.admit(child)) return "restart"
    this.options.escalate(child, causeOf(reason))
    return "exceeded"
  }

  /** A significant child has ended by itself. Where that means nothing there is none: the check of specs refuses it. */
  private missed(): void {
    if (this.supervision.autoShutdown === "all_significant") {
      for (const child of this.children) if (child.spec.significant === true) return
    }
    this.options.autoShutdown()
  }

  /** Counts a restart now. False: that is more than the intensity allows. */
  private admit(child: Child): boolean {
    const { shared, supervision: { counted, intensity, period } } = this.options
    if (intensity === Infinity) return true
    const now = shared.deadlines.now()
    const times = counted === "each" ? child.restartTimes : this.restartTimes
    times.push(now)
    while (times.length > 0 && times[0]! <= now - period) times.shift()
    return times.length <= intensity
  }

  /** Milliseconds to wait before `child`, which crashed now, is started again. */
  delay(child: Child): number {
    const { shared, supervision: { backoff } } = this.options
    if (backoff === undefined) return 0
    const { crashes } = child
    const now = shared.deadlines.now()
    crashes.row = now - crashes.at >= backoff.reset ? 1 : crashes.row + 1
    crashes.at = now
    const base = Math.min(backoff.initial * 2 ** (crashes.row - 1), backoff.max)
    return Math.round(base * (1 + backoff.jitter * (2 * shared.random.nextDoubleUnsafe() - 1)))
  }

  /** Recovers a child that waits for nothing; false if it must wait, and what was done so far can be done again. */
  private recoverAtOnce({ child, reason }: Report): boolean {
    if (child.phase !== "restarting") return true
    if (this.supervision.backoff !== undefined || !Exit.isExit(child.halt(reason))) return false
    if (this.judge(child, reason) !== "restart") return true
    child.willRestart(0)
    child.countRestart()
    const start = child.start()
    if (!Exit.isExit(start)) this.recover(child, [], start)
    // A start that fails is one more crash; it is looked at in a turn of its own, so that a storm lets others run.
    else if (Exit.isFailure(start)) this.report(child, { _tag: "Crashed", cause: causeIn(start.cause) })
    return true
  }

  private recover(
    key: Child | "all",
    reports: Array<Report>,
    starting?: Effect.Effect<void, Cause.Cause<unknown>>
  ): void {
    const { shared, escalate } = this.options
    const recovery = new Recovery(this, shared, reports)
    this.recoveries.set(key, recovery)
    const first = key === "all" ? reports[0]?.child : key
    const run = starting === undefined || key === "all" ? recovery.run() : recovery.runFrom(key, starting)
    const fiber = shared.fork(run)
    recovery.fiber = fiber
    fiber.addObserver((exit) => {
      this.recoveries.delete(key)
      // A defect of our own: children that nobody starts again would be worse.
      if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause) && first !== undefined) {
        escalate(first, exit.cause)
      }
      // A report that came between the recovery's last look and its end.
      if (!this.closed && recovery.pending.length > 0) this.recover(key, recovery.pending)
    })
  }
}

const SHUTDOWN: StopReason = { _tag: "Shutdown" }

/** A start fails with the cause. */
const causeIn = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> => {
  const [reason] = cause.reasons
  return reason?._tag === "Fail" && Cause.isCause(reason.error) ? reason.error : cause
}

/** One sequence: end, stop in reverse, wait, start in order. */
class Recovery {
  fiber: Fiber.Fiber<void> | undefined = undefined
  pending: Array<Report>
  private readonly supervisor: Supervisor
  private readonly shared: Shared
  /** Down, to be started. */
  private readonly down = new Set<Child>()
  private due = 0
  private news = Deferred.makeUnsafe<void>()

  constructor(supervisor: Supervisor, shared: Shared, pending: Array<Report>) {
    this.supervisor = supervisor
    this.shared = shared
    this.pending = pending
  }

  add(reports: ReadonlyArray<Report>): void {
    this.pending.push(...reports)
    this.wake()
  }

  wake(): void {
    Deferred.doneUnsafe(this.news, Effect.void)
  }

  run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      for (;;) {
        for (let report = this.pending.shift(); report !== undefined; report = this.pending.shift()) {
          if (!(yield* this.takeDown(report))) return
        }
        for (const child of this.down) if (child.phase !== "restarting") this.down.delete(child)
        if (this.down.size === 0 || this.supervisor.closed) return
        const wait = this.due - this.shared.deadlines.now()
        if (wait > 0) {
          this.news = Deferred.makeUnsafe<void>()
          yield* Effect.raceFirst(Effect.sleep(wait), Deferred.await(this.news))
        } else yield* this.startNext()
      }
    })
  }

  /** The same, where the start of one child is under way. */
  runFrom(child: Child, start: Effect.Effect<void, Cause.Cause<unknown>>): Effect.Effect<void> {
    return Effect.andThen(this.await(child, start), this.run())
  }

  /** Ends what reported, and stops its companions. False: it was once too often. */
  private takeDown({ child, reason }: Report): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function*() {
      const { supervisor } = this
      // One that is down already went down with the others, and starts with them.
      if (child.phase !== "restarting" || this.down.has(child)) return true
      yield* child.halt(reason)
      const verdict = supervisor.judge(child, reason)
      if (verdict !== "restart") return verdict === "nothing"
      const delay = supervisor.delay(child)
      this.due = Math.max(this.due, this.shared.deadlines.now() + delay)
      for (const companion of [...supervisor.companions(child)].reverse()) {
        if (this.down.has(companion) || companion.phase === "stopping") continue
        const own = supervisor.takeReport(companion) ?? this.pending.find((it) => it.child === companion)
        this.pending = this.pending.filter((it) => it !== own)
        const end: StopReason = own?.reason ?? SHUTDOWN
        yield* companion.halt(end)
        if (companion.phase !== "restarting") continue
        // It had ended by itself, and is not one that is started again.
        if (own !== undefined && !isRestarted(companion, own.reason)) {
          supervisor.judge(companion, own.reason)
          continue
        }
        // As in OTP: a temporary child stops with the others and is not started with them.
        if (companion.spec.restart === "temporary") companion.dispose(end)
        else {
          this.down.add(companion)
          companion.willRestart(delay)
        }
      }
      this.down.add(child)
      child.willRestart(delay)
      return true
    })
  }

  /** Starts what is down, in order, until one does not start. */
  private startNext(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      // One alone needs no looking for its place among many.
      const inOrder = this.down.size === 1 ? [...this.down] : this.supervisor.children
      for (const child of inOrder) {
        if (this.supervisor.closed) return
        if (!this.down.delete(child) || child.phase !== "restarting") continue
        child.countRestart()
        if (!(yield* this.await(child, Effect.suspend(() => child.start())))) return
      }
    })
  }

  /** Waits until it is up. One that does not start is one more crash. */
  private await(child: Child, start: Effect.Effect<void, Cause.Cause<unknown>>): Effect.Effect<boolean> {
    return Effect.match(start, {
      onFailure: (cause) => {
        this.pending.unshift({ child, reason: { _tag: "Crashed", cause } })
        return false
      },
      onSuccess: () => true
    })
  }
}
