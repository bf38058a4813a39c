/**
 * Messages that reached nobody: counted, the last thousand kept, and offered to whoever listens.
 */
import type { DeadLetter } from "./types.ts"

/** How many dead letters are kept. */
const KEPT = 1_000

/** What the system tells of its dead letters. */
export interface DeadLetters {
  /** How many there were since the system started. */
  readonly count: () => number
  /** The last thousand, oldest first. */
  readonly last: () => ReadonlyArray<DeadLetter>
  /** Calls `listener` with each new one, synchronously; gives what ends that. What a listener throws is dropped. */
  readonly subscribe: (listener: (letter: DeadLetter) => void) => () => void
}

/** Counts and keeps dead letters. */
export class DeadLetterOffice implements DeadLetters {
  private total = 0
  private readonly kept: Array<DeadLetter> = []
  private readonly listeners = new Set<(letter: DeadLetter) => void>()

  readonly count = () => this.total

  readonly last = (): ReadonlyArray<DeadLetter> => {
    if (this.total <= KEPT) return this.kept.slice()
    const oldest = this.total % KEPT
    return [...this.kept.slice(oldest), ...this.kept.slice(0, oldest)]
  }

  readonly subscribe = (listener: (letter: DeadLetter) => void) => {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  record(to: string, reason: DeadLetter["reason"], message: unknown): void {
    const letter: DeadLetter = { to, reason, message }
    this.kept[this.total++ % KEPT] = letter
    for (const listener of this.listeners) {
      try {
        listener(letter)
      } catch {
        // An observer must not disturb the sender.
      }
    }
  }
}
