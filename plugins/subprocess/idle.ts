/**
 * Watches for silence: a member with a turn in flight that gives no sign of life for too long.
 *
 * One timer, and only while there is something to watch: it looks at the time of the last sign when it fires, so that
 * a sign costs an assignment.
 */

/** The watch over one incarnation; it does nothing when `limit` (milliseconds) is undefined. */
export class IdleWatch {
  readonly #limit: number | undefined
  readonly #inFlight: () => number
  readonly #silent: (limit: number) => void
  #timer: NodeJS.Timeout | undefined
  #last = 0

  constructor(limit: number | undefined, inFlight: () => number, silent: (limit: number) => void) {
    this.#limit = limit
    this.#inFlight = inFlight
    this.#silent = silent
  }

  /** The member said something. */
  sign(): void {
    if (this.#limit !== undefined) this.#last = performance.now()
  }

  /** An input is about to be in flight. */
  watch(): void {
    if (this.#limit === undefined) return
    // Silence before the turn is nobody's fault, also if the timer of an earlier turn is still armed.
    if (this.#inFlight() === 0) this.sign()
    if (this.#timer === undefined) this.#arm(this.#limit, this.#limit)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(limit: number, millis: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#inFlight() === 0) return
      const left = this.#last + limit - performance.now()
      if (left <= 0) this.#silent(limit)
      else this.#arm(limit, Math.ceil(left))
    }, millis)
  }
}
