/**
 * The database that stands open and its committer, and what follows when a write failed.
 *
 * After a failed write nothing more is written to that database, as LevelDB would lose it, but it stays open and is read:
 * what was acknowledged is in it. It is closed only when there is room for what opening another one writes. So a mob on
 * a full disk can be read all the time, but for the moments in which an opening is tried: reads wait for those. Only
 * when an opening failed, and there is nothing left to read, reads fail with `StoreUnavailable`. Submissions and
 * acquires fail with it all the time; `barrier` waits.
 */
import { Cause, Effect, Fiber, Option } from "effect"
import { StoreClosed, type StoreError, type StoreListener, StoreUnavailable } from "../../sdk/store.ts"
import { Committer } from "./committer.ts"
import { Composer } from "./compose.ts"
import type { OwnedLog, Waiting } from "./group.ts"
import type { Database, Medium } from "./medium.ts"
import { MobState } from "./mob-state.ts"
import { type Opened, openVerified } from "./open-database.ts"
import { readAnew, Views } from "./read-anew.ts"
import type { Commit, TaskPort } from "./seams.ts"

/** Delay before the first try to open again, in milliseconds; doubled up to `slowest`, for ever. */
const first = 100
const slowest = 5000

/** What a connection needs around it. */
interface Environment {
  readonly medium: Medium
  readonly tasks: TaskPort
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** Stands in front of the commits of each database that is opened. May throw. */
  readonly commits: (commit: Commit) => Commit
}

/** Where a connection stands. */
type Status =
  | { readonly type: "open" }
  | {
    readonly type: "reopening"
    readonly error: StoreUnavailable
    /** The database whose write failed is still open; another one is being opened; neither. */
    reads: "old" | "soon" | "none"
  }
  | { readonly type: "closed"; readonly error: StoreError }

/** The way to whichever database is open. */
export class Connection {
  readonly #around: Environment
  /** All logs that were not fenced. */
  readonly logs = new Set<OwnedLog>()
  #database: Database
  #committer: Committer
  #status: Status = { type: "open" }
  #earlierBatches = 0
  /** Woken when an opening was tried, and when the store is closed. */
  #awaiting: Array<() => void> = []
  /** For reads while the store reopens. */
  readonly views: Views
  #reopening: Fiber.Fiber<void> | undefined

  constructor(around: Environment, opened: Opened) {
    this.#around = around
    this.views = new Views(around.fork)
    this.#database = opened.database
    this.#committer = this.#begin(opened, new Map())
  }

  get status(): Status {
    return this.#status
  }

  /** The newest database that was opened. */
  get database(): Database {
    return this.#database
  }

  /** The committer of that database. */
  get committer(): Committer {
    return this.#committer
  }

  /** Group commits that held a submission and were synced. */
  get batches(): number {
    return this.#earlierBatches + this.#committer.batches
  }

  /** Joins the open group with something that has an answer; `heard` is called with it before anything else happens. */
  ask<A>(
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

  /** Moves all blocks out of LevelDB's log, if they have not left it by themselves. */
  readonly settle: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    let seq = 0
    // Taken while nothing is in flight: a batch that is, when this goes on, may land behind what is moved.
    yield* this.ask<void>((asking) => ({ ...asking, type: "look" }), () => (seq = this.#committer.composer.seq))
    const { settling } = this.#committer.composer
    if (settling.includes(seq)) return
    yield* this.#database.settle
    settling.settled(seq)
  })

  /** The database to read; waits for an opening that is being tried. */
  readonly readable: Effect.Effect<Database, StoreError> = Effect.callback<Database, StoreError>((resume, signal) => {
    const answer = () => {
      if (signal.aborted) return
      if (this.#status.type === "closed") return resume(Effect.fail(this.#status.error))
      if (this.#status.type === "open" || this.#status.reads === "old") return resume(Effect.succeed(this.#database))
      if (this.#status.reads === "none") return resume(Effect.fail(this.#status.error))
      this.whenTried(answer)
    }
    answer()
  })

  /** Reads again what failed because the database was closed for another. */
  readonly steady = <A>(read: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      const database = this.#database
      return Effect.catchTag(read, "StoreUnavailable", (error) =>
        database !== this.#database || (this.#status.type === "reopening" && this.#status.reads === "soon")
          ? this.steady(read)
          : Effect.fail(error))
    })

  /** Calls this in a later task. */
  later(task: () => void): void {
    this.#around.tasks.later(task)
  }

  /** Calls this when an opening was tried, or the store is closed. */
  whenTried(again: () => void): void {
    this.#awaiting.push(again)
  }

  /** This log answers nothing any more. */
  end(log: OwnedLog, error: StoreError): void {
    this.logs.delete(log)
    log.ended = error
    const listeners = log.listeners.all()
    log.listeners.clear()
    for (const listener of listeners) this.tell(listener, (listener) => listener.closed?.(error))
  }

  /** Tells a listener something; one that throws, which it must not, is reported, and the others are still told. */
  tell(listener: StoreListener, say: (listener: StoreListener) => void): void {
    try {
      say(listener)
    } catch (error) {
      this.#defect(error)
    }
  }

  /** Writes what waits and nothing that comes after it, then lets go. */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    // What writers submit when they hear of their last batch would go on for ever.
    this.#committer.endAfterWaiting(new StoreClosed())
    yield* Effect.callback<void>((resume) => this.#whenIdle(() => resume(Effect.void)))
    if (this.#reopening !== undefined) yield* Fiber.interrupt(this.#reopening)
    if (this.#status.type !== "closed") this.#closed(new StoreClosed())
    yield* this.#around.medium.leave
    yield* this.#database.close
  })

  #whenIdle(done: () => void): void {
    if (this.#status.type !== "open" || this.#committer.idle) return done()
    this.#committer.afterNext(() => this.#whenIdle(done))
  }

  #begin(opened: Opened, owners: ReadonlyMap<string, OwnedLog>): Committer {
    const { contents, database, seq } = opened
    const { commits, fork, medium, tasks } = this.#around
    return new Committer(new Composer(database, contents.mobs, seq, owners), {
      tasks,
      commit: commits(database.commit),
      writeMark: medium.writeMark,
      failing: (error) => {
        this.#status = { type: "reopening", error, reads: "old" }
        this.views.clear()
      },
      lost: (error) => {
        this.#tellAll((listener) => listener.lost?.(error))
        this.#reopening = fork(this.#reopen)
      },
      room: () => this.#tellAll((listener) => listener.room?.()),
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
    const over = this.#around.tasks.begin()
    return Effect.gen({ self: this }, function*() {
      if (this.#status.type !== "reopening") return true
      // What is open and can be read is not given up for what would not open.
      if (this.#status.reads === "old" && !(yield* this.#around.medium.hasRoom)) return false
      this.#status.reads = "soon"
      yield* this.#database.close
      yield* this.#resume(yield* openVerified(this.#around.medium))
      return true
    }).pipe(
      Effect.catchCause((cause) => {
        const error = Option.getOrUndefined(Cause.findErrorOption(cause))
        // Damage does not heal by waiting; all else may, even what should not have been thrown.
        if (error?._tag === "StoreCorrupted" || error?._tag === "SchemaUnsupported") {
          this.#closed(error)
          return Effect.succeed(true)
        }
        if (error === undefined) this.#defect(Cause.squash(cause))
        if (this.#status.type === "reopening") this.#status.reads = "none"
        return Effect.succeed(false)
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
      const states = yield* readAnew(opened, this.logs)
      const owners = new Map<string, OwnedLog>()
      for (const [log, state] of states) {
        if (state instanceof MobState) owners.set(log.mob, log)
      }
      // Before anything is changed: it throws when what stands in front of the commits does.
      const committer = this.#begin(opened, owners)
      const before = this.#committer
      for (const [log, state] of states) {
        if (state instanceof MobState) log.state = state
      }
      this.#earlierBatches += before.batches
      this.#database = opened.database
      this.#committer = committer
      this.#status = { type: "open" }
      this.views.clear()
      // Nobody hears `reopened` before the last refusal.
      before.end(new StoreUnavailable({ reason: "it was opened again meanwhile" }))
      for (const [log, state] of states) {
        if (!(state instanceof MobState)) this.end(log, state)
      }
      this.#tellAll((listener) => listener.reopened?.())
    }).pipe(Effect.onError(() => opened.database.close))
  }

  #closed(error: StoreError): void {
    this.#status = { type: "closed", error }
    this.#committer.end(error)
    for (const log of this.logs) this.end(log, error)
    this.#wake()
  }

  #tellAll(say: (listener: StoreListener) => void): void {
    for (const log of this.logs) {
      for (const listener of log.listeners.all()) this.tell(listener, say)
    }
  }

  #defect(error: unknown): void {
    const { fork } = this.#around
    fork(Effect.logError("something threw that must not: a callback, a commit seam, or composing", error))
  }

  #wake(): void {
    const awaiting = this.#awaiting
    this.#awaiting = []
    for (const again of awaiting) again()
  }
}
