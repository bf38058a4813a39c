/**
 * Composes group commits: takes submissions in order, checks their guards against everything composed before, gives
 * positions, cursors and `seq`, and makes the operations of one batch. Synchronous and without IO, but for one point
 * read where an aggregate is not in memory.
 */
import { type Committed, OwnerFenced, type StoreError } from "../../sdk/store.ts"
import { sealBlockBytes } from "./block.ts"
import { sealCheckpoint } from "./checkpoint.ts"
import { type Group, type OwnedLog, type Part, partOf, type Waiting } from "./group.ts"
import { sealHead, unsealHead } from "./head.ts"
import { blockKey, checkpointKey, headKey, metaKey, mobKey } from "./keys.ts"
import type { Database } from "./medium.ts"
import type { AggregateState } from "./mob-state.ts"
import { Pad } from "./pad.ts"
import { format, isThere, type Registered, sealMeta, sealMob } from "./registry.ts"
import { corrupted } from "./seal.ts"
import type { Operation } from "./seams.ts"
import { stage, Staged } from "./stage.ts"

/**
 * A group is full at this many submissions, or this much text. A thousand writers that wait for each other's flush fit in
 * one: two groups of half of them cost twice the flushes.
 */
const maxSubmissions = 2048
const maxLength = 4 * 1024 * 1024
/** LevelDB's two write buffers, and something for what it adds to each record. */
const buffers = 9 * 1024 * 1024
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
  /** Highest number ever given to a mob. */
  #lastNumber = 0
  #written = 0
  /** What the longest batch so far held. */
  #longest = 0
  #sinceCheckpoint = 0
  #checkpointLength = 0
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
    for (const { mobNo } of registry.values()) this.#lastNumber = Math.max(this.#lastNumber, mobNo)
    // Opening moved LevelDB's log into tables, and was verified.
    this.#settledSeq = seq
  }

  readonly #pad = new Pad()

  /** Takes from `waiting`, from index 0, what fits in one group; gives how many were taken. */
  compose(waiting: ReadonlyArray<Waiting>, group: Group): number {
    const before = this.#written
    // The group before is done.
    this.#pad.clear()
    let taken = 0
    for (const item of waiting) {
      if (taken === maxSubmissions || group.length >= maxLength) break
      // One step of removal a batch.
      if (group.removes && (item.type === "prune" || item.type === "erase")) break
      taken++
      switch (item.type) {
        case "submission":
          this.#submission(group, item)
          break
        case "acquire":
          this.#acquire(group, item)
          break
        case "look":
          group.releases.push({ waiting: item, refused: false, tell: () => item.done() })
          break
        case "prune":
          this.#prune(group, item)
          break
        case "destroy":
          this.#destroy(group, item)
          break
        case "erase":
          this.#erase(group, item)
      }
    }
    this.#finish(group, before)
    return taken
  }

  /** Newest `seq` composed. */
  get seq(): number {
    return this.#seq
  }

  /** Whether no block up to this `seq` can go missing without a word. */
  isSettled(seq: number): boolean {
    return seq <= this.#settledSeq
  }

  /** All blocks up to this `seq` have left LevelDB's log. */
  settled(seq: number): void {
    this.#settledSeq = Math.max(this.#settledSeq, seq)
  }

  #acquire(group: Group, waiting: Extract<Waiting, { type: "acquire" }>): void {
    const { done, mob } = waiting
    const last = this.#registry.get(mob)
    if (last?.destroyed === "begun") {
      // It has no owner before what is left of it is gone.
      group.releases.push({ waiting, refused: true, tell: () => done(last) })
      return
    }
    const mobNo = isThere(last) ? last.mobNo : ++this.#lastNumber
    const registered = { mobNo, epoch: (last?.epoch ?? 0) + 1 }
    this.#register(group, mob, registered)
    group.releases.push({ waiting, refused: false, tell: () => done(registered) })
  }

  /** The first step of destroying: from here on the mob is not there. */
  #destroy(group: Group, waiting: Extract<Waiting, { type: "destroy" }>): void {
    const { done, mob } = waiting
    let registered = this.#registry.get(mob)
    if (isThere(registered)) {
      registered = { mobNo: registered.mobNo, epoch: registered.epoch + 1, destroyed: "begun" }
      this.#register(group, mob, registered)
    }
    const known = registered
    group.releases.push({ waiting, refused: false, tell: () => done(known) })
  }

  #erase(group: Group, waiting: Extract<Waiting, { type: "erase" }>): void {
    const { done, keys, last, mob, mobNo } = waiting
    const registered = this.#registry.get(mob)
    // Else another call has finished it.
    if (registered?.mobNo === mobNo && registered.destroyed === "begun") {
      for (const key of keys) group.operations.push({ type: "del", key })
      group.removes = true
      if (last) this.#register(group, mob, { ...registered, destroyed: "done" })
    }
    group.releases.push({ waiting, refused: false, tell: () => done() })
  }

  #register(group: Group, mob: string, registered: Registered): void {
    this.#registry.set(mob, registered)
    // From here on what the earlier owner submitted is refused: the epoch is compared where the batch is made.
    this.owners.delete(mob)
    group.operations.push({ type: "put", key: mobKey(mob), value: sealMob(mob, registered) })
  }

  /**
   * R14: the floors that the batch leaves are those after everything composed before it; what a live aggregate needs is
   * compared here, where nothing can come between.
   */
  #prune(group: Group, waiting: Extract<Waiting, { type: "prune" }>): void {
    const { done, failed, log, step } = waiting
    const { blocks, forget, to } = step
    if (this.owners.get(log.mob) !== log) {
      const error = log.ended ?? this.fenced(log)
      group.releases.push({ waiting, refused: true, tell: () => failed(error) })
      return
    }
    const { mobNo, state } = log
    if (to.position > state.floor()) {
      group.releases.push({ waiting, refused: true, tell: () => done(undefined) })
      return
    }
    const part = partOf(group, log)
    part.pruned = true
    group.removes = true
    if (to.position > state.oldest) state.prune(to.position, to.cursor)
    for (const key of blocks) group.operations.push({ type: "del", key })
    // Who is in memory is live, or has just taken an entry.
    const forgotten = forget.filter((aggregate) => !state.aggregates.has(aggregate))
    for (const aggregate of forgotten) {
      part.forgotten.add(aggregate)
      group.operations.push({ type: "del", key: headKey(mobNo, aggregate) })
    }
    group.releases.push({ waiting, refused: false, tell: () => done(forgotten.length) })
  }

  #submission(group: Group, waiting: Extract<Waiting, { type: "submission" }>): void {
    const { log, submission } = waiting
    const refuse = (error: StoreError) => {
      group.releases.push({ waiting, refused: true, tell: () => submission.failed(error) })
    }
    if (this.owners.get(log.mob) !== log) return refuse(log.ended ?? this.fenced(log))
    const staged = stage(submission, log.epoch, (aggregate) => this.#find(group, log, aggregate))
    if (staged instanceof Staged) {
      const at = this.#apply(group, log, staged)
      for (const { key, value } of staged.pins) {
        group.length += value.length
        this.#put(group, { type: "put", key, value })
      }
      group.submissions++
      group.releases.push({ waiting, refused: false, tell: () => submission.committed(at) })
    } else refuse(staged)
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
      if (head !== undefined) this.#head(group, part, aggregate, head)
    }
    for (const { head, text } of staged.heads) {
      const aggregate = state.aggregates.get(head.aggregate)
      if (aggregate !== undefined) this.#head(group, part, aggregate, text)
    }
    return at
  }

  #head(group: Group, part: Part, aggregate: AggregateState, text: string): void {
    group.length += text.length
    const { born, position, revision, terminal } = aggregate
    part.heads.set(aggregate.aggregate, { revision, position, born, terminal, text })
    part.log.state.headAdded(aggregate, text.length)
  }

  /** An aggregate in memory, else an ended one from its head; undefined if it never had an entry. May throw. */
  #find(group: Group, log: OwnedLog, aggregate: string): AggregateState | undefined {
    const known = log.state.aggregates.get(aggregate)
    if (known !== undefined) return known
    if (group.parts.get(log)?.forgotten.has(aggregate) === true) return undefined
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

  #finish(group: Group, before: number): void {
    for (const part of group.parts.values()) {
      const { log, lines } = part
      const { mobNo, state } = log
      if (lines.length > 0) {
        if (group.seq === 0) group.seq = ++this.#seq
        const key = blockKey(mobNo, part.position)
        const { cursor, position } = part
        this.#put(group, {
          type: "put",
          key,
          value: sealBlockBytes(key, { seq: group.seq, position, cursor }, lines, this.#pad)
        })
        state.cursors.add(cursor, position)
      }
      for (const [aggregate, head] of part.heads) {
        this.#put(group, { type: "put", key: headKey(mobNo, aggregate), value: sealHead(mobNo, aggregate, head) })
      }
      // One that is long is written less often: it is itself what is written.
      const distance = Math.max(this.#logLength, 4 * this.#checkpointLength)
      const due = lines.length > 0 && (state.checkpointDue() || this.#sinceCheckpoint >= distance)
      if (due || part.pruned) {
        const value = sealCheckpoint(mobNo, state.checkpoint(this.#settledSeq))
        this.#put(group, { type: "put", key: checkpointKey(mobNo), value })
        this.#checkpointLength = value.length
        this.#sinceCheckpoint = 0
      }
    }
    if (group.removes) {
      const value = sealMeta({ format, seqFloor: this.#settledSeq })
      this.#put(group, { type: "put", key: metaKey, value })
    }
    // This batch too may stand in LevelDB's log with what it would say is settled.
    this.#longest = Math.max(this.#longest, this.#written - before)
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

  /** Why this log may not write. */
  fenced(log: OwnedLog): OwnerFenced {
    return new OwnerFenced({
      mob: log.mob,
      ours: log.epoch,
      current: this.#registry.get(log.mob)?.epoch ?? log.epoch
    })
  }
}

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
