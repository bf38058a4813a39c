/**
 * Composes group commits: takes submissions in order, checks their guards against everything composed before, gives
 * positions, cursors and `seq`, and makes the operations of one batch. Synchronous and without IO, but for one point
 * read where an aggregate is not in memory.
 */
import {
  type Committed,
  type Entry,
  type HeadOnly,
  OwnerFenced,
  RevisionConflict,
  type StoredEvent,
  type StoreError,
  type StoreListener,
  StoreWriteFailed,
  type Submission
} from "../../sdk/store.ts"
import { readFailure, reasonOf } from "./attempt.ts"
import { entryLine, sealBlock } from "./block.ts"
import { sealCheckpoint } from "./checkpoint.ts"
import { type Head, sealHead, unsealHead } from "./head.ts"
import { blockKey, checkpointKey, headKey, type Key, mobKey, pinKey } from "./keys.ts"
import type { Database } from "./medium.ts"
import type { AggregateState, MobState } from "./mob-state.ts"
import { type Registered, sealMob } from "./registry.ts"
import { corrupted, seal } from "./seal.ts"
import type { Operation } from "./seams.ts"

/** A mob's log as one owner holds it. */
export interface OwnedLog {
  readonly mob: string
  readonly mobNo: number
  readonly epoch: number
  /** Replaced after a failed write. */
  state: MobState
  readonly listeners: Set<StoreListener>
  /** Why no call does anything any more. */
  ended: StoreError | undefined
}

/** What waits to be composed. */
export type Waiting =
  | { readonly type: "submission"; readonly log: OwnedLog; readonly submission: Submission }
  | {
    readonly type: "acquire"
    readonly mob: string
    readonly acquired: (registered: Registered) => void
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
interface Part {
  readonly log: OwnedLog
  readonly position: number
  readonly cursor: number
  readonly lines: Array<string>
  readonly events: Array<StoredEvent>
  readonly heads: Map<string, Head>
  readonly ended: Set<AggregateState>
}

/** One batch, and what follows it. */
export interface Group {
  readonly operations: Array<Operation>
  readonly releases: Array<Release>
  readonly parts: Map<OwnedLog, Part>
  /** Submissions that will be written. */
  submissions: number
  /** Length of all text in it. */
  length: number
  /** `seq` of its blocks; 0 if it holds none. */
  seq: number
}

/** A group is full at this many submissions, or this much text. */
const maxSubmissions = 512
const maxLength = 4 * 1024 * 1024
/** LevelDB keeps at most two write buffers of 4 MiB in its log; what has this much written after it stands in tables. */
const logLength = 9 * 1024 * 1024
/** Distance of the notes by which `settledSeq` is known. */
const noteEvery = 512 * 1024

/** Counters of a database and its owners; lives from one opening to the next. */
export class Composer {
  readonly #database: Database
  readonly #registry: Map<string, Registered>
  /** Who may write each mob. */
  readonly owners: Map<string, OwnedLog>
  #seq: number
  #settledSeq: number
  #written = 0
  #sinceCheckpoint = 0
  readonly #notes: Array<{ readonly seq: number; readonly written: number }> = []

  constructor(
    database: Database,
    registry: ReadonlyMap<string, Registered>,
    seq: number,
    owners: ReadonlyMap<string, OwnedLog>
  ) {
    this.#database = database
    this.#registry = new Map(registry)
    this.owners = new Map(owners)
    this.#seq = seq
    // Opening moved LevelDB's log into tables, and was verified.
    this.#settledSeq = seq
  }

  /** Takes from `waiting`, from index 0, what fits in one group; gives how many were taken. */
  compose(waiting: ReadonlyArray<Waiting>, group: Group): number {
    let taken = 0
    for (const item of waiting) {
      if (taken === maxSubmissions || group.length >= maxLength) break
      taken++
      if (item.type === "acquire") this.#acquire(group, item)
      else this.#submission(group, item, item.log, item.submission)
    }
    this.#finish(group)
    return taken
  }

  #acquire(group: Group, item: Extract<Waiting, { type: "acquire" }>): void {
    const last = this.#registry.get(item.mob)
    const mobNo = last?.mobNo ?? 1 + Math.max(0, ...Array.from(this.#registry.values(), (known) => known.mobNo))
    const registered = { mobNo, epoch: (last?.epoch ?? 0) + 1 }
    this.#registry.set(item.mob, registered)
    // From here on what the earlier owner submitted is refused: the epoch is compared where the batch is made.
    this.owners.delete(item.mob)
    const key = mobKey(item.mob)
    group.operations.push({ type: "put", key, value: sealMob(item.mob, registered) })
    group.releases.push({ waiting: item, refused: false, tell: () => item.acquired(registered) })
  }

  #submission(group: Group, waiting: Waiting, log: OwnedLog, submission: Submission): void {
    const refuse = (error: StoreError) => {
      group.releases.push({ waiting, refused: true, tell: () => submission.failed(error) })
    }
    if (this.owners.get(log.mob) !== log) return refuse(log.ended ?? this.fenced(log))
    const staged = this.#stage(log, submission)
    if (staged instanceof Staged) {
      const at = this.#apply(group, log, staged)
      for (const { key, value } of staged.pins) this.#put(group, { type: "put", key, value })
      group.submissions++
      group.releases.push({ waiting, refused: false, tell: () => submission.committed(at) })
    } else refuse(staged)
  }

  /** Checks guards and makes all text, without changing anything. */
  #stage(log: OwnedLog, submission: Submission): Staged | StoreError {
    const staged = new Staged()
    try {
      for (const entry of submission.entries) {
        const state = staged.stateOf(entry.aggregate) ?? this.#find(log, entry.aggregate)
        const actual = staged.revisionOf(entry.aggregate) ?? state?.revision ?? 0
        if (entry.revision !== actual + 1) return conflict(entry.aggregate, entry.revision - 1, actual)
        staged.entries.push({ entry, state, line: "", head: undefined })
      }
      for (const head of submission.heads ?? []) {
        const state = staged.stateOf(head.aggregate) ?? this.#find(log, head.aggregate)
        const actual = staged.revisionOf(head.aggregate) ?? state?.revision ?? 0
        if (head.revision !== actual || actual === 0) return conflict(head.aggregate, head.revision, actual)
        staged.heads.push({ head, text: "" })
      }
    } catch (error) {
      return readFailure(error)
    }
    try {
      for (const item of staged.entries) {
        item.line = entryLine(item.entry, log.epoch)
        if (wantsHead(item.state, item.entry, item.line.length)) item.head = textOf(item.entry)
      }
      for (const item of staged.heads) item.text = textOf(item.head)
      for (const { definition, digest } of submission.pins ?? []) {
        const key = pinKey(digest)
        staged.pins.push({ key, value: seal(key, {}, JSON.stringify(definition)) })
      }
    } catch (error) {
      return new StoreWriteFailed({
        outcome: "not_written",
        reason: `it cannot be written as JSON: ${reasonOf(error)}`
      })
    }
    return staged
  }

  #apply(group: Group, log: OwnedLog, staged: Staged): Committed {
    const { state } = log
    const part = partOf(group, log)
    const at = { position: state.nextPosition, cursor: state.nextCursor }
    for (const { entry, head, line, state: found } of staged.entries) {
      const aggregate = state.aggregates.get(entry.aggregate) ?? found ?? newborn(entry.aggregate, state.nextPosition)
      state.aggregates.set(entry.aggregate, aggregate)
      part.lines.push(line)
      group.length += line.length
      state.entryAdded(aggregate, part.position, line.length)
      aggregate.terminal = entry.terminal
      if (aggregate.terminal) part.ended.add(aggregate)
      for (const event of entry.events) part.events.push({ cursor: state.nextCursor++, at: entry.at, event })
      if (head !== undefined) this.#head(part, aggregate, head)
    }
    for (const { head, text } of staged.heads) {
      const aggregate = state.aggregates.get(head.aggregate)
      if (aggregate !== undefined) this.#head(part, aggregate, text)
    }
    return at
  }

  #head(part: Part, aggregate: AggregateState, text: string): void {
    const { born, position, revision, terminal } = aggregate
    part.heads.set(aggregate.aggregate, { revision, position, born, terminal, text })
    part.log.state.headAdded(aggregate, text.length)
  }

  /** An aggregate in memory, else an ended one from its head; undefined if it never had an entry. May throw. */
  #find(log: OwnedLog, aggregate: string): AggregateState | undefined {
    const known = log.state.aggregates.get(aggregate)
    if (known !== undefined) return known
    const value = this.#database.getSync(headKey(log.mobNo, aggregate))
    if (value === undefined) return undefined
    const head = unsealHead(log.mobNo, aggregate, value)
    if (!head.terminal) throw corrupted(headKey(log.mobNo, aggregate), "it is live, but the log does not know it")
    return {
      aggregate,
      born: head.born,
      revision: head.revision,
      position: head.position,
      headRevision: head.revision,
      headLength: head.text.length,
      sinceLength: 0,
      first: 0,
      blocks: [],
      terminal: true,
      read: undefined
    }
  }

  #finish(group: Group): void {
    for (const part of group.parts.values()) {
      const { log, lines } = part
      const { mobNo, state } = log
      if (lines.length > 0) {
        if (group.seq === 0) group.seq = ++this.#seq
        const key = blockKey(mobNo, part.position)
        const { cursor, position } = part
        this.#put(group, { type: "put", key, value: sealBlock(key, { seq: group.seq, position, cursor }, lines) })
        state.cursors.add(cursor, position)
      }
      for (const [aggregate, head] of part.heads) {
        this.#put(group, { type: "put", key: headKey(mobNo, aggregate), value: sealHead(mobNo, aggregate, head) })
      }
      if (lines.length > 0 && (state.checkpointDue() || this.#sinceCheckpoint >= logLength)) {
        this.#sinceCheckpoint = 0
        const value = sealCheckpoint(mobNo, state.checkpoint(this.#settledSeq))
        this.#put(group, { type: "put", key: checkpointKey(mobNo), value })
      }
    }
    this.#note(group)
  }

  #put(group: Group, operation: Extract<Operation, { type: "put" }>): void {
    group.operations.push(operation)
    const length = operation.key.length + operation.value.length
    this.#written += length
    this.#sinceCheckpoint += length
  }

  #note(group: Group): void {
    if (group.seq === 0) return
    const last = this.#notes.at(-1)
    if (last === undefined || this.#written - last.written >= noteEvery) {
      this.#notes.push({ seq: group.seq, written: this.#written })
    }
    while (this.#notes[0] !== undefined && this.#written - this.#notes[0].written >= logLength) {
      this.#settledSeq = this.#notes[0].seq
      this.#notes.shift()
    }
  }

  /** Why this log may not write. */
  fenced(log: OwnedLog): OwnerFenced {
    return new OwnerFenced({
      mob: log.mob,
      ours: log.epoch,
      current: this.#registry.get(log.mob)?.epoch ?? log.epoch
    })
  }
}

/** A submission whose guards held, as text. */
class Staged {
  readonly entries: Array<
    { readonly entry: Entry; readonly state: AggregateState | undefined; line: string; head: string | undefined }
  > = []
  readonly heads: Array<{ readonly head: HeadOnly; text: string }> = []
  readonly pins: Array<{ readonly key: Key; readonly value: string }> = []

  // Submissions hold one entry, rarely two: looking through them is cheaper than a map.
  revisionOf(aggregate: string): number | undefined {
    return this.entries.findLast((item) => item.entry.aggregate === aggregate)?.entry.revision
  }

  stateOf(aggregate: string): AggregateState | undefined {
    return this.entries.find((item) => item.entry.aggregate === aggregate)?.state
  }
}

/** An empty group. */
export const emptyGroup = (): Group => ({
  operations: [],
  releases: [],
  parts: new Map(),
  submissions: 0,
  length: 0,
  seq: 0
})

const partOf = (group: Group, log: OwnedLog): Part => {
  const known = group.parts.get(log)
  if (known !== undefined) return known
  const part: Part = {
    log,
    position: log.state.nextPosition,
    cursor: log.state.nextCursor,
    lines: [],
    events: [],
    heads: new Map(),
    ended: new Set()
  }
  group.parts.set(log, part)
  return part
}

/**
 * A head is not written before this much followed the last one, however small it is. Measured with 64 writers: when
 * each small state is written again with almost each entry, appends run at half the pace.
 */
const headFloor = 16 * 1024

// At creation, at the end, and when what followed the head outweighs it.
const wantsHead = (state: AggregateState | undefined, entry: Entry, length: number): boolean =>
  entry.revision === 1 || entry.terminal || state === undefined
  || state.sinceLength + length > Math.max(state.headLength, headFloor)

const textOf = (source: { readonly snapshot: () => unknown }): string => {
  const text: string | undefined = JSON.stringify(source.snapshot())
  if (text === undefined) throw new TypeError("the snapshot is no JSON value")
  return text
}

const conflict = (aggregate: string, expected: number, actual: number) =>
  new RevisionConflict({ aggregate, expected, actual })

const newborn = (aggregate: string, born: number): AggregateState => ({
  aggregate,
  born,
  revision: 0,
  position: 0,
  headRevision: 0,
  headLength: 0,
  sinceLength: 0,
  first: 0,
  blocks: [],
  terminal: false,
  read: undefined
})
