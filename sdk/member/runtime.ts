/**
 * The member runtime: the queue in front of a behaviour.
 *
 * One turn at a time, in the order of delivery. An input that is queued, running or ended is not run again: a second
 * delivery is answered `deduplicated`, and if it has ended its outcome is told again. Outcomes are kept until they are
 * settled. A defect of the behaviour fails its turn with `behavior_crashed`; the member lives on.
 *
 * An idle runtime is one object: no fiber, no timer, no queue. There may be a hundred thousand of them in a process.
 */
import { Cause, type Context, Effect, Exit, Fiber } from "effect"
import { type Behavior, reasonOf } from "../behavior.ts"
import type { BridgeEvent, Delivery, Known } from "../bridge.ts"
import { exitOf } from "../exit.ts"
import type { InputId } from "../ids.ts"
import type { Outcome } from "../outcome.ts"
import { RunningTurn } from "./turn.ts"

/** What a member runtime tells; `fence` is the one of the input's last delivery. */
export type TurnEvent = Extract<BridgeEvent, { readonly type: "turn_ended" | "turn_progress" }>

const canceled = (reason: string): Outcome => ({ status: "canceled", reason })

const CANCELED = "canceled on request"
const INTERRUPTED = "stopped at a boundary on request"

/** Runs a behaviour's turns. See the module's text. */
export class MemberRuntime<R = never> {
  readonly #behavior: Behavior<R>
  readonly #services: Context.Context<R>
  readonly #emit: (event: TurnEvent) => void
  /** Inputs known and not settled: waiting or running if undefined. Made with the first input. */
  #known: Map<InputId, Outcome | undefined> | undefined
  /** Inputs not begun, oldest first. Made when an input has to wait. */
  #queue: Array<Delivery> | undefined
  #turn: RunningTurn | undefined
  #fiber: Fiber.Fiber<Outcome> | undefined
  #closed = false

  /** `emit` is called synchronously, must not throw, and is not called any more after {@link MemberRuntime.close}. */
  constructor(behavior: Behavior<R>, services: Context.Context<R>, emit: (event: TurnEvent) => void) {
    this.#behavior = behavior
    this.#services = services
    this.#emit = emit
  }

  /** Takes an input over. A turn that needs no waiting ends before this returns. */
  deliver(delivery: Delivery): "accepted" | "deduplicated" {
    const { input } = delivery
    const known = this.#known ??= new Map()
    if (known.has(input)) {
      const outcome = known.get(input)
      if (outcome !== undefined) this.#emit({ type: "turn_ended", input, outcome })
      return "deduplicated"
    }
    if (this.#closed) return "accepted"
    known.set(input, undefined)
    if (this.#turn !== undefined) (this.#queue ??= []).push(delivery)
    else this.#begin(delivery)
    return "accepted"
  }

  /** Forgets the outcome of an input. An input that has not ended is not forgotten. */
  settled(input: InputId): void {
    if (this.#known?.get(input) !== undefined) this.#known.delete(input)
  }

  /** Ends a waiting input as canceled, a running one at its next boundary; without a boundary it ends as it would. */
  interrupt(input: InputId): void {
    if (this.#turn?.inputId !== input) return this.#drop(input, INTERRUPTED)
    this.#turn.stopReason ??= INTERRUPTED
  }

  /** Ends a waiting input as canceled, interrupts a running one: it ends when its finalizers have run. */
  cancel(input: InputId): void {
    if (this.#turn?.inputId !== input) return this.#drop(input, CANCELED)
    this.#turn.stopReason ??= CANCELED
    this.#fiber?.interruptUnsafe()
  }

  /** Every input that is known and not settled, in the order of delivery. */
  observe(): ReadonlyArray<Known> {
    return Array.from(
      this.#known ?? [],
      ([input, outcome]) => outcome === undefined ? { input, state: "running" } : { input, state: "ended", outcome }
    )
  }

  /** Takes and tells nothing more; interrupts the running turn and awaits its finalizers. Idempotent. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#closed = true
      this.#queue = undefined
      this.#known = undefined
      return this.#fiber === undefined ? Effect.void : Fiber.interrupt(this.#fiber)
    })
  }

  #drop(input: InputId, reason: string): void {
    const at = this.#queue?.findIndex((delivery) => delivery.input === input) ?? -1
    if (at < 0) return
    this.#queue?.splice(at, 1)
    this.#end(input, canceled(reason))
  }

  #begin(first: Delivery): void {
    let delivery: Delivery | undefined = first
    while (delivery !== undefined) {
      const exit = this.#run(delivery)
      if (exit === undefined) return
      this.#conclude(delivery.input, exit)
      delivery = this.#next()
    }
  }

  #next(): Delivery | undefined {
    const next = this.#queue?.shift()
    if (this.#queue?.length === 0) this.#queue = undefined
    return next
  }

  /** Starts a turn; gives how it ended, or nothing if it goes on. */
  #run(delivery: Delivery): Exit.Exit<Outcome> | undefined {
    const { input } = delivery
    const turn = new RunningTurn(delivery, (note) => {
      if (this.#turn === turn && !this.#closed) this.#emit({ type: "turn_progress", input, note })
    })
    this.#turn = turn
    let effect: Effect.Effect<Outcome, never, R>
    try {
      effect = this.#behavior.perform(turn)
    } catch (defect) {
      return Exit.die(defect)
    }
    const ended = exitOf(effect)
    if (ended !== undefined) return ended
    const fiber = Effect.runForkWith(this.#services)(effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    this.#fiber = fiber
    fiber.addObserver((exit) => {
      this.#conclude(input, exit)
      const next = this.#next()
      if (next !== undefined) this.#begin(next)
    })
    return undefined
  }

  #conclude(input: InputId, exit: Exit.Exit<Outcome>): void {
    const reason = this.#turn?.stopReason ?? "the behaviour interrupted itself"
    this.#turn = undefined
    this.#fiber = undefined
    if (Exit.isSuccess(exit)) return this.#end(input, exit.value)
    if (Cause.hasInterruptsOnly(exit.cause)) return this.#end(input, canceled(reason))
    this.#end(input, { status: "failed", code: "behavior_crashed", reason: reasonOf(Cause.squash(exit.cause)) })
  }

  #end(input: InputId, outcome: Outcome): void {
    if (this.#closed) return
    this.#known?.set(input, outcome)
    this.#emit({ type: "turn_ended", input, outcome })
  }
}
