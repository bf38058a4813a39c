/**
 * The coordinator: the durable cell of a mob's own aggregate. It hands each message, with the time and the dice, to the
 * mob machine, and releases what the machine sends. It decides nothing itself.
 */
import { Exit } from "effect"
import type { Millis, RunId } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import type { ActorRef, Reply } from "../actor/index.ts"
import { runAggregateOf } from "../flow/index.ts"
import type { Aggregate } from "../journal/aggregate.ts"
import { durable, type DurableContext, type Release, type Step } from "../journal/durable.ts"
import {
  activeRuns,
  decideMob,
  decodeMob,
  decodeMobFact,
  encodeMob,
  type EndedRun,
  evolveMob,
  type MobCommand,
  type MobFact,
  type MobState,
  nextRestart,
  projectMob,
  runWithKey
} from "../machine/mob/index.ts"
import type { RosterView, Send, ToMob } from "../machine/protocol.ts"
import { decideRun, type RunState } from "../machine/run/index.ts"
import type { CameTo, CommandFailed, MobMessage } from "./messages.ts"

/** The mob machine as an aggregate of the log. */
export const mobAggregate: Aggregate<MobState, MobFact> = {
  name: "mob",
  evolve: evolveMob,
  project: projectMob,
  encode: encodeMob,
  decode: decodeMob,
  decodeFact: decodeMobFact,
  isTerminal: (state) => state.phase === "destroyed" && !state.ending
}

/** What surrounds the coordinator. */
interface CoordinatorSurroundings {
  readonly log: MobLog
  readonly send: (send: Send) => void
  readonly born: (self: ActorRef<MobMessage>) => void
  /** A turn of the mob is on disk; called before its messages are released. */
  readonly committed: (state: MobState) => void
  readonly roster: () => RosterView
  /** Committed end of a run that the mob may not have released yet. */
  readonly endOf: (run: RunId) => EndedRun | undefined
  readonly orphanSlots: () => number
  /** A run's first entry is committed: start its cell with this state. */
  readonly runCreated: (run: RunId, message: Extract<MobMessage, { type: "run_flow" }>, state: RunState) => void
  /** A run's release is committed. */
  readonly runReleased: (run: RunId) => void
  readonly random: () => number
  readonly closed: (error: StoreError) => void
}

/** Makes the coordinator's cell. */
export const coordinatorCell = (around: CoordinatorSurroundings) =>
  durable<MobState, MobFact, MobMessage>({
    log: around.log,
    aggregate: mobAggregate,
    closed: around.closed,
    behavior: (context) => {
      around.born(context.cell.self)
      return behavior(around, context)
    },
    cell: {
      name: "coordinator",
      restart: "permanent",
      mailbox: { capacity: Number.MAX_SAFE_INTEGER, overflow: "fail" },
      replyOf: (message) => {
        if ("reply" in message) return { done: () => message.reply.done(Exit.fail(stopped)) }
        const done = message.type === "protocol" ? message.done : undefined
        return done === undefined ? undefined : { done: () => done("unknown") }
      }
    }
  })

const stopped: CommandFailed = { _tag: "Lost", abandoned: { _tag: "CellStopped", reason: { _tag: "Shutdown" } } }

const behavior = (around: CoordinatorSurroundings, { cell }: DurableContext<MobMessage>) => {
  let committed: MobState | undefined
  let armed: Millis | undefined

  const step = (sends: ReadonlyArray<Send>, facts: ReadonlyArray<MobFact>, last?: Release): Step<MobFact> => {
    const releases = sends.map((send): Release => ({ release: () => around.send(send) }))
    return { facts, releases: last === undefined ? releases : [...releases, last] }
  }

  const answer = <A>(reply: Reply<A, CommandFailed>, exit: () => Exit.Exit<A, CommandFailed>): Release => ({
    release: () => reply.done(exit()),
    abandon: (abandoned) => reply.done(Exit.fail({ _tag: "Lost", abandoned }))
  })

  /** Internal messages are never refused for good: a refusal means that they came too late to matter. */
  const tell = (
    state: MobState | undefined,
    command: MobCommand,
    done?: (came: CameTo) => void
  ): Step<MobFact> => {
    const decision = decideMob(state, command)
    const last = done === undefined
      ? undefined
      : { release: () => done(decision.refused ? "refused" : "committed"), abandon: () => done("unknown") }
    return decision.refused ? step([], [], last) : step(decision.sends, decision.facts, last)
  }

  /** A run whose release is on disk may let its cell go. */
  const after = (message: ToMob) =>
    message.type === "run_ended"
      ? (came: CameTo) => {
        if (came === "committed") around.runReleased(message.run)
      }
      : undefined

  const fromCell = (message: ToMob, now: Millis): MobCommand =>
    message.type === "incarnation_lost" ? { ...message, at: now, random: around.random() } : message

  const runFlow = (
    state: MobState | undefined,
    message: Extract<MobMessage, { type: "run_flow" }>,
    now: Millis
  ): Step<MobFact> => {
    const { digest, explicit, flow_id, key, params, plan, reply, run_id } = message
    const holder = state === undefined ? undefined : runWithKey(state, key)
    const ended = holder === undefined ? undefined : around.endOf(holder.run_id)
    const decision = decideMob(state, {
      type: "admit_run",
      run_id,
      flow_id,
      key,
      explicit,
      digest,
      ended: ended === undefined ? [] : [ended]
    })
    if (decision.refused) {
      const known = decision.code === "run_exists" ? decision.facts["run_id"] : undefined
      return step(
        [],
        [],
        answer(reply, () =>
          typeof known === "string"
            // The machine names a run of its own state.
            ? Exit.succeed({ run_id: known as RunId, existing: true })
            : Exit.fail({ _tag: "Refused", refusal: decision }))
      )
    }
    const created = decideRun(plan, undefined, {
      type: "create",
      run_id,
      mob_id: around.log.mob,
      key,
      params
    }, { now, roster: around.roster(), orphanSlots: around.orphanSlots() })
    if (created.refused) {
      return step([], [], answer(reply, () => Exit.fail({ _tag: "Refused", refusal: created })))
    }
    const aggregate = runAggregateOf(plan, run_id)
    const events = []
    let run: RunState | undefined
    for (const fact of created.facts) {
      const before = run
      run = aggregate.evolve(before, fact)
      events.push(...aggregate.project(before, fact, run))
    }
    if (run === undefined) throw new Error(`run ${run_id} was created without a fact`)
    const state1 = run
    return {
      facts: decision.facts,
      // The effects of the run's first entry are told by its own cell, by the outbox rule, as after an open.
      releases: [
        { release: () => around.runCreated(run_id, message, state1) },
        ...decision.sends.map((send): Release => ({ release: () => around.send(send) })),
        answer(reply, () => Exit.succeed({ run_id, existing: false }))
      ],
      entries: [{
        aggregate: aggregate.name,
        revision: 1,
        at: now,
        facts: created.facts,
        events,
        snapshot: () => aggregate.encode(state1),
        terminal: aggregate.isTerminal(state1)
      }]
    }
  }

  return {
    started: (state: MobState | undefined, now: Millis): Step<MobFact> => {
      if (state === undefined) return step([], [])
      // The first start under this owner epoch takes over; the machine knows which one that is.
      return tell(state, { type: "opened", at: now, epoch: around.log.epoch })
    },
    handle: (state: MobState | undefined, message: MobMessage, now: Millis): Step<MobFact> => {
      switch (message.type) {
        case "protocol":
          return tell(state, fromCell(message.message, now), message.done ?? after(message.message))
        case "restart_due": {
          armed = undefined
          const next = state === undefined ? undefined : nextRestart(state)
          if (next === undefined || next.at > now) return step([], [])
          return tell(state, { type: "restart_due", identity: next.identity, at: now })
        }
        case "read":
          return step(
            [],
            [],
            answer(message.reply, () =>
              committed === undefined
                ? Exit.fail(stopped)
                : Exit.succeed(committed))
          )
        case "run_flow":
          return runFlow(state, message, now)
        case "command": {
          const command = message.command(now)
          const decision = decideMob(
            state,
            command.type === "stop" && state !== undefined
              ? { ...command, ended: activeRuns(state).flatMap((run) => around.endOf(run) ?? []) }
              : command
          )
          if (decision.refused) {
            return step([], [], answer(message.reply, () => Exit.fail({ _tag: "Refused", refusal: decision })))
          }
          const { facts, reply, sends } = decision
          return {
            ...step(sends, facts, answer(message.reply, () => Exit.succeed(reply))),
            ...(message.pins === undefined ? {} : { pins: message.pins })
          }
        }
      }
    },
    committed: (state: MobState) => {
      committed = state
      around.committed(state)
    },
    settled: (state: MobState | undefined, now: Millis) => {
      const due = state === undefined ? undefined : nextRestart(state)?.at
      if (due === armed) return
      armed = due
      if (due === undefined) cell.cancelTimer("restart")
      else cell.setTimer("restart", Math.max(0, due - now), { type: "restart_due" })
    }
  }
}
