/**
 * One asker that waits: answered exactly once, by a reply, by its deadline, or by what becomes of the cell.
 */
import { Exit } from "effect"
import { Deadline, type Deadlines } from "./deadlines.ts"
import type { DispatcherShape } from "./dispatcher.ts"
import { AskTimeout } from "./errors.ts"
import type { Reply } from "./types.ts"

/** The asks of one cell that are not answered, in the order of their numbers. */
export interface Asked {
  readonly name: string
  readonly path: string
  readonly dispatcher: DispatcherShape
  readonly deadlines: Deadlines
  newest: Ask | undefined
  oldest: Ask | undefined
  /** One whose message was taken, for whoever looks for the end of those; undefined if none is known. */
  newestTaken: Ask | undefined
}

/** An answer runs the asker at once, within the cell's turn; below this depth of such runs it waits for its own place. */
const MAX_DEPTH = 64
let depth = 0

/** The asker's side of a message; linked into the wheel and into its cell. */
export class Ask extends Deadline implements Reply<unknown, unknown> {
  /**
   * The place of its message among all that entered the mailbox, from 1: as many as were taken, it is the last of those.
   * None while it waits for room.
   */
  number = 0
  private resume: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined
  private readonly asked: Asked
  private readonly timeout: number
  private linked = false
  private older: Ask | undefined = undefined
  private newer: Ask | undefined = undefined

  constructor(asked: Asked, timeout: number, resume: (exit: Exit.Exit<unknown, unknown>) => void) {
    super()
    this.asked = asked
    this.timeout = timeout
    this.resume = resume
    asked.deadlines.add(this, timeout)
  }

  /** Its message is in the mailbox, at the end. */
  enter(number: number): void {
    this.number = number
    this.attachBefore(undefined)
  }

  /** Nobody has answered, and somebody waits. */
  get open(): boolean {
    return this.resume !== undefined
  }

  /** The ask after this one, of the same cell. */
  get following(): Ask | undefined {
    return this.newer
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
    this.detach()
  }

  /** Out of the list of its cell; it stays open. */
  detach(): void {
    if (!this.linked) return
    this.linked = false
    const { asked, newer, older } = this
    if (asked.newestTaken === this) asked.newestTaken = older
    if (older === undefined) asked.oldest = newer
    else older.newer = newer
    if (newer === undefined) asked.newest = older
    else newer.older = older
    this.older = this.newer = undefined
  }

  /** Back into the list, before `next`; at its end if there is none. */
  attachBefore(next: Ask | undefined): void {
    const { asked } = this
    this.linked = true
    this.newer = next
    this.older = next === undefined ? asked.newest : next.older
    if (this.older === undefined) asked.oldest = this
    else this.older.newer = this
    if (next === undefined) asked.newest = this
    else next.older = this
  }
}
