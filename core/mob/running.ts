/**
 * A mob that lives in this process: its tree of cells and what joins them.
 *
 * The tree: the mob's supervisor, below it the coordinator, `members` and `runs`. A crash of the coordinator past its
 * limit takes the mob down with its cause; a crash of a run or member never does.
 */
import { type Clock, Deferred, Effect, Exit } from "effect"
import { BindFailed } from "../../sdk/bridge.ts"
import type { Definition } from "../../sdk/definition/index.ts"
import type { FlowId, Identity, RunId } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import type { ActorRef, ActorSystem, CellContext, CellSpec, SpawnFailed, Supervision } from "../actor/index.ts"
import {
  type CommandLost,
  DEFAULT_ORPHANS,
  OrphanSlots,
  runCell,
  type RunMessage,
  type RunSurroundings,
  validateSchema
} from "../flow/index.ts"
import { causeText } from "../journal/durable.ts"
import { type EndedRun, type MobCommand, type MobState, rosterView } from "../machine/mob/index.ts"
import { compileFlow, type FlowPlan, type RunRecord, type RunState } from "../machine/run/index.ts"
import { memberCell } from "../member/index.ts"
import type { Bridges } from "../plugin/index.ts"
import { coordinatorCell } from "./coordinator.ts"
import { Directory } from "./directory.ts"
import { MobClosed } from "./errors.ts"
import type { MobMessage } from "./messages.ts"
import { readPinned, readRunPin } from "./stored.ts"

/** Crashes of a run's cell within the period that end the run. */
const RUN_CRASHES = 3
const RUN_CRASH_PERIOD = 60_000

/** Crashes of a member's cell within the period that break the member. */
const MEMBER_CRASHES = 5
const MEMBER_CRASH_PERIOD = 60_000

/** A definition with its digest and folder. */
export interface InForce {
  readonly definition: Definition
  readonly digest: string
  readonly base: string
}

/** What a mob is started with. */
export interface StartOptions {
  readonly log: MobLog
  readonly system: ActorSystem["Service"]
  readonly bridges: Bridges["Service"]
  readonly inForce: InForce
  /** Runs that an earlier process left and that are not to go on. */
  readonly canceled?: ReadonlySet<RunId>
  /** Members that may not be started, because a process of theirs is still there, and why. */
  readonly stuck?: ReadonlyMap<Identity, { readonly code: string; readonly message: string }>
}

/** The profile's bridge and the rest of its `bridge` table; undefined if the profile names none that is known. */
export const bridgeOf = (definition: Definition, bridges: Bridges["Service"], role: string) => {
  const profile = definition.profiles.find(([name]) => name === role)?.[1]
  if (profile?.bridge === undefined) return undefined
  const { use, ...config } = profile.bridge
  const bridge = bridges.get(use)
  return bridge === undefined ? undefined : { bridge, config }
}

type Slot = CellContext<never>

/** A member's cell that crashes waits before it starts again, so that one that cannot start costs nothing. */
const MEMBER_BACKOFF = { initial: 100, max: 30_000, jitter: 0.2, reset: 60_000 }

/** Times within the period before now, and now. */
const recently = (times: ReadonlyArray<number> | undefined, now: number, period: number): ReadonlyArray<number> => [
  ...(times ?? []).filter((at) => at > now - period),
  now
]

/** See the module's text. Made by {@link startMob}. */
export class RunningMob {
  readonly directory: Directory
  readonly orphans = new OrphanSlots()
  readonly log: MobLog
  /** Completed once, with the reason, when the mob lives no more in this process. */
  readonly closed = Deferred.makeUnsafe<string>()
  inForce: InForce
  state: MobState | undefined
  private readonly options: StartOptions
  private readonly clock: Clock.Clock
  private readonly random: () => number
  private readonly plans = new Map<string, FlowPlan>()
  private readonly pinned = new Map<string, Definition>()
  private readonly ends = new Map<RunId, EndedRun>()
  private readonly watchers = new Map<RunId, Set<(record: RunRecord | undefined) => void>>()
  private readonly crashes = new Map<RunId, ReadonlyArray<number>>()
  private readonly memberCrashes = new Map<Identity, ReadonlyArray<number>>()
  private readonly canceled: Set<RunId>
  /** Emptied when these members are recorded as broken: whoever mended one may spawn it again. */
  readonly stuck: Map<Identity, { readonly code: string; readonly message: string }>
  private coordinator: ActorRef<MobMessage> | undefined
  private supervisor: ActorRef<never> | undefined
  private members: Slot | undefined
  private runs: Slot | undefined

  constructor(options: StartOptions, clock: Clock.Clock, random: () => number) {
    this.options = options
    this.clock = clock
    this.random = random
    this.log = options.log
    this.inForce = options.inForce
    this.canceled = new Set(options.canceled)
    this.stuck = new Map(options.stuck)
    this.pinned.set(options.inForce.digest, options.inForce.definition)
    this.directory = new Directory({
      toMob: (message) => this.tellCoordinator({ type: "protocol", message }),
      wake: (run) => this.wake(run),
      join: (identity) => this.join(identity),
      leave: (_, door) => this.members?.fork(door.stop({ drain: true }))
    })
  }

  /** Starts the tree; the coordinator has loaded, and taken over, when it succeeds. */
  readonly start: Effect.Effect<void, SpawnFailed> = Effect.suspend(() =>
    Effect.map(this.options.system.spawn(this.supervisorSpec()), (ref) => {
      this.supervisor = ref
    })
  )

  /** Takes the tree down in order: runs, members, coordinator. Nothing is recorded. Idempotent. */
  readonly close = (reason: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      Deferred.doneUnsafe(this.closed, Exit.succeed(reason))
      return this.supervisor === undefined ? Effect.void : this.supervisor.stop()
    })

  /** It lives no more in this process, though its cells may still be on their way down. */
  get isClosed(): boolean {
    return Deferred.isDoneUnsafe(this.closed)
  }

  /** The coordinator, or `MobClosed`. */
  readonly ask: Effect.Effect<ActorRef<MobMessage>, MobClosed> = Effect.suspend(() => {
    const coordinator = this.coordinator
    if (coordinator !== undefined && !this.isClosed) return Effect.succeed(coordinator)
    return Effect.flatMap(this.ended, (reason) => Effect.fail(new MobClosed({ mob: this.log.mob, reason })))
  })

  /** Why the mob lives no more; waits until it does not. */
  readonly ended: Effect.Effect<string> = Effect.suspend(() => Deferred.await(this.closed))

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

  /** The compiled flow of a definition that is in force or pinned. */
  planOf(definition: Definition, digest: string, flow: FlowId): FlowPlan {
    const key = `${digest}/${flow}`
    const known = this.plans.get(key)
    if (known !== undefined) return known
    const plan = compileFlow(definition, flow, digest, validateSchema)
    this.plans.set(key, plan)
    return plan
  }

  /** The plan a stored run is pinned to. Fails when its definition is not in the store. */
  readonly pinnedPlan = (digest: string, flow: FlowId): Effect.Effect<FlowPlan, StoreError> =>
    Effect.map(this.definition(digest), (definition) => this.planOf(definition, digest, flow))

  private definition(digest: string): Effect.Effect<Definition, StoreError> {
    const known = this.pinned.get(digest)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(readPinned(this.log, digest), (definition) => {
      this.pinned.set(digest, definition)
      return definition
    })
  }

  /** Another definition of the same id takes effect for new runs. */
  revise(inForce: InForce): void {
    this.inForce = inForce
    this.pinned.set(inForce.digest, inForce.definition)
  }

  private tellCoordinator(message: MobMessage) {
    if (this.coordinator?.tellUnsafe(message) !== true) this.directory.deadLetters += 1
  }

  private readonly orphanLimit = () => this.inForce.definition.limits.max_orphaned_turns ?? DEFAULT_ORPHANS

  /** Free slots for detached turns at this moment. */
  readonly orphanSlots = (): number => Math.max(0, this.orphanLimit() - this.orphans.used(this.directory.roster))

  private supervisorSpec(): CellSpec<null, never, SpawnFailed, never> {
    return {
      name: `mob ${this.log.mob}`,
      restart: "temporary",
      shutdown: "infinity",
      supervision: { strategy: "one_for_one", intensity: 3, period: 5_000 },
      init: (context) =>
        Effect.gen({ self: this }, function*() {
          yield* context.spawn(this.slot("members", (slot) => this.members = slot, MEMBER_BACKOFF))
          yield* context.spawn(this.slot("runs", (slot) => this.runs = slot))
          yield* context.spawn(coordinatorCell({
            log: this.log,
            send: this.directory.send,
            born: (self) => this.coordinator = self,
            committed: (state) => this.committed(state),
            roster: () => this.directory.roster,
            orphanSlots: this.orphanSlots,
            endOf: (run) => this.ends.get(run),
            runCreated: (run, message, state) => this.runCreated(run, message.plan, state),
            runReleased: (run) => {
              this.ends.delete(run)
              this.crashes.delete(run)
              this.directory.runs.get(run)?.tellUnsafe({ type: "released" })
            },
            random: this.random,
            closed: (error) => this.fall(error.message)
          }))
          return null
        }),
      behavior: (state) => Exit.succeed(state),
      onStop: (_, reason) =>
        Effect.sync(() => {
          const why = reason._tag === "Crashed" ? causeText(reason.cause) : "it was closed"
          Deferred.doneUnsafe(this.closed, Exit.succeed(why))
        })
    }
  }

  /**
   * A supervisor for alike children, which are started from outside through its context. It never escalates: nobody
   * would start its children again. Each child has a limit of its own, past which its run fails or its member is broken.
   */
  private slot(
    name: string,
    ready: (slot: Slot) => void,
    backoff?: NonNullable<Supervision["backoff"]>
  ): CellSpec<null, never, never, never> {
    return {
      name,
      restart: "permanent",
      shutdown: "infinity",
      supervision: {
        strategy: "one_for_one",
        intensity: Number.MAX_SAFE_INTEGER,
        period: 60_000,
        ...(backoff === undefined ? {} : { backoff })
      },
      init: (context) =>
        Effect.sync(() => {
          ready(context)
          return null
        }),
      behavior: (state) => Exit.succeed(state)
    }
  }

  /** The store or the owner is gone for good: the mob closes with that cause; others live. */
  private fall(reason: string) {
    if (!Deferred.doneUnsafe(this.closed, Exit.succeed(reason))) return
    // From outside the tree, because the tree cannot await its own end.
    Effect.runFork(this.close(reason))
  }

  private committed(state: MobState) {
    const before = this.state
    this.state = state
    if (before?.version === state.version) return
    this.directory.roster = rosterView(state)
    for (const run of this.directory.runs.values()) run.tellUnsafe({ type: "roster_changed" })
  }

  /** Starts the cell of a member of the committed roster. */
  private join(identity: Identity) {
    const member = this.state?.members.get(identity)
    if (member === undefined || this.members === undefined) return
    const spec = memberCell({
      log: this.log,
      identity,
      member: () => this.state?.members.get(identity) ?? member,
      base: this.inForce.base,
      connector: this.connectorOf(identity, member.role),
      send: this.directory.send,
      recordProcess: (fence, process, done) =>
        this.tellCoordinator({
          type: "protocol",
          message: { type: "process_started", identity, fence, process },
          done
        }),
      born: (self) => this.directory.doorBorn(identity, self),
      deadLetter: () => this.directory.deadLetters += 1,
      crashed: (cause) => this.memberCrashed(identity, causeText(cause)),
      closed: (error) => this.fall(error.message)
    })
    this.members.fork(
      this.members.spawn(spec).pipe(
        Effect.catch((failed) =>
          Effect.sync(() => {
            const cause = { code: "inbox_unreadable", message: causeText(failed.cause), log: [] }
            this.command((at) => ({ type: "break_member", identity, at, cause }))
            this.directory.doorGone(identity, cause.message)
          })
        ),
        Effect.asVoid
      )
    )
  }

  private connectorOf(identity: Identity, role: string) {
    const found = bridgeOf(this.inForce.definition, this.options.bridges, role)
    const stuck = this.stuck.get(identity)
    if (found === undefined || stuck === undefined) return found
    const failed = new BindFailed({ identity, cause_code: stuck.code, reason: stuck.message, log: [] })
    return { ...found, bridge: { ...found.bridge, bind: () => Effect.fail(failed) } }
  }

  /** A member whose cell crashes on and on takes no more work; its cell goes on with what it can (design 4). */
  private memberCrashed(identity: Identity, message: string) {
    const now = this.clock.currentTimeMillisUnsafe()
    const recent = recently(this.memberCrashes.get(identity), now, MEMBER_CRASH_PERIOD)
    this.memberCrashes.set(identity, recent)
    if (recent.length <= MEMBER_CRASHES) return
    this.memberCrashes.delete(identity)
    const cause = { code: "member_cell_crashed", message, log: [] }
    this.command((at) => ({ type: "break_member", identity, at, cause }))
  }

  /** Tells the coordinator a command whose answer nobody waits for. */
  private command(command: (now: number) => MobCommand) {
    this.tellCoordinator({ type: "command", command, reply: { done: () => {} } })
  }

  private readonly surroundings = (): RunSurroundings => ({
    log: this.log,
    roster: () => this.directory.roster,
    orphans: this.orphans,
    orphanSlots: this.orphanSlots,
    send: (send) => this.directory.send(send),
    born: (run, self) => {
      // Before anything else it hears.
      if (this.canceled.delete(run)) self.tellUnsafe(this.cancelInterrupted(run))
      this.directory.runBorn(run, self)
    },
    ended: (run, record) => this.runEnded(run, record),
    idle: (run, self) => {
      this.directory.runIdle(run, self)
      this.runs?.fork(self.stop({ drain: true }))
    },
    crashed: (run, cause) => this.runCrashed(run, causeText(cause)),
    pastLimit: (run) =>
      (this.crashes.get(run)?.length ?? 0) >= RUN_CRASHES
        ? `its cell crashed ${RUN_CRASHES} times in ${RUN_CRASH_PERIOD / 1_000} s`
        : undefined,
    closed: (error) => this.fall(error.message),
    released: (run) => this.state?.active.has(run) !== true
  })

  /** Cancels a run at open, and again until that is committed. */
  private cancelInterrupted(run: RunId): RunMessage {
    const done = (exit: Exit.Exit<RunRecord, CommandLost>) => {
      if (exit._tag === "Success" || this.isClosed) return
      this.directory.toRun(run, this.cancelInterrupted(run))
    }
    return { type: "cancel", reply: { done } }
  }

  /** One that crashes even when it is only to end is let go (protocol 25). */
  private runCrashed(run: RunId, message: string) {
    const now = this.clock.currentTimeMillisUnsafe()
    const recent = recently(this.crashes.get(run), now, RUN_CRASH_PERIOD)
    this.crashes.set(run, recent)
    if (recent.length <= RUN_CRASHES) return
    const cell = this.directory.runs.get(run)
    if (cell !== undefined) this.runs?.fork(cell.stop())
    this.unreadable(run, { message })
  }

  private runEnded(run: RunId, record: RunRecord) {
    // Only ended runs are told here; `running` is not among what it may say.
    if (record.status !== "running") this.ends.set(run, { run_id: run, status: record.status })
    this.tellWatchers(run, record)
  }

  private tellWatchers(run: RunId, record: RunRecord | undefined) {
    const watchers = this.watchers.get(run)
    this.watchers.delete(run)
    for (const callback of watchers ?? []) callback(record)
  }

  private runCreated(run: RunId, plan: FlowPlan, state: RunState) {
    this.directory.runExpected(run)
    this.spawnRun(run, plan, { state, revision: 1 })
  }

  private spawnRun(run: RunId, plan: FlowPlan, preloaded?: { readonly state: RunState; readonly revision: number }) {
    if (this.runs === undefined || this.directory.runs.has(run)) return
    const spawned = this.runs.spawn(runCell(run, plan, this.surroundings(), preloaded))
    this.runs.fork(Effect.asVoid(Effect.catch(spawned, (failed) => Effect.sync(() => this.unreadable(run, failed)))))
  }

  /** A run that cannot be loaded is let go, its log stays (protocol 25). */
  private unreadable(run: RunId, cause: { readonly message: string }) {
    this.directory.runs.delete(run)
    this.directory.runGone(run, (message) => this.answerGone(message))
    if (this.state?.active.has(run) === true) {
      this.command(() => ({ type: "run_unreadable", run_id: run, cause: cause.message }))
    }
    this.crashes.delete(run)
    this.tellWatchers(run, undefined)
  }

  /** Starts the cell of a stored run. */
  private wake(run: RunId) {
    const active = this.state?.active.get(run)
    const plan = active === undefined
      ? Effect.flatMap(
        readRunPin(this.log, run),
        (pin) => pin === undefined ? Effect.succeed(undefined) : this.pinnedPlan(pin.digest, pin.flow_id)
      )
      : this.pinnedPlan(active.digest, active.flow_id)
    this.runs?.fork(
      plan.pipe(
        Effect.match({
          onSuccess: (found) => {
            if (found === undefined) this.directory.runGone(run, (message) => this.answerGone(message))
            else this.spawnRun(run, found)
          },
          onFailure: (error) => this.unreadable(run, error)
        })
      )
    )
  }

  /** What a run that is in no log would have said: everything is settled (R7). */
  private answerGone(message: RunMessage) {
    if (message.type === "owner" && message.message.type !== "who" && message.message.type !== "ended") {
      const { input } = message.message
      for (const door of this.directory.doors.values()) {
        door.tellUnsafe({ type: "door", message: { type: "settled", input } })
      }
    } else if (message.type === "cancel" || message.type === "record") {
      message.reply?.done(Exit.fail({ _tag: "Gone" }))
    }
  }
}
