/**
 * Opening one mob's log: checkpoint, the blocks after the oldest position that a live aggregate needs, and the heads of
 * live aggregates. Checks that positions, cursors and revisions have no gap and that heads stand on the log.
 */
import { Effect } from "effect"
import type { MobId } from "../../sdk/ids.ts"
import type { StoreError } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import { type Block, type EntryRecord, parseEntry, unsealScanned } from "./block.ts"
import { type Checkpoint, noFloors, unsealCheckpoint } from "./checkpoint.ts"
import { CursorMap, initialDistance } from "./cursor-map.ts"
import { type Head, unsealHead } from "./head.ts"
import { blockKey, blockKeys, checkpointKey, headKey } from "./keys.ts"
import type { DatabaseReads } from "./medium.ts"
import { type AggregateState, MobState } from "./mob-state.ts"
import { corrupted } from "./seal.ts"

/** Text kept from the opening for the loads that follow it; beyond it a load reads the disk again. */
const keptLength = 16 * 1024 * 1024

/** Reads and checks a mob. Fails with `StoreCorrupted`. */
export const openMob = Effect.fnUntraced(
  function*(database: DatabaseReads, mob: MobId, mobNo: number, epoch: number): Effect.fn.Return<MobState, StoreError> {
    const [value] = yield* database.get([checkpointKey(mobNo)])
    const checkpoint = value === undefined ? beginning : yield* attempt(() => unsealCheckpoint(mobNo, value))
    const tail = new Tail(mobNo, epoch, checkpoint)
    yield* database.scan(blockKeys(mobNo, tail.from), 1000, (values) => {
      for (const text of values) tail.add(unsealScanned(mobNo, text), text.length)
      return true
    })
    yield* attempt(() => tail.end())
    const live = tail.live
    const aggregates: Array<AggregateState> = []
    let kept = tail.length
    for (let at = 0; at < live.length; at += 256) {
      const part = live.slice(at, at + 256)
      const heads = yield* database.get(part.map((aggregate) => headKey(mobNo, aggregate.name)))
      yield* attempt(() => {
        for (const [index, aggregate] of part.entries()) {
          const text = heads[index]
          if (text === undefined) throw corrupted(headKey(mobNo, aggregate.name), "it is missing")
          kept += text.length
          aggregates.push(
            stand(mobNo, aggregate, unsealHead(mobNo, aggregate.name, text), tail.from, kept <= keptLength)
          )
        }
      })
    }
    const end = {
      ...checkpoint,
      nextPosition: tail.position,
      nextCursor: tail.cursor,
      checkpointAt: checkpoint.nextPosition
    }
    return new MobState(mob, mobNo, epoch, end, tail.cursors, aggregates)
  }
)

const beginning: Checkpoint = { ...noFloors, live: [], cursors: [], distance: initialDistance }

/** An entry of the tail and where it stands. */
interface Standing {
  readonly position: number
  /** First position of its block. */
  readonly block: number
  readonly rev: number
  readonly at: number
  readonly facts: EntryRecord["facts"]
  readonly length: number
}

/** A live aggregate while the tail is read. */
interface Growing {
  readonly name: string
  /** Position of its first entry. An earlier aggregate of this name may have been forgotten. */
  readonly born: number
  rev: number
  position: number
  terminal: boolean
  readonly entries: Array<Standing>
}

/** Folds blocks, in order, into what the index holds. Throws `StoreCorrupted`. */
class Tail {
  readonly from: number
  /** Position and cursor that come next. */
  position: number
  cursor: number
  length = 0
  readonly cursors: CursorMap
  readonly #mobNo: number
  readonly #epoch: number
  readonly #checkpoint: Checkpoint
  readonly #growing = new Map<string, Growing>()
  #seq = 0
  #begun = false

  constructor(mobNo: number, epoch: number, checkpoint: Checkpoint) {
    this.#mobNo = mobNo
    this.#epoch = epoch
    this.#checkpoint = checkpoint
    this.cursors = new CursorMap(checkpoint.cursors, checkpoint.distance)
    this.from = checkpoint.nextPosition
    for (const { aggregate, born, need, position, rev } of checkpoint.live) {
      this.#growing.set(aggregate, { name: aggregate, born, rev, position, terminal: false, entries: [] })
      if (need > 0) this.from = Math.min(this.from, need)
    }
    this.position = this.from
    this.cursor = checkpoint.nextCursor
  }

  get live(): ReadonlyArray<Growing> {
    return Array.from(this.#growing.values()).filter((aggregate) => !aggregate.terminal)
  }

  add(block: Block, length: number): void {
    const key = blockKey(this.#mobNo, block.position)
    if (block.position !== this.position) {
      throw corrupted(key, `positions ${this.position} to ${block.position - 1} before it are missing`)
    }
    const { nextPosition } = this.#checkpoint
    // The first block tells the cursor when the tail starts before the checkpoint.
    if (!this.#begun && block.position < nextPosition) this.cursor = block.cursor
    this.#begun = true
    if (block.position === nextPosition && this.cursor !== this.#checkpoint.nextCursor) {
      throw corrupted(key, `the checkpoint says cursor ${this.#checkpoint.nextCursor}, the log ${this.cursor}`)
    }
    if (block.cursor !== this.cursor) throw corrupted(key, `its first cursor is ${block.cursor}, not ${this.cursor}`)
    if (block.seq <= this.#seq) throw corrupted(key, "its seq is not above that of the block before it")
    if (block.position < nextPosition && block.position + block.lines.length > nextPosition) {
      throw corrupted(key, "the checkpoint ends within it")
    }
    this.#seq = block.seq
    if (block.position >= nextPosition) this.cursors.add(block.cursor, block.position)
    for (const line of block.lines) {
      const entry = parseEntry(line)
      if (entry.epoch > this.#epoch) {
        throw corrupted(key, `it was written under owner epoch ${entry.epoch}, later than any acquired`)
      }
      this.#entry(key, entry, block.position, line.length)
      this.position++
      this.cursor += entry.events.length
    }
    this.length += length
  }

  /** The checkpoint is authoritative: a log that ends before it has lost blocks. */
  end(): void {
    if (this.position >= this.#checkpoint.nextPosition) return
    throw corrupted(
      blockKey(this.#mobNo, this.position),
      `positions ${this.position} to ${this.#checkpoint.nextPosition - 1} are missing`
    )
  }

  #entry(key: Buffer, entry: EntryRecord, block: number, length: number): void {
    const { at, facts, rev } = entry
    const { position } = this
    const standing: Standing = { position, block, rev, at, facts, length }
    const known = this.#growing.get(entry.aggregate)
    if (position < this.#checkpoint.nextPosition) {
      if (known !== undefined && position >= known.born) known.entries.push(standing)
      return
    }
    // An ended aggregate is not in the checkpoint, but may still take an entry.
    if (known !== undefined && rev !== known.rev + 1) {
      throw corrupted(key, `${entry.aggregate} has revision ${rev} after ${known.rev}`)
    }
    const aggregate = known ?? { name: entry.aggregate, born: position, rev, position, terminal: false, entries: [] }
    aggregate.rev = rev
    aggregate.position = position
    aggregate.terminal = entry.terminal === true
    aggregate.entries.push(standing)
    this.#growing.set(entry.aggregate, aggregate)
  }
}

/** Checks that a head stands on the log, and puts both together. */
const stand = (mobNo: number, aggregate: Growing, head: Head, from: number, keep: boolean): AggregateState => {
  const wrong = (what: string) => corrupted(headKey(mobNo, aggregate.name), what)
  if (head.revision > aggregate.rev) {
    throw wrong(`it stands at revision ${head.revision}, the log ends at ${aggregate.rev}`)
  }
  if (head.revision === aggregate.rev && (head.terminal || head.position !== aggregate.position)) {
    throw wrong("it does not stand on the entry that it names")
  }
  const own = aggregate.entries.find((entry) => entry.rev === head.revision)
  if (own === undefined ? head.position >= from && head.revision < aggregate.rev : own.position !== head.position) {
    throw wrong("it does not stand on the entry that it names")
  }
  const entries = aggregate.entries.filter((entry) => entry.rev > head.revision)
  if (
    entries.length !== aggregate.rev - head.revision
    || entries.some((entry, index) => entry.rev !== head.revision + 1 + index)
  ) {
    throw wrong(
      `it stands at revision ${head.revision}, and not all entries from there to ${aggregate.rev} are in the log`
    )
  }
  return {
    aggregate: aggregate.name,
    born: head.born,
    revision: aggregate.rev,
    position: aggregate.position,
    headRevision: head.revision,
    headLength: head.text.length,
    sinceLength: entries.reduce((sum, entry) => sum + entry.length, 0),
    first: entries[0]?.position ?? 0,
    blocks: [...new Set(entries.map((entry) => entry.block))],
    terminal: false,
    read: keep ? { head, entries: entries.map(({ at, facts, rev }) => ({ revision: rev, at, facts })) } : undefined
  }
}
