/**
 * A member's log: its standard error and its `log` notifications, line by line.
 *
 * The last lines are kept, each cut to a bounded length, for the message that says how the member ended. Lines are
 * passed on as they come, up to a rate; beyond it they are counted and dropped. So a flood costs time, not memory.
 */

/** Lines kept. */
const KEPT = 20
/** Characters kept of a line. */
const LINE_LIMIT = 1000
/** Lines passed on in one second. */
const LINES_PER_SECOND = 100

/** The log of one incarnation. */
export class MemberLog {
  readonly #pass: (line: string) => void
  readonly #text = new TextDecoder()
  #lines: Array<string> = []
  #unfinished = ""
  #second = 0
  #passed = 0
  #total = 0

  constructor(pass: (line: string) => void) {
    this.#pass = pass
  }

  /** Takes bytes of standard error. */
  bytes(chunk: Uint8Array): void {
    const parts = this.#text.decode(chunk, { stream: true }).split("\n")
    const last = parts.pop() ?? ""
    const [first] = parts
    if (first !== undefined) {
      parts[0] = this.#unfinished + first
      this.#unfinished = ""
    }
    for (const [index, part] of parts.entries()) {
      // Neither passed on nor kept: of a flood of short lines most are only counted.
      if (index >= LINES_PER_SECOND && index < parts.length - KEPT) this.#total += 1
      else this.line(part)
    }
    // One more than is kept of a line, so that it is seen to be cut.
    if (this.#unfinished.length <= LINE_LIMIT) this.#unfinished += last.slice(0, LINE_LIMIT + 1)
  }

  /** Takes one line. */
  line(line: string): void {
    // A copy: a slice would keep alive the whole text that it was cut from.
    const cut = Buffer.from(line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}...` : line).toString()
    this.#total += 1
    this.#lines.push(cut)
    if (this.#lines.length > 2 * KEPT) this.#lines = this.#lines.slice(-KEPT)
    const second = Math.floor(Date.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#passed = 0
    }
    this.#passed += 1
    if (this.#passed <= LINES_PER_SECOND) this.#pass(cut)
  }

  /** Lines taken so far. */
  get total(): number {
    return this.#total
  }

  /** The last lines, newest last; an unfinished one counts. */
  get last(): ReadonlyArray<string> {
    const lines = this.#unfinished === "" ? this.#lines : [...this.#lines, this.#unfinished]
    return lines.slice(-KEPT)
  }
}
