/**
 * The books of turns: what a behaviour begins, in which order, on which state, and how that is over.
 */
import type { CellContext } from "../../../core/actor/index.ts"
import { describe, name } from "./books.ts"
import { MailboxBooks } from "./mailboxes.ts"
import type { Life, Message, News, Tick, TurnRecord, Work } from "./records.ts"

export class TurnBooks extends MailboxBooks {
  /** Those that have come. */
  readonly told: Array<News> = []

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
    this.must(!life.suspended, "progress", () => `${name(cell)} begins ${describe(message)}, suspended`)
    this.mustBeAlone(cell)
    const turn: TurnRecord = {
      life,
      message,
      began: this.now(),
      crashes: cell.crashes,
      over: "begun",
      interruptsItself: "no",
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
    if (life.leaving) life.dead = true
    if (turn.abandoned) this.reach("a turn that ended after it was given up")
  }
}
