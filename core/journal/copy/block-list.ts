/**
 * Where blocks begin and end, in little memory: a store may have millions.
 */
import type { BlockSeen } from "./mob-survey.ts"

/** Numbers of a block: its seq, its first position and cursor, and those that come after it. */
const width = 5

/** Blocks in the order of their positions. */
export class BlockList implements Iterable<BlockSeen> {
  #numbers = new Float64Array(8 * width)
  #length = 0

  get length(): number {
    return this.#length
  }

  push({ cursor, next, position, seq }: BlockSeen): void {
    const at = this.#length * width
    if (at === this.#numbers.length) {
      const numbers = new Float64Array(2 * at)
      numbers.set(this.#numbers)
      this.#numbers = numbers
    }
    this.#numbers.set([seq, position, cursor, next.position, next.cursor], at)
    this.#length++
  }

  /** The block with this index, from the end if it is negative; undefined if there is none. */
  at(index: number): BlockSeen | undefined {
    const wanted = index < 0 ? this.#length + index : index
    if (wanted < 0 || wanted >= this.#length) return undefined
    const [seq = 0, position = 0, cursor = 0, after = 0, cursorAfter = 0] = this.#numbers.subarray(
      wanted * width,
      (wanted + 1) * width
    )
    return { seq, position, cursor, next: { position: after, cursor: cursorAfter } }
  }

  /** Blocks from one index up to another. */
  *slice(from: number, to = this.#length): Generator<BlockSeen, void, undefined> {
    for (let index = from; index < to; index++) {
      const block = this.at(index)
      if (block !== undefined) yield block
    }
  }

  [Symbol.iterator](): Iterator<BlockSeen> {
    return this.slice(0)
  }

  /** First cursor of the block that begins at this position; undefined if none does. */
  cursorAt(position: number): number | undefined {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.at(middle)?.position ?? Infinity) < position) low = middle + 1
      else high = middle
    }
    const found = this.at(low)
    return found?.position === position ? found.cursor : undefined
  }
}
