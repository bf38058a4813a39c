/**
 * Limits of a connection, and the counter that holds it to them.
 *
 * What one connection keeps in memory between two events is counted in one {@link ByteBudget}: the part of a document
 * that has arrived, what is queued to go out, the requests that are being handled. A chunk that is just being read is
 * not kept and not counted.
 */

/** Longest document, in bytes of UTF-8 without its line feed: 4 MiB. */
export const DOCUMENT_LIMIT = 4 * 1024 * 1024

/** Most that one connection may keep, in bytes: 8 MiB. */
export const BUFFER_LIMIT = 8 * 1024 * 1024

/** Deepest nesting of arrays and objects in a document. Deeper ones would overflow the stack of whoever walks them. */
export const DEPTH_LIMIT = 200

/** Counts the bytes that one connection keeps, against a limit. */
export class ByteBudget {
  /** Most that may be taken at once, in bytes. */
  readonly limit: number
  #used = 0
  #peak = 0

  constructor(limit: number = BUFFER_LIMIT) {
    this.limit = limit
  }

  /** Bytes taken and not given back. */
  get used(): number {
    return this.#used
  }

  /** The most that was ever taken at once. */
  get peak(): number {
    return this.#peak
  }

  /** Whether `bytes` more would still be within the limit. */
  fits(bytes: number): boolean {
    return this.#used + bytes <= this.limit
  }

  /** Takes `bytes`, or takes nothing and answers false if they do not fit. */
  take(bytes: number): boolean {
    if (!this.fits(bytes)) return false
    this.#used += bytes
    if (this.#used > this.#peak) this.#peak = this.#used
    return true
  }

  /** Gives back what was taken before. */
  give(bytes: number): void {
    this.#used -= bytes
  }
}
