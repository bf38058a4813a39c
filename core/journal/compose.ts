/**
 * Composes group commits: takes submissions in order, checks their guards against everything composed before, gives
 * positions, cursors and `seq`, and makes the operations of one batch. Synchronous and without IO, but for one point
 * read where an aggregate is not in memory.
 */
import type { Committed, StoreError } from "../../sdk/store.ts"
import { sealBlockBytes } from "./block.ts"
import { sealCheckpoint } from "./checkpoint.ts"
import { type Group, type OwnedLog, type Part, partOf, type Waiting } from "./group.ts"
import { sealHead, unsealHead } from "./head.ts"
import { blockKey, checkpointKey, headKey, metaKey } from "./keys.ts"
import type { Database } from "./medium.ts"
import type { AggregateState } from "./mob-state.ts"
import { Ownership } from "./ownership.ts"
import { Pad } from "./pad.ts"
import { format, type Registered, sealMeta } from "./registry.ts"
import { corrupted } from "./seal.ts"
import type { Operation } from "./seams.ts"
import { Settling } from "./settling.ts"
import { stage, Staged } from "./stage.ts"

/**
 * A group is full at this many submissions, or this much text. A thousand writers that wait for each other's flush fit in
 * one: two groups of half of them cost twice the flushes.
 */
const maxSubmissions = 2048
const maxLength = 4 * 1024 * 1024

/** Makes the batches of one opening of a database. */
export class Composer {
  readonly ownership: Ownership
  readonly settling: Settling
  readonly #database: Database
  readonly #pad = new Pad()
  #seq: number

  constructor(
    database: Database,
    mobs: ReadonlyMap<string, Registered>,
    seq: number,
    owners: ReadonlyMap<string, OwnedLog>
  ) {
    this.#database = database
    this.#seq = seq
    this.ownership = new Ownership(mobs, owners)
    this.settling = new Settling(seq)
  }

  /** Takes from `waiting`, from index 0, what fits in one group; gives how many were taken. */
  compose(waiting: ReadonlyArray<Waiting>, group: Group): number {
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
          this.ownership.acquire(group, item)
          break
        case "look":
          group.releases.push({ waiting: item, refused: false, tell: () => item.done() })
          break
        case "prune":
          this.#prune(group, item)
          break
        case "destroy":
          this.ownership.destroy(group, item)
          break
        case "erase":
          this.ownership.erase(group, item)
      }
    }
    this.#finish(group)
    return taken
  }

  /** Newest `seq` composed. */
  get seq(): number {
    return this.#seq
  }

  /**
   * R14: the floors that the batch leaves are those after everything composed before it; what a live aggregate needs is
   * compared here, where nothing can come between.
   */
  #prune(group: Group, waiting: Extract<Waiting, { type: "prune" }>): void {
    const { done, failed, log, step } = waiting
    const { blocks, forget, to } = step
    const error = this.ownership.refusal(log)
    if (error !== undefined) {
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
    const { lines, log, submission } = waiting
    const refuse = (error: StoreError) => {
      group.releases.push({ waiting, refused: true, tell: () => submission.failed(error) })
    }
    const error = this.ownership.refusal(log)
    if (error !== undefined) return refuse(error)
    const staged = stage(submission, lines, (aggregate) => this.#find(group, log, aggregate))
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

  #finish(group: Group): void {
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
      const due = lines.length > 0 && (state.checkpointDue() || this.settling.checkpointDue)
      if (due || part.pruned) {
        const value = sealCheckpoint(mobNo, state.checkpoint(this.settling.seq))
        this.#put(group, { type: "put", key: checkpointKey(mobNo), value })
        this.settling.wroteCheckpoint(value.length)
      }
    }
    if (group.removes) {
      const value = sealMeta({ format, seqFloor: this.settling.seq })
      this.#put(group, { type: "put", key: metaKey, value })
    }
    this.settling.batchMade(group.seq)
  }

  #put(group: Group, operation: Extract<Operation, { type: "put" }>): void {
    group.operations.push(operation)
    this.settling.wrote(operation.key.length + operation.value.length)
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
