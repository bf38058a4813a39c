/**
 * The timers of one incarnation: single and periodic, by key. What a timer sends waits in the mailbox like any message,
 * but is nothing any more when the timer was cancelled, replaced, or ended with its incarnation.
 */
import { Deadline, type Deadlines } from "./deadlines.ts"
import { Envelope, NOTHING } from "./envelope.ts"

/** A shorter period is this long: a wheel of milliseconds cannot turn faster. */
const LEAST_PERIOD = 1

/** Where timers send to. */
interface Receiver {
  readonly accept: (envelope: Envelope) => void
}

class Timer extends Deadline {
  readonly key: string
  readonly message: unknown
  /** Undefined if it is single. */
  readonly period: number | undefined
  /** When it is due, and not when the wheel comes to it: no drift. */
  ideal: number
  /** It has sent, and nobody has handled that. */
  waiting = false
  private readonly timers: Timers

  constructor(timers: Timers, key: string, message: unknown, ideal: number, period: number | undefined) {
    super()
    this.timers = timers
    this.key = key
    this.message = message
    this.ideal = ideal
    this.period = period
  }

  override due(): void {
    this.timers.due(this)
  }
}

class Tick extends Envelope {
  private readonly timers: Timers
  private readonly timer: Timer

  constructor(timers: Timers, timer: Timer) {
    super()
    this.timers = timers
    this.timer = timer
  }

  open(): unknown {
    return this.timers.taken(this.timer)
  }
}

/** Keyed timers on the wheel of the system. */
export class Timers {
  private readonly deadlines: Deadlines
  private readonly receiver: Receiver
  private readonly byKey = new Map<string, Timer>()

  constructor(deadlines: Deadlines, receiver: Receiver) {
    this.deadlines = deadlines
    this.receiver = receiver
  }

  set(key: string, millis: number, message: unknown, periodic: boolean): void {
    this.cancel(key)
    const period = periodic ? Math.max(LEAST_PERIOD, millis) : undefined
    const wait = period ?? millis
    const timer = new Timer(this, key, message, this.deadlines.now() + wait, period)
    this.byKey.set(key, timer)
    this.deadlines.add(timer, wait)
  }

  cancel(key: string): void {
    const timer = this.byKey.get(key)
    if (timer === undefined) return
    this.byKey.delete(key)
    this.deadlines.remove(timer)
  }

  cancelAll(): void {
    for (const timer of this.byKey.values()) this.deadlines.remove(timer)
    this.byKey.clear()
  }

  due(timer: Timer): void {
    const { period } = timer
    if (period !== undefined) {
      const now = this.deadlines.now()
      // The next on its grid that is not past.
      timer.ideal += period * Math.max(1, Math.ceil((now - timer.ideal) / period))
      this.deadlines.add(timer, timer.ideal - now)
    }
    if (timer.waiting) return
    timer.waiting = true
    this.receiver.accept(new Tick(this, timer))
  }

  taken(timer: Timer): unknown {
    timer.waiting = false
    if (this.byKey.get(timer.key) !== timer) return NOTHING
    if (timer.period === undefined) this.byKey.delete(timer.key)
    return timer.message
  }
}
