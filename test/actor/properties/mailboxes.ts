/**
 * The books of mailboxes: a model of what is in each, in order, and of what is aside.
 */
import type { DeadLetter } from "../../../core/actor/index.ts"
import { describe } from "./books.ts"
import { CellBooks } from "./cells.ts"
import type { Turn } from "./program.ts"
import { type Cell, type Life, type Strand, type TurnRecord, Work } from "./records.ts"

export class MailboxBooks extends CellBooks {
  readonly works: Array<Work> = []

  offer(to: Cell, strand: Strand, turn: Turn): Work {
    const work = new Work(this.works.length + 1, to, strand, turn)
    this.works.push(work)
    return work
  }

  /** It is in the mailbox; `atOnce`, so that we know where: behind all others. */
  accept(work: Work, atOnce: boolean): void {
    this.note(`${describe(work)} is accepted`)
    work.sending = "accepted"
    if (!atOnce) return
    const { closed, plan: { mailbox: { capacity } }, queue, unsure } = work.to
    this.must(!closed, "ended", () => `${describe(work)} is accepted after its cell was stopped, or drained`)
    this.must(unsure || queue.length < capacity, "conserved", () => `${describe(work)} is one too many for ${capacity}`)
    queue.push(work)
  }

  /** There was no room for it: the mailbox is full, as far as anybody can know. */
  protected mustBeFull(cell: Cell): void {
    const { aside, envelopes, plan: { mailbox: { capacity } }, queue } = cell
    const unplaced = this.works.filter(({ letters, sending, to, turns }) =>
      to === cell && turns.length === 0 && letters.length === 0 && (sending === "accepted" || sending === "waiting")
    )
    const most = new Set([...queue, ...aside, ...unplaced]).size + envelopes
    this.must(most >= capacity, "conserved", () => `there was room among ${most} of ${capacity} in cell ${cell.number}`)
  }

  /** It is in no mailbox any more. */
  protected lose(work: Work, reason: DeadLetter["reason"]): void {
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

  /** What was aside in an earlier life is in front. */
  protected recall(cell: Cell, life: Life | undefined): void {
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
    const { aside, plan: { mailbox: { capacity } }, unsure } = life.cell
    this.must(unsure || aside.length < capacity, "conserved", () => `${describe(message)} is one too many aside`)
    aside.push(message)
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
}
