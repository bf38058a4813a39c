/**
 * One asker that waits: answered exactly once, by a reply, by its deadline, or by what becomes of the cell.
 */
import { Exit } from "effect"
import { Deadline, type Deadlines } from "./deadlines.ts"
import type { DispatcherShape } from "./dispatcher.ts"
import { AskTimeout } from "./errors.ts"
import type { Reply } from "./types.ts"

/** The asks of one cell that are not answered. */
export interface Asked {
  readonly name: string
  readonly path: string
  readonly dispatcher: DispatcherShape
  readonly deadlines: Deadlines
  /** The newest. */
  newest: Ask | undefined
}

/** An answer runs the asker at once, within the cell's turn; below this depth of such runs it waits for its own place. */
const MAX_DEPTH = 64
let depth = 0

/** The asker's side of a message; linked into the wheel and into its cell. */
export class Ask extends Deadline implements Reply<unknown, unknown> {
  /** How many messages had entered the mailbox when this one did, itself included. Infinite while it waits for room. */
  number = Infinity
  private resume: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined
  private readonly asked: Asked
  private readonly timeout: number
  private older: Ask | undefined
  private newer: Ask | undefined

  constructor(asked: Asked, timeout: number, resume: (exit: Exit.Exit<unknown, unknown>) => void) {
    super()
    this.asked = asked
    this.timeout = timeout
    this.resume = resume
    this.newer = undefined
    this.older = asked.newest
    if (this.older !== undefined) this.older.newer = this
    asked.newest = this
    asked.deadlines.add(this, timeout)
  }

  /** Nobody has answered, and somebody waits. */
  get open(): boolean {
    return this.resume !== undefined
  }

  /** The ask before this one, of the same cell. */
  get previous(): Ask | undefined {
    return this.older
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
    const { older, newer } = this
    if (older !== undefined) older.newer = newer
    if (newer !== undefined) newer.older = older
    else this.asked.newest = older
    this.older = this.newer = undefined
  }
}
