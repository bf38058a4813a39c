/**
 * What the store keeps in memory of one acquired mob: where its log ends, and its live aggregates with what a load of
 * each needs. It runs ahead of the disk by the group in flight; after a failed write it is thrown away and read again.
 */
import type { Cursor, MobId } from "../../sdk/ids.ts"
import type { Loaded } from "../../sdk/store.ts"
import type { Checkpoint, Floors, LiveRecord } from "./checkpoint.ts"
import type { CursorMap } from "./cursor-map.ts"
import type { Head } from "./head.ts"

/** An aggregate as it was read from disk, its state still text. */
export interface Read {
  readonly head: Head
  /** Entries after the head. */
  readonly entries: Loaded["entries"]
}

/** A live aggregate. Changed in place by the committer alone. */
export interface AggregateState {
  readonly aggregate: string
  /** Position of its first entry. */
  readonly born: number
  /** Revision and position of its newest entry. */
  revision: number
  position: number
  headRevision: number
  /** Length of the head's text, and of the entries since: a head is written when they outweigh it. */
  headLength: number
  sinceLength: number
  /** Position of its first entry after its head; 0 if there is none. */
  first: number
  /** First positions of the blocks that hold its entries after its head. */
  blocks: Array<number>
  terminal: boolean
  /** What the opening read, until it was loaded or something was added. */
  read: Read | undefined
}

/** Asked again for a head after this many positions without an answer. */
const askAgain = 1000
/** A checkpoint is written after this many entries; after up to the second number where it is long. */
const checkpointEvery = 512
const checkpointSeldom = 1536
/**
 * How far behind an aggregate's first entry since its head may be, before a head is asked for, and the newest checkpoint
 * on top. What is written until the head comes is added, most often less than 500 entries, and in the tail of an opening
 * then are fewer than 5,000. Above 6,000 live aggregates the checkpoint is rarer and the tail up to a quarter of them
 * longer: at 10,000 a checkpoint is 1.1 MB and 2.4 ms of the main thread, at 100,000 it is 11 MB and 60 ms, and an
 * opening reads that many heads in any case.
 */
const tailLimit = 4512

/** The committer's view of one mob under one owner epoch. */
export class MobState {
  readonly mob: MobId
  readonly mobNo: number
  readonly epoch: number
  nextPosition: number
  nextCursor: Cursor
  /** Cursor of the newest event whose batch was synced and released. */
  durableCursor: Cursor
  oldest: number
  firstCursor: Cursor
  readonly cursors: CursorMap
  readonly aggregates: Map<string, AggregateState>
  /** Live aggregates with entries after their head, oldest such entry first. */
  readonly #uncovered = new Map<string, AggregateState>()
  /** Those that were asked for a head, and at which position; who was asked last comes last. */
  readonly #asked = new Map<string, number>()
  #checkpointAt: number

  constructor(
    mob: MobId,
    mobNo: number,
    epoch: number,
    end: Floors & { readonly checkpointAt: number },
    cursors: CursorMap,
    aggregates: ReadonlyArray<AggregateState>
  ) {
    this.mob = mob
    this.mobNo = mobNo
    this.epoch = epoch
    this.nextPosition = end.nextPosition
    this.nextCursor = end.nextCursor
    this.durableCursor = end.nextCursor - 1
    this.oldest = end.oldest
    this.firstCursor = end.firstCursor
    this.#checkpointAt = end.checkpointAt
    this.cursors = cursors
    this.aggregates = new Map(aggregates.map((state) => [state.aggregate, state]))
    for (const state of aggregates.filter((state) => state.first > 0).sort((a, b) => a.first - b.first)) {
      this.#uncovered.set(state.aggregate, state)
    }
  }

  /** An entry was composed into the block that starts at `block`. */
  entryAdded(state: AggregateState, block: number, length: number): void {
    state.revision++
    state.position = this.nextPosition++
    state.sinceLength += length
    state.read = undefined
    if (state.first === 0) {
      state.first = state.position
      this.#uncovered.set(state.aggregate, state)
    }
    if (state.blocks.at(-1) !== block) state.blocks.push(block)
  }

  /** A head was composed, of the state after the newest entry. */
  headAdded(state: AggregateState, length: number): void {
    state.headRevision = state.revision
    state.headLength = length
    state.sinceLength = 0
    state.first = 0
    state.blocks = []
    state.read = undefined
    this.#uncovered.delete(state.aggregate)
    this.#asked.delete(state.aggregate)
  }

  /** Aggregates to ask for a head now. */
  headsWanted(): ReadonlyArray<string> {
    const wanted: Array<string> = []
    const headLag = tailLimit - Math.min(checkpointSeldom, this.#checkpointDistance)
    for (const state of this.#uncovered.values()) {
      if (this.nextPosition - 1 - state.first <= headLag) break
      this.#uncovered.delete(state.aggregate)
      this.#asked.set(state.aggregate, this.nextPosition)
      wanted.push(state.aggregate)
    }
    for (const [aggregate, at] of this.#asked) {
      if (this.nextPosition - at < askAgain) break
      this.#asked.delete(aggregate)
      this.#asked.set(aggregate, this.nextPosition)
      wanted.push(aggregate)
    }
    return wanted
  }

  /** First position of the oldest block that a live aggregate needs; the next position if none needs any. */
  floor(): number {
    return this.#needed().reduce((least, { block }) => Math.min(least, block), this.nextPosition)
  }

  /** Live aggregates that need a block before this position. */
  holding(position: number): ReadonlyArray<string> {
    return this.#needed().filter(({ block }) => block < position).map(({ aggregate }) => aggregate)
  }

  /** Blocks before this one are being removed. */
  prune(oldest: number, firstCursor: Cursor): void {
    this.oldest = oldest
    this.firstCursor = firstCursor
    this.cursors.prune(oldest)
  }

  #needed(): ReadonlyArray<{ readonly aggregate: string; readonly block: number }> {
    return Array.from(this.aggregates.values()).flatMap(({ aggregate, blocks: [block] }) =>
      block === undefined ? [] : [{ aggregate, block }]
    )
  }

  /** A record of each live aggregate stands in a checkpoint: beside few entries they would be most of what is written. */
  get #checkpointDistance(): number {
    const { size } = this.aggregates
    return Math.max(Math.min(Math.max(checkpointEvery, size + (size >> 1)), checkpointSeldom), size >> 2)
  }

  /** Whether the batch being composed should hold a checkpoint. */
  checkpointDue(): boolean {
    return this.nextPosition - this.#checkpointAt >= this.#checkpointDistance
  }

  /** The checkpoint of what is composed so far. */
  checkpoint(settledSeq: number): Checkpoint {
    this.#checkpointAt = this.nextPosition
    const live: Array<LiveRecord> = []
    for (const state of this.aggregates.values()) {
      if (state.terminal) continue
      const { aggregate, blocks, born, position, revision } = state
      live.push({ aggregate, born, rev: revision, position, need: blocks[0] ?? 0 })
    }
    return {
      nextPosition: this.nextPosition,
      nextCursor: this.nextCursor,
      oldest: this.oldest,
      firstCursor: this.firstCursor,
      settledSeq,
      live,
      cursors: this.cursors.pairs,
      distance: this.cursors.distance
    }
  }
}
