/**
 * The side of a cell that handles messages: turns.
 *
 * A turn calls the behaviour in a plain loop for as long as it answers Exits; from the first effect that is none, the
 * same turn goes on inside one fiber, which ends with the turn.
 */
import { Cause, type Context, Effect, Exit } from "effect"
import { Addressee } from "./addressee.ts"
import type { Runnable } from "./dispatcher.ts"
import { NOTHING } from "./envelope.ts"
import { ActorCrashed } from "./errors.ts"
import type { Incarnation } from "./incarnation.ts"
import type { Phase } from "./parts.ts"

/** Handles the messages of one mailbox with the behaviour and the state of one incarnation after the other. */
export abstract class Handler extends Addressee implements Runnable {
  abstract readonly services: Context.Context<never>
  phase: Phase = "starting"
  protected abstract incarnation: Incarnation
  /** While it stops with `drain`: ends that. */
  protected drained: (() => void) | undefined = undefined
  private queued = false
  /** Messages that this turn may still handle. */
  private left = 0
  /** What is being handled; NOTHING between turns. */
  private current: unknown = NOTHING

  turn(limit: number): number {
    this.queued = false
    const { incarnation } = this
    if (!this.handles(incarnation)) return 1
    incarnation.busy = true
    const before = this.taken
    this.left = limit
    if (this.advance(incarnation)) this.turnInFiber(incarnation)
    else this.endTurn(incarnation)
    return Math.max(1, this.taken - before)
  }

  schedule(): void {
    const { incarnation } = this
    if (this.queued || incarnation.busy || !this.handles(incarnation)) return
    if (this.mailbox.size > 0) this.ready()
    else this.idle = true
  }

  /** Handles nothing more. */
  protected halted(): void {
    this.idle = false
    this.left = 0
  }

  pause(): void {
    this.halted()
    // Else the end of the turn sees it.
    if (this.phase === "stopping" && !this.incarnation.busy) this.drained?.()
  }

  protected mayHandle(): boolean {
    return this.left > 0
  }

  protected ready(): void {
    this.idle = false
    this.queued = true
    this.shared.dispatcher.enqueue(this)
  }

  protected handles(incarnation: Incarnation): boolean {
    return incarnation.live && !incarnation.suspended
      && (this.phase === "running" || (this.phase === "stopping" && this.drained !== undefined))
  }

  /** Handles messages while the behaviour answers Exits; true if `pending` must run in the fiber. */
  private advance(incarnation: Incarnation): boolean {
    const { mailbox, spec } = this
    while (this.left > 0 && mailbox.size > 0) {
      const message = this.take()
      this.left--
      if (message === NOTHING) continue
      this.current = message
      let effect: Effect.Effect<unknown, unknown>
      try {
        effect = spec.behavior(incarnation.state, message, incarnation)
      } catch (defect) {
        effect = Exit.die(defect)
      }
      if (!Exit.isExit(effect)) {
        incarnation.pending = effect
        // Not `message`: it may have been put aside, and the incarnation ended, by the call above.
        incarnation.message = this.current
        if (incarnation.live) return true
        // Nobody would interrupt it.
        incarnation.pending = undefined
        this.cutShort(incarnation)
        return false
      }
      if (effect._tag === "Success") {
        incarnation.state = effect.value
        if (this.asideNow) this.handled(false)
      } else if (Cause.hasInterruptsOnly(effect.cause)) {
        if (this.asideNow) this.handled(false)
      } else this.failed(incarnation, effect.cause)
    }
    return false
  }

  /** The rest of the turn, in one fiber. */
  private turnInFiber(incarnation: Incarnation): void {
    incarnation.loop ??= this.loop(incarnation)
    const fiber = Effect.runForkWith(this.services)(incarnation.loop)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) this.fiberEnded(incarnation, exit)
    else fiber.addObserver((exit) => this.fiberEnded(incarnation, exit))
  }

  private loop(incarnation: Incarnation): Effect.Effect<void, unknown> {
    const turn = Effect.whileLoop({
      while: () => incarnation.pending !== undefined || (incarnation.live && this.advance(incarnation)),
      body: () => {
        // `while` has seen it.
        const pending = incarnation.pending!
        incarnation.pending = undefined
        return pending
      },
      step: (state) => {
        incarnation.state = state
        incarnation.message = NOTHING
        if (this.asideNow) this.handled(false)
      }
    })
    return Effect.withFiber((fiber) => {
      incarnation.fiber = fiber
      return turn
    })
  }

  private fiberEnded(incarnation: Incarnation, exit: Exit.Exit<void, unknown>): void {
    incarnation.fiber = incarnation.pending = undefined
    if (exit._tag === "Failure") {
      if (!incarnation.live) this.cutShort(incarnation)
      // Interruption is neither a failure nor a crash; that of an incarnation that ends is ours.
      else if (!Cause.hasInterruptsOnly(exit.cause)) this.failed(incarnation, exit.cause)
    }
    incarnation.message = NOTHING
    this.endTurn(incarnation)
  }

  private endTurn(incarnation: Incarnation): void {
    const newest = incarnation === this.incarnation
    if (newest) {
      this.current = NOTHING
      if (this.asideNow) this.handled(false)
    }
    if (incarnation.live && this.spec.afterTurn !== undefined) {
      try {
        this.spec.afterTurn(incarnation.state, incarnation)
      } catch (defect) {
        incarnation.crash(Cause.die(defect))
      }
    }
    incarnation.endTurn()
    if (!newest) return
    if (this.drained !== undefined && (this.mailbox.size === 0 || !this.handles(incarnation))) this.drained()
    this.schedule()
  }

  /** The behaviour failed on the current message. */
  private failed(incarnation: Incarnation, cause: Cause.Cause<unknown>): void {
    const message = this.current
    this.current = incarnation.message = NOTHING
    if (this.asideNow) this.handled(true)
    // It was put aside before the incarnation ended, and is handled by the next one.
    if (message === NOTHING) return incarnation.crash(cause)
    this.lose("crashed", message)
    incarnation.crash(cause)
    this.spec.replyOf?.(message)?.done(Exit.fail(this.crashed(cause)))
  }

  /** An incarnation ended in the middle of a message, or does not wait for the end of its turn any more. */
  cutShort(incarnation: Incarnation): void {
    const { cause, message } = incarnation
    if (message === NOTHING) return
    incarnation.message = NOTHING
    if (incarnation === this.incarnation) this.current = NOTHING
    this.lose(cause === undefined ? "stopped" : "crashed", message)
    const error = cause === undefined ? this.stopped() : this.crashed(cause)
    this.spec.replyOf?.(message)?.done(Exit.fail(error))
  }

  stash(incarnation: object): boolean {
    return incarnation === this.incarnation && this.current !== NOTHING && this.putAside(this.current)
  }

  unstash(incarnation: object): void {
    if (incarnation !== this.incarnation) return
    this.takeBack()
    this.schedule()
  }

  /** The incarnation has ended: what it put aside waits for the next one. */
  protected recall(): void {
    if (this.asideNow) {
      // Put aside is put aside: the message that was being handled is not cut short.
      this.handled(false)
      this.incarnation.message = this.current = NOTHING
    }
    this.takeBack()
  }

  protected crashed(cause: Cause.Cause<unknown>): ActorCrashed {
    return new ActorCrashed({ actor: this.name, path: this.path, cause })
  }
}
