/**
 * Writing whole mobs into a store so that all of them are there or none is. Until the last batch the records of their
 * names say that what has their numbers is being destroyed: nobody sees it, and if this process ends early the next
 * opening removes it.
 */
import { Effect, type Scope } from "effect"
import type { MobId } from "../../../sdk/ids.ts"
import type { StoreError } from "../../../sdk/store.ts"
import { entryLine, type EntryRecord, sealBlock } from "../block.ts"
import { sealCheckpoint } from "../checkpoint.ts"
import { CursorMap, initialDistance } from "../cursor-map.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { writeFailure } from "../full.ts"
import { type Head, sealHead } from "../head.ts"
import { blockKey, checkpointKey, headKey, mobKey, pinKey } from "../keys.ts"
import type { Database, Medium } from "../medium.ts"
import { openVerified } from "../open-database.ts"
import { openMob } from "../open-mob.ts"
import { isThere, type Registered, sealMob } from "../registry.ts"
import { corrupted, seal } from "../seal.ts"
import type { Operation } from "../seams.ts"
import { openStore } from "../store.ts"
import { TargetTaken } from "./errors.ts"

/** Text of one batch. */
const batchLength = 4 * 1024 * 1024
/** A block is full at this many entries, or this much text. */
const blockEntries = 128
const blockLength = 256 * 1024

/** What staging can fail with. */
export type StagingError = StoreError | DataFolderUnusable | TargetTaken

/** Where a mob's log begins. */
export interface Beginning {
  readonly epoch: number
  readonly position: number
  readonly cursor: number
}

/** One mob under way. */
class StagedMob {
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

  constructor(mob: MobId, registered: Registered, beginning: Beginning) {
    this.mob = mob
    this.registered = registered
    this.#oldest = this.position = beginning.position
    this.#firstCursor = this.cursor = beginning.cursor
    this.#block = { position: this.position, cursor: this.cursor }
  }

  /** A head; all of them come before the entries. */
  head(aggregate: string, head: Head): Operation {
    const { mobNo } = this.registered
    const { born, position, revision, terminal } = head
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
    this.#cursors.add(cursor, position)
    this.#lines = []
    this.#length = 0
    this.#block = { position: this.position, cursor: this.cursor }
    return { type: "put", key, value }
  }

  /** The checkpoint of all that came. */
  checkpoint(settledSeq: number): Operation {
    const { mobNo } = this.registered
    const value = sealCheckpoint(mobNo, {
      nextPosition: this.position,
      nextCursor: this.cursor,
      oldest: this.#oldest,
      firstCursor: this.#firstCursor,
      settledSeq,
      live: [...this.#live].filter(([, { terminal }]) => !terminal)
        .map(([aggregate, { born, need, position, rev }]) => ({ aggregate, born, rev, position, need })),
      cursors: this.#cursors.pairs,
      distance: this.#cursors.distance
    })
    return { type: "put", key: checkpointKey(mobNo), value }
  }
}

/** Takes mobs one after the other. Valid until its Scope closes. */
export class Staging {
  readonly #medium: Medium
  readonly #database: Database
  readonly #mobs: ReadonlyMap<string, Registered>
  readonly #staged: Array<StagedMob> = []
  #nextNumber: number
  #seq: number
  #operations: Array<Operation> = []
  #length = 0

  constructor(medium: Medium, database: Database, seq: number, mobs: ReadonlyMap<string, Registered>) {
    this.#medium = medium
    this.#database = database
    this.#seq = seq
    this.#mobs = mobs
    this.#nextNumber = 1 + Math.max(0, ...Array.from(mobs.values(), ({ mobNo }) => mobNo))
  }

  /** Begins a mob; those before it are whole. */
  begin(mob: MobId, beginning: Beginning): Effect.Effect<void, StagingError> {
    return Effect.suspend((): Effect.Effect<void, StagingError> => {
      const before: Registered | undefined = this.#mobs.get(mob)
      const epochBefore = before?.epoch ?? 0
      if (isThere(before) || this.#staged.some((staged) => staged.mob === mob)) {
        return new TargetTaken({ target: this.#medium.name, holds: `mob ${mob}` })
      }
      // Above every owner there was, here and there.
      const epoch = Math.max(beginning.epoch, epochBefore)
      const registered: Registered = { mobNo: this.#nextNumber++, epoch, destroyed: "begun" }
      this.#put(this.#block())
      this.#staged.push(new StagedMob(mob, registered, beginning))
      this.#put({ type: "put", key: mobKey(mob), value: sealMob(mob, registered) })
      return this.#commit()
    })
  }

  /** A name whose mob was destroyed. */
  tombstone(mob: string, epoch: number): void {
    const registered: Registered = { mobNo: this.#nextNumber++, epoch, destroyed: "done" }
    this.#put({ type: "put", key: mobKey(mob), value: sealMob(mob, registered) })
  }

  /** Where the next entry and event of this mob go. */
  get next(): { readonly position: number; readonly cursor: number } {
    const { cursor, position } = this.#now
    return { position, cursor }
  }

  readonly head = (aggregate: string, head: Head): void => this.#put(this.#now.head(aggregate, head))

  readonly entry = (entry: EntryRecord): void => {
    const mob = this.#now
    mob.entry(entry)
    if (mob.full) this.#put(this.#block())
  }

  /** A pinned definition as JSON text. */
  readonly definition = (digest: string, text: string): void => {
    const key = pinKey(digest)
    this.#put({ type: "put", key, value: seal(key, {}, text) })
  }

  readonly blob = (sha256: string, bytes: Uint8Array): Effect.Effect<void, StoreError> =>
    this.#medium.blobs.put(this.#now.registered.mobNo, sha256, bytes)

  /** Writes what came, if it is worth a batch. Run it now and then. */
  readonly flush: Effect.Effect<void, StoreError> = Effect.suspend(() =>
    this.#length < batchLength ? Effect.void : this.#commit()
  )

  /** Makes all mobs be there, after trying that each can be opened. Runs `before` when only that is left to do. */
  readonly publish = <E>(before: Effect.Effect<void, E>): Effect.Effect<void, StoreError | E> =>
    Effect.gen({ self: this }, function*() {
      if (this.#staged.length > 0) this.#put(this.#block())
      yield* this.#commit()
      yield* this.#database.settle
      for (const staged of this.#staged) this.#put(staged.checkpoint(this.#seq))
      yield* this.#commit()
      for (const { mob, registered: { epoch, mobNo } } of this.#staged) {
        yield* openMob(this.#database, mob, mobNo, epoch)
      }
      yield* before
      for (const { mob, registered: { epoch, mobNo } } of this.#staged) {
        this.#put({ type: "put", key: mobKey(mob), value: sealMob(mob, { mobNo, epoch }) })
      }
      yield* this.#commit()
      // While these stand in LevelDB's log it could lose them without a word, and the mobs would be destroyed.
      yield* this.#database.settle
      this.#medium.writeMark(this.#seq)
    })

  get #now(): StagedMob {
    const mob = this.#staged.at(-1)
    if (mob === undefined) throw corrupted(this.#medium.name, "records of no mob were to be written")
    return mob
  }

  #block(): Operation | undefined {
    const block = this.#staged.at(-1)?.block(this.#seq + 1)
    if (block !== undefined) this.#seq++
    return block
  }

  #put(operation: Operation | undefined): void {
    if (operation?.type !== "put") return
    this.#operations.push(operation)
    this.#length += operation.value.length
  }

  #commit(): Effect.Effect<void, StoreError> {
    return Effect.callback<void, StoreError>((resume) => {
      const operations = this.#operations
      this.#operations = []
      this.#length = 0
      if (operations.length === 0) return resume(Effect.void)
      this.#database.commit(operations, (error) => {
        resume(
          error === undefined || error === null ? Effect.void : Effect.fail(writeFailure(error, "not_written"))
        )
      })
    })
  }
}

/** Runs `use` with a staging area over a medium; what it leaves unfinished when it fails is removed. */
export const staging = <A, E>(
  medium: Medium,
  use: (staging: Staging) => Effect.Effect<A, E>
): Effect.Effect<A, E | StagingError> =>
  Effect.scoped(Effect.flatMap(openToStage(medium), use)).pipe(
    // Opening finishes what it finds begun; what cannot be removed now is removed by the next one.
    Effect.tapError(() => Effect.ignore(Effect.scoped(openStore(medium))))
  )

const openToStage = Effect.fnUntraced(
  function*(medium: Medium): Effect.fn.Return<Staging, StagingError, Scope.Scope> {
    const opened = Effect.acquireRelease(
      openVerified(medium),
      ({ database }) => Effect.andThen(medium.leave, database.close)
    )
    const { contents: { mobs } } = yield* Effect.scoped(opened)
    if (Array.from(mobs.values()).some(({ destroyed }) => destroyed === "begun")) {
      yield* Effect.scoped(openStore(medium))
    }
    const { contents, database, seq } = yield* opened
    return new Staging(medium, database, seq, contents.mobs)
  }
)
