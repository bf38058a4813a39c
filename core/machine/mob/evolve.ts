/**
 * The fold of a mob's facts: the only place where its state changes.
 */
import type { Fence, Generation, Identity, Millis, RunId } from "../../../sdk/ids.ts"
import { Buckets, Recent } from "../buckets.ts"
import type { MobFact } from "./facts.ts"
import { recentCrashes, streakAt } from "./restart.ts"
import { KEYS_KEPT, type MemberState, type MobState, RETIRED_KEPT } from "./state.ts"

type FactOf<Type extends MobFact["type"]> = Extract<MobFact, { readonly type: Type }>

/** The state after a fact. Throws if the fact does not fit the state, which means that the log is damaged. */
export const evolveMob = (state: MobState | undefined, fact: MobFact): MobState => {
  if (fact.type === "mob_created") return created(fact)
  if (state === undefined) throw new Error(`a mob's log starts with ${fact.type} instead of mob_created`)
  switch (fact.type) {
    case "mob_opened":
      return opened(state, fact)
    case "mob_revised":
      return { ...state, digest: fact.digest, base: fact.base }
    case "mob_stopped":
      return { ...state, phase: "stopped" }
    case "mob_resumed":
      return { ...state, phase: "running" }
    case "mob_ending":
      return { ...state, phase: fact.ending, ending: true }
    case "mob_completed":
    case "mob_destroyed":
      return { ...state, ending: false }
    case "member_spawned":
      return spawned(state, fact)
    case "member_crashed":
      return crashed(state, fact)
    case "member_incarnated": {
      const next = incarnated(state, fact.identity, fact.generation, fact.fence, fact.at)
      if (fact.after !== "crash") return next
      const member = memberOf(next, fact.identity)
      return withMember(next, { ...member, restarts: member.restarts + 1 })
    }
    case "member_broken": {
      const member = memberOf(state, fact.identity)
      return withMember(state, { ...member, phase: "broken", restart_at: undefined, cause: fact.cause })
    }
    case "process_recorded": {
      const member = memberOf(state, fact.identity)
      const process = { fence: fact.fence, record: fact.process }
      return { ...state, members: state.members.set(fact.identity, { ...member, process }) }
    }
    case "member_retiring":
      return withMember(state, { ...memberOf(state, fact.identity), phase: "retiring", restart_at: undefined })
    case "member_retired":
      return retired(state, fact)
    case "run_admitted":
      return {
        ...state,
        active: state.active.set(fact.run_id, {
          flow_id: fact.flow_id,
          key: fact.key,
          explicit: fact.explicit,
          digest: fact.digest
        }),
        keys: state.keys.set(fact.key, fact.run_id)
      }
    case "keys_forgotten":
      return { ...state, finished: fact.keys.reduce((finished, key) => finished.delete(key), state.finished) }
    case "run_released":
    case "run_unreadable":
      return released(state, fact.run_id)
  }
}

const created = (fact: FactOf<"mob_created">): MobState => ({
  mob_id: fact.mob_id,
  digest: fact.digest,
  base: fact.base,
  phase: "running",
  ending: false,
  epoch: fact.epoch,
  next_fence: 1,
  version: 0,
  members: Buckets.empty(),
  retired: Recent.of(RETIRED_KEPT),
  waiting: Buckets.empty(),
  active: Buckets.empty(),
  keys: Buckets.empty(),
  finished: Recent.of(KEYS_KEPT)
})

const memberOf = (state: MobState, identity: Identity): MemberState => {
  const member = state.members.get(identity)
  if (member === undefined) throw new Error(`a fact names member ${identity}, which mob ${state.mob_id} does not have`)
  return member
}

/** Replaces a member, and keeps the index of waiting ones with it. */
const withMember = (state: MobState, member: MemberState): MobState => ({
  ...state,
  version: state.version + 1,
  members: state.members.set(member.identity, member),
  waiting: member.restart_at === undefined
    ? state.waiting.delete(member.identity)
    : state.waiting.set(member.identity, member.restart_at)
})

const spawned = (state: MobState, fact: FactOf<"member_spawned">): MobState => ({
  ...withMember(state, {
    identity: fact.identity,
    role: fact.role,
    phase: "active",
    generation: fact.generation,
    fence: fact.fence,
    labels: fact.labels,
    lifetime: fact.lifetime,
    since: fact.at,
    crashes: [],
    streak: 0,
    restarts: 0,
    restart_at: undefined,
    cause: undefined,
    process: undefined
  }),
  next_fence: fact.fence + 1,
  retired: state.retired.delete(fact.identity)
})

const crashed = (state: MobState, fact: FactOf<"member_crashed">): MobState => {
  const member = memberOf(state, fact.identity)
  return withMember(state, {
    ...member,
    crashes: recentCrashes(member, fact.at),
    streak: streakAt(member, fact.at),
    restart_at: fact.restart_at,
    cause: fact.cause
  })
}

const renewed = (member: MemberState, generation: Generation, fence: Fence, at: Millis): MemberState => ({
  ...member,
  generation,
  fence,
  since: at,
  restart_at: undefined,
  process: undefined
})

const opened = (state: MobState, fact: FactOf<"mob_opened">): MobState => ({
  ...state,
  version: state.version + 1,
  epoch: fact.epoch,
  next_fence: fact.members.reduce((next, member) => Math.max(next, member.fence + 1), state.next_fence),
  members: fact.members.reduce(
    (members, { identity, generation, fence }) =>
      members.set(identity, renewed(memberOf(state, identity), generation, fence, fact.at)),
    state.members
  ),
  waiting: Buckets.empty()
})

const incarnated = (
  state: MobState,
  identity: Identity,
  generation: Generation,
  fence: Fence,
  at: Millis
): MobState => ({
  ...withMember(state, renewed(memberOf(state, identity), generation, fence, at)),
  next_fence: fence + 1
})

const retired = (state: MobState, fact: FactOf<"member_retired">): MobState => {
  const member = memberOf(state, fact.identity)
  const { recent, forgotten } = state.retired.put(fact.identity, null)
  const next = withMember(state, { ...member, phase: "retired", process: undefined, crashes: [], cause: undefined })
  return {
    ...next,
    retired: recent,
    // The keys of `retired` are identities of `members`.
    members: forgotten === undefined ? next.members : next.members.delete(forgotten as Identity)
  }
}

const released = (state: MobState, run_id: RunId): MobState => {
  const run = state.active.get(run_id)
  if (run === undefined) return state
  return {
    ...state,
    active: state.active.delete(run_id),
    keys: state.keys.get(run.key) === run_id ? state.keys.delete(run.key) : state.keys,
    finished: run.explicit ? state.finished.delete(run.key).put(run.key, run_id).recent : state.finished
  }
}
