/**
 * What waits for a group commit, and what one is made of.
 */
import type { StoredEvent, StoreError, Submission } from "../../sdk/store.ts"
import type { Head } from "./head.ts"
import type { Key } from "./keys.ts"
import type { Listeners } from "./listeners.ts"
import type { AggregateState, MobState } from "./mob-state.ts"
import type { Registered } from "./registry.ts"
import type { Operation } from "./seams.ts"
import type { Lines } from "./stage.ts"

/** A mob's log as one owner holds it. */
export interface OwnedLog {
  readonly mob: string
  readonly mobNo: number
  readonly epoch: number
  /** Replaced after a failed write. */
  state: MobState
  readonly listeners: Listeners
  /** Why no call does anything any more. */
  ended: StoreError | undefined
}

/** A step of pruning: what one batch removes. */
export interface PruneStep {
  /** Blocks below `to`, all of them settled. */
  readonly blocks: ReadonlyArray<Key>
  /** Position and first cursor of the first block that stays. */
  readonly to: { readonly position: number; readonly cursor: number }
  /** Aggregates that were seen ended on disk. */
  readonly forget: ReadonlyArray<string>
}

/** What waits to be composed. */
export type Waiting =
  | {
    readonly type: "submission"
    readonly log: OwnedLog
    readonly submission: Submission
    /** Its entries as text, as of when it was submitted. */
    readonly lines: Lines
    /** Of their text, in UTF-16 units. */
    readonly length: number
  }
  /** Answered with the mob's record; one that is being destroyed is as it was, and nothing was acquired. */
  | Asking<"acquire", Registered> & { readonly mob: string }
  /** Writes nothing: answered when all that was submitted before it is durable and nothing is in flight. */
  | Asking<"look", void>
  /** Answered with the number of aggregates forgotten; undefined if a block is still needed, and nothing was removed. */
  | Asking<"prune", number | undefined> & { readonly log: OwnedLog; readonly step: PruneStep }
  /** Answered with what is known of the mob from here on; undefined if there never was one. */
  | Asking<"destroy", Registered | undefined> & { readonly mob: string }
  /** Removes keys of a mob that is being destroyed; the last of them says that it is done. */
  | Asking<"erase", void> & {
    readonly mob: string
    readonly mobNo: number
    readonly keys: ReadonlyArray<Key>
    readonly last: boolean
  }

interface Asking<Type, A> {
  readonly type: Type
  readonly done: (answer: A) => void
  readonly failed: (error: StoreError) => void
}

/** What to tell whom when the group is durable, in submit order. */
export interface Release {
  readonly waiting: Waiting
  /** It is not in the batch: a guard failed. */
  readonly refused: boolean
  readonly tell: () => void
}

/** What one group holds of one mob. */
export interface Part {
  readonly log: OwnedLog
  readonly position: number
  readonly cursor: number
  readonly lines: Array<string>
  readonly events: Array<StoredEvent>
  readonly heads: Map<string, Head>
  readonly ended: Set<AggregateState>
  readonly forgotten: Set<string>
  /** Blocks or heads are removed: the checkpoint must say so in the same batch. */
  pruned: boolean
}

/** One batch, and what follows it. */
export interface Group {
  readonly operations: Array<Operation>
  readonly releases: Array<Release>
  readonly parts: Map<OwnedLog, Part>
  /** What the records of mobs say from this batch on, in order. */
  readonly registered: Array<readonly [mob: string, Registered]>
  /** Submissions that will be written. */
  submissions: number
  /** Length of the text of its submissions: entries, heads, definitions. */
  length: number
  /** `seq` of its blocks; 0 if it holds none. */
  seq: number
  /** Blocks are removed: the `seq` floor must be written in the same batch. */
  removes: boolean
}

/** An empty group. */
export const emptyGroup = (): Group => ({
  operations: [],
  releases: [],
  parts: new Map(),
  registered: [],
  submissions: 0,
  length: 0,
  seq: 0,
  removes: false
})

/** The part of a log in a group, made when it is first asked for. */
export const partOf = (group: Group, log: OwnedLog): Part => {
  const known = group.parts.get(log)
  if (known !== undefined) return known
  const part: Part = {
    log,
    position: log.state.nextPosition,
    cursor: log.state.nextCursor,
    lines: [],
    events: [],
    heads: new Map(),
    ended: new Set(),
    forgotten: new Set(),
    pruned: false
  }
  group.parts.set(log, part)
  return part
}
