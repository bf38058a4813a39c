/**
 * Which inputs a member was given on one connection, and what became of them: tells a report about an own input from
 * a late one and from one about somebody else's.
 */
import type { InputId } from "../ids.ts"

/** Settled inputs are remembered up to this number, so that a late report of one is told from a foreign id. */
const SETTLED_REMEMBERED = 4096

/** @internal The inputs of one connection. */
export class GivenInputs {
  readonly #given = new Map<InputId, "running" | "ended">()
  readonly #settled = new Set<InputId>()
  #running = 0

  /** Inputs handed over and not ended. */
  get running(): number {
    return this.#running
  }

  has(input: InputId): boolean {
    return this.#given.has(input)
  }

  isRunning(input: InputId): boolean {
    return this.#given.get(input) === "running"
  }

  /** Hands an input over; false if it was before. */
  give(input: InputId): boolean {
    if (this.#given.has(input)) return false
    this.#settled.delete(input)
    this.#given.set(input, "running")
    this.#running += 1
    return true
  }

  /** The member has never had it. */
  takeBack(input: InputId): void {
    this.#end(input)
    this.#given.delete(input)
  }

  /** Takes the report of an end: of an input that it has, of one that was settled before, or of neither. */
  ended(input: InputId): "own" | "late" | "foreign" {
    if (!this.#given.has(input)) return this.#settled.has(input) ? "late" : "foreign"
    this.#end(input)
    this.#given.set(input, "ended")
    return "own"
  }

  /** The outcome is safe. */
  settle(input: InputId): void {
    this.takeBack(input)
    this.#settled.add(input)
    if (this.#settled.size <= SETTLED_REMEMBERED) return
    for (const oldest of this.#settled) {
      this.#settled.delete(oldest)
      return
    }
  }

  #end(input: InputId): void {
    if (this.isRunning(input)) this.#running -= 1
  }
}
