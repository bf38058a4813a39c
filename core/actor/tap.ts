/**
 * What happens in an actor system, as a stream of events. Costs one comparison where something happens to a cell, and
 * nothing for each message, while nobody listens.
 */
import { type Cause, type Clock, Effect, Queue, Stream } from "effect"
import type { DeadLetter, StopReason } from "./types.ts"

/** Something that happened to a cell. */
export type LifecycleEvent =
  & {
    /** Milliseconds of Effect's Clock. */
    readonly at: number
    readonly name: string
    readonly path: string
  }
  & (
    /** An incarnation is up; the first is 1. */
    | { readonly _tag: "Started"; readonly incarnation: number }
    /** An incarnation crashed, or did not start. */
    | { readonly _tag: "Crashed"; readonly cause: Cause.Cause<unknown> }
    /** It will be started again after `delay` milliseconds. */
    | { readonly _tag: "Restarting"; readonly delay: number }
    /** It has ended for good. */
    | { readonly _tag: "Stopped"; readonly reason: StopReason }
    /** A message to it reached nobody. */
    | { readonly _tag: "DeadLetter"; readonly reason: DeadLetter["reason"]; readonly message: unknown }
  )

/** What happened, without when. */
export type Happening = LifecycleEvent extends infer Event ? Event extends unknown ? Omit<Event, "at"> : never : never

/** The events as they happen. */
export interface Tap {
  /**
   * Calls `listener` with each event, synchronously, and gives what ends that. A listener must be quick, and what it
   * throws is dropped.
   */
  readonly subscribe: (listener: (event: LifecycleEvent) => void) => () => void
  /**
   * The same as a stream, from the moment it is run. A reader that is more than 16,384 events behind loses the oldest.
   * Interrupted, it listens no more.
   */
  readonly events: Stream.Stream<LifecycleEvent>
}

const BUFFER = 16_384

/** Tells who listens. */
export class TapOffice implements Tap {
  /** Somebody listens. Look here first: an event is not even made for nobody. */
  listening = false
  private readonly clock: Clock.Clock
  private readonly listeners = new Set<{ readonly tell: (event: LifecycleEvent) => void }>()

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  readonly subscribe = (tell: (event: LifecycleEvent) => void) => {
    // One object a subscription: the same function may listen twice.
    const listener = { tell }
    this.listeners.add(listener)
    this.listening = true
    return () => {
      this.listeners.delete(listener)
      this.listening = this.listeners.size > 0
    }
  }

  readonly events: Stream.Stream<LifecycleEvent> = Stream.callback<LifecycleEvent>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => this.subscribe((event) => Queue.offerUnsafe(queue, event))),
      (end) => Effect.sync(end)
    ), { bufferSize: BUFFER, strategy: "sliding" })

  tell(happening: Happening): void {
    const event: LifecycleEvent = { ...happening, at: this.clock.currentTimeMillisUnsafe() }
    // Those that listened when it happened, unless one before them ended that.
    const listeners = [...this.listeners]
    for (const listener of listeners) {
      if (!this.listeners.has(listener)) continue
      try {
        listener.tell(event)
      } catch {
        // An observer must not disturb what it observes.
      }
    }
  }
}
