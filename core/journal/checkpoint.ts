/**
 * Checkpoints: what opening a mob reads first. Authoritative for three floors (next position, next cursor, oldest
 * block), which outlive pruned blocks; a cache for the rest: live aggregates with the block each needs, and the cursor
 * map. A checkpoint is written in the batch whose entries it includes.
 */
import type { Cursor } from "../../sdk/ids.ts"
import type { CursorPair } from "./cursor-map.ts"
import { checkpointKey, type Key } from "./keys.ts"
import { corrupted, numberOf, seal, unseal } from "./seal.ts"
import type { Contents } from "./versions.ts"

/** The header of a checkpoint: cheap to read for every mob when a database is opened. */
export interface Floors {
  readonly nextPosition: number
  readonly nextCursor: Cursor
  /** First position of the oldest block that was not pruned; `nextPosition` if there is none. */
  readonly oldest: number
  /** First cursor that was not pruned. */
  readonly firstCursor: Cursor
  /** Batches up to this `seq` have left LevelDB's log for its tables, so opening need not look for gaps among them. */
  readonly settledSeq: number
}

/** A live aggregate, as a checkpoint remembers it. */
export interface LiveRecord {
  readonly aggregate: string
  /** Position of its first entry. */
  readonly born: number
  /** Revision and position of its newest entry. */
  readonly rev: number
  readonly position: number
  /** First position of the block with its first entry after its head; 0 if there is none. */
  readonly need: number
}

/** A whole checkpoint. */
export interface Checkpoint extends Floors {
  readonly live: ReadonlyArray<LiveRecord>
  readonly cursors: ReadonlyArray<CursorPair>
  readonly distance: number
}

/** Value of a checkpoint. */
export const sealCheckpoint = (mobNo: number, checkpoint: Checkpoint): string =>
  seal(
    checkpointKey(mobNo),
    {
      next_position: checkpoint.nextPosition,
      next_cursor: checkpoint.nextCursor,
      oldest: checkpoint.oldest,
      first_cursor: checkpoint.firstCursor,
      settled_seq: checkpoint.settledSeq
    },
    JSON.stringify({ live: checkpoint.live, cursors: checkpoint.cursors, distance: checkpoint.distance })
  )

/** Checks a checkpoint and reads its header. Throws `StoreCorrupted`. */
export const unsealFloors = (mobNo: number, value: string): Floors => {
  const key = checkpointKey(mobNo)
  return floorsOf(key, unseal(key, value))
}

/** Checks and reads a checkpoint. Throws `StoreCorrupted`. */
export const unsealCheckpoint = (mobNo: number, value: string): Checkpoint => {
  const key = checkpointKey(mobNo)
  const contents = unseal(key, value)
  try {
    return {
      ...floorsOf(key, contents),
      // The checksum matched, so this is what `sealCheckpoint` wrote.
      ...(JSON.parse(contents.body) as Pick<Checkpoint, "live" | "cursors" | "distance">)
    }
  } catch (error) {
    throw error instanceof SyntaxError ? corrupted(key, "it is no JSON") : error
  }
}

const floorsOf = (key: Key, { header }: Contents): Floors => ({
  nextPosition: numberOf(key, header, "next_position"),
  nextCursor: numberOf(key, header, "next_cursor"),
  oldest: numberOf(key, header, "oldest"),
  firstCursor: numberOf(key, header, "first_cursor"),
  settledSeq: numberOf(key, header, "settled_seq")
})

/** Floors of a mob that never had a checkpoint. */
export const noFloors: Floors = { nextPosition: 1, nextCursor: 1, oldest: 1, firstCursor: 1, settledSeq: 0 }
