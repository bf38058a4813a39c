/**
 * Messages put aside: they keep their askers, and go back to the front of the mailbox in the order they came.
 */
import type { Ask, AskList } from "./ask.ts"
import type { Ring } from "./mailbox.ts"

/** A message, and who waits for its answer. */
interface Aside {
  readonly message: unknown
  readonly ask: Ask | undefined
}

/** What one cell has put aside. */
export class Stash {
  private aside: Array<Aside> = []

  get size(): number {
    return this.aside.length
  }

  /** Puts a message aside, with its ask, which stays among those owed until it goes back: nobody answers these before. */
  put(message: unknown, ask: Ask | undefined): void {
    this.aside.push({ message, ask })
  }

  /** Forgets the newest: its message is being handled, and failed. Gives its ask. */
  dropNewest(): Ask | undefined {
    return this.aside.pop()?.ask
  }

  /**
   * Puts all back, but for the newest if that is being handled; `taken` messages had left the mailbox, these among them.
   */
  restore(mailbox: Ring<unknown>, asks: AskList | undefined, taken: number, handlesNewest: boolean): void {
    const aside = handlesNewest ? this.aside.slice(0, -1) : this.aside
    this.aside = handlesNewest ? this.aside.slice(-1) : []
    let number = taken
    for (const { ask, message } of aside.toReversed()) {
      mailbox.unshift(message)
      if (ask?.open === true) {
        ask.number = number
        asks?.prepend(ask)
      }
      number--
    }
  }
}
