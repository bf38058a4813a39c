/**
 * The side of a cell that others speak to: its bounded mailbox, who waits for room in it, who waits for an answer, and
 * what becomes of a message that cannot enter.
 */
import { Effect, Exit } from "effect"
import { Ask, type Asked, AskList } from "./ask.ts"
import type { Deadlines } from "./deadlines.ts"
import { Dispatched, refuse, takesSender } from "./dispatched.ts"
import type { DispatcherShape } from "./dispatcher.ts"
import { Envelope, NOTHING } from "./envelope.ts"
import { type ActorCrashed, ActorStopped, type AskTimeout, MailboxFull } from "./errors.ts"
import { Ring } from "./mailbox.ts"
import { type NactRef, pathOf } from "./nact-tree.ts"
import type { AnySpec, Shared } from "./parts.ts"
import { Stash } from "./stash.ts"
import type { DeadLetter, Reply } from "./types.ts"

const DEFAULT_MAILBOX = { capacity: 65_536, overflow: "fail" } as const

/** A sender that waits for room. */
interface Waiter {
  readonly message: unknown
  /** The sender, or asker, is still there. */
  readonly waits: () => boolean
  readonly admitted: () => void
  readonly refused: () => void
}

/** A mailbox with a place in the tree. Whoever handles the messages extends it. */
export abstract class Addressee implements Asked {
  readonly shared: Shared
  readonly spec: AnySpec
  readonly nact: NactRef<never>
  /** Asks whose message is in the mailbox, in its order; none before the first ask. */
  private asks: AskList | undefined = undefined
  /** Asks whose message was taken and is not aside: the cell owes an answer. */
  private owed: AskList | undefined = undefined
  /** The ask of the message that was taken last. */
  private asking: Ask | undefined = undefined
  protected readonly mailbox = new Ring<unknown>()
  /** Takes messages. */
  protected open = true
  /** It would handle a message, has none, and is not in the run queue. */
  protected idle = false
  private readonly capacity: number
  /** Messages that ever entered the mailbox. */
  private entered = 0
  private waiters: Ring<Waiter> | undefined = undefined
  /** Envelopes in the mailbox. */
  protected sealed = 0
  /** Envelopes that were nothing when they were taken. */
  private forgotten = 0
  private aside: Stash | undefined = undefined
  /** The newest message aside is the one that is being handled. */
  protected asideNow = false

  constructor(shared: Shared, spec: AnySpec, under: NactRef<never>) {
    this.shared = shared
    this.spec = spec
    this.capacity = (spec.mailbox ?? DEFAULT_MAILBOX).capacity
    this.nact = shared.tree.add(under, this)
  }

  /** A turn is under way that goes on. */
  protected abstract mayHandle(): boolean

  /** A message was put back when nobody may be left to handle it. */
  protected abstract turnedBack(): void

  /** There is a message, and it was idle. */
  protected abstract ready(): void

  /** An actor that a nact program hung below it escalates. */
  abstract escalated(error: unknown): void

  /** It is not in nact's tree any more. */
  abstract removed(): void

  get name(): string {
    return this.spec.name
  }

  get path(): string {
    return pathOf(this.nact)
  }

  get dispatcher(): DispatcherShape {
    return this.shared.dispatcher
  }

  get deadlines(): Deadlines {
    return this.shared.deadlines
  }

  tellUnsafe(message: unknown): boolean {
    if (!this.open || this.mailbox.size >= this.capacity) return this.lose(this.open ? "full" : "stopped", message)
    this.mailbox.push(message)
    this.entered++
    if (this.idle) this.ready()
    return true
  }

  tell(message: unknown): Effect.Effect<void, ActorStopped | MailboxFull> {
    return Effect.suspend((): Effect.Effect<void, ActorStopped | MailboxFull> => {
      if (!this.open || this.mailbox.size < this.capacity) {
        return this.tellUnsafe(message) ? Effect.void : Effect.fail(this.stopped())
      }
      switch (this.overflow) {
        case "backpressure":
          return this.tellWaiting(message)
        case "fail":
          this.lose("full", message)
          return Effect.fail(this.full())
        case "drop":
          this.lose("full", message)
          return Effect.void
      }
    })
  }

  ask<A, E>(
    make: (reply: Reply<A, E>) => unknown,
    timeout: number
  ): Effect.Effect<A, E | ActorStopped | ActorCrashed | AskTimeout | MailboxFull> {
    return Effect.callback<A, E | ActorStopped | ActorCrashed | AskTimeout | MailboxFull>((resume) => {
      // What is answered is what `make` gave the reply for, or one of our errors.
      const ask = new Ask(this, timeout, resume as (exit: Exit.Exit<unknown, unknown>) => void)
      let message: unknown
      try {
        message = make(ask)
      } catch (defect) {
        ask.forget()
        throw defect
      }
      this.askUnsafe(ask, message)
      return Effect.sync(() => ask.forget())
    })
  }

  /** From a nact program: as `tellUnsafe`, with the sender if the behaviour asks for it. */
  dispatched(message: unknown, sender: unknown): void {
    const { open } = this
    const enters = open && this.mailbox.size < this.capacity
    if (enters && takesSender(this.spec.behavior)) this.accept(new Dispatched(message, sender, this))
    else if (!this.tellUnsafe(message)) refuse(sender, () => open ? this.full() : this.stopped())
  }

  /** From a timer, a watch, nact: enters though the mailbox may be full, as its sender cannot wait and they are few. */
  accept(envelope: Envelope): void {
    if (!this.open) return
    this.mailbox.push(envelope)
    this.entered++
    this.sealed++
    if (this.idle) this.ready()
  }

  private get overflow() {
    return (this.spec.mailbox ?? DEFAULT_MAILBOX).overflow
  }

  private tellWaiting(message: unknown): Effect.Effect<void, ActorStopped> {
    return Effect.callback<void, ActorStopped>((resume) => {
      let waits = true
      this.wait({
        message,
        waits: () => waits,
        admitted: () => resume(Effect.void),
        refused: () => resume(Effect.fail(this.stopped()))
      })
      return Effect.sync(() => {
        waits = false
      })
    })
  }

  private askUnsafe(ask: Ask, message: unknown): void {
    if (!this.open) {
      this.lose("stopped", message)
      ask.done(Exit.fail(this.stopped()))
    } else if (this.mailbox.size < this.capacity) {
      this.mailbox.push(message)
      this.enters(ask, ++this.entered)
      if (this.idle) this.ready()
    } else if (this.overflow === "backpressure") {
      this.wait({
        message,
        waits: () => ask.open,
        admitted: () => this.enters(ask, this.entered),
        refused: () => ask.done(Exit.fail(this.stopped()))
      })
    } else {
      this.lose("full", message)
      ask.done(Exit.fail(this.full()))
    }
  }

  /** Its message is in the mailbox, at the end. */
  private enters(ask: Ask, number: number): void {
    ask.number = number
    this.asks ??= new AskList()
    this.asks.append(ask)
  }

  private wait(waiter: Waiter): void {
    this.waiters ??= new Ring()
    this.waiters.push(waiter)
  }

  /** The oldest message, or NOTHING if that is none any more; somebody who waits for room may come in. Only if there is one. */
  protected take(): unknown {
    const message = this.mailbox.shift()
    if (this.waiters !== undefined && this.waiters.size > 0) {
      this.admit(this.waiters)
      // Whoever came in went on at once, and may have ended this turn.
      if (!this.mayHandle()) {
        this.mailbox.unshift(message)
        if (!this.open) this.turnedBack()
        return NOTHING
      }
    }
    if (this.asks !== undefined) this.takeAsk(this.asks)
    if (this.sealed === 0 || !(message instanceof Envelope)) return message
    this.sealed--
    const opened = message.open()
    if (opened === NOTHING) this.forgotten++
    return opened
  }

  /** Finds the ask of the message that was just taken, if it has one. */
  private takeAsk(asks: AskList): void {
    const { oldest } = asks
    this.asking = undefined
    if (oldest?.number !== this.taken) return
    this.asking = oldest
    this.owed ??= new AskList()
    this.owed.append(oldest)
  }

  /** Puts the message aside that was taken last. */
  protected putAside(message: unknown): boolean {
    if (this.asideNow) return true
    const aside = this.aside ??= new Stash()
    if (aside.size >= this.capacity) return false
    aside.put(message, this.asking)
    return this.asideNow = true
  }

  /** Puts all that is aside back, but for what is being handled. */
  protected takeBack(): void {
    this.aside?.restore(this.mailbox, this.asks, this.taken, this.asideNow)
  }

  /** The message that was taken last is not being handled any more; if it failed, it is not aside either. */
  protected handled(failed: boolean): void {
    if (!this.asideNow) return
    this.asideNow = false
    const ask = failed ? this.aside?.dropNewest() : undefined
    if (ask?.open !== true) return
    this.owed ??= new AskList()
    this.owed.append(ask)
  }

  /** All that waits becomes dead letters, in order; gives them. Nobody is answered yet. */
  protected loseAll(): ReadonlyArray<unknown> {
    this.handled(false)
    this.takeBack()
    const messages: Array<unknown> = []
    while (this.mailbox.size > 0) {
      const message = this.mailbox.shift()
      const lost = message instanceof Envelope ? message.lost() : message
      if (lost === NOTHING) continue
      this.lose("stopped", lost)
      messages.push(lost)
    }
    this.sealed = 0
    return messages
  }

  /** Answers all who wait for an answer. */
  protected answerAll(): void {
    for (const list of [this.owed, this.asks]) {
      for (let ask = list?.oldest; ask !== undefined; ask = list?.oldest) ask.done(Exit.fail(this.stopped()))
    }
  }

  /** Lets those in who wait for room, in order. */
  private admit(waiters: Ring<Waiter>): void {
    while (waiters.size > 0 && this.mailbox.size < this.capacity) {
      const waiter = waiters.shift()
      if (!waiter.waits()) continue
      this.mailbox.push(waiter.message)
      this.entered++
      waiter.admitted()
    }
  }

  protected lose(reason: DeadLetter["reason"], message: unknown): false {
    const { name, path, shared: { deadLetters, tap } } = this
    deadLetters.record(path, reason, message)
    if (tap.listening) tap.tell({ _tag: "DeadLetter", name, path, reason, message })
    return false
  }

  protected stopped(): ActorStopped {
    return new ActorStopped({ actor: this.name, path: this.path })
  }

  private full(): MailboxFull {
    return new MailboxFull({ actor: this.name, path: this.path, capacity: this.capacity })
  }

  /** Messages that have left the mailbox and did not go back. */
  protected get taken(): number {
    return this.entered - this.mailbox.size
  }

  /** Messages handled. */
  protected get processed(): number {
    return this.taken - this.forgotten - (this.aside?.size ?? 0)
  }

  /** Messages that wait, those aside included. */
  protected get depth(): number {
    return this.mailbox.size + (this.aside?.size ?? 0)
  }

  protected refuseWaiters(): void {
    const { waiters } = this
    while (waiters !== undefined && waiters.size > 0) {
      const waiter = waiters.shift()
      if (!waiter.waits()) continue
      this.lose("stopped", waiter.message)
      waiter.refused()
    }
  }

  /** Answers those whose message has left the mailbox and is not aside. */
  protected answerTaken(exit: () => Exit.Exit<unknown, unknown>): void {
    const { owed } = this
    // Not those that an answer brings: it may run an asker that asks again.
    this.owed = undefined
    for (let ask = owed?.oldest; ask !== undefined; ask = owed?.oldest) ask.done(exit())
  }
}
