/**
 * What has left LevelDB's log for its tables, known from how much was written after it: a loss in the log is told by a
 * gap in `seq`, one in a table is not, so an opening looks for gaps only above what is settled. And when a checkpoint is
 * due for its sake, as that is where it is remembered.
 */

/** LevelDB's two write buffers, and something for what it adds to each record. */
const buffers = 9 * 1024 * 1024
/** Distance of the notes by which it is known. */
const noteEvery = 512 * 1024

/** Counts what one opening of a database writes. */
export class Settling {
  #settled: number
  #written = 0
  /** What was written before the batch that is being made. */
  #before = 0
  /** What the longest batch so far held. */
  #longest = 0
  #sinceCheckpoint = 0
  #checkpointLength = 0
  readonly #notes: Array<{ readonly seq: number; readonly written: number }> = []

  /** Opening moved LevelDB's log into tables, and was verified. */
  constructor(seq: number) {
    this.#settled = seq
  }

  /** Highest `seq` that is settled. */
  get seq(): number {
    return this.#settled
  }

  /** Whether no block up to this `seq` can go missing without a word. */
  includes(seq: number): boolean {
    return seq <= this.#settled
  }

  /** All blocks up to this `seq` have left LevelDB's log. */
  settled(seq: number): void {
    this.#settled = Math.max(this.#settled, seq)
  }

  /** A record of this length is in the batch. */
  wrote(length: number): void {
    this.#written += length
    this.#sinceCheckpoint += length
  }

  /** A checkpoint of this length is in the batch. */
  wroteCheckpoint(length: number): void {
    this.#checkpointLength = length
    this.#sinceCheckpoint = 0
  }

  /** Whether a checkpoint should say what is settled. One that is long does so less often: it is itself what is written. */
  get checkpointDue(): boolean {
    return this.#sinceCheckpoint >= Math.max(this.#logLength, 4 * this.#checkpointLength)
  }

  /** The batch is whole; `seq` is that of its blocks, 0 if it has none. */
  batchMade(seq: number): void {
    // This batch too may stand in LevelDB's log with what it would say is settled.
    this.#longest = Math.max(this.#longest, this.#written - this.#before)
    this.#before = this.#written
    if (seq === 0) return
    const last = this.#notes.at(-1)
    if (last === undefined || this.#written - last.written >= noteEvery) {
      this.#notes.push({ seq, written: this.#written })
    }
    while (this.#notes[0] !== undefined && this.#written - this.#notes[0].written >= this.#logLength) {
      this.settled(this.#notes[0].seq)
      this.#notes.shift()
    }
  }

  /**
   * What has this much written after it has left LevelDB's log: a buffer is full at 4 MiB, is closed by the write that
   * comes next, and one more is on its way to a table meanwhile.
   */
  get #logLength(): number {
    return buffers + 2 * this.#longest
  }
}
