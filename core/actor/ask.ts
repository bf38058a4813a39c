/**
 * One asker that waits: answered exactly once, by a reply, by its deadline, or by what becomes of the cell.
 */
import { Exit } from "effect"
import { Deadline, type Deadlines } from "./deadlines.ts"
import type { DispatcherShape } from "./dispatcher.ts"
import { AskTimeout } from "./errors.ts"
import type { Reply } from "./types.ts"

/** The cell that is asked. */
export interface Asked {
  readonly name: string
  readonly path: string
  readonly dispatcher: DispatcherShape
  readonly deadlines: Deadlines
}

/** Asks of one cell, in order. Each is in one list at most. */
export class AskList {
  oldest: Ask | undefined = undefined
  newest: Ask | undefined = undefined

  append(ask: Ask): void {
    ask.list?.remove(ask)
    ask.list = this
    ask.older = this.newest
    if (this.newest === undefined) this.oldest = ask
    else this.newest.newer = ask
    this.newest = ask
  }

  prepend(ask: Ask): void {
    ask.list?.remove(ask)
    ask.list = this
    ask.newer = this.oldest
    if (this.oldest === undefined) this.newest = ask
    else this.oldest.older = ask
    this.oldest = ask
  }

  remove(ask: Ask): void {
    const { newer, older } = ask
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    if (newer === undefined) this.newest = older
    else newer.older = older
    ask.list = ask.older = ask.newer = undefined
  }
}

/** An answer runs the asker at once, within the cell's turn; below this depth of such runs it waits for its own place. */
const MAX_DEPTH = 64
let depth = 0

/** The asker's side of a message; linked into the wheel and into its cell. */
export class Ask extends Deadline implements Reply<unknown, unknown> {
  /** While its message is in the mailbox: as many as were taken when that is the next one, and one more. */
  number = 0
  /** Where it stands: its links are that list's. */
  list: AskList | undefined = undefined
  older: Ask | undefined = undefined
  newer: Ask | undefined = undefined
  private resume: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined
  private readonly asked: Asked
  private readonly timeout: number

  constructor(asked: Asked, timeout: number, resume: (exit: Exit.Exit<unknown, unknown>) => void) {
    super()
    this.asked = asked
    this.timeout = timeout
    this.resume = resume
    asked.deadlines.add(this, timeout)
  }

  /** Nobody has answered, and somebody waits. */
  get open(): boolean {
    return this.resume !== undefined
  }

  done(exit: Exit.Exit<unknown, unknown>): void {
    const resume = this.resume
    if (resume === undefined) return
    this.forget()
    if (depth >= MAX_DEPTH) {
      this.asked.dispatcher.later(() => resume(exit))
      return
    }
    depth++
    try {
      resume(exit)
    } finally {
      depth--
    }
  }

  override due(): void {
    const { name: actor, path } = this.asked
    this.done(Exit.fail(new AskTimeout({ actor, path, timeout: this.timeout })))
  }

  /** The asker waits no more. */
  forget(): void {
    if (this.resume === undefined) return
    this.resume = undefined
    this.asked.deadlines.remove(this)
    this.list?.remove(this)
  }
}
