/**
 * The cell of one run: the only writer of `run/<id>` after its first entry. It gives the run machine its messages, the
 * clock and the committed roster, and releases what the machine sends. It decides nothing itself.
 */
import { type Cause, Exit } from "effect"
import type { Millis, RunId } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import type { ActorRef, Reply } from "../actor/index.ts"
import type { Aggregate } from "../journal/aggregate.ts"
import { type Abandoned, durable, type DurableContext, type Release } from "../journal/durable.ts"
import { type RosterView, runAggregate, type Send, type ToOwner } from "../machine/protocol.ts"
import {
  decideRun,
  decodeRun,
  decodeRunFact,
  encodeRun,
  evolveRun,
  type FlowPlan,
  isTerminal,
  nextDeadline,
  projectRun,
  type RunCommand,
  type RunFact,
  type RunRecord,
  runRecord,
  type RunState,
  unfinished
} from "../machine/run/index.ts"
import type { OrphanSlots } from "./orphans.ts"

/** To the cell of a run. */
export type RunMessage =
  | { readonly type: "owner"; readonly message: ToOwner }
  | { readonly type: "deadline" }
  | { readonly type: "roster_changed" }
  /** The mob's cell started again: what it was told before may be lost (R1, R9). */
  | { readonly type: "mob_started" }
  /** The mob committed the run's release. */
  | { readonly type: "released" }
  | { readonly type: "cancel"; readonly reply?: Reply<RunRecord, CommandLost> }
  | { readonly type: "record"; readonly reply: Reply<RunRecord, CommandLost> }

/** The fate of a command is unknown, because its turn was not released; or the run is in no log. */
export type CommandLost =
  | { readonly _tag: "Lost"; readonly abandoned: Abandoned }
  | { readonly _tag: "Gone" }

/** What surrounds a run. */
export interface RunSurroundings {
  readonly log: MobLog
  /** The mob's roster as of its last sync. */
  readonly roster: () => RosterView
  readonly orphans: OrphanSlots
  /** Free slots of the mob for detached turns. */
  readonly orphanSlots: () => number
  readonly send: (send: Send) => void
  /** The cell exists; messages may be told to it from now on. */
  readonly born: (run: RunId, self: ActorRef<RunMessage>) => void
  /** The run's terminal fact is committed. */
  readonly ended: (run: RunId, record: RunRecord) => void
  /** The cell has nothing to do any more and stops; later messages need a new one. */
  readonly idle: (run: RunId, self: ActorRef<RunMessage>) => void
  /** The cell crashed, or could not be started. */
  readonly crashed: (run: RunId, cause: Cause.Cause<unknown>) => void
  /** Crashes this run had of late, past its limit: it is only to end. */
  readonly pastLimit: (run: RunId) => string | undefined
  readonly closed: (error: StoreError) => void
  readonly released: (run: RunId) => boolean
}

/** The run machine as an aggregate of the log. */
export const runAggregateOf = (plan: FlowPlan, run: RunId): Aggregate<RunState, RunFact> => ({
  name: runAggregate(run),
  evolve: (state, fact) => evolveRun(plan, state, fact),
  project: (before, fact, after) => projectRun(plan, before, fact, after),
  encode: encodeRun,
  decode: decodeRun,
  decodeFact: decodeRunFact,
  isTerminal
})

/** Makes the cell of one run. `preloaded` is the state of its first entry, just committed with its admission. */
export const runCell = (
  run: RunId,
  plan: FlowPlan,
  around: RunSurroundings,
  preloaded?: { readonly state: RunState; readonly revision: number }
) =>
  durable<RunState, RunFact, RunMessage>({
    log: around.log,
    aggregate: runAggregateOf(plan, run),
    ...(preloaded === undefined ? {} : { preloaded }),
    closed: around.closed,
    crashed: (cause) => around.crashed(run, cause),
    behavior: (context) => behavior(run, plan, around, context),
    cell: {
      name: `run ${run}`,
      restart: "transient",
      mailbox: { capacity: Number.MAX_SAFE_INTEGER, overflow: "fail" },
      replyOf: (message) => "reply" in message && message.reply !== undefined ? lostReply(message.reply) : undefined
    }
  })

/** Adapts an asker so that a crash or stop before its message was handled answers it too. */
const lostReply = (reply: Reply<RunRecord, CommandLost>): Reply<never, unknown> => ({
  done: () => reply.done(Exit.fail({ _tag: "Lost", abandoned: { _tag: "CellStopped", reason: { _tag: "Shutdown" } } }))
})

const behavior = (run: RunId, plan: FlowPlan, around: RunSurroundings, context: DurableContext<RunMessage>) => {
  const { cell } = context
  let armed: Millis | undefined
  around.born(run, cell.self)

  const decide = (state: RunState | undefined, command: RunCommand, now: Millis) => {
    const decision = decideRun(plan, state, command, {
      now,
      roster: around.roster(),
      orphanSlots: around.orphanSlots()
    })
    // The run machine refuses only what its mob never sends to a run that exists.
    if (decision.refused) throw new Error(`run ${run} refused ${command.type}: ${decision.message}`)
    const releases = decision.sends.map((send): Release => ({ release: () => around.send(send) }))
    return { facts: decision.facts, releases }
  }

  const answer = (state: () => RunState | undefined, reply: Reply<RunRecord, CommandLost>): Release => ({
    release: () => {
      const current = state()
      if (current !== undefined) reply.done(Exit.succeed(runRecord(plan, current)))
    },
    abandon: (abandoned) => reply.done(Exit.fail({ _tag: "Lost", abandoned }))
  })

  let committed: RunState | undefined
  let told = false
  // A cell that was woken hears what it was woken for before it may go again.
  let heard = false

  return {
    started: (state: RunState | undefined, now: Millis) => {
      const cause = around.pastLimit(run)
      const told = decide(state, { type: "started" }, now)
      if (cause === undefined) return told
      const end = decide(state, { type: "crashed", cause }, now)
      return { facts: end.facts, releases: [...told.releases, ...end.releases] }
    },
    handle: (state: RunState | undefined, message: RunMessage, now: Millis) => {
      heard = true
      switch (message.type) {
        case "owner":
          return decide(state, message.message, now)
        case "deadline":
          armed = undefined
          return decide(state, { type: "tick" }, now)
        case "roster_changed":
          return decide(state, { type: "roster_changed" }, now)
        case "mob_started":
          return decide(state, { type: "started" }, now)
        case "released":
          return { facts: [], releases: [] }
        case "cancel": {
          const { facts, releases } = decide(state, { type: "cancel" }, now)
          if (message.reply === undefined) return { facts, releases }
          return { facts, releases: [...releases, answer(() => committed, message.reply)] }
        }
        case "record":
          return { facts: [], releases: [answer(() => committed, message.reply)] }
      }
    },
    committed: (state: RunState) => {
      committed = state
      if (isTerminal(state) && !told) {
        told = true
        around.ended(run, runRecord(plan, state))
      }
    },
    settled: (state: RunState | undefined, now: Millis) => {
      if (state === undefined) return
      const left = unfinished(state)
      const detached = left.filter((it) => it.status === "detached")
      around.orphans.hold(run, new Map(detached.map((it) => [it.input, { target: it.target, fence: it.fence }])))
      const due = isTerminal(state) ? undefined : nextDeadline(state)
      if (due !== armed) {
        armed = due
        if (due === undefined) cell.cancelTimer("deadline")
        else cell.setTimer("deadline", Math.max(0, due - now), { type: "deadline" })
      }
      if (heard && state === committed && isTerminal(state) && detached.length === 0 && around.released(run)) {
        around.idle(run, cell.self)
      }
    }
  }
}
