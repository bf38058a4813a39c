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
    for (const part of parts) {
      this.line(this.#unfinished + part)
      this.#unfinished = ""
    }
    if (this.#unfinished.length < LINE_LIMIT) this.#unfinished += last.slice(0, LINE_LIMIT)
  }

  /** Takes one line. */
  line(line: string): void {
    const cut = line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}...` : line
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
