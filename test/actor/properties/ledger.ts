/**
 * The books of one run: what was sent, begun, handled, answered and lost; what must hold is checked as it happens.
 */
import type { DeadLetter, LifecycleEvent } from "../../../core/actor/index.ts"
import { describe } from "./books.ts"
import { isOverdue } from "./cells.ts"
import type { Ask, Message, Work } from "./records.ts"
import { TurnBooks } from "./turns.ts"

export class Ledger extends TurnBooks {
  readonly asks: Array<Ask> = []

  override happened(event: LifecycleEvent): void {
    super.happened(event)
    if (event._tag !== "Crashed") return
    for (const ask of this.asks) {
      const { outcomes, work: { to, turns } } = ask
      const last = turns.at(-1)
      if (outcomes.length > 0 || to.ref.path !== event.path || last === undefined) continue
      if (!last.aside && last.life === to.lives.at(-1)) ask.crashed = true
    }
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
    this.must(
      reason !== "crashed" || last?.interruptsItself !== "alive",
      "conserved",
      () => `${describe(it)} crashed, and only interrupted itself`
    )
    const refused = it.sending === "offered" || it.sending === "waiting"
    this.must(
      reason !== "full" || (refused && last === undefined),
      "conserved",
      () => `${describe(it)} was in, and is lost as full`
    )
    if (reason === "full") this.mustBeFull(it.to)
    if (refused && last === undefined) it.sending = "refused"
    else this.lose(it, reason)
  }

  ask(work: Work, timeout: number, impatient: boolean): Ask {
    const ask: Ask = { work, at: this.now(), timeout, impatient, outcomes: [], answer: undefined, crashed: false }
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
    this.must(
      !ask.crashed || text === "ActorCrashed" || text === "interrupted",
      "answers",
      wrong("its cell crashed while it held the message")
    )
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
