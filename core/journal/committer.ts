/**
 * The committer: one synced batch in flight; what arrives meanwhile is the next group; no timer. After a batch is
 * durable it tells the submitters, in submit order, then the listeners. The first batch that fails ends it: everything
 * unreleased is answered, and the store opens the database anew with another committer.
 */
import { type StoreError, StoreUnavailable } from "../../sdk/store.ts"
import type { Composer } from "./compose.ts"
import { writeFailure } from "./full.ts"
import { emptyGroup, type Group, type OwnedLog, type Waiting } from "./group.ts"
import type { Commit, TaskPort } from "./seams.ts"

/** What a committer needs around it. */
interface Surroundings {
  readonly tasks: TaskPort
  readonly commit: Commit
  /** Called after each sync that wrote a block, before anybody is told. */
  readonly writeMark: (seq: number) => void
  /** A batch failed: from now on this is the answer. Called before anybody is told. */
  readonly failing: (error: StoreUnavailable) => void
  /** Everything unreleased was answered. */
  readonly lost: (error: StoreError) => void
  /** It was crowded, and is not any more. */
  readonly room: () => void
  /** Somebody's callback threw, which it must not. */
  readonly defect: (error: unknown) => void
}

/** Looks at memory between two batches; told why if the committer ended, and memory is not what is on disk. */
type Look = (ended: StoreError | undefined) => void

/** Text that waits or flies, in UTF-16 units: four full groups. */
const mostText = 16 * 1024 * 1024

/** One committer serves one opening of a database. */
export class Committer {
  readonly composer: Composer
  readonly #around: Surroundings
  #waiting: Array<Waiting> = []
  #flying: Group | undefined
  #ended: StoreError | undefined
  /** It ends after so many more of those that wait. */
  #ending: { readonly error: StoreError; left: number } | undefined
  /** Given back when nothing waits and nothing flies. */
  #token: (() => void) | undefined
  #looks: Array<Look> = []
  #batches = 0
  /** Length of the text that waits or flies. */
  #text = 0
  #crowded = false

  constructor(composer: Composer, around: Surroundings) {
    this.composer = composer
    this.#around = around
  }

  /** Group commits that held a submission and were synced. */
  get batches(): number {
    return this.#batches
  }

  /** Joins the open group; never answers within the call. */
  add(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#text += lengthOf(waiting)
    if (this.#text > mostText) this.#crowded = true
    if (this.#token !== undefined) return
    this.#token = this.#around.tasks.begin()
    this.#around.tasks.later(() => this.#next())
  }

  /** Whether more text waits than should. */
  get crowded(): boolean {
    return this.#crowded
  }

  /** Runs `look` when memory is what is on disk: now, or when the batch in flight ended. */
  whenQuiet(look: Look): void {
    if (this.#flying === undefined) look(this.#ended)
    else this.#looks.push(look)
  }

  /** Runs `look` after the next batch. Call it only while there will be one: when it is not {@link idle}. */
  afterNext(look: Look): void {
    this.#looks.push(look)
  }

  /** Whether something that writes this aggregate is open or in flight. */
  holds(log: OwnedLog, aggregate: string): boolean {
    const writes = (waiting: Waiting) =>
      waiting.type === "submission" && waiting.log === log
      && (waiting.submission.entries.some((entry) => entry.aggregate === aggregate)
        || waiting.submission.heads?.some((head) => head.aggregate === aggregate) === true)
    return this.#waiting.some(writes) || (this.#flying?.releases.some((release) => writes(release.waiting)) ?? false)
  }

  /** Whether nothing is open or in flight. */
  get idle(): boolean {
    return this.#token === undefined
  }

  /** No longer writes; what waits and what comes from now on is refused. Call it when nothing flies. */
  end(error: StoreError): void {
    this.#ended = error
    this.#refuse(error)
  }

  /** Writes what waits now and nothing that comes later, which is refused. */
  endAfterWaiting(error: StoreError): void {
    this.#ending = { error, left: this.#waiting.length }
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      if (this.#ending?.left === 0) this.#ended ??= this.#ending.error
      if (this.#ended !== undefined) {
        this.#refuse(this.#ended)
        if (this.#waiting.length > 0) this.#around.tasks.later(() => this.#next())
        break
      }
      const group = emptyGroup()
      let taken: number
      try {
        taken = this.composer.compose(this.#ending ? this.#waiting.slice(0, this.#ending.left) : this.#waiting, group)
      } catch (defect) {
        // Memory may be half changed: everybody is answered, and it is read anew.
        this.#around.defect(defect)
        return this.#lose(emptyGroup(), defect)
      }
      this.#waiting = taken === this.#waiting.length ? [] : this.#waiting.slice(taken)
      if (this.#ending !== undefined) this.#ending.left -= taken
      this.#flying = group
      if (group.operations.length > 0) return this.#commit(group)
      this.#release(group)
    }
    if (this.#waiting.length > 0) return
    const token = this.#token
    this.#token = undefined
    token?.()
    this.#look()
  }

  #commit(group: Group): void {
    const landed = (error?: unknown) => {
      if (this.#flying !== group) return // a second call of the same `done`
      if (error !== undefined && error !== null) return this.#lose(group, error)
      if (group.seq > 0) this.#around.writeMark(group.seq)
      if (group.submissions > 0) this.#batches++
      this.#release(group)
      // Behind the turns of those who were just released, so that what they decide is one batch and not the next but one.
      this.#around.tasks.later(() => this.#next())
    }
    try {
      this.#around.commit(group.operations, landed)
    } catch (error) {
      this.#around.tasks.later(() => landed(error))
    }
  }

  #release(group: Group): void {
    this.composer.ownership.landed(group)
    const hearings: Array<() => void> = []
    for (const { cursor, events, log } of group.parts.values()) {
      if (events.length === 0) continue
      log.state.durableCursor = cursor + events.length - 1
      // Who starts to listen from a `committed` below sees the new latest cursor, so these events are not for them.
      for (const listener of log.listeners.events) {
        hearings.push(() => log.listeners.has(listener) && listener.events?.(events))
      }
    }
    for (const { waiting } of group.releases) this.#text -= lengthOf(waiting)
    for (const release of group.releases) this.#tell(release.tell)
    for (const hear of hearings) this.#tell(hear)
    for (const { ended, log } of group.parts.values()) {
      for (const aggregate of ended) {
        if (aggregate.terminal) log.state.aggregates.delete(aggregate.aggregate)
      }
      for (const aggregate of log.state.headsWanted()) {
        for (const listener of log.listeners.headsOf(aggregate)) this.#tell(() => listener.headWanted?.(aggregate))
      }
    }
    this.#flying = undefined
    this.#look()
    if (!this.#crowded || this.#text > mostText / 2) return
    this.#crowded = false
    this.#around.room()
  }

  #look(): void {
    const looks = this.#looks
    this.#looks = []
    for (const look of looks) this.#tell(() => look(this.#ended))
  }

  #lose(group: Group, cause: unknown): void {
    const error = writeFailure(cause, "unknown")
    const unavailable = new StoreUnavailable({
      reason: error._tag === "StoreFull"
        ? `it has no room left (${error.reason}) and is opened again when there is some`
        : `it is being opened again after a failed write (${error.reason})`
    })
    this.#ended = unavailable
    this.#around.failing(unavailable)
    this.#flying = undefined
    const waiting = this.#waiting
    this.#waiting = []
    this.#text = 0
    this.#crowded = false
    for (const release of group.releases) {
      // What was refused while composing was not in the batch: its answer stands.
      if (release.refused) this.#tell(release.tell)
      else this.#fail(release.waiting, error)
    }
    for (const item of waiting) this.#fail(item, error)
    this.#around.lost(error)
    this.#next()
  }

  #refuse(error: StoreError): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#text = 0
    this.#crowded = false
    for (const item of waiting) this.#fail(item, error)
  }

  #fail(waiting: Waiting, error: StoreError): void {
    this.#tell(() => waiting.type === "submission" ? waiting.submission.failed(error) : waiting.failed(error))
  }

  #tell(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      this.#around.defect(error)
    }
  }
}

const lengthOf = (waiting: Waiting): number => waiting.type === "submission" ? waiting.length : 0
