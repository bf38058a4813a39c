/**
 * Memory that one group's blocks are encoded into, used again by the next group. As text a block would be new memory
 * twice, joined and with its header in front, and touching new memory costs more than all the rest of sealing.
 */
import { Buffer } from "node:buffer"

/** More than this is given back when a group needed it. */
const kept = 16 * 1024 * 1024

/** What is taken from it holds until `clear`. */
export class Pad {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024)
  #used = 0

  /** Everything taken may be overwritten from here on. */
  clear(): void {
    if (this.#bytes.length > kept) this.#bytes = Buffer.allocUnsafeSlow(kept)
    this.#used = 0
  }

  /** Room for `length` bytes; say with `used` how many of them were written. */
  room(length: number): Buffer {
    if (this.#used + length > this.#bytes.length) {
      // What was taken before keeps the old memory.
      this.#bytes = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length))
      this.#used = 0
    }
    return this.#bytes.subarray(this.#used, this.#used + length)
  }

  used(length: number): void {
    this.#used += length
  }
}
