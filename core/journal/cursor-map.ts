/**
 * A sparse map from event cursors to the blocks that hold them, so that reading after a cursor is one seek. A pair each
 * 1,024 events; beyond 2,048 pairs every second one goes and the distance doubles, so that a checkpoint stays small
 * however long the history is.
 */
import type { Cursor } from "../../sdk/ids.ts"

/** The cursor a block starts at, and the block's first position. */
export type CursorPair = readonly [cursor: Cursor, position: number]

const maxPairs = 2048

/** Grows as blocks are composed. */
export class CursorMap {
  #pairs: Array<CursorPair>
  #distance: number

  constructor(pairs: ReadonlyArray<CursorPair>, distance: number) {
    this.#pairs = [...pairs]
    this.#distance = distance
  }

  /** Events between two pairs, at least. */
  get distance(): number {
    return this.#distance
  }

  /** For a checkpoint. */
  get pairs(): ReadonlyArray<CursorPair> {
    return this.#pairs
  }

  /** Notes a block; blocks come in order. */
  add(cursor: Cursor, position: number): void {
    const last = this.#pairs.at(-1)
    if (last !== undefined && cursor < last[0] + this.#distance) return
    this.#pairs.push([cursor, position])
    if (this.#pairs.length <= maxPairs) return
    this.#pairs = this.#pairs.filter((_, index) => index % 2 === 0)
    this.#distance *= 2
  }

  /** Forgets pairs of blocks before this position. */
  prune(position: number): void {
    this.#pairs = this.#pairs.filter((pair) => pair[1] >= position)
  }

  /** The last pair whose block starts at or before `cursor`. */
  find(cursor: Cursor): CursorPair | undefined {
    let low = 0
    let high = this.#pairs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#pairs[middle]?.[0] ?? Infinity) <= cursor) low = middle + 1
      else high = middle
    }
    return this.#pairs[low - 1]
  }
}

/** Events between two pairs of a young map. */
export const initialDistance = 1024
