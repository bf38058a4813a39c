/**
 * Seeded numbers for the fault tests: the same seed gives the same faults at the same moments.
 */

/** A stream of numbers that follows from its seed. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) >>> 0
  }

  /** An integer from 0 up to but without `limit`. */
  below(limit: number): number {
    // Mulberry32: 32 bits of state are enough for a few thousand draws.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * limit)
  }

  /** True in one of `among` draws. */
  oneIn(among: number): boolean {
    return this.below(among) === 0
  }

  pick<A>(list: readonly [A, ...ReadonlyArray<A>]): A {
    return list[this.below(list.length)] ?? list[0]
  }

  /** A stream of its own, which does not depend on how much is drawn from this one later. */
  fork(): Random {
    return new Random(this.below(2 ** 32))
  }
}
