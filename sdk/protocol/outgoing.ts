/**
 * What waits to go out on one connection, bounded.
 *
 * Documents are written in order, those of one turn of the event loop gathered into one write.
 * Who can wait, waits for room (`submit`); who cannot (answers, a member's reports) is queued at once (`push`), and
 * when that does not fit into the connection's budget, the other side has stopped reading for good.
 */
import type { ByteBudget } from "./budget.ts"
import type { Transport } from "./transport.ts"

/** Bytes queued beyond which whoever can wait does. A single document may be longer. */
const ROOM = 256 * 1024
/** Documents are gathered into one write up to this many bytes. */
const GATHER = 64 * 1024

/** @internal A document that waits for room; exactly one of `sent` and `dropped` is called, or neither if it was given up. */
export interface Waiting {
  /** Called when there may be room; undefined means that it was given up. */
  readonly encode: () => Uint8Array | undefined
  /** It is queued. */
  readonly sent: () => void
  /** The connection closed first. */
  readonly dropped: () => void
}

/** @internal */
export class Outgoing {
  readonly #transport: Transport
  readonly #budget: ByteBudget
  readonly #failed: (cause: string) => void
  #queue: Array<Uint8Array> = []
  /** Bytes queued or being written. */
  #queued = 0
  #writing = 0
  #waiting: Array<Waiting> = []
  #flushing = false
  #closed = false
  #drained: Array<() => void> = []

  constructor(transport: Transport, budget: ByteBudget, failed: (cause: string) => void) {
    this.#transport = transport
    this.#budget = budget
    this.#failed = failed
  }

  /** Queues now; false if it does not fit. */
  push(bytes: Uint8Array): boolean {
    if (this.#closed) return true
    if (!this.#budget.take(bytes.length)) return false
    this.#queued += bytes.length
    this.#queue.push(bytes)
    if (!this.#flushing) {
      this.#flushing = true
      queueMicrotask(() => this.#flush())
    }
    return true
  }

  /** Queues when there is room, in the order of the calls. */
  submit(waiting: Waiting): void {
    if (this.#closed) return waiting.dropped()
    this.#waiting.push(waiting)
    if (this.#waiting.length === 1) this.#admit()
  }

  /** Forgets a document that waits. */
  withdraw(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting)
    if (at >= 0) this.#waiting.splice(at, 1)
    if (at === 0) this.#admit()
  }

  /** Calls back when nothing is queued. */
  drained(done: () => void): void {
    if (this.#closed || (this.#queued === 0 && this.#waiting.length === 0)) done()
    else this.#drained.push(done)
  }

  /** Drops everything. */
  close(): void {
    this.#closed = true
    this.#budget.give(this.#queued)
    this.#queued = 0
    this.#queue = []
    for (const waiting of this.#waiting.splice(0)) waiting.dropped()
    for (const done of this.#drained.splice(0)) done()
  }

  #admit(): void {
    let first = this.#waiting[0]
    for (; first !== undefined && this.#queued < ROOM && !this.#closed; first = this.#waiting[0]) {
      const bytes = first.encode()
      if (bytes !== undefined) {
        // Beside a long document on its way in there may be no room yet; it comes when something has been written.
        if (this.#queued > 0 && !this.#budget.fits(bytes.length)) return
        if (!this.push(bytes)) return this.#failed("more is waiting to be sent and read than may be kept")
        first.sent()
      }
      if (this.#waiting[0] === first) this.#waiting.shift()
    }
  }

  #flush(): void {
    if (this.#closed) return
    this.#flushing = false
    while (this.#writing < ROOM) {
      const bytes = this.#gather()
      if (bytes === undefined) return
      this.#writing += bytes.length
      this.#transport.write(bytes, (failed) => this.#written(bytes.length, failed))
    }
  }

  #written(length: number, failed: boolean): void {
    if (this.#closed) return
    this.#writing -= length
    this.#queued -= length
    this.#budget.give(length)
    if (failed) return this.#failed("writing failed")
    this.#admit()
    if (!this.#flushing) this.#flush()
    if (this.#queued > 0 || this.#waiting.length > 0) return
    for (const done of this.#drained.splice(0)) done()
  }

  #gather(): Uint8Array | undefined {
    const queue = this.#queue
    let length = queue[0]?.length ?? 0
    let count = Math.min(queue.length, 1)
    for (; count < queue.length; count++) {
      const next = queue[count]?.length ?? 0
      if (length + next > GATHER) break
      length += next
    }
    if (count < 2) return queue.shift()
    const bytes = new Uint8Array(length)
    let at = 0
    for (const part of queue.splice(0, count)) {
      bytes.set(part, at)
      at += part.length
    }
    return bytes
  }
}
