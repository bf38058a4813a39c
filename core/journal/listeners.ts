/**
 * Who listens to one log, found by what they hear: most writers hear neither events nor of each other's heads, so a
 * commit costs nothing for them.
 */
import type { StoreListener } from "../../sdk/store.ts"

/** The listeners of one log. */
export class Listeners {
  readonly #all = new Set<StoreListener>()
  readonly #events = new Set<StoreListener>()
  /** Who can give heads, by aggregate; `undefined` for those who hear of all. */
  readonly #heads = new Map<string | undefined, Set<StoreListener>>()

  /** Adds one; the result removes it. */
  add(listener: StoreListener): () => void {
    const heads = this.#heads.get(listener.aggregate) ?? new Set()
    this.#all.add(listener)
    if (listener.events !== undefined) this.#events.add(listener)
    if (listener.headWanted !== undefined) this.#heads.set(listener.aggregate, heads.add(listener))
    return () => {
      this.#all.delete(listener)
      this.#events.delete(listener)
      heads.delete(listener)
      if (heads.size === 0 && this.#heads.get(listener.aggregate) === heads) this.#heads.delete(listener.aggregate)
    }
  }

  /** Whether it was not removed. */
  has(listener: StoreListener): boolean {
    return this.#all.has(listener)
  }

  /** All, as of now. */
  all(): ReadonlyArray<StoreListener> {
    return [...this.#all]
  }

  /** Those that hear events. */
  get events(): ReadonlySet<StoreListener> {
    return this.#events
  }

  /** Those that are asked for a head of this aggregate. */
  headsOf(aggregate: string): ReadonlyArray<StoreListener> {
    return [...this.#heads.get(aggregate) ?? [], ...this.#heads.get(undefined) ?? []]
  }

  /** Removes all. */
  clear(): void {
    this.#all.clear()
    this.#events.clear()
    this.#heads.clear()
  }
}
