/**
 * The rules of the block log, each of which can be left out, to see that it is needed.
 */
import type { Reading } from "./blocklog-disk.ts"

/** What breaks without each stands in blocklog.test.ts. */
export interface Rules extends Reading {
  /** A group is one batch. */
  readonly groupIsOneBatch: boolean
  /** A head is in the batch of its entry. */
  readonly headsWithEntries: boolean
  /** A head is the state after its entry, not the newest state in memory. */
  readonly headsOfEntries: boolean
  /** The checkpoint is in the batch that deletes blocks; else it follows, or comes before. */
  readonly checkpointWithDelete: "same" | "after" | "before"
  /** `seqFloor` is rewritten when blocks are deleted. */
  readonly keepsSeq: boolean
  /** Blocks leave the database's own log before they are deleted: how far they have is what `seqFloor` says. */
  readonly settlesFirst: boolean
  /** No block goes that a live aggregate needs. */
  readonly mindsNeeds: boolean
  /** What an aggregate needs is a block, which stays whole. */
  readonly needsBlocks: boolean
  /** No event goes that is to be kept. */
  readonly mindsEvents: boolean
  /** Live aggregates are not forgotten. */
  readonly forgetsEnded: boolean
  /** A store that several processes share compares the epoch in the write itself. */
  readonly comparesEpoch: boolean
  /** The epoch is compared when a database is opened again. */
  readonly comparesWhenReopened: boolean
  readonly acquiresThenLoads: boolean
  /** A mob that is being destroyed is gone before its name is taken again. */
  readonly destroysFirst: boolean
  readonly marksAfterSync: boolean
  readonly acknowledgesAfterSync: boolean
  /** Counters and guards are read again after a failed write. */
  readonly readsAgain: boolean
  /** All guards of a submission hold, or none of it is written. */
  readonly guardsTogether: boolean
}

export const RULES: Rules = {
  keepsCounters: true,
  looksForGaps: true,
  knowsBirths: true,
  groupIsOneBatch: true,
  headsWithEntries: true,
  headsOfEntries: true,
  checkpointWithDelete: "same",
  keepsSeq: true,
  settlesFirst: true,
  mindsNeeds: true,
  needsBlocks: true,
  mindsEvents: true,
  forgetsEnded: true,
  comparesEpoch: true,
  comparesWhenReopened: true,
  acquiresThenLoads: true,
  destroysFirst: true,
  marksAfterSync: true,
  acknowledgesAfterSync: true,
  readsAgain: true,
  guardsTogether: true
}
