/**
 * The block log as data: what stands in a database, how batches change it, what an opening reads from it and refuses.
 * Written from the protocol (9, 14 to 16, R14 to R16), not from the journal's code, which it is to be compared with.
 */

/** An entry. Each carries an event if its aggregate's name is `a`, else none, so that cursors are not positions. */
export interface LoggedEntry {
  readonly aggregate: string
  readonly rev: number
  /** Tells apart what was written under the same revision at different times. */
  readonly value: string
  readonly epoch: number
  readonly end: boolean
}

export interface Block {
  readonly position: number
  readonly cursor: number
  readonly seq: number
  readonly entries: ReadonlyArray<LoggedEntry>
}

export interface Head {
  readonly rev: number
  readonly position: number
  readonly born: number
  readonly end: boolean
  /** The state: the values of all entries up to `rev`. */
  readonly state: ReadonlyArray<string>
}

export interface Live {
  readonly aggregate: string
  readonly born: number
  readonly rev: number
  readonly position: number
  /** First position of the block with its first entry after its head; 0 if there is none. */
  readonly need: number
}

export interface Checkpoint {
  readonly nextPosition: number
  readonly nextCursor: number
  readonly oldest: number
  readonly firstCursor: number
  /** Groups up to this one have left the database's own log. */
  readonly settledSeq: number
  readonly live: ReadonlyArray<Live>
}

/** One mob's records. */
export interface MobRecords {
  epoch: number
  /** Being removed, or removed: the name is free then. */
  destroyed: "no" | "begun" | "done"
  blocks: Array<Block>
  heads: { [aggregate: string]: Head }
  checkpoint: Checkpoint
}

export interface Database {
  seqFloor: number
  mobs: { [mob: string]: MobRecords }
}

export type Change =
  | { readonly type: "acquired"; readonly mob: string; readonly epoch: number }
  | { readonly type: "destroyed"; readonly mob: string; readonly epoch: number }
  /** The last step of destroying: heads and checkpoint go. */
  | { readonly type: "cleared"; readonly mob: string }
  | { readonly type: "block"; readonly mob: string; readonly block: Block }
  | { readonly type: "head"; readonly mob: string; readonly aggregate: string; readonly head: Head }
  | { readonly type: "checkpoint"; readonly mob: string; readonly checkpoint: Checkpoint }
  | { readonly type: "seqFloor"; readonly seqFloor: number }
  | { readonly type: "dropBlock"; readonly mob: string; readonly position: number }
  | { readonly type: "dropHead"; readonly mob: string; readonly aggregate: string }

export interface Batch {
  readonly changes: ReadonlyArray<Change>
  /** Of its blocks; 0 if it has none. */
  readonly seq: number
  /** Who writes: owner epochs by mob. */
  readonly writers: { readonly [mob: string]: number }
}

/** What survives a crash. */
export interface Disk {
  /** As it was when the database was last opened or settled. */
  settled: Database
  /** Batches synced since: they stand in the database's own log, of which a damaged disk may lose some without a word. */
  log: Array<Batch>
  /** The side file that nobody syncs; 0 if it is not there. */
  mark: number
}

/** What an opening and a read of the database do, each of which can be left out. */
export interface Reading {
  /** Positions and cursors go on from the checkpoint when no block is left. */
  readonly keepsCounters: boolean
  /** A missing `seq` among those that had not settled is looked for. */
  readonly looksForGaps: boolean
  /** Entries of an earlier aggregate of the same name are told from its own. */
  readonly knowsBirths: boolean
}

const NEVER: Checkpoint = { nextPosition: 1, nextCursor: 1, oldest: 1, firstCursor: 1, settledSeq: 0, live: [] }

export const emptyDisk = (mobs: ReadonlyArray<string>): Disk => ({
  settled: {
    seqFloor: 0,
    mobs: Object.fromEntries(
      mobs.map((mob) => [mob, { epoch: 0, destroyed: "no", blocks: [], heads: {}, checkpoint: NEVER }])
    )
  },
  log: [],
  mark: 0
})

export const eventsOf = (entry: { readonly aggregate: string }): number => (entry.aggregate === "a" ? 1 : 0)

export const cursorAfter = (block: Block): number =>
  block.cursor + block.entries.reduce((sum, entry) => sum + eventsOf(entry), 0)

/** The database after these batches. */
export const fold = (from: Database, batches: ReadonlyArray<Batch>): Database => {
  const database: Database = {
    ...from,
    mobs: Object.fromEntries(
      Object.entries(from.mobs).map(([mob, it]) => [mob, { ...it, blocks: [...it.blocks], heads: { ...it.heads } }])
    )
  }
  for (const { changes } of batches) for (const change of changes) apply(database, change)
  return database
}

const apply = (database: Database, change: Change): void => {
  if (change.type === "seqFloor") {
    database.seqFloor = change.seqFloor
    return
  }
  const mob = database.mobs[change.mob]
  if (mob === undefined) return
  switch (change.type) {
    case "acquired":
      mob.epoch = change.epoch
      mob.destroyed = "no"
      return
    case "destroyed":
      mob.epoch = change.epoch
      mob.destroyed = "begun"
      return
    case "cleared":
      mob.heads = {}
      mob.checkpoint = NEVER
      mob.destroyed = "done"
      return
    case "block":
      mob.blocks = [...mob.blocks.filter((block) => block.position !== change.block.position), change.block]
        .sort((one, other) => one.position - other.position)
      return
    case "head":
      mob.heads[change.aggregate] = change.head
      return
    case "checkpoint":
      mob.checkpoint = change.checkpoint
      return
    case "dropBlock":
      mob.blocks = mob.blocks.filter(({ position }) => position !== change.position)
      return
    case "dropHead":
      delete mob.heads[change.aggregate]
  }
}

/** What a database says is wrong with it. */
export class Refused extends Error {}

/** Durable `seq`. Throws when a group is missing that was acknowledged, or has later ones. */
export const verify = (database: Database, mark: number, reading: Reading): number => {
  const mobs = Object.values(database.mobs)
  const stranger = mobs.find(({ blocks, destroyed }) => destroyed === "done" && blocks.length > 0)
  if (stranger !== undefined) throw new Refused("there are blocks of a mob that is not there")
  const settled = Math.max(database.seqFloor, ...mobs.map(({ checkpoint }) => checkpoint.settledSeq))
  const found = new Set(mobs.flatMap(({ blocks }) => blocks.map(({ seq }) => seq)))
  const durable = Math.max(settled, ...found)
  for (let seq = settled + 1; reading.looksForGaps && seq < durable; seq++) {
    if (!found.has(seq)) throw new Refused(`group ${seq} is missing`)
  }
  if (mark > durable) throw new Refused(`group ${mark} was acknowledged, the last one is ${durable}`)
  return durable
}

/** A live aggregate as it was read. */
export interface Opened {
  readonly born: number
  readonly rev: number
  readonly position: number
  readonly state: ReadonlyArray<string>
  /** First positions of the blocks with its entries after its head. */
  readonly blocks: ReadonlyArray<number>
}

/** What an opening knows of a mob. */
export interface OpenedMob {
  readonly nextPosition: number
  readonly nextCursor: number
  readonly live: { readonly [aggregate: string]: Opened }
}

interface Growing {
  born: number
  rev: number
  position: number
  end: boolean
  entries: Array<{ readonly entry: LoggedEntry; readonly position: number; readonly block: number }>
}

/** Reads a mob: checkpoint, the blocks from the oldest that a live aggregate needs, heads. Throws on what does not fit. */
export const openMob = (mob: MobRecords, reading: Reading): OpenedMob => {
  const { checkpoint, epoch, heads } = mob
  const growing = new Map<string, Growing>(
    checkpoint.live.map(({ aggregate, born, position, rev }) => [
      aggregate,
      { born, rev, position, end: false, entries: [] }
    ])
  )
  const needs = checkpoint.live.flatMap(({ need }) => (need > 0 ? [need] : []))
  const from = Math.min(checkpoint.nextPosition, ...needs)
  const blocks = mob.blocks.filter(({ position }) => position >= from)
  let position = from
  let cursor = from < checkpoint.nextPosition ? blocks[0]?.cursor ?? 1 : checkpoint.nextCursor
  for (const block of blocks) {
    if (block.position !== position) throw new Refused(`position ${position} is missing`)
    if (block.cursor !== cursor) throw new Refused(`cursor ${cursor} is missing`)
    for (const entry of block.entries) {
      if (entry.epoch > epoch) throw new Refused(`epoch ${entry.epoch} was never acquired`)
      take(growing, checkpoint, reading, entry, position++, block.position)
      cursor += eventsOf(entry)
    }
  }
  if (position < checkpoint.nextPosition) throw new Refused(`position ${position} is missing`)
  const live: { [aggregate: string]: Opened } = {}
  for (const [aggregate, found] of growing) {
    if (!found.end) live[aggregate] = join(aggregate, found, heads[aggregate])
  }
  if (reading.keepsCounters || blocks.length > 0) return { nextPosition: position, nextCursor: cursor, live }
  return { nextPosition: 1, nextCursor: 1, live }
}

const take = (
  growing: Map<string, Growing>,
  checkpoint: Checkpoint,
  reading: Reading,
  entry: LoggedEntry,
  position: number,
  block: number
): void => {
  let found = growing.get(entry.aggregate)
  if (position < checkpoint.nextPosition) {
    if (found !== undefined && (position >= found.born || !reading.knowsBirths)) {
      found.entries.push({ entry, position, block })
    }
    return
  }
  if (found === undefined) {
    found = { born: position, rev: entry.rev - 1, position, end: false, entries: [] }
    growing.set(entry.aggregate, found)
  }
  if (entry.rev !== found.rev + 1) throw new Refused(`${entry.aggregate} has revision ${entry.rev} after ${found.rev}`)
  found.rev = entry.rev
  found.position = position
  found.end = entry.end
  found.entries.push({ entry, position, block })
}

/** Head and tail of an aggregate put together. */
const join = (aggregate: string, found: Growing, head: Head | undefined): Opened => {
  const wrong = (what: string) => new Refused(`the head of ${aggregate} ${what}`)
  if (head === undefined) throw wrong("is missing")
  const { entries, position, rev } = found
  if (head.rev > rev || (head.rev === rev && head.position !== position)) throw wrong("does not stand on the log")
  const own = entries.find(({ entry }) => entry.rev === head.rev)
  if (own !== undefined && own.position !== head.position) throw wrong("does not stand on its entry")
  const after = entries.filter(({ entry }) => entry.rev > head.rev)
  if (after.length !== rev - head.rev || after.some(({ entry }, index) => entry.rev !== head.rev + 1 + index)) {
    throw wrong("is not followed by all entries")
  }
  return {
    born: head.born,
    rev,
    position,
    state: [...head.state, ...after.map(({ entry }) => entry.value)],
    blocks: [...new Set(after.map(({ block }) => block))]
  }
}

/** Entries of all blocks from the floor on. Throws when one is missing. */
export const readAll = (mob: MobRecords, next: number): ReadonlyArray<LoggedEntry> => {
  let position = mob.checkpoint.oldest
  const found: Array<LoggedEntry> = []
  for (const block of mob.blocks) {
    if (block.position !== position) {
      throw new Refused(`position ${position} is missing, block ${block.position} is there`)
    }
    position += block.entries.length
    found.push(...block.entries)
  }
  if (position !== next) throw new Refused(`position ${position} is missing`)
  return found
}
