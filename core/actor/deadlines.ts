/**
 * One wheel for every deadline of a system: asks, timers, the time a cell may take to stop.
 *
 * A deadline joins the slot of its millisecond and leaves it in constant time; one fiber sleeps on Effect's Clock until
 * the earliest slot, and only while there is one. Never early.
 */
import { type Clock, Duration, Effect, type Fiber } from "effect"

/** When the wheel holds this many slots, empty ones are swept out. */
const SWEEP_AT = 4_096

interface Slot {
  readonly due: number
  head: Deadline | undefined
  tail: Deadline | undefined
}

/** Something that happens unless it is removed first. Subclassed, so that a waiting ask is one object. */
export abstract class Deadline {
  /** @internal */
  slot: Slot | undefined = undefined
  /** @internal */
  before: Deadline | undefined = undefined
  /** @internal */
  after: Deadline | undefined = undefined

  /** Called once when it is due; it has left the wheel. Must not throw. */
  abstract due(): void
}

/** The wheel. */
export class Deadlines {
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly slots = new Map<number, Slot>()
  /** Binary heap of the due times in `slots`. */
  private heap: Array<number> = []
  private sweepAt = SWEEP_AT
  private armedFor = Infinity
  private sleeper: Fiber.Fiber<void> | undefined = undefined
  private readonly turn = Effect.sync(() => this.fire())

  constructor(clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>) {
    this.clock = clock
    this.fork = fork
  }

  /** Monotonic milliseconds: a wall clock that jumps moves no deadline. */
  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Lets `deadline` be due after `millis`; for ever if that is not finite. Equal times are due in the order added. */
  add(deadline: Deadline, millis: number): void {
    if (!Number.isFinite(millis)) return
    const due = Math.ceil(this.now() + Math.max(0, millis))
    let slot = this.slots.get(due)
    if (slot === undefined) {
      if (this.slots.size >= this.sweepAt) this.sweep()
      slot = { due, head: undefined, tail: undefined }
      this.slots.set(due, slot)
      this.push(due)
    }
    deadline.slot = slot
    deadline.before = slot.tail
    if (slot.tail === undefined) slot.head = deadline
    else slot.tail.after = deadline
    slot.tail = deadline
    if (due < this.armedFor) this.arm(due)
  }

  /** Takes it out; harmless if it is not in. */
  remove(deadline: Deadline): void {
    const { slot, before, after } = deadline
    if (slot === undefined) return
    if (before === undefined) slot.head = after
    else before.after = after
    if (after === undefined) slot.tail = before
    else after.before = before
    deadline.slot = deadline.before = deadline.after = undefined
  }

  /** Nothing is due any more. */
  close(): void {
    this.slots.clear()
    this.heap = []
    this.armedFor = -Infinity
    this.sleeper?.interruptUnsafe()
  }

  private arm(due: number): void {
    this.armedFor = due
    const stale = this.sleeper
    this.sleeper = undefined
    stale?.interruptUnsafe()
    const millis = due - this.now()
    const sleeper = this.fork(Effect.flatMap(this.clock.sleep(Duration.millis(Math.max(0, millis))), () => this.turn))
    if (sleeper.pollUnsafe() === undefined) this.sleeper = sleeper
  }

  private fire(): void {
    this.sleeper = undefined
    const now = this.now()
    // Nobody arms while we fire, as nothing new is due before what was armed for: we arm once, at the end.
    while (this.heap.length > 0) {
      const due = this.heap[0]!
      const slot = this.slots.get(due)
      if (slot !== undefined && slot.head !== undefined && due > now) break
      this.pop()
      this.slots.delete(due)
      for (let deadline = slot?.head; deadline !== undefined; deadline = slot?.head) {
        this.remove(deadline)
        deadline.due()
      }
    }
    this.armedFor = Infinity
    if (this.heap.length > 0) this.arm(this.heap[0]!)
  }

  private sweep(): void {
    this.heap = []
    for (const [due, slot] of this.slots) {
      if (slot.head === undefined) this.slots.delete(due)
      else this.heap.push(due)
    }
    // A sorted array is a heap.
    this.heap.sort((left, right) => left - right)
    this.sweepAt = Math.max(SWEEP_AT, this.slots.size * 2)
  }

  private push(due: number): void {
    const heap = this.heap
    let at = heap.length
    heap.push(due)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]! <= due) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = due
  }

  private pop(): void {
    const heap = this.heap
    const last = heap.pop()!
    const length = heap.length
    if (length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= length) break
      if (child + 1 < length && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= last) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
