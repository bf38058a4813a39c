/**
 * Messages put aside: they keep their askers, and go back to the front of the mailbox in the order they came.
 */
import type { Ask, Asked } from "./ask.ts"
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

  /** Puts the message with this number aside. */
  put(asked: Asked, message: unknown, number: number): void {
    let ask = asked.newestTaken ?? asked.oldest
    while (ask !== undefined && ask.number < number) {
      asked.newestTaken = ask
      ask = ask.following
    }
    if (ask?.number !== number) ask = undefined
    ask?.detach()
    this.aside.push({ message, ask })
  }

  /** Forgets the newest: its message is being handled, and failed. Its asker is one of those of the cell again. */
  dropNewest(asked: Asked, number: number): void {
    const newest = this.aside.pop()
    if (newest?.ask?.open !== true) return
    newest.ask.number = number
    newest.ask.attachBefore(firstAfter(asked, number))
  }

  /** Puts all back, but for the newest if that is being handled; `taken` messages had left the mailbox, these among them. */
  restore(asked: Asked, mailbox: Ring<unknown>, taken: number, handlesNewest: boolean): void {
    const aside = handlesNewest ? this.aside.slice(0, -1) : this.aside
    const count = aside.length
    if (count === 0) return
    this.aside = handlesNewest ? this.aside.slice(-1) : []
    const next = firstAfter(asked, taken)
    // Numbers are places: what has been taken moves as far forward as there are now more in front.
    for (let ask = asked.oldest; ask !== next; ask = ask?.following) if (ask !== undefined) ask.number -= count
    aside.forEach(({ ask }, index) => {
      if (ask?.open !== true) return
      ask.number = taken - count + 1 + index
      ask.attachBefore(next)
    })
    for (const { message } of aside.toReversed()) mailbox.unshift(message)
  }
}

/** The asks of a cell are in the order of their numbers. */
const firstAfter = (asked: Asked, number: number): Ask | undefined => {
  let ask = asked.newestTaken ?? asked.oldest
  while (ask !== undefined && ask.number <= number) {
    asked.newestTaken = ask
    ask = ask.following
  }
  return ask
}
