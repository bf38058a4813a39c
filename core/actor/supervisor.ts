/**
 * Supervision as data on the parent: what becomes of the others when one child crashes or ends.
 *
 * A supervisor is in the run queue like a cell: a crash is a report to it, so nothing of it happens inside the turn that
 * crashed. Each recovery is one sequence: the broken incarnation ends, those that the strategy names are stopped in
 * reverse, the back-off passes, they are started in order. Under `one_for_one` children recover side by side; else there
 * is one recovery, and what crashes meanwhile joins it.
 */
import { Cause, Deferred, Effect, Fiber } from "effect"
import type { Runnable } from "./dispatcher.ts"
import type { Child, Shared } from "./parts.ts"
import type { StopReason, Supervision } from "./types.ts"

/** As OTP's, but for a period of 5 s that holds three restarts. */
export const DEFAULT_SUPERVISION: Supervision = { strategy: "one_for_one", intensity: 3, period: 5_000 }

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
  readonly supervision: Supervision
  /** Restarts are counted for each child by itself: the children have nothing to do with each other. */
  readonly perChild: boolean
  /** The children cannot be kept up. */
  readonly escalate: (child: Child, cause: Cause.Cause<unknown>) => void
}

/** The children of one incarnation, in the order of their start. */
export class Supervisor implements Runnable {
  readonly children = new Set<Child>()
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
    this.reports = this.reports.filter((report) => report.child !== child)
    for (const recovery of this.recoveries.values()) recovery.wake()
  }

  turn(): number {
    this.queued = false
    const reports = this.reports
    this.reports = []
    for (const report of reports) {
      const key = this.options.supervision.strategy === "one_for_one" ? report.child : "all"
      const recovery = this.recoveries.get(key)
      if (recovery !== undefined) recovery.add(report)
      else this.recover(key, [report])
    }
    return Math.max(1, reports.length)
  }

  /** Stops all children in reverse order of their start, each awaited within its deadline. */
  shutdown(): Effect.Effect<void> {
    this.closed = true
    this.reports = []
    if (this.children.size === 0 && this.recoveries.size === 0) return Effect.void
    return Effect.gen({ self: this }, function*() {
      const recovering = [...this.recoveries.values()].flatMap((recovery) => recovery.fiber ?? [])
      if (recovering.length > 0) yield* Fiber.interruptAll(recovering)
      for (const child of [...this.children].reverse()) yield* child.stopAs({ _tag: "Shutdown" }, false)
    })
  }

  /** Those that stop with `child`, in the order of their start, without itself. */
  companions(child: Child): ReadonlyArray<Child> {
    const { strategy } = this.options.supervision
    if (strategy === "one_for_one") return []
    const all = [...this.children]
    return strategy === "one_for_all" ? all.filter((it) => it !== child) : all.slice(all.indexOf(child) + 1)
  }

  /** What `child` has reported and nobody has seen yet. */
  takeReport(child: Child): Report | undefined {
    const report = this.reports.find((it) => it.child === child)
    if (report !== undefined) this.reports = this.reports.filter((it) => it !== report)
    return report
  }

  /** Counts a restart now. False: that is more than the intensity allows. */
  admit(child: Child): boolean {
    const { shared, supervision, perChild } = this.options
    const now = shared.deadlines.now()
    const times = perChild ? child.restartTimes : this.restartTimes
    times.push(now)
    while (times.length > 0 && times[0]! <= now - supervision.period) times.shift()
    return times.length <= supervision.intensity
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

  private recover(key: Child | "all", reports: Array<Report>): void {
    const { shared, escalate } = this.options
    const first = reports[0]
    const recovery = new Recovery(this, shared, escalate, reports)
    this.recoveries.set(key, recovery)
    const fiber = shared.fork(recovery.run())
    recovery.fiber = fiber
    fiber.addObserver((exit) => {
      this.recoveries.delete(key)
      // A defect of our own: children that nobody starts again would be worse.
      if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause) && first !== undefined) {
        escalate(first.child, exit.cause)
      }
      // A report that came between the recovery's last look and its end.
      if (!this.closed && recovery.pending.length > 0) this.recover(key, recovery.pending)
    })
  }
}

/** One sequence: end, stop in reverse, wait, start in order. */
class Recovery {
  fiber: Fiber.Fiber<void> | undefined = undefined
  pending: Array<Report>
  private readonly supervisor: Supervisor
  private readonly shared: Shared
  private readonly escalate: SupervisorOptions["escalate"]
  /** Down, to be started. */
  private readonly down = new Set<Child>()
  private due = 0
  private news = Deferred.makeUnsafe<void>()

  constructor(
    supervisor: Supervisor,
    shared: Shared,
    escalate: SupervisorOptions["escalate"],
    pending: Array<Report>
  ) {
    this.supervisor = supervisor
    this.shared = shared
    this.escalate = escalate
    this.pending = pending
  }

  add(report: Report): void {
    this.pending.push(report)
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
        if (this.down.size === 0) return
        const wait = this.due - this.shared.deadlines.now()
        if (wait > 0) {
          this.news = Deferred.makeUnsafe<void>()
          yield* Effect.raceFirst(Effect.sleep(wait), Deferred.await(this.news))
        } else yield* this.startNext()
      }
    })
  }

  /** Ends what reported, and stops its companions. False: it was once too often. */
  private takeDown({ child, reason }: Report): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function*() {
      const { supervisor } = this
      if (child.phase !== "restarting") return true
      yield* child.halt(reason)
      if (supervisor.closed || child.phase !== "restarting") return true
      if (!isRestarted(child, reason)) {
        child.dispose()
        return true
      }
      if (!supervisor.admit(child)) {
        this.pending = []
        this.escalate(child, causeOf(reason))
        return false
      }
      this.due = Math.max(this.due, this.shared.deadlines.now() + supervisor.delay(child))
      for (const companion of [...supervisor.companions(child)].reverse()) {
        if (this.down.has(companion) || companion.phase === "stopping") continue
        const own = supervisor.takeReport(companion) ?? this.pending.find((it) => it.child === companion)
        this.pending = this.pending.filter((it) => it !== own)
        const end: StopReason = own?.reason ?? { _tag: "Shutdown" }
        yield* companion.halt(end)
        if (companion.phase !== "restarting") continue
        // As in OTP: a temporary child stops with the others and is not started with them.
        if (companion.spec.restart === "temporary") companion.dispose()
        else this.down.add(companion)
      }
      this.down.add(child)
      return true
    })
  }

  /** Starts what is down, in order, until one does not start: that is one more crash. */
  private startNext(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      for (const child of this.supervisor.children) {
        if (!this.down.delete(child) || child.phase !== "restarting") continue
        child.countRestart()
        const cause = yield* Effect.match(Effect.suspend(() => child.start()), {
          onFailure: (cause) => cause,
          onSuccess: () => undefined
        })
        if (cause === undefined) continue
        this.pending.unshift({ child, reason: { _tag: "Crashed", cause } })
        return
      }
    })
  }
}
