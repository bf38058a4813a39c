/**
 * The store over a medium: opening, owners, reopening after a failed write, closing. Everything that waits on the
 * database does so here; the committer below is synchronous.
 *
 * After a failed write nothing more is written to that database, as LevelDB would lose it, but it stays open and is read:
 * what was acknowledged is in it. It is closed only when there is room for what opening another one writes. So a mob on
 * a full disk can be read all the time, but for the moments in which an opening is tried: reads wait for those. Only
 * when an opening failed, and there is nothing left to read, reads fail with `StoreUnavailable`. Submissions and
 * acquires fail with it all the time; `barrier` waits.
 */
import { type Context, Effect, Fiber, type Scope, Semaphore } from "effect"
import type { MobId } from "../../sdk/ids.ts"
import {
  type MobLog,
  type MobReads,
  OwnerFenced,
  StoreClosed,
  type StoreError,
  type StoreListener,
  type StoreShape,
  StoreUnavailable
} from "../../sdk/store.ts"
import { Blobs } from "./blobs.ts"
import { Committer } from "./committer.ts"
import { Composer } from "./compose.ts"
import { destroy } from "./destroy.ts"
import type { DataFolderUnusable } from "./errors.ts"
import type { OwnedLog, Waiting } from "./group.ts"
import { inspectMob } from "./inspected.ts"
import { Listeners } from "./listeners.ts"
import type { Database, Medium } from "./medium.ts"
import { MobState } from "./mob-state.ts"
import { type Opened, openVerified } from "./open-database.ts"
import { openMob } from "./open-mob.ts"
import { prune, type PruneSite } from "./prune.ts"
import { logReads } from "./reading.ts"
import { namesOf, type Registered } from "./registry.ts"
import { CommitSeam, JournalTasks, type TaskPort } from "./seams.ts"
import { nameless } from "./stage.ts"

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
    yield* store.finishDestroyed
    const { acquire, batches, destroy, inspect, mobs } = store
    return { supports: medium.supports, acquire, batches, destroy, inspect, mobs }
  }
)

type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** Where a store stands. */
type Status =
  | { readonly type: "open" }
  | {
    readonly type: "reopening"
    readonly error: StoreUnavailable
    /** The database whose write failed is still open; another one is being opened; neither. */
    reads: "old" | "soon" | "none"
  }
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
  /** Woken when an opening was tried, and when the store is closed. */
  #awaiting: Array<() => void> = []
  /** While the store reopens: what the old database says of each log. */
  #views = new Map<OwnedLog, Fiber.Fiber<MobState, StoreError>>()
  readonly #blobs: Blobs
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
    this.#blobs = new Blobs(medium.blobs)
    this.#committer = this.#begin(opened, new Map())
  }

  readonly batches = (): number => this.#earlierBatches + this.#committer.batches

  readonly mobs: Effect.Effect<ReadonlyArray<MobId>, StoreError> = Effect.suspend(() =>
    this.#status.type === "closed" ? Effect.fail(this.#status.error) : Effect.succeed(namesOf(this.#mobs))
  )

  readonly acquire = Effect.fn("Journal.acquire")(
    { self: this },
    function*(mob: MobId): Effect.fn.Return<MobLog, StoreError> {
      if (!mob.isWellFormed()) return yield* nameless(mob)
      const { epoch, mobNo } = yield* this.#register(mob)
      const committer = this.#committer
      const state = yield* Effect.catchTag(openMob(this.#database, mob, mobNo, epoch), "StoreCorrupted", (damage) => {
        const now = this.#mobs.get(mob)
        // Whoever destroyed it meanwhile, or pruned it as its next owner, removed what was to be read.
        const ours = now?.mobNo === mobNo && now.epoch === epoch
        return Effect.fail(ours ? damage : new OwnerFenced({ mob, ours: epoch, current: now?.epoch ?? epoch }))
      })
      return yield* this.#own(mob, mobNo, epoch, state, committer)
    }
  )

  /** The next owner's record; what is left of a destroyed mob of this name is removed first. */
  #register(mob: MobId): Effect.Effect<Registered, StoreError> {
    return Effect.flatMap(
      this.#ask<Registered>(
        (asking) => ({ ...asking, type: "acquire", mob }),
        (registered) => this.#registered(mob, registered)
      ),
      (registered) =>
        registered.destroyed === undefined
          ? Effect.succeed(registered)
          : Effect.andThen(this.destroy(mob), this.#register(mob))
    )
  }

  readonly inspect = (mob: MobId): Effect.Effect<MobReads | undefined, StoreError> =>
    inspectMob({ readable: this.#readable, steady: this.#steady, shelf: this.#blobs.shelf }, mob)

  readonly destroy = Effect.fn("Journal.destroy")(
    { self: this },
    function*(mob: MobId): Effect.fn.Return<void, StoreError> {
      const registered = yield* this.#ask<Registered | undefined>(
        (asking) => ({ ...asking, type: "destroy", mob }),
        (registered) => registered && this.#registered(mob, registered)
      )
      if (registered?.destroyed !== "begun") return
      const { mobNo } = registered
      yield* destroy({
        mobNo,
        database: this.#database,
        clear: this.#blobs.clear(mobNo),
        settle: this.#settle,
        erase: (keys, last) => this.#ask<void>((asking) => ({ ...asking, type: "erase", mob, mobNo, keys, last }))
      })
    }
  )

  /** Goes on with what an earlier process began. What cannot be finished now is left to the next opening. */
  readonly finishDestroyed: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      // Only `acquire` makes these names, and it takes a MobId.
      [...this.#mobs].flatMap(([mob, { destroyed }]) => destroyed === "begun" ? [mob as MobId] : []),
      (mob) => Effect.catch(this.destroy(mob), (error) => Effect.logWarning(`mob ${mob} is not destroyed yet`, error)),
      { discard: true }
    )
  )

  /** Another epoch of this mob is durable: every log of it is fenced from here on. */
  #registered(mob: MobId, registered: Registered): void {
    this.#mobs.set(mob, registered)
    for (const log of this.#logs) {
      if (log.mob !== mob || log.epoch === registered.epoch) continue
      this.#end(log, new OwnerFenced({ mob, ours: log.epoch, current: registered.epoch }))
    }
  }

  /** Joins the open group with something that has an answer; `heard` is called with it before anything else happens. */
  #ask<A>(
    waiting: (asking: { readonly done: (answer: A) => void; readonly failed: (error: StoreError) => void }) => Waiting,
    heard: (answer: A) => void = () => {}
  ): Effect.Effect<A, StoreError> {
    return Effect.callback<A, StoreError>((resume) => {
      if (this.#status.type !== "open") return resume(Effect.fail(this.#status.error))
      this.#committer.add(waiting({
        done: (answer) => {
          heard(answer)
          resume(Effect.succeed(answer))
        },
        failed: (error) => resume(Effect.fail(error))
      }))
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
    const log: OwnedLog = { mob, mobNo, epoch, state, listeners: new Listeners(), ended: undefined }
    this.#logs.add(log)
    committer.composer.owners.set(mob, log)
    return Effect.succeed(this.#mobLog(mob, log))
  }

  #mobLog(mob: MobId, log: OwnedLog): MobLog {
    const pruning = Semaphore.makeUnsafe(1)
    return {
      ...logReads({
        whenQuiet: (look) => this.#look(log, look),
        // Memory goes on with the log.
        refresh: Effect.void,
        steady: this.#steady,
        blobs: this.#blobs.shelf
      }),
      mob,
      epoch: log.epoch,
      submit: (submission) => this.#committer.add({ type: "submission", log, submission }),
      barrier: (aggregate) => Effect.callback((resume) => this.#barrier(log, aggregate, resume)),
      firstCursor: () => log.state.firstCursor,
      latestCursor: () => log.state.durableCursor,
      listen: (listener) => {
        const { ended } = log
        if (ended === undefined) return log.listeners.add(listener)
        let wanted = true
        this.#tasks.later(() => {
          if (wanted) this.#say((listener) => listener.closed?.(ended), listener)
        })
        return () => {
          wanted = false
        }
      },
      prune: (keep) => pruning.withPermit(prune(this.#pruneSite(log), keep)),
      putBlob: (bytes) =>
        Effect.suspend(() => {
          const error = this.#whyNot(log)
          return error === undefined ? this.#blobs.put(log.mobNo, bytes) : Effect.fail(error)
        })
    }
  }

  /** Why this log may not change what is kept beside the database; undefined if it may. */
  #whyNot(log: OwnedLog): StoreError | undefined {
    return log.ended ?? (this.#status.type === "closed" ? this.#status.error : undefined)
  }

  #pruneSite(log: OwnedLog): PruneSite {
    const whenWritten: PruneSite["whenWritten"] = (look) =>
      Effect.andThen(this.#ask<void>((asking) => ({ ...asking, type: "look" })), this.#look(log, look))
    return {
      mobNo: log.mobNo,
      whenWritten,
      askHead: (aggregate) => {
        for (const listener of log.listeners.headsOf(aggregate)) {
          this.#say((listener) => listener.headWanted?.(aggregate), listener)
        }
      },
      settle: this.#settle,
      remove: (step) => this.#ask<number | undefined>((asking) => ({ ...asking, type: "prune", log, step })),
      sweep: this.#blobs.sweep(
        log.mobNo,
        (watch) =>
          whenWritten((_, database) => {
            watch()
            return database
          }),
        () => this.#whyNot(log)
      )
    }
  }

  /** Moves all blocks out of LevelDB's log, if they have not left it by themselves. */
  readonly #settle: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    let seq = 0
    // Taken while nothing is in flight: a batch that is, when this goes on, may land behind what is moved.
    yield* this.#ask<void>((asking) => ({ ...asking, type: "look" }), () => (seq = this.#committer.composer.seq))
    const { composer } = this.#committer
    if (composer.isSettled(seq)) return
    yield* this.#database.settle
    composer.settled(seq)
  })

  /** Looks at a log between two batches; while the store reopens, at what the old database says of it. */
  #look<A>(log: OwnedLog, look: (state: MobState, database: Database) => A): Effect.Effect<A, StoreError> {
    return Effect.suspend(() => {
      if (log.ended !== undefined) return Effect.fail(log.ended)
      if (this.#status.type !== "open") {
        return Effect.flatMap(this.#readable, (database) =>
          this.#status.type === "open"
            ? this.#look(log, look)
            : Effect.map(this.#view(log, database), (state) => look(state, database)))
      }
      return Effect.flatten(Effect.callback<Effect.Effect<A, StoreError>>((resume) => {
        this.#committer.whenQuiet((ended) => {
          resume(Effect.succeed(
            log.ended !== undefined || ended !== undefined
              ? this.#look(log, look)
              : Effect.succeed(look(log.state, this.#database))
          ))
        })
      }))
    })
  }

  /** The database to read; waits for an opening that is being tried. */
  readonly #readable: Effect.Effect<Database, StoreError> = Effect.callback<Database, StoreError>((resume) => {
    const answer = () => {
      if (this.#status.type === "closed") return resume(Effect.fail(this.#status.error))
      if (this.#status.type === "open" || this.#status.reads === "old") return resume(Effect.succeed(this.#database))
      if (this.#status.reads === "none") return resume(Effect.fail(this.#status.error))
      this.#awaiting.push(answer)
    }
    answer()
  })

  readonly #steady = <A>(read: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      const database = this.#database
      return Effect.catchTag(read, "StoreUnavailable", (error) =>
        database !== this.#database || (this.#status.type === "reopening" && this.#status.reads === "soon")
          ? this.#steady(read)
          : Effect.fail(error))
    })

  // Memory runs ahead of the disk by the batch that failed: the log is read anew, once for all readers.
  #view(log: OwnedLog, database: Database): Effect.Effect<MobState, StoreError> {
    let view = this.#views.get(log)
    if (view === undefined) {
      const { epoch, mobNo, state } = log
      view = this.#fork(openMob(database, state.mob, mobNo, epoch))
      this.#views.set(log, view)
    }
    // One that failed is not kept: the next reader looks again.
    return Effect.onError(Fiber.join(view), () =>
      Effect.sync(() => {
        if (this.#views.get(log) === view) this.#views.delete(log)
      }))
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
      commit: this.#blobs.watched(this.#seam(database.commit)),
      writeMark: this.#medium.writeMark,
      failing: (error) => {
        this.#status = { type: "reopening", error, reads: "old" }
        this.#views.clear()
      },
      lost: (error) => {
        this.#tell((listener) => listener.lost?.(error))
        this.#reopening = this.#fork(this.#reopen)
      },
      defect: (error) => this.#defect(error)
    })
  }

  readonly #reopen: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    for (let delay = first;; delay = Math.min(delay * 2, slowest)) {
      yield* Effect.sleep(delay)
      if (yield* Effect.uninterruptible(this.#tryOpen)) return
    }
  })

  /** One try; false if another is due. */
  readonly #tryOpen: Effect.Effect<boolean> = Effect.suspend(() => {
    const over = this.#tasks.begin()
    return Effect.gen({ self: this }, function*() {
      if (this.#status.type !== "reopening") return true
      // What is open and can be read is not given up for what would not open.
      if (this.#status.reads === "old" && !(yield* this.#medium.hasRoom)) return false
      this.#status.reads = "soon"
      yield* this.#database.close
      yield* this.#resume(yield* openVerified(this.#medium))
      return true
    }).pipe(
      Effect.catch((error) => {
        // Damage does not heal by waiting; all else may.
        const hopeless = error._tag === "StoreCorrupted" || error._tag === "SchemaUnsupported"
        if (hopeless) this.#closed(error)
        else if (this.#status.type === "reopening") this.#status.reads = "none"
        return Effect.succeed(hopeless)
      }),
      Effect.ensuring(Effect.sync(() => {
        over()
        this.#wake()
      }))
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
      this.#views.clear()
      // Nobody hears `reopened` before the last refusal.
      before.end(new StoreUnavailable({ reason: "it was opened again meanwhile" }))
      for (const [log, state] of states) {
        if (!(state instanceof MobState)) this.#end(log, state)
      }
      this.#tell((listener) => listener.reopened?.())
    }).pipe(Effect.onError(() => opened.database.close))
  }

  #end(log: OwnedLog, error: StoreError): void {
    this.#logs.delete(log)
    log.ended = error
    const listeners = log.listeners.all()
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
      for (const listener of log.listeners.all()) this.#say(say, listener)
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
    this.#fork(
      Effect.logError("something threw that must not: a callback of a submitter or listener, or composing", error)
    )
  }

  #wake(): void {
    const awaiting = this.#awaiting
    this.#awaiting = []
    for (const again of awaiting) again()
  }

  /** Waits until what was submitted is written, then lets go. */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    // What writers submit when they hear of their last batch would go on for ever.
    this.#committer.endAfterWaiting(new StoreClosed())
    yield* Effect.callback<void>((resume) => this.#whenIdle(() => resume(Effect.void)))
    if (this.#reopening !== undefined) yield* Fiber.interrupt(this.#reopening)
    if (this.#status.type !== "closed") this.#closed(new StoreClosed())
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
