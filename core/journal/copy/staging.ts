/**
 * Writing whole mobs into a store so that all of them are there or none is. Until the last batch the records of their
 * names say that what has their numbers is being destroyed: nobody sees it, and if this process ends early the next
 * opening removes it.
 */
import { Effect, type Scope } from "effect"
import type { MobId } from "../../../sdk/ids.ts"
import type { StoreError } from "../../../sdk/store.ts"
import type { EntryRecord } from "../block.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { writeFailure } from "../full.ts"
import type { Head } from "../head.ts"
import { mobKey, pinKey } from "../keys.ts"
import type { Database, Medium } from "../medium.ts"
import { type Opened, openVerified } from "../open-database.ts"
import { openMob } from "../open-mob.ts"
import { isThere, type Registered, sealMob } from "../registry.ts"
import { corrupted, seal } from "../seal.ts"
import type { Operation } from "../seams.ts"
import { openStore } from "../store.ts"
import { TargetTaken } from "./errors.ts"
import type { Find } from "./finding.ts"
import { type Beginning, StagedMob } from "./staged-mob.ts"

/** Text of one batch. */
const batchLength = 4 * 1024 * 1024
/** What staging can fail with. */
export type StagingError = StoreError | DataFolderUnusable | TargetTaken

/** Takes mobs one after the other. Valid until its Scope closes. */
export class Staging {
  readonly #medium: Medium
  readonly #database: Database
  readonly #mobs: ReadonlyMap<string, Registered>
  readonly #staged: Array<StagedMob> = []
  readonly #done = new Set<StagedMob>()
  #nextNumber: number
  #seq: number
  #operations: Array<Operation> = []
  #length = 0
  /** Definitions as JSON text, by digest. */
  readonly #definitions = new Map<string, string>()
  readonly #find: Find

  constructor(medium: Medium, { contents: { mobs }, database, seq }: Opened, find: Find) {
    this.#medium = medium
    this.#database = database
    this.#seq = seq
    this.#mobs = mobs
    this.#nextNumber = 1 + Array.from(mobs.values()).reduce((most, { mobNo }) => Math.max(most, mobNo), 0)
    this.#find = find
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
      this.done()
      this.#staged.push(new StagedMob(mob, registered, beginning, this.#find))
      this.#put({ type: "put", key: mobKey(mob), value: sealMob(mob, registered) })
      return this.#commit()
    })
  }

  /** The mob under way is whole. Gives the blobs that its records refer to. */
  done(): ReadonlySet<string> {
    const mob = this.#staged.at(-1)
    if (mob === undefined) return new Set()
    if (!this.#done.has(mob)) {
      this.#put(this.#block())
      mob.done()
      this.#done.add(mob)
    }
    return mob.blobs
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

  /** A pinned definition as JSON text. One that is there already stays. */
  readonly definition = (digest: string, text: string): void => {
    this.#definitions.set(digest, text)
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
      this.done()
      yield* this.#commit()
      yield* this.#database.settle
      for (const staged of this.#staged) this.#put(staged.checkpoint(this.#seq))
      yield* this.#commit()
      for (const { mob, registered: { epoch, mobNo } } of this.#staged) {
        yield* openMob(this.#database, mob, mobNo, epoch)
      }
      const pins = Array.from(this.#definitions, ([digest, text]) => ({ key: pinKey(digest), text }))
      const there = yield* this.#database.get(pins.map(({ key }) => key))
      for (const [index, { key, text }] of pins.entries()) {
        if (there[index] === undefined) this.#put({ type: "put", key, value: seal(key, {}, text) })
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

/**
 * Runs `use` with a staging area over a medium; what it leaves unfinished when it fails is removed. What of the mobs does
 * not fit together is told to `find`.
 */
export const staging = <A, E>(
  medium: Medium,
  use: (staging: Staging) => Effect.Effect<A, E>,
  find: Find = () => {}
): Effect.Effect<A, E | StagingError> =>
  Effect.scoped(Effect.flatMap(openToStage(medium, find), use)).pipe(
    // Opening finishes what it finds begun; what cannot be removed now is removed by the next one.
    Effect.tapError(() => Effect.ignore(Effect.scoped(openStore(medium))))
  )

const openToStage = Effect.fnUntraced(
  function*(medium: Medium, find: Find): Effect.fn.Return<Staging, StagingError, Scope.Scope> {
    const opened = Effect.acquireRelease(
      openVerified(medium),
      ({ database }) => Effect.andThen(medium.leave, database.close)
    )
    const { contents: { mobs } } = yield* Effect.scoped(opened)
    if (Array.from(mobs.values()).some(({ destroyed }) => destroyed === "begun")) {
      yield* Effect.scoped(openStore(medium))
    }
    return new Staging(medium, yield* opened, find)
  }
)
