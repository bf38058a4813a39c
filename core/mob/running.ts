/**
 * A mob that lives in this process: its tree of cells and what joins them.
 *
 * The tree: the mob's supervisor, below it the coordinator, `members` and `runs`. A crash of the coordinator past its
 * limit takes the mob down with its cause; a crash of a run or member never does.
 */
import { type Clock, Deferred, Effect, Exit } from "effect"
import type { RunId } from "../../sdk/ids.ts"
import type { MobLog } from "../../sdk/store.ts"
import type { ActorRef, ActorSystem, CellSpec, Reply, SpawnFailed } from "../actor/index.ts"
import { causeText } from "../journal/aggregate.ts"
import { type MobCommand, type MobReply, type MobState, rosterView } from "../machine/mob/index.ts"
import type { Bridges } from "../plugin/index.ts"
import { coordinatorCell } from "./coordinator.ts"
import { Directory } from "./directory.ts"
import { MobClosed } from "./errors.ts"
import { LiveMembers, type Stuck } from "./live-members.ts"
import { LiveRuns } from "./live-runs.ts"
import type { CommandFailed, MobMessage } from "./messages.ts"
import { type InForce, Plans } from "./plans.ts"
import { askError, type Refused } from "./refused.ts"
import { Retaining } from "./retention.ts"
import { type Slot, slotCell } from "./slot.ts"
import type { CommandError } from "./types.ts"

/** A member's cell that crashes waits before it starts again, so that one that cannot start costs nothing. */
const MEMBER_BACKOFF = { initial: 100, max: 30_000, jitter: 0.2, reset: 60_000 }

/** Milliseconds that giving up keys may take. */
const FORGET_MILLIS = 60_000

/** What a mob is started with. */
export interface StartOptions {
  readonly log: MobLog
  readonly system: ActorSystem["Service"]
  readonly bridges: Bridges["Service"]
  readonly inForce: InForce
  /** Runs that an earlier process left and that are not to go on. */
  readonly canceled?: ReadonlySet<RunId>
  /** Members that may not be started. */
  readonly stuck?: Stuck
}

/** See the module's text. */
export class RunningMob {
  readonly log: MobLog
  readonly directory: Directory
  readonly plans: Plans
  readonly runs: LiveRuns
  readonly members: LiveMembers
  private readonly retaining: Retaining
  /** Completed once, with the reason, when the mob lives no more in this process. */
  readonly closed = Deferred.makeUnsafe<string>()
  private readonly system: StartOptions["system"]
  private readonly random: () => number
  /** Committed state. */
  private state: MobState | undefined
  private coordinator: ActorRef<MobMessage> | undefined
  private supervisor: ActorRef<never> | undefined
  private memberSlot: Slot | undefined
  private runSlot: Slot | undefined

  constructor(options: StartOptions, clock: Clock.Clock, random: () => number) {
    const { bridges, inForce, log, system } = options
    this.log = log
    this.system = system
    this.random = random
    this.plans = new Plans(log, inForce)
    this.directory = new Directory({
      toMob: (message) => this.tell({ type: "protocol", message }),
      wake: (run) => this.runs.wake(run),
      join: (identity) => this.members.join(identity),
      leave: (_, door) => this.memberSlot?.fork(door.stop({ drain: true }))
    })
    const around = {
      log,
      clock,
      plans: this.plans,
      directory: this.directory,
      state: () => this.state,
      command: this.command,
      closed: (error: { readonly message: string }) => this.fall(error.message)
    }
    this.runs = new LiveRuns({
      ...around,
      canceled: options.canceled ?? new Set(),
      slot: () => this.runSlot,
      released: (run, at) => this.retaining.released(run, at),
      isClosed: () => this.isClosed
    })
    this.retaining = new Retaining({
      log,
      plans: this.plans,
      busy: (run) => this.state?.active.has(run) !== false || this.directory.runs.has(run),
      forgetKeys: (runs) =>
        this.question(
          "forgetting runs",
          (reply: Reply<MobReply, CommandFailed>) => ({
            type: "command",
            command: () => ({ type: "forget_runs", runs }),
            reply
          }),
          FORGET_MILLIS
        )
    })
    this.members = new LiveMembers({
      ...around,
      bridges,
      stuck: options.stuck ?? new Map(),
      slot: () => this.memberSlot,
      tell: (message) => this.tell(message)
    })
  }

  /** Starts the tree; the coordinator has loaded, and taken over, when it succeeds. */
  readonly start: Effect.Effect<void, SpawnFailed> = Effect.suspend(() =>
    Effect.map(this.system.spawn(this.supervisorSpec()), (ref) => {
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

  /** Asks the coordinator; one that stops meanwhile says why. */
  readonly question = <A>(
    what: string,
    make: (reply: Reply<A, CommandFailed>) => MobMessage,
    millis: number
  ): Effect.Effect<A, CommandError | Refused> =>
    Effect.flatMap(this.ask, (coordinator) => coordinator.ask(make, millis)).pipe(
      Effect.catchTag(
        "ActorStopped",
        () => Effect.flatMap(this.ended, (reason) => Effect.fail(new MobClosed({ mob: this.log.mob, reason })))
      ),
      Effect.mapError((error) => askError(this.log.mob, what, error))
    )

  /** Why the mob lives no more; waits until it does not. */
  readonly ended: Effect.Effect<string> = Effect.suspend(() => Deferred.await(this.closed))

  private tell(message: MobMessage) {
    if (this.coordinator?.tellUnsafe(message) !== true) this.directory.deadLetters += 1
  }

  /** Tells the coordinator a command whose answer nobody waits for. */
  private readonly command = (command: (now: number) => MobCommand) =>
    this.tell({ type: "command", command, reply: { done: () => {} } })

  private supervisorSpec(): CellSpec<null, never, SpawnFailed, never> {
    return {
      name: `mob ${this.log.mob}`,
      restart: "temporary",
      shutdown: "infinity",
      supervision: { strategy: "one_for_one", intensity: 3, period: 5_000 },
      init: (context) =>
        Effect.gen({ self: this }, function*() {
          yield* context.spawn(slotCell("members", (slot) => this.memberSlot = slot, MEMBER_BACKOFF))
          yield* context.spawn(slotCell("runs", (slot) => this.runSlot = slot))
          yield* context.spawn(coordinatorCell({
            log: this.log,
            send: this.directory.send,
            born: (self) => this.coordinator = self,
            committed: (state) => this.committed(state),
            roster: () => this.directory.roster,
            orphanSlots: this.runs.orphanSlots,
            endOf: (run) => this.runs.endOf(run),
            runCreated: (run, message, state) => this.runs.created(run, message.plan, state),
            runReleased: (run) => this.runs.released(run),
            random: this.random,
            closed: (error) => this.fall(error.message)
          }))
          yield* context.spawn(this.retaining.cell())
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
}
