/**
 * What a mob makes of a command: phase, roster, fences, restarts, admission, the sagas of retire and ending. Every
 * message it sends can be derived from committed state again (`opened`), so that none is lost with a process.
 */
import type { Fence, Identity, Millis, RunId } from "../../../sdk/ids.ts"
import type { Decision, Refusal, Send, ToDoor, ToMob } from "../protocol.ts"
import type { MobCommand, MobReply } from "./commands.ts"
import type { EndedRun, MemberSpec } from "./commands.ts"
import { evolveMob } from "./evolve.ts"
import type { MobFact } from "./facts.ts"
import * as refuse from "./refusals.ts"
import { backoff, recentCrashes, RESTARTS, streakAt } from "./restart.ts"
import type { Cause, MemberState, MobState } from "./state.ts"

/** What a mob decided, and what it answers once that is committed. */
export type MobDecision = Decision<MobFact> & { readonly reply: MobReply }

type CommandOf<Type extends MobCommand["type"]> = Extract<MobCommand, { readonly type: Type }>

const DONE: MobReply = { type: "done" }
const RESERVED = "__flow_"

/**
 * Decides a command on the tip of a mob's state; `undefined` is a mob that does not exist. The sends are released
 * after the commit, a decision without facts after everything of this mob that is ahead of it (R2).
 */
export const decideMob = (state: MobState | undefined, command: MobCommand): MobDecision | Refusal => {
  if (command.type === "create") return state === undefined ? create(command) : refuse.mobExists(state.mob_id)
  if (state === undefined) return refuse.mobNotFound()
  switch (command.type) {
    case "opened":
      return opened(state, command)
    case "revise":
      return revise(state, command)
    case "spawn":
      return spawn(state, command)
    case "retire":
      return retire(state, command.identity)
    case "break_member":
      return breakMember(state, command)
    case "restart_due":
      return restartDue(state, command)
    case "check_submit":
      return checkSubmit(state, command.identity)
    case "admit_run":
      return admitRun(state, command)
    case "run_ended":
      return release(state, { v: 1, type: "run_released", run_id: command.run, status: command.status })
    case "run_unreadable":
      return release(state, { v: 1, type: "run_unreadable", run_id: command.run_id, cause: command.cause })
    case "forget_runs":
      return forgetRuns(state, command.runs)
    case "stop":
      return stop(state, command.ended)
    case "resume":
      if (state.phase !== "stopped") return refuse.invalidTransition(state, "running")
      return decision([{ v: 1, type: "mob_resumed" }], toLiving(state, { type: "resume" }))
    case "complete":
      if (state.phase !== "running") return refuse.invalidTransition(state, "completed")
      return end(state, "completed")
    case "destroy":
      if (state.phase !== "destroyed") return end(state, "destroyed")
      return state.ending ? decision([], retold(state)) : refuse.invalidTransition(state, "destroyed")
    case "incarnation_lost":
      return incarnationLost(state, command)
    case "process_started":
      return processStarted(state, command)
    case "drained":
      return drained(state, command)
  }
}

const decision = (
  facts: ReadonlyArray<MobFact>,
  sends: ReadonlyArray<Send> = [],
  reply: MobReply = DONE
): MobDecision => ({ refused: false, facts, sends, reply })

const fold = (state: MobState | undefined, facts: ReadonlyArray<MobFact>): MobState | undefined =>
  facts.reduce<MobState | undefined>(evolveMob, state)

const door = (identity: Identity, message: ToDoor): Send => ({ to: "door", identity, message })

const living = (state: MobState): ReadonlyArray<MemberState> =>
  [...state.members.values()].filter((member) => member.phase !== "retired")
    .sort((a, b) => (a.identity < b.identity ? -1 : 1))

const toLiving = (state: MobState, message: ToDoor): ReadonlyArray<Send> =>
  living(state).map((member) => door(member.identity, message))

/** Starts an incarnation. A door that was made while the mob is stopped hears that first (R17). */
const incarnate = (state: MobState, identity: Identity, generation: number, fence: Fence): ReadonlyArray<Send> => {
  const message = door(identity, { type: "incarnate", generation, fence })
  return state.phase === "stopped" ? [door(identity, { type: "pause" }), message] : [message]
}

/** What committed state says to one member's door (R1). Each of it may arrive any number of times. */
const retoldTo = (state: MobState, member: MemberState): ReadonlyArray<Send> => {
  const { identity } = member
  switch (member.phase) {
    case "active": {
      const pace = door(identity, { type: state.phase === "stopped" ? "pause" : "resume" })
      if (member.restart_at !== undefined) return [pace]
      const { generation, fence } = member
      return [pace, door(identity, { type: "incarnate", generation, fence }), door(identity, { type: "mob_started" })]
    }
    case "broken":
      return [door(identity, { type: "broken", generation: member.generation, reason: reasonOf(member.cause) })]
    case "retiring":
      return [door(identity, { type: "retire", generation: member.generation })]
    case "retired":
      return [door(identity, { type: "retired", generation: member.generation })]
  }
}

const retold = (state: MobState): ReadonlyArray<Send> => [
  ...[...state.members.values()].flatMap((member) => retoldTo(state, member)),
  ...toRuns(state)
]

const toRuns = (state: MobState): ReadonlyArray<Send> =>
  [...state.active.keys()].flatMap((run): ReadonlyArray<Send> => {
    const start: Send = { to: "run", run, message: { type: "start" } }
    return state.ending ? [start, { to: "run", run, message: { type: "cancel" } }] : [start]
  })

/** Lines of a member's log that a reason shows. */
const SHOWN = 3

/** Why a member is broken, in words: its last crash, and what it logged last. */
const reasonOf = (cause: Cause | undefined): string => {
  if (cause === undefined) return ""
  const log = cause.log.slice(-SHOWN)
  return `${cause.code}: ${cause.message}${log.length === 0 ? "" : `; its log ends: ${log.join(" | ")}`}`
}

const create = (command: CommandOf<"create">): MobDecision | Refusal => {
  const { mob_id, digest, base, epoch, at } = command
  const created: MobFact = { v: 1, type: "mob_created", mob_id, digest, base, epoch }
  const facts: Array<MobFact> = [created]
  const empty = evolveMob(undefined, created)
  const sends: Array<Send> = []
  const taken = new Set<Identity>()
  for (const member of command.members) {
    if (member.identity.startsWith(RESERVED)) return refuse.identityReserved(member.identity)
    if (taken.has(member.identity)) return refuse.memberExists(empty, member.identity)
    taken.add(member.identity)
    facts.push(spawned(member, 1, taken.size, at))
    sends.push(...incarnate(empty, member.identity, 1, taken.size))
  }
  return decision(facts, sends)
}

const spawned = (member: MemberSpec, generation: number, fence: Fence, at: Millis): MobFact => ({
  v: 1,
  type: "member_spawned",
  at,
  identity: member.identity,
  role: member.role,
  labels: member.labels,
  lifetime: member.lifetime,
  generation,
  fence
})

const opened = (state: MobState, { at, epoch }: CommandOf<"opened">): MobDecision => {
  if (state.epoch === epoch) return decision([], retold(state))
  const members = living(state).filter((member) => member.phase === "active").map((member, index) => ({
    identity: member.identity,
    // A remote incarnation lives on and is connected to again; but a fence binds once, so it gets a new one too (R4).
    generation: member.lifetime === "host" ? member.generation + 1 : member.generation,
    fence: state.next_fence + index
  }))
  // A mob that is over starts nobody, and its log stays as it is.
  if (state.phase !== "running" && state.phase !== "stopped" && members.length === 0) return decision([], retold(state))
  const fact: MobFact = { v: 1, type: "mob_opened", at, epoch, members }
  return decision([fact], retold(evolveMob(state, fact)))
}

const revise = (state: MobState, { digest, base }: CommandOf<"revise">): MobDecision | Refusal => {
  if (state.phase === "destroyed") return refuse.invalidTransition(state, "running")
  if (state.digest === digest && state.base === base) return decision([])
  return decision([{ v: 1, type: "mob_revised", digest, base }])
}

const spawn = (state: MobState, command: CommandOf<"spawn">): MobDecision | Refusal => {
  const { identity, at } = command
  if (state.phase !== "running") return refuse.invalidTransition(state, "running")
  if (identity.startsWith(RESERVED)) return refuse.identityReserved(identity)
  const before = state.members.get(identity)
  if (before !== undefined && before.phase !== "retired") return refuse.memberExists(state, identity)
  const generation = (before?.generation ?? 0) + 1
  const fence = state.next_fence
  return decision(
    [spawned(command, generation, fence, at)],
    incarnate(state, identity, generation, fence),
    { type: "member", identity, generation, fence }
  )
}

const retire = (state: MobState, identity: Identity): MobDecision | Refusal => {
  if (state.phase !== "running" && state.phase !== "stopped") return refuse.invalidTransition(state, "running")
  const member = state.members.get(identity)
  if (member === undefined) return refuse.memberNotFound(state, identity)
  if (member.phase === "retired") return decision([])
  const sends = retoldTo(state, { ...member, phase: "retiring" })
  if (member.phase === "retiring") return decision([], sends)
  return decision([{ v: 1, type: "member_retiring", identity, generation: member.generation }], sends)
}

const breakMember = (state: MobState, { identity, at, cause }: CommandOf<"break_member">): MobDecision | Refusal => {
  const member = state.members.get(identity)
  if (member === undefined) return refuse.memberNotFound(state, identity)
  return member.phase === "active" ? broken(member, at, cause) : decision([])
}

const broken = (member: MemberState, at: Millis, cause: Cause): MobDecision => {
  const { identity, generation } = member
  return decision(
    [{ v: 1, type: "member_broken", at, identity, generation, cause }],
    [door(identity, { type: "broken", generation, reason: reasonOf(cause) })]
  )
}

/** A new incarnation under the next fence. */
const incarnated = (
  state: MobState,
  member: MemberState,
  at: Millis,
  after: "crash" | "door_start"
): MobDecision => {
  const { identity } = member
  const generation = after === "crash" || member.lifetime === "host" ? member.generation + 1 : member.generation
  const fence = state.next_fence
  return decision(
    [{ v: 1, type: "member_incarnated", at, identity, generation, fence, after }],
    incarnate(state, identity, generation, fence)
  )
}

const incarnationLost = (state: MobState, command: CommandOf<"incarnation_lost">): MobDecision => {
  const { identity, at, exit } = command
  const member = state.members.get(identity)
  if (member === undefined || member.phase === "retired") return decision([])
  // A door that is on its way out, or whose member waits for its restart, is told what stands.
  if (member.phase !== "active" || member.restart_at !== undefined) return decision([], retoldTo(state, member))
  // The current fence was given after what the door lost, and nobody has bound it: it stands (R4).
  const bound = command.fence === member.fence || member.process?.fence === member.fence
  if (!bound) return decision([], incarnate(state, identity, member.generation, member.fence))
  if (exit === undefined) return incarnated(state, member, at, "door_start")
  const cause = { code: exit.code, message: exit.message, log: exit.log }
  const { generation, fence } = member
  if (recentCrashes(member, at).length > RESTARTS) return broken(member, at, cause)
  const restart_at = at + backoff(streakAt(member, at), command.random)
  return decision([{ v: 1, type: "member_crashed", at, identity, generation, fence, cause, restart_at }])
}

const restartDue = (state: MobState, { identity, at }: CommandOf<"restart_due">): MobDecision => {
  const member = state.members.get(identity)
  if (member?.restart_at === undefined || member.restart_at > at) return decision([])
  return incarnated(state, member, at, "crash")
}

const processStarted = (
  state: MobState,
  { identity, fence, process }: Extract<ToMob, { type: "process_started" }>
): MobDecision | Refusal => {
  const member = state.members.get(identity)
  if (member === undefined || member.phase === "retired") return refuse.memberNotFound(state, identity)
  if (member.fence !== fence || member.restart_at !== undefined || member.phase === "broken") {
    return refuse.staleFence(identity, fence, member.fence)
  }
  if (member.process?.fence === fence && member.process.record.pid === process.pid) return decision([])
  return decision([{ v: 1, type: "process_recorded", identity, fence, process }])
}

const checkSubmit = (state: MobState, identity: Identity): MobDecision | Refusal => {
  if (state.phase !== "running") return refuse.invalidTransition(state, "running")
  const member = state.members.get(identity)
  if (member === undefined || member.phase === "retired") return refuse.memberNotFound(state, identity)
  if (member.phase === "retiring") return refuse.memberRetiring(state, identity)
  if (member.phase === "broken") return refuse.memberBroken(state, identity, reasonOf(member.cause))
  return decision([], [], { type: "member", identity, generation: member.generation, fence: member.fence })
}

const released = ({ run_id, status }: EndedRun): MobFact => ({ v: 1, type: "run_released", run_id, status })

const admitRun = (state: MobState, command: CommandOf<"admit_run">): MobDecision | Refusal => {
  const { run_id, flow_id, key, explicit, digest } = command
  if (state.phase !== "running") return refuse.invalidTransition(state, "running")
  if (state.active.has(run_id)) return refuse.runExists(run_id, false)
  const facts: Array<MobFact> = []
  const holder = state.keys.get(key)
  if (holder !== undefined) {
    const over = command.ended.find((ended) => ended.run_id === holder)
    const kept = state.active.get(holder)?.explicit === true
    if (over === undefined || kept && explicit) return refuse.runExists(holder, over !== undefined)
    facts.push(released(over))
  }
  const finished = explicit ? state.finished.get(key) : undefined
  if (finished !== undefined) return refuse.runExists(finished, true)
  facts.push({ v: 1, type: "run_admitted", run_id, flow_id, key, explicit, digest })
  return decision(facts, [{ to: "run", run: run_id, message: { type: "start" } }])
}

const release = (state: MobState, fact: Extract<MobFact, { readonly run_id: RunId }>): MobDecision =>
  state.active.has(fact.run_id) ? settled(state, [fact]) : decision([])

const forgetRuns = (state: MobState, runs: ReadonlyArray<RunId>): MobDecision => {
  const forgotten = new Set(runs)
  const keys = [...state.finished.entries()].flatMap(([key, run]) => forgotten.has(run) ? [key] : [])
  return decision(keys.length === 0 ? [] : [{ v: 1, type: "keys_forgotten", keys }])
}

const stop = (state: MobState, ended: ReadonlyArray<EndedRun>): MobDecision | Refusal => {
  if (state.phase !== "running") return refuse.invalidTransition(state, "stopped")
  const over = ended.filter((run) => state.active.has(run.run_id))
  const active = state.active.size - over.length
  if (active > 0) {
    return refuse.invalidTransition(state, "stopped", `${active} ${active === 1 ? "run is" : "runs are"} active`)
  }
  return decision([...over.map(released), { v: 1, type: "mob_stopped" }], toLiving(state, { type: "pause" }))
}

const end = (state: MobState, ending: "completed" | "destroyed"): MobDecision => {
  const leaving = living(state).filter((member) => member.phase !== "retiring")
  const facts: ReadonlyArray<MobFact> = [
    { v: 1, type: "mob_ending", ending },
    ...leaving.map(({ identity, generation }): MobFact => ({ v: 1, type: "member_retiring", identity, generation }))
  ]
  const ended = settled(state, facts)
  const sends = living(state).flatMap((member) => retoldTo(state, { ...member, phase: "retiring" }))
  return { ...ended, sends: [...toRuns({ ...state, ending: true }), ...sends, ...ended.sends] }
}

const drained = (
  state: MobState,
  { identity, generation, abandoned }: Extract<ToMob, { type: "drained" }>
): MobDecision => {
  const member = state.members.get(identity)
  if (member?.generation !== generation) return decision([])
  const sends = [door(identity, { type: "retired", generation })]
  if (member.phase === "retired") return decision([], sends)
  if (member.phase !== "retiring") return decision([])
  const retired: MobFact = { v: 1, type: "member_retired", identity, generation, abandoned }
  return settled(state, [retired], sends)
}

/** These facts, and the last one of an ending if they were what it waited for. */
const settled = (state: MobState, facts: ReadonlyArray<MobFact>, sends: ReadonlyArray<Send> = []): MobDecision => {
  const after = fold(state, facts)
  if (after === undefined || !after.ending || after.active.size > 0 || after.retired.size < after.members.size) {
    return decision(facts, sends)
  }
  return decision([...facts, { v: 1, type: after.phase === "completed" ? "mob_completed" : "mob_destroyed" }], sends)
}
