/**
 * The store over a medium: opening, owners, reopening after a failed write, closing. Everything that waits on the
 * database does so here; the committer below is synchronous.
 *
 * While the store reopens, submissions, acquires and reads fail with `StoreUnavailable`; `barrier` waits.
 */
import { type Context, Effect, Fiber, type Scope } from "effect"
import type { MobId } from "../../sdk/ids.ts"
import {
  type MobLog,
  OwnerFenced,
  type StoreError,
  type StoreListener,
  type StoreShape,
  StoreUnavailable
} from "../../sdk/store.ts"
import { Committer } from "./committer.ts"
import { Composer, type OwnedLog } from "./compose.ts"
import type { DataFolderUnusable } from "./errors.ts"
import type { Database, Medium } from "./medium.ts"
import { MobState } from "./mob-state.ts"
import { beginDatabase, type Contents, verifyDatabase } from "./open-database.ts"
import { openMob } from "./open-mob.ts"
import { logReads, type WhenQuiet } from "./reading.ts"
import type { Registered } from "./registry.ts"
import { CommitSeam, JournalTasks, type TaskPort } from "./seams.ts"

/** Delay before the first try to open again, in milliseconds; doubled up to `slowest`, for ever. */
const first = 100
const slowest = 5000

/** Opens a store; it closes with the Scope: what was submitted is written first. */
export const openStore = Effect.fnUntraced(
  function*(medium: Medium): Effect.fn.Return<StoreShape, StoreError | DataFolderUnusable, Scope.Scope> {
    const tasks = yield* JournalTasks
    const seam = yield* CommitSeam
    const context = yield* Effect.context<never>()
    const store = yield* Effect.acquireRelease(
      Effect.map(openVerified(medium), (opened) => new Store(medium, tasks, seam, Effect.runForkWith(context), opened)),
      (store) => store.close
    )
    return { acquire: store.acquire, mobs: store.mobs, batches: store.batches }
  }
)

interface Opened {
  readonly database: Database
  readonly contents: Contents
  readonly seq: number
}

const openVerified = Effect.fnUntraced(
  function*(medium: Medium): Effect.fn.Return<Opened, StoreError | DataFolderUnusable> {
    const database = yield* medium.open
    return yield* Effect.gen(function*() {
      const contents = yield* beginDatabase(database, medium.name)
      const seq = yield* verifyDatabase(database, medium, contents)
      return { database, contents, seq }
    }).pipe(Effect.onError(() => Effect.andThen(medium.leave, database.close)))
  },
  Effect.uninterruptible
)

type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** Where a store stands. */
type Status =
  | { readonly type: "open" }
  | { readonly type: "reopening"; readonly error: StoreUnavailable }
  | { readonly type: "closed"; readonly error: StoreError }

class Store {
  readonly #medium: Medium
  readonly #tasks: TaskPort
  readonly #seam: Context.Service.Shape<typeof CommitSeam>
  readonly #fork: Fork
  #database: Database
  #committer: Committer
  #status: Status = { type: "open" }
  /** All logs that were not fenced. */
  #logs = new Set<OwnedLog>()
  #mobs: Map<string, Registered>
  #earlierBatches = 0
  /** Woken when the store is open again or closed. */
  #awaiting: Array<() => void> = []
  #reopening: Fiber.Fiber<void> | undefined

  constructor(
    medium: Medium,
    tasks: TaskPort,
    seam: Context.Service.Shape<typeof CommitSeam>,
    fork: Fork,
    opened: Opened
  ) {
    this.#medium = medium
    this.#tasks = tasks
    this.#seam = seam
    this.#fork = fork
    this.#database = opened.database
    this.#mobs = new Map(opened.contents.mobs)
    this.#committer = this.#begin(opened, new Map())
  }

  readonly batches = (): number => this.#earlierBatches + this.#committer.batches

  readonly mobs: Effect.Effect<ReadonlyArray<MobId>, StoreError> = Effect.suspend(() =>
    this.#status.type === "open"
      // Only `acquire` makes these names, and it takes a MobId.
      ? Effect.succeed([...this.#mobs.keys()].sort() as Array<MobId>)
      : Effect.fail(this.#status.error)
  )

  readonly acquire = Effect.fn("Journal.acquire")(
    { self: this },
    function*(mob: MobId): Effect.fn.Return<MobLog, StoreError> {
      const { epoch, mobNo } = yield* this.#register(mob)
      const committer = this.#committer
      const state = yield* openMob(this.#database, mob, mobNo, epoch)
      return yield* this.#own(mob, mobNo, epoch, state, committer)
    }
  )

  /** Writes the next owner epoch; every log of this mob is fenced from here on. */
  #register(mob: MobId): Effect.Effect<Registered, StoreError> {
    return Effect.callback<Registered, StoreError>((resume) => {
      if (this.#status.type !== "open") return resume(Effect.fail(this.#status.error))
      this.#committer.add({
        type: "acquire",
        mob,
        acquired: (registered) => {
          this.#mobs.set(mob, registered)
          for (const log of this.#logs) {
            if (log.mob === mob) this.#end(log, new OwnerFenced({ mob, ours: log.epoch, current: registered.epoch }))
          }
          resume(Effect.succeed(registered))
        },
        failed: (error) => resume(Effect.fail(error))
      })
    })
  }

  #own(
    mob: MobId,
    mobNo: number,
    epoch: number,
    state: MobState,
    committer: Committer
  ): Effect.Effect<MobLog, StoreError> {
    if (this.#status.type !== "open") return Effect.fail(this.#status.error)
    // Reopened in between: what was read may be of before.
    if (committer !== this.#committer) {
      return Effect.fail(new StoreUnavailable({ reason: "it was opened again meanwhile" }))
    }
    const current = this.#mobs.get(mob)?.epoch ?? 0
    if (current !== epoch) return Effect.fail(new OwnerFenced({ mob, ours: epoch, current }))
    const log: OwnedLog = { mob, mobNo, epoch, state, listeners: new Set(), ended: undefined }
    this.#logs.add(log)
    committer.composer.owners.set(mob, log)
    return Effect.succeed(this.#mobLog(mob, log))
  }

  #mobLog(mob: MobId, log: OwnedLog): MobLog {
    const whenQuiet: WhenQuiet = (look) =>
      Effect.callback((resume) => {
        const ended = log.ended ?? (this.#status.type === "open" ? undefined : this.#status.error)
        if (ended !== undefined) return resume(Effect.fail(ended))
        this.#committer.whenQuiet((ended) => {
          const error = log.ended ?? ended
          resume(error === undefined ? Effect.succeed(look(log.state, this.#database)) : Effect.fail(error))
        })
      })
    return {
      ...logReads(whenQuiet),
      mob,
      epoch: log.epoch,
      submit: (submission) => this.#committer.add({ type: "submission", log, submission }),
      barrier: (aggregate) => Effect.callback((resume) => this.#barrier(log, aggregate, resume)),
      latestCursor: () => log.state.durableCursor,
      listen: (listener: StoreListener) => {
        log.listeners.add(listener)
        return () => {
          log.listeners.delete(listener)
        }
      }
    }
  }

  #barrier(log: OwnedLog, aggregate: string, resume: (effect: Effect.Effect<void, StoreError>) => void): void {
    if (log.ended !== undefined) return resume(Effect.fail(log.ended))
    const again = () => this.#barrier(log, aggregate, resume)
    switch (this.#status.type) {
      case "closed":
        return resume(Effect.fail(this.#status.error))
      case "reopening":
        this.#awaiting.push(again)
        return
      case "open":
        if (this.#committer.holds(log, aggregate)) this.#committer.afterNext(again)
        else resume(Effect.void)
    }
  }

  #begin(opened: Opened, owners: ReadonlyMap<string, OwnedLog>): Committer {
    const { contents, database, seq } = opened
    return new Committer(new Composer(database, contents.mobs, seq, owners), {
      tasks: this.#tasks,
      commit: this.#seam(database.commit),
      writeMark: this.#medium.writeMark,
      failing: (error) => {
        this.#status = { type: "reopening", error }
      },
      lost: (error) => {
        this.#tell((listener) => listener.lost?.(error))
        this.#reopening = this.#fork(this.#reopen)
      },
      defect: (error) => this.#defect(error)
    })
  }

  readonly #reopen: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    yield* Effect.uninterruptible(this.#database.close)
    for (let delay = first;; delay = Math.min(delay * 2, slowest)) {
      yield* Effect.sleep(delay)
      if (yield* Effect.uninterruptible(this.#tryOpen)) return
    }
  })

  /** One try; false if another is due. */
  readonly #tryOpen: Effect.Effect<boolean> = Effect.suspend(() => {
    const over = this.#tasks.begin()
    return openVerified(this.#medium).pipe(
      Effect.flatMap((opened) => this.#resume(opened)),
      Effect.as(true),
      Effect.catch((error) => {
        // Damage does not heal by waiting; all else may.
        const hopeless = error._tag === "StoreCorrupted" || error._tag === "SchemaUnsupported"
        if (hopeless) this.#closed(error)
        return Effect.succeed(hopeless)
      }),
      Effect.ensuring(Effect.sync(over))
    )
  })

  /** The database is open again: every log is read anew, and goes on if it is still ours. */
  #resume(opened: Opened): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const states = new Map<OwnedLog, MobState | StoreError>()
      for (const log of this.#logs) {
        const current = opened.contents.mobs.get(log.mob)?.epoch ?? 0
        const { epoch, mob, mobNo } = log
        if (current !== epoch) states.set(log, new OwnerFenced({ mob, ours: epoch, current }))
        else states.set(log, yield* readAgain(openMob(opened.database, log.state.mob, mobNo, epoch)))
      }
      const before = this.#committer
      const owners = new Map<string, OwnedLog>()
      for (const [log, state] of states) {
        if (!(state instanceof MobState)) continue
        log.state = state
        owners.set(log.mob, log)
      }
      this.#earlierBatches += before.batches
      this.#database = opened.database
      this.#mobs = new Map(opened.contents.mobs)
      this.#committer = this.#begin(opened, owners)
      this.#status = { type: "open" }
      // Nobody hears `reopened` before the last refusal.
      before.end(new StoreUnavailable({ reason: "it was opened again meanwhile" }))
      for (const [log, state] of states) {
        if (!(state instanceof MobState)) this.#end(log, state)
      }
      this.#tell((listener) => listener.reopened?.())
      this.#wake()
    }).pipe(Effect.onError(() => opened.database.close))
  }

  #end(log: OwnedLog, error: StoreError): void {
    this.#logs.delete(log)
    log.ended = error
    const listeners = [...log.listeners]
    log.listeners.clear()
    for (const listener of listeners) this.#say((listener) => listener.closed?.(error), listener)
  }

  #closed(error: StoreError): void {
    this.#status = { type: "closed", error }
    this.#committer.end(error)
    for (const log of this.#logs) this.#end(log, error)
    this.#wake()
  }

  #tell(say: (listener: StoreListener) => void): void {
    for (const log of this.#logs) {
      for (const listener of log.listeners) this.#say(say, listener)
    }
  }

  #say(say: (listener: StoreListener) => void, listener: StoreListener): void {
    try {
      say(listener)
    } catch (error) {
      this.#defect(error)
    }
  }

  /** Callbacks must not throw; one that does is reported, and the others are still called. */
  #defect(error: unknown): void {
    this.#fork(Effect.logError("a callback of a journal's submitter or listener threw", error))
  }

  #wake(): void {
    const awaiting = this.#awaiting
    this.#awaiting = []
    for (const again of awaiting) again()
  }

  /** Waits until what was submitted is written, then lets go. */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    yield* Effect.callback<void>((resume) => this.#whenIdle(() => resume(Effect.void)))
    if (this.#reopening !== undefined) yield* Fiber.interrupt(this.#reopening)
    if (this.#status.type !== "closed") this.#closed(new StoreUnavailable({ reason: "it was closed" }))
    yield* this.#medium.leave
    yield* this.#database.close
  })

  #whenIdle(done: () => void): void {
    if (this.#status.type !== "open" || this.#committer.idle) return done()
    this.#committer.afterNext(() => this.#whenIdle(done))
  }
}

/** Damage of one mob's log ends that log alone; a read that failed otherwise is tried again with all. */
const readAgain = (read: Effect.Effect<MobState, StoreError>): Effect.Effect<MobState | StoreError, StoreError> =>
  Effect.catchTag(read, ["StoreCorrupted", "SchemaUnsupported"], (error) => Effect.succeed(error))
