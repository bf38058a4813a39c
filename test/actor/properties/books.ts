/**
 * What one run notes, reaches and finds wrong.
 */
import type { Cell, Message, Property, Violation } from "./records.ts"

export class Books {
  readonly violations: Array<Violation> = []
  /** How often something worth reaching was reached. */
  readonly reached = new Map<string, number>()
  /** What happened, for people. */
  readonly lines: Array<string> = []
  /** Milliseconds. */
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
