/**
 * A queue in a ring: its array is made with the first message, doubles, and is dropped when a large one runs empty. A
 * cell that is never spoken to costs no array.
 */

const SMALL = 8
/** Arrays longer than this are given back when the ring runs empty. */
const KEEP = 256

/** First in, first out. Unbounded: its owner counts. */
export class Ring<T> {
  private items: Array<T | undefined> | undefined = undefined
  private mask = -1
  private head = 0
  /** How many are in it. */
  size = 0

  push(item: T): void {
    if (this.size > this.mask) this.grow()
    // grow() has made the array.
    this.items![(this.head + this.size++) & this.mask] = item
  }

  /** The oldest one. Only if `size > 0`. */
  shift(): T {
    const items = this.items!
    const item = items[this.head] as T // the slot was filled by push
    items[this.head] = undefined
    this.head = (this.head + 1) & this.mask
    if (--this.size === 0 && this.mask >= KEEP) {
      this.items = undefined
      this.mask = -1
      this.head = 0
    }
    return item
  }

  /** Puts one in front of all. */
  unshift(item: T): void {
    if (this.size > this.mask) this.grow()
    this.head = (this.head - 1) & this.mask
    this.items![this.head] = item // as above
    this.size++
  }

  private grow(): void {
    const length = this.mask < 0 ? SMALL : (this.mask + 1) * 2
    // oxlint-disable-next-line no-new-array -- a length: all of the ring at once, not one by one
    const items = new Array<T | undefined>(length)
    for (let index = 0; index < this.size; index++) items[index] = this.items![(this.head + index) & this.mask]
    this.items = items
    this.mask = length - 1
    this.head = 0
  }
}
