/**
 * One mob that is being written as a whole: its records, as they come to be from its heads and entries in order.
 */
import type { MobId } from "../../../sdk/ids.ts"
import { entryLine, type EntryRecord, sealBlock } from "../block.ts"
import { type Checkpoint, sealCheckpoint } from "../checkpoint.ts"
import { CursorMap, initialDistance } from "../cursor-map.ts"
import { type Head, sealHead } from "../head.ts"
import { blockKey, checkpointKey, headKey } from "../keys.ts"
import type { Registered } from "../registry.ts"
import type { Operation } from "../seams.ts"
import type { Find } from "./finding.ts"
import { MobSurvey } from "./mob-survey.ts"

/** A block is full at this many entries, or this much text. */
const blockEntries = 128
const blockLength = 256 * 1024

/** Where a mob's log begins. */
export interface Beginning {
  readonly epoch: number
  readonly position: number
  readonly cursor: number
}

/** One mob under way. */
export class StagedMob {
  readonly mob: MobId
  readonly registered: Registered
  readonly #oldest: number
  readonly #firstCursor: number
  position: number
  cursor: number
  readonly #cursors = new CursorMap([], initialDistance)
  readonly #live = new Map<string, {
    readonly born: number
    readonly headRevision: number
    rev: number
    position: number
    need: number
    terminal: boolean
  }>()
  #lines: Array<string> = []
  #length = 0
  #block: { readonly position: number; readonly cursor: number }
  /** What a check of it would see. */
  readonly #survey: MobSurvey
  readonly #find: Find

  /** What of it does not fit together is told to `find`. */
  constructor(mob: MobId, registered: Registered, beginning: Beginning, find: Find) {
    this.mob = mob
    this.registered = registered
    this.#find = find
    this.#survey = new MobSurvey(registered.mobNo, find)
    this.#oldest = this.position = beginning.position
    this.#firstCursor = this.cursor = beginning.cursor
    this.#block = { position: this.position, cursor: this.cursor }
    this.#survey.checkpoint = this.#contents(0)
  }

  /** Blobs that its records refer to. */
  get blobs(): ReadonlySet<string> {
    return this.#survey.references.blobs
  }

  /** A head; all of them come before the entries. */
  head(aggregate: string, head: Head): Operation {
    const { mobNo } = this.registered
    const { born, position, revision, terminal } = head
    this.#survey.head(aggregate, head)
    this.#live.set(aggregate, { born, headRevision: revision, rev: revision, position, need: 0, terminal })
    return { type: "put", key: headKey(mobNo, aggregate), value: sealHead(mobNo, aggregate, head) }
  }

  /** The next entry. */
  entry(entry: EntryRecord): void {
    const { aggregate, at, epoch, events, facts, rev, terminal } = entry
    const live = this.#live.get(aggregate)
    if (live !== undefined && this.position >= live.born && rev > live.headRevision) {
      live.rev = rev
      live.position = this.position
      live.terminal = terminal === true
      if (live.need === 0) live.need = this.#block.position
    }
    const line = entryLine(
      { aggregate, revision: rev, at, facts, events, terminal: terminal === true, snapshot: () => null },
      epoch
    )
    this.#lines.push(line)
    this.#length += line.length
    this.position++
    this.cursor += events.length
  }

  /** Whether the block should be taken. */
  get full(): boolean {
    return this.#lines.length >= blockEntries || this.#length >= blockLength
  }

  /** The block of the entries since the last one; undefined if there are none. */
  block(seq: number): Operation | undefined {
    if (this.#lines.length === 0) return undefined
    const { cursor, position } = this.#block
    const key = blockKey(this.registered.mobNo, position)
    const value = sealBlock(key, { seq, position, cursor }, this.#lines)
    this.#survey.block({ seq, position, cursor, lines: this.#lines })
    this.#cursors.add(cursor, position)
    this.#lines = []
    this.#length = 0
    this.#block = { position: this.position, cursor: this.cursor }
    return { type: "put", key, value }
  }

  /** All of it came. */
  done(): void {
    this.#survey.checkpoint = this.#contents(0)
    this.#survey.done()
    if (this.#survey.epoch > this.registered.epoch) {
      this.#find(this.mob, `it says owner epoch ${this.registered.epoch}, but epoch ${this.#survey.epoch} has written`)
    }
  }

  /** The checkpoint of all that came. */
  checkpoint(settledSeq: number): Operation {
    const { mobNo } = this.registered
    return { type: "put", key: checkpointKey(mobNo), value: sealCheckpoint(mobNo, this.#contents(settledSeq)) }
  }

  #contents(settledSeq: number): Checkpoint {
    return {
      nextPosition: this.position,
      nextCursor: this.cursor,
      oldest: this.#oldest,
      firstCursor: this.#firstCursor,
      settledSeq,
      live: [...this.#live].filter(([, { terminal }]) => !terminal)
        .map(([aggregate, { born, need, position, rev }]) => ({ aggregate, born, rev, position, need })),
      cursors: this.#cursors.pairs,
      distance: this.#cursors.distance
    }
  }
}
