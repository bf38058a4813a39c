/**
 * Fills a store of which only what stands in it matters, and not how fast it came: group commits are held and written
 * many at a time, where the journal would sync each. What is on disk in the end is the same.
 */
import { Effect, Layer } from "effect"
import { type Commit, CommitSeam, JournalLevel, type Operation } from "../../core/journal/index.ts"
import { type Entry, Journal, type MobLog, type StoreError } from "../../sdk/store.ts"

/** Text that is held before it is written. */
const HELD = 8 * 1024 * 1024

class Holding {
  #held: Array<Operation> = []
  #length = 0
  #commit: Commit = (_, done) => done()

  readonly seam = (commit: Commit): Commit => {
    this.#commit = commit
    return (operations, done) => {
      for (const it of operations) {
        // What a journal hands over holds until `done`; text stays.
        const operation = it.type === "put" ? { ...it, value: String(it.value) } : it
        this.#length += operation.type === "put" ? operation.value.length : 0
        this.#held.push(operation)
      }
      if (this.#length < HELD) return queueMicrotask(() => done())
      this.#write(done)
    }
  }

  readonly end = Effect.callback<void>((resume) =>
    this.#write((error) => resume(error === undefined ? Effect.void : Effect.die(error)))
  )

  #write(done: (error?: unknown) => void): void {
    const held = this.#held
    this.#held = []
    this.#length = 0
    this.#commit(held, done)
  }
}

/** Fills the store in a folder, and closes it. */
export const fill = (dir: string, write: Effect.Effect<void, StoreError, Journal>): Effect.Effect<void, unknown> => {
  const holding = new Holding()
  return Effect.scoped(Effect.provide(
    Effect.andThen(write, holding.end),
    JournalLevel.layer({ dir }).pipe(Layer.provide(Layer.succeed(CommitSeam, holding.seam)))
  ))
}

/** Submits entries as one, and waits. */
export const append = (log: MobLog, entries: ReadonlyArray<Entry>): Effect.Effect<void, StoreError> =>
  Effect.callback<void, StoreError>((resume) =>
    log.submit({
      entries,
      committed: () => resume(Effect.void),
      failed: (error) => resume(Effect.fail(error))
    })
  )
