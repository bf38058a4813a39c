/**
 * A cell that puts messages aside, as plain arrays: the mailbox, what is aside, who waits for room, who waits for an
 * answer. What the cell does is compared with this.
 */

/** What a message does at one of its visits, in this order. */
export interface Visit {
  /** In a fiber, behind a first wait. */
  readonly later: boolean
  readonly steps: ReadonlyArray<Step>
  /** `hold`: waits until the test lets it go on. */
  readonly end: "done" | "fail" | "hold" | "hold, then fail"
}

export type Step = "stash" | "unstash" | "end" | { readonly answer: number }

/** What a message does that has nothing planned any more: answers its asker. */
export const LAST_VISIT: Visit = { later: false, steps: [], end: "done" }

/** What the test does. */
export type Command =
  | { readonly type: "tell"; readonly plan: ReadonlyArray<Visit> }
  | { readonly type: "ask"; readonly plan: ReadonlyArray<Visit>; readonly timeout: number }
  | { readonly type: "pass"; readonly millis: number }
  | { readonly type: "suspend" | "resume" | "crash" | "stash" | "unstash" | "open" }

interface Message {
  readonly id: string
  readonly plan: ReadonlyArray<Visit>
  visits: number
  readonly ask: Asker | undefined
}

interface Asker {
  got: string
  readonly due: number
}

/** What can be seen of a cell. */
export interface Visible {
  readonly log: ReadonlyArray<string>
  readonly letters: ReadonlyArray<string>
  readonly asks: ReadonlyArray<string>
  readonly mailbox: number
  readonly processed: number
  readonly restarts: number
}

export const WAITS = "waits"

export class StashModel {
  private readonly capacity: number
  private readonly backpressure: boolean
  private mailbox: Array<Message> = []
  private aside: Array<Message> = []
  private waiters: Array<Message> = []
  /** The message of a turn that holds. */
  private held: Message | undefined = undefined
  private heldFails = false
  /** The message of the turn is the newest aside. */
  private isAside = false
  /** It said so itself. */
  private isQuiet = false
  private ends = false
  private suspended = false
  private life = 1
  private entered = 0
  private now = 0
  private made = 0
  private draining = false
  /** There is no next life. */
  private over = false
  private readonly log: Array<string> = []
  private letters: Array<string> = []
  private readonly asks: Array<Asker> = []

  constructor(capacity: number, backpressure: boolean) {
    this.capacity = capacity
    this.backpressure = backpressure
  }

  visible(): Visible {
    const waiting = this.mailbox.length + this.aside.length
    return {
      log: this.log.slice(),
      letters: this.letters.slice(),
      asks: this.asks.map(({ got }) => got),
      mailbox: waiting,
      processed: this.entered - waiting,
      restarts: this.life - 1
    }
  }

  do(command: Command): void {
    switch (command.type) {
      case "tell":
        this.send({ id: `m${++this.made}`, plan: command.plan, visits: 0, ask: undefined })
        break
      case "ask": {
        const ask = { got: WAITS, due: this.now + command.timeout }
        this.asks.push(ask)
        this.send({ id: `m${++this.made}`, plan: command.plan, visits: 0, ask })
        break
      }
      case "pass":
        this.now += command.millis
        for (const ask of this.asks) if (ask.due <= this.now) answer(ask, "AskTimeout")
        break
      case "suspend":
        this.suspended = true
        break
      case "resume":
        this.suspended = false
        break
      case "crash":
        if (this.held !== undefined && !this.isAside) this.letters.push(`crashed ${this.held.id}`)
        this.endLife("ActorCrashed")
        break
      case "stash":
        if (this.held !== undefined) this.putAside(this.held)
        break
      case "unstash":
        this.takeBack()
        break
      case "open":
        this.open()
    }
    this.run()
  }

  /** Its end. All that waits is lost; with `drain` it is handled before, and nothing holds any more. */
  stop(drain: boolean): void {
    for (const { ask, id } of this.waiters) {
      if (ask !== undefined && ask.got !== WAITS) continue
      this.letters.push(`stopped ${id}`)
      if (ask !== undefined) answer(ask, "ActorStopped")
    }
    this.waiters = []
    if (drain && !this.suspended) {
      this.draining = true
      this.open()
      this.run()
    }
    const lost = [...this.held === undefined || this.isAside ? [] : [this.held], ...this.aside, ...this.mailbox]
    this.letters.push(...lost.map(({ id }) => `stopped ${id}`))
    this.held = undefined
    for (const ask of this.asks) answer(ask, "ActorStopped")
  }

  private send(message: Message): void {
    if (this.mailbox.length < this.capacity) this.enter(message)
    else if (this.backpressure) this.waiters.push(message)
    else {
      this.letters.push(`full ${message.id}`)
      if (message.ask !== undefined) answer(message.ask, "MailboxFull")
    }
  }

  private enter(message: Message): void {
    this.entered++
    this.mailbox.push(message)
  }

  private run(): void {
    while (this.held === undefined && !this.suspended && !this.over && this.mailbox.length > 0) {
      const message = this.mailbox.shift()!
      while (this.waiters.length > 0 && this.mailbox.length < this.capacity) {
        const waiter = this.waiters.shift()!
        if (waiter.ask === undefined || waiter.ask.got === WAITS) this.enter(waiter)
      }
      this.handle(message)
    }
  }

  private handle(message: Message): void {
    const visit = message.plan[message.visits++] ?? LAST_VISIT
    this.isAside = this.isQuiet = this.ends = false
    for (const step of visit.steps) {
      if (step === "stash") this.isQuiet = this.putAside(message) || this.isQuiet
      else if (step === "unstash") this.takeBack()
      else if (step === "end") this.ends = true
      else if (this.asks.length > 0) answer(this.asks[step.answer % this.asks.length]!, "answered")
    }
    if (visit === LAST_VISIT && message.ask !== undefined) answer(message.ask, "answered")
    const fails = visit.end.endsWith("fail")
    if (visit.end.startsWith("hold") && !this.draining) {
      this.held = message
      this.heldFails = fails
    } else this.endTurn(message, fails)
  }

  private open(): void {
    const { held } = this
    this.held = undefined
    if (held !== undefined) this.endTurn(held, this.heldFails)
  }

  private endTurn(message: Message, fails: boolean): void {
    if (fails) {
      this.letters.push(`crashed ${message.id}`)
      if (this.isAside) this.aside.pop()
      return this.endLife("ActorCrashed")
    }
    if (!this.isQuiet) this.log.push(`${this.life} ${message.id}`)
    this.isAside = false
    if (this.ends) this.endLife("ActorStopped")
  }

  private endLife(error: string): void {
    const waiting = new Set([...this.mailbox, ...this.aside, ...this.waiters].flatMap(({ ask }) => ask ?? []))
    for (const ask of this.asks) if (!waiting.has(ask)) answer(ask, error)
    this.held = undefined
    this.isAside = this.suspended = false
    this.takeBack()
    if (this.draining) this.over = true
    else this.life++
  }

  private putAside(message: Message): boolean {
    if (this.isAside) return true
    if (this.aside.length >= this.capacity) return false
    this.aside.push(message)
    return this.isAside = true
  }

  private takeBack(): void {
    const back = this.isAside ? this.aside.slice(0, -1) : this.aside
    this.aside = this.isAside ? this.aside.slice(-1) : []
    this.mailbox.unshift(...back)
  }
}

const answer = (ask: Asker, got: string): void => {
  if (ask.got === WAITS) ask.got = got
}
