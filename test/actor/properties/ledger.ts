/**
 * The books of one run: what was sent, begun, handled and lost, with what must hold checked as it happens.
 */
import type { CellContext, DeadLetter, LifecycleEvent } from "../../../core/actor/index.ts"
import type { CellPlan, Turn } from "./program.ts"
import type { Ask, Cell, Life, Message, News, Property, Strand, Tick, TurnRecord, Violation } from "./records.ts"
import { Work } from "./records.ts"

/** A turn that can outlast an interruption. */
const isStubborn = ({ acts }: Turn): boolean => acts.some(({ type }) => type === "stubborn" || type === "spawn")

/** It has outlasted the deadline of its cell, so that others need not wait for it. */
const isOverdue = (turn: TurnRecord, now: number): boolean => {
  const { shutdown } = turn.life.cell.plan
  if (shutdown === "infinity" || !isStubborn(turn.message.turn)) return false
  return shutdown === "brutal" || now - turn.began >= shutdown
}

export class Ledger {
  readonly cells: Array<Cell> = []
  readonly works: Array<Work> = []
  readonly asks: Array<Ask> = []
  /** Those that have come. */
  readonly told: Array<News> = []
  readonly violations: Array<Violation> = []
  /** How often something worth reaching was reached. */
  readonly reached = new Map<string, number>()
  /** What happened, for people. */
  readonly lines: Array<string> = []
  /** Programs of cells that have begun and are not over: starts, farewells, forks. */
  readonly underWay = new Set<string>()
  /** Finalizers of Scopes that have not run. */
  readonly unreleased = new Set<string>()
  private readonly byPath = new Map<string, Cell>()
  private readonly lives = new Map<CellContext<Message>, Life>()
  readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  note(line: string): void {
    this.lines.push(`${this.now()} ${line}`)
  }

  reach(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1)
  }

  /** Checks, and goes on. */
  must(holds: boolean, property: Property, text: () => string): void {
    if (holds) return
    const violation = { property, text: text() }
    this.violations.push(violation)
    this.note(`VIOLATED ${property}: ${violation.text}`)
  }

  // Cells

  /** A life begins: its `init` is called. */
  enter(context: CellContext<Message>, plan: CellPlan, listed: boolean): Life {
    const cell = this.byPath.get(context.self.path) ?? this.enterCell(context, plan, listed)
    const number = cell.lives.length + 1
    this.note(`${name(cell)} begins life ${number}`)
    if (number > 1) this.reach("a restart")
    this.mustBeAlive(cell, "starts")
    this.must(number === 1 || plan.restart !== "temporary", "ended", () => `${name(cell)}, temporary, starts again`)
    const above = this.parentOf(cell)
    this.must(
      above === undefined || above.lives.length <= cell.lifeAbove,
      "ended",
      () => `${name(cell)} starts under a later life of its parent`
    )
    this.mustBeAlone(cell)
    const previous = cell.lives.at(-1)
    if (previous !== undefined) previous.dead = true
    const life: Life = {
      cell,
      number,
      context,
      state: {},
      up: false,
      dead: false,
      timers: new Map(),
      watches: new Map(),
      kept: []
    }
    cell.lives.push(life)
    this.lives.set(context, life)
    return life
  }

  private enterCell({ self: ref }: CellContext<Message>, plan: CellPlan, listed: boolean): Cell {
    // Between the paths of a parent and of its child stands a silent node.
    const above = ref.path.split("/").slice(0, -2).join("/")
    const lives = this.byPath.get(above)?.lives.length ?? 0
    const cell: Cell = {
      number: this.cells.length + 1,
      ref,
      plan,
      above,
      lifeAbove: listed ? lives + 1 : lives,
      lives: [],
      running: new Set(),
      queue: [],
      aside: [],
      asideOf: undefined,
      unsure: false,
      stopCalled: false,
      ended: undefined,
      crashes: 0,
      envelopes: 0
    }
    this.cells.push(cell)
    this.byPath.set(ref.path, cell)
    return cell
  }

  parentOf(cell: Cell): Cell | undefined {
    return this.byPath.get(cell.above)
  }

  /** What the tap tells. */
  happened(event: LifecycleEvent): void {
    const cell = this.byPath.get(event.path)
    // One that did not get as far as `init`.
    if (cell === undefined) return
    const life = cell.lives.at(-1)
    switch (event._tag) {
      case "Started":
        if (life !== undefined) life.up = true
        return
      case "Crashed":
        this.note(`${name(cell)} crashed`)
        if (life?.up === false) this.reach("a start that failed")
        cell.crashes++
        if (life !== undefined) life.dead = true
        return
      case "Stopped":
        this.note(`${name(cell)} ended: ${event.reason._tag}`)
        this.must(cell.ended === undefined, "ended", () => `${name(cell)} ended twice`)
        this.reach(`an end: ${event.reason._tag}`)
        cell.ended = event.reason
        if (life !== undefined) life.dead = true
    }
  }

  /** Its `onStop` is called. */
  leave(life: Life): void {
    const isBelow = ({ above, lifeAbove }: Cell) => above === life.cell.ref.path && lifeAbove === life.number
    const below = this.cells.filter((it) => isBelow(it) && it.lives.some(({ up }) => up))
    this.must(
      below.every((it) => it.ended !== undefined),
      "ended",
      () => `${name(life.cell)} says farewell before ${below.filter((it) => it.ended === undefined).map(name)} ended`
    )
    this.mustBeAlone(life.cell)
  }

  /** Somebody has stopped it, and it has got to know. */
  stopCalled(cell: Cell, drain: boolean): void {
    if (drain) return
    cell.stopCalled = true
    const life = cell.lives.at(-1)
    if (life !== undefined) life.dead = true
  }

  private mustBeAlive(cell: Cell, does: string): void {
    for (let it: Cell | undefined = cell; it !== undefined; it = this.parentOf(it)) {
      const { ended } = it
      this.must(ended === undefined, "ended", () => `${name(cell)} ${does} after the end of ${name(it)}`)
    }
  }

  /** No turn of it is running, but for one that was given up. */
  private mustBeAlone(cell: Cell): void {
    for (const other of cell.running) {
      if (isOverdue(other, this.now())) this.reach("an overlap with a turn that was given up")
      else this.must(false, "alone", () => `${name(cell)} goes on while ${describe(other.message)} is being handled`)
    }
  }

  // Turns

  begin(context: CellContext<Message>, message: Message, state: object): TurnRecord {
    const life = this.lives.get(context)
    if (life === undefined) throw new Error("a behaviour without an init")
    const { cell } = life
    this.note(`${name(cell)} begins ${describe(message)} in life ${life.number}`)
    this.mustBeAlive(cell, "handles a message")
    this.must(!cell.stopCalled, "ended", () => `${name(cell)} begins ${describe(message)} after it was stopped`)
    this.must(
      cell.lives.at(-1) === life,
      "alone",
      () => `${name(cell)} begins ${describe(message)} in a life that is over`
    )
    this.must(state === life.state, "alone", () => `${name(cell)} begins ${describe(message)} with another state`)
    this.mustBeAlone(cell)
    const turn: TurnRecord = {
      life,
      message,
      began: this.now(),
      crashes: cell.crashes,
      over: "begun",
      interruptsItself: false,
      abandoned: false,
      aside: false,
      unsure: false
    }
    if (message.kind === "work") this.beginWork(message, life)
    else if (message.kind === "tick") this.beginTick(message, life)
    else this.beginNews(message, life)
    message.turns.push(turn)
    return turn
  }

  /** The program of a turn is running. */
  run(turn: TurnRecord): void {
    turn.over = "running"
    turn.life.cell.running.add(turn)
  }

  /** What is left of it is an effect, which may never be started. */
  hold(turn: TurnRecord): void {
    turn.over = "begun"
    turn.life.cell.running.delete(turn)
  }

  private beginWork(work: Work, life: Life): void {
    const { cell } = life
    this.must(work.to === cell, "conserved", () => `${describe(work)} begins at ${name(cell)}`)
    this.must(work.letters.length === 0, "conserved", () => `${describe(work)} begins, and is a dead letter`)
    const last = work.turns.at(-1)
    this.must(last === undefined || last.aside, "once", () => `${describe(work)} begins again`)
    if (last === undefined) {
      const before = work.strand.begun.get(cell) ?? 0
      this.must(before < work.place, "order", () => `${describe(work)} begins after a later one of its sender`)
      work.strand.begun.set(cell, work.place)
    } else this.reach("a message that begins again")
    this.recall(cell, life)
    const place = cell.queue.indexOf(work)
    if (place >= 0) {
      this.must(
        place === 0 || cell.unsure,
        "order",
        () => `${describe(work)} begins before ${cell.queue.slice(0, place).map(describe)}`
      )
      cell.queue.splice(place, 1)
    } else {
      this.must(!cell.aside.includes(work), "once", () => `${describe(work)} begins while it is aside`)
      this.must(
        work.turns.length > 0 || work.sending !== "gone",
        "conserved",
        () => `${describe(work)} begins, never sent`
      )
      if (work.sending === "waiting") this.reach("a message that waited for room")
      work.sending = "accepted"
    }
  }

  private beginTick(tick: Tick, life: Life): void {
    const { cancelled, key, millis, periodic, since, turns } = tick
    const at = this.now()
    this.must(
      tick.life === life && life.timers.get(key) === tick && !cancelled,
      "ticks",
      () => `${describe(tick)} is none`
    )
    const due = since + millis * (turns.length + 1)
    this.must(at >= due, "ticks", () => `${describe(tick)} comes at ${at}, due at ${due}`)
    this.must(periodic || turns.length === 0, "ticks", () => `${describe(tick)} comes again`)
    this.reach(periodic ? "a periodic tick" : "a single tick")
    if (!periodic) life.timers.delete(key)
  }

  private beginNews(news: News, life: Life): void {
    const { cancelled, target, turns } = news
    this.reach("a Terminated")
    this.must(turns.length === 0, "watches", () => `${describe(news)} comes twice`)
    this.must(
      news.life === life && life.watches.get(target) === news && !cancelled,
      "watches",
      () => `${describe(news)} is none`
    )
    const late = life.cell.queue.find((it) =>
      it.strand.of === target && it.turns.length === 0 && it.number <= news.after
    )
    this.must(late === undefined, "order", () => `${describe(news)} comes before ${describe(late)}`)
    life.watches.delete(target)
    this.told.push(news)
  }

  /** The program of a turn is over. */
  end(turn: TurnRecord, over: "handled" | "failed" | "interrupted", state?: object): void {
    const { life, message } = turn
    this.note(`${name(life.cell)} ends ${describe(message)}: ${over}`)
    turn.over = over
    life.cell.running.delete(turn)
    if (state !== undefined) life.state = state
    if (turn.abandoned) this.reach("a turn that ended after it was given up")
  }

  // Stash

  /** What was aside in an earlier life is in front. */
  private recall(cell: Cell, life: Life | undefined): void {
    if (cell.asideOf === life) return
    cell.queue = [...cell.aside, ...cell.queue]
    cell.aside = []
    cell.asideOf = life
  }

  putAside(turn: TurnRecord): void {
    const { life, message } = turn
    if (message.kind !== "work" || turn.aside) return
    this.note(`${describe(message)} is put aside`)
    this.reach("a message put aside")
    turn.aside = true
    life.cell.aside.push(message)
  }

  /** Those aside go back, but for the one that is being handled. */
  takeBack(life: Life, unsure: boolean): void {
    const { cell } = life
    if (life.dead) return
    if (unsure) cell.unsure = true
    this.recall(cell, life)
    const stays = cell.aside.filter((it) => [...cell.running].some(({ aside, message }) => aside && message === it))
    if (cell.aside.length > stays.length) this.reach("a message taken back")
    cell.queue = [...cell.aside.filter((it) => !stays.includes(it)), ...cell.queue]
    cell.aside = stays
  }

  // Sending

  offer(to: Cell, strand: Strand, turn: Turn): Work {
    const work = new Work(this.works.length + 1, to, strand, turn)
    this.works.push(work)
    return work
  }

  /** It is in the mailbox; `atOnce`, so that we know where: behind all others. */
  accept(work: Work, atOnce: boolean): void {
    this.note(`${describe(work)} is accepted`)
    work.sending = "accepted"
    if (atOnce) work.to.queue.push(work)
  }

  letter({ message, reason, to }: DeadLetter): void {
    const it = message as Message // all that this run sends
    this.note(`dead letter ${describe(it)}: ${reason}`)
    this.reach(`a dead letter: ${reason}`)
    const last = it.turns.at(-1)
    if (last?.over === "begun") last.over = "interrupted"
    if (last?.over === "running") {
      last.abandoned = true
      this.must(
        isOverdue(last, this.now()) || last.life.cell.plan.shutdown === "brutal",
        "conserved",
        () => `${describe(it)} is a dead letter while it is being handled`
      )
      this.reach("a turn that was given up")
    }
    if (it.kind !== "work") {
      this.must(
        last !== undefined && last.over !== "handled",
        "conserved",
        () => `${describe(it)} is a dead letter, though nobody misses it`
      )
      return
    }
    this.must(it.to.ref.path === to, "conserved", () => `${describe(it)} is a dead letter of ${to}`)
    it.letters.push(reason)
    this.must(it.letters.length === 1, "conserved", () => `${describe(it)} is a dead letter twice`)
    this.must(
      last?.over !== "handled" || last.aside,
      "conserved",
      () => `${describe(it)} is a dead letter, and was handled`
    )
    this.must(reason !== "crashed" || last !== undefined, "conserved", () => `${describe(it)} crashed before it began`)
    const refused = it.sending === "offered" || it.sending === "waiting"
    this.must(
      reason !== "full" || (refused && last === undefined),
      "conserved",
      () => `${describe(it)} was in, and is lost as full`
    )
    if (refused && last === undefined) it.sending = "refused"
    else this.lose(it, reason)
  }

  /** It is in no mailbox any more. */
  private lose(work: Work, reason: DeadLetter["reason"]): void {
    const { to } = work
    const last = work.turns.at(-1)
    const fromMailbox = reason === "stopped" && (last === undefined || last.aside)
    if (fromMailbox && !to.queue.includes(work)) this.recall(to, undefined)
    const place = to.queue.indexOf(work)
    this.must(
      !fromMailbox || place <= 0 || to.unsure,
      "order",
      () => `${describe(work)} is lost before ${to.queue.slice(0, place).map(describe)}`
    )
    to.queue = to.queue.filter((it) => it !== work)
    to.aside = to.aside.filter((it) => it !== work)
  }

  // Asking

  ask(work: Work, timeout: number, impatient: boolean): Ask {
    const ask: Ask = { work, at: this.now(), timeout, impatient, outcomes: [], answer: undefined }
    work.ask = ask
    this.asks.push(ask)
    return ask
  }

  answered(work: Work, text: string): void {
    const { ask } = work
    if (ask === undefined) return
    ask.answer ??= { text, inTime: ask.outcomes.length === 0 }
  }

  outcome(ask: Ask, text: string): void {
    const { answer, at, outcomes, timeout, work } = ask
    this.note(`the ask of ${describe(work)} gives ${text}`)
    this.reach(`an ask: ${text.split(" ")[0]}`)
    outcomes.push(text)
    const wrong = (why: string) => () => `the ask of ${describe(work)} gave ${outcomes}: ${why}`
    this.must(outcomes.length === 1, "answers", wrong("more than once"))
    const fits = answer === undefined ? !text.startsWith("answer") : answer.text === text || !answer.inTime
    this.must(fits || (ask.impatient && text === "interrupted"), "answers", wrong(`the cell answered ${answer?.text}`))
    switch (text) {
      case "AskTimeout":
        return this.must(
          this.now() === at + timeout,
          "answers",
          wrong(`at ${this.now()}, asked at ${at} for ${timeout}`)
        )
      case "MailboxFull":
        return this.must(work.letters.includes("full"), "answers", wrong("and is no dead letter"))
      case "ActorCrashed":
        return this.must(work.turns.length > 0, "answers", wrong("it had not begun"))
      case "interrupted":
        return this.must(ask.impatient, "answers", wrong("nobody interrupted the asker"))
    }
  }
}

/** `cell 3`. */
export const name = (cell: Cell): string => `cell ${cell.number}`

/** `message 12 to cell 3`. */
export const describe = (message: Message | undefined): string => {
  if (message === undefined) return "nothing"
  if (message.kind === "work") return `message ${message.number} to ${name(message.to)}`
  if (message.kind === "tick") return `tick ${message.key} of ${name(message.life.cell)}, set at ${message.since}`
  return `the news of ${name(message.target)} to ${name(message.life.cell)}`
}
