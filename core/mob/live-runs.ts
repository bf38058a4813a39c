/**
 * The cells of a mob's runs in this process: how they are made and woken, who waits for their ends, and what becomes of
 * one that crashes on and on.
 */
import { Cause, type Clock, Effect, Exit } from "effect"
import type { Millis, RunId } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import {
  type CommandLost,
  DEFAULT_ORPHANS,
  OrphanSlots,
  runCell,
  type RunMessage,
  type RunSurroundings
} from "../flow/index.ts"
import { causeText, unreadOf, untilReadable } from "../journal/aggregate.ts"
import type { EndedRun, MobCommand, MobState } from "../machine/mob/index.ts"
import type { FlowPlan, RunRecord, RunState } from "../machine/run/index.ts"
import type { Directory } from "./directory.ts"
import type { Plans } from "./plans.ts"
import { recently, type Slot } from "./slot.ts"
import { readRunPin } from "./stored.ts"

/** Crashes of a run's cell within the period that end the run. */
const RUN_CRASHES = 3
const RUN_CRASH_PERIOD = 60_000

/** What surrounds the runs' cells. */
interface RunsSurroundings {
  readonly log: MobLog
  readonly plans: Plans
  readonly directory: Directory
  readonly clock: Clock.Clock
  /** Runs that an earlier process left and that are not to go on. */
  readonly canceled: ReadonlySet<RunId>
  /** Where their cells hang; undefined before the tree stands. */
  readonly slot: () => Slot | undefined
  readonly state: () => MobState | undefined
  readonly command: (command: (now: number) => MobCommand) => void
  readonly isClosed: () => boolean
  readonly closed: (error: StoreError) => void
  /** The mob committed the release of a run that ended then. */
  readonly released: (run: RunId, at: Millis) => void
}

/** See the module's text. */
export class LiveRuns {
  readonly orphans = new OrphanSlots()
  private readonly around: RunsSurroundings
  private readonly ends = new Map<RunId, EndedRun & { readonly at: Millis }>()
  private readonly watchers = new Map<RunId, Set<(record: RunRecord | undefined) => void>>()
  private readonly crashes = new Map<RunId, ReadonlyArray<number>>()
  private readonly canceled: Set<RunId>

  constructor(around: RunsSurroundings) {
    this.around = around
    this.canceled = new Set(around.canceled)
  }

  /** Free slots for detached turns at this moment. */
  readonly orphanSlots = (): number => {
    const { directory, plans } = this.around
    const limit = plans.inForce.definition.limits.max_orphaned_turns ?? DEFAULT_ORPHANS
    return Math.max(0, limit - this.orphans.used(directory.roster))
  }

  /** Committed end of a run that the mob may not have released yet. */
  endOf(run: RunId): EndedRun | undefined {
    return this.ends.get(run)
  }

  /** The mob committed the run's release. */
  released(run: RunId): void {
    const end = this.ends.get(run)
    if (end !== undefined) this.around.released(run, end.at)
    this.ends.delete(run)
    this.crashes.delete(run)
    this.around.directory.runs.get(run)?.tellUnsafe({ type: "released" })
  }

  /**
   * Calls back once, with the record when the run's end is committed, with undefined when it is given up as unreadable;
   * the result forgets the callback.
   */
  watch(run: RunId, callback: (record: RunRecord | undefined) => void): () => void {
    const watchers = this.watchers.get(run) ?? new Set()
    watchers.add(callback)
    this.watchers.set(run, watchers)
    return () => {
      watchers.delete(callback)
      if (watchers.size === 0 && this.watchers.get(run) === watchers) this.watchers.delete(run)
    }
  }

  private readonly surroundings = (): RunSurroundings => ({
    log: this.around.log,
    roster: () => this.around.directory.roster,
    orphans: this.orphans,
    orphanSlots: this.orphanSlots,
    send: this.around.directory.send,
    born: (run, self) => {
      // Before anything else it hears.
      if (this.canceled.delete(run)) self.tellUnsafe(this.cancelInterrupted(run))
      this.around.directory.runBorn(run, self)
    },
    ended: (run, record) => this.runEnded(run, record),
    idle: (run, self) => {
      this.around.directory.runIdle(run, self)
      this.around.slot()?.fork(self.stop({ drain: true }))
    },
    crashed: (run, cause) => this.runCrashed(run, causeText(cause)),
    pastLimit: (run) =>
      (this.crashes.get(run)?.length ?? 0) >= RUN_CRASHES
        ? `its cell crashed ${RUN_CRASHES} times in ${RUN_CRASH_PERIOD / 1_000} s`
        : undefined,
    closed: this.around.closed,
    released: (run) => this.around.state()?.active.has(run) !== true
  })

  /** Cancels a run at open, and again until that is committed. */
  private cancelInterrupted(run: RunId): RunMessage {
    const done = (exit: Exit.Exit<RunRecord, CommandLost>) => {
      if (exit._tag === "Success" || this.around.isClosed()) return
      this.around.directory.toRun(run, this.cancelInterrupted(run))
    }
    return { type: "cancel", reply: { done } }
  }

  /** One that crashes even when it is only to end is let go (protocol 25). */
  private runCrashed(run: RunId, message: string) {
    const now = this.around.clock.currentTimeMillisUnsafe()
    const recent = recently(this.crashes.get(run), now, RUN_CRASH_PERIOD)
    this.crashes.set(run, recent)
    if (recent.length <= RUN_CRASHES) return
    const cell = this.around.directory.runs.get(run)
    if (cell !== undefined) this.around.slot()?.fork(cell.stop())
    this.unreadable(run, message)
  }

  private runEnded(run: RunId, record: RunRecord) {
    // Only ended runs are told here; `running` is not among what it may say.
    if (record.status !== "running") {
      this.ends.set(run, { run_id: run, status: record.status, at: record.completed_at ?? record.started_at })
    }
    this.tellWatchers(run, record)
  }

  private tellWatchers(run: RunId, record: RunRecord | undefined) {
    const watchers = this.watchers.get(run)
    this.watchers.delete(run)
    for (const callback of watchers ?? []) callback(record)
  }

  /** A run's first entry is committed: its cell starts with that state. */
  created(run: RunId, plan: FlowPlan, state: RunState) {
    this.around.directory.runExpected(run)
    this.spawnRun(run, plan, { state, revision: 1 })
  }

  private spawnRun(run: RunId, plan: FlowPlan, preloaded?: { readonly state: RunState; readonly revision: number }) {
    const slot = this.around.slot()
    if (slot === undefined || this.around.directory.runs.has(run)) return
    const spawned = slot.spawn(runCell(run, plan, this.surroundings(), preloaded))
    slot.fork(Effect.asVoid(Effect.catch(spawned, (failed) => Effect.sync(() => this.notStarted(run, failed.cause)))))
  }

  /** What is said of a run that cannot start lasts: only what its own records do counts. */
  private notStarted(run: RunId, cause: Cause.Cause<unknown>) {
    const unread = unreadOf(cause)
    if (unread?.type === "unsupported") this.around.closed(unread.error)
    else if (unread?.type === "unreadable") this.unreadable(run, unread.message)
  }

  /** A run that cannot be loaded is let go, its log stays (protocol 25). */
  private unreadable(run: RunId, cause: string) {
    this.around.directory.runs.delete(run)
    this.around.directory.runGone(run, (message) => this.answerGone(message))
    if (this.around.state()?.active.has(run) === true) {
      this.around.command(() => ({ type: "run_unreadable", run_id: run, cause }))
    }
    this.crashes.delete(run)
    this.tellWatchers(run, undefined)
  }

  /** Starts the cell of a stored run. */
  wake(run: RunId) {
    const active = this.around.state()?.active.get(run)
    const plan = active === undefined
      ? Effect.flatMap(
        readRunPin(this.around.log, run),
        (pin) => pin === undefined ? Effect.succeed(undefined) : this.around.plans.ofPinned(pin.digest, pin.flow_id)
      )
      : this.around.plans.ofPinned(active.digest, active.flow_id)
    this.around.slot()?.fork(
      untilReadable(plan).pipe(
        Effect.match({
          onSuccess: (found) => {
            if (found === undefined) this.around.directory.runGone(run, (message) => this.answerGone(message))
            else this.spawnRun(run, found)
          },
          onFailure: (error) => this.notStarted(run, Cause.fail(error))
        })
      )
    )
  }

  /** What a run that is in no log would have said: everything is settled (R7). */
  private answerGone(message: RunMessage) {
    if (message.type === "owner" && message.message.type !== "who" && message.message.type !== "ended") {
      const { input } = message.message
      for (const door of this.around.directory.doors.values()) {
        door.tellUnsafe({ type: "door", message: { type: "settled", input } })
      }
    } else if (message.type === "cancel" || message.type === "record") {
      message.reply?.done(Exit.fail({ _tag: "Gone" }))
    }
  }
}
