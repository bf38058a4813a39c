/**
 * A mob's state as it stands in its head.
 */
import { Schema } from "effect"
import { ProcessRecord } from "../../../sdk/bridge.ts"
import { FlowId, Identity, MobId, RunId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import { Buckets, Recent } from "../buckets.ts"
import { newestHead } from "../versions.ts"
import { KEYS_KEPT, type MemberState, type MobState, RETIRED_KEPT } from "./state.ts"
import { mobVersions } from "./versions.ts"

const { Array, Boolean, Int, Literal, Literals, Number, Record, String, Struct, Tuple, optionalKey } = Schema

const MemberHead = Struct({
  identity: Identity,
  role: String,
  phase: Literals(["active", "broken", "retiring", "retired"]),
  generation: Int,
  fence: Int,
  labels: Record(String, String),
  lifetime: Literals(["host", "remote"]),
  since: Number,
  crashes: Array(Number),
  streak: Int,
  restarts: Int,
  restart_at: optionalKey(Number),
  cause: optionalKey(Struct({ code: String, message: String, log: Array(String) })),
  process: optionalKey(Struct({ fence: Int, record: ProcessRecord }))
})

const MobHead = Struct({
  v: Literal(1),
  mob_id: MobId,
  digest: String,
  base: String,
  phase: Literals(["running", "stopped", "completed", "destroyed"]),
  ending: Boolean,
  epoch: Int,
  next_fence: Int,
  version: Int,
  /** The retired ones stand last, in the order they went. */
  members: Array(MemberHead),
  active: Array(Struct({ run_id: RunId, flow_id: FlowId, key: String, explicit: Boolean, digest: String })),
  /** Oldest first. */
  finished: Array(Tuple([String, RunId]))
})

const decodeHead = Schema.decodeUnknownSync(MobHead)

const encodeMember = (member: MemberState): Json => {
  const { restart_at, cause, process, ...rest } = member
  return {
    ...rest,
    ...(restart_at === undefined ? {} : { restart_at }),
    ...(cause === undefined ? {} : { cause: { ...cause } }),
    ...(process === undefined ? {} : { process: { ...process } })
  }
}

/** The head of a state. */
export const encodeMob = (state: MobState): Json => {
  const living = [...state.members.values()].filter((member) => member.phase !== "retired")
  const retired = [...state.retired.entries()].flatMap(([identity]) => {
    // The keys of `retired` are identities of `members`.
    const member = state.members.get(identity as Identity)
    return member === undefined ? [] : [member]
  })
  return {
    v: 1,
    mob_id: state.mob_id,
    digest: state.digest,
    base: state.base,
    phase: state.phase,
    ending: state.ending,
    epoch: state.epoch,
    next_fence: state.next_fence,
    version: state.version,
    members: [...living, ...retired].map(encodeMember),
    active: [...state.active].map(([run_id, run]) => ({ run_id, ...run })),
    finished: [...state.finished.entries()]
  }
}

/** The state of a head, as this program or an earlier one stored it. Throws on anything else. */
export const decodeMob = (json: Json): MobState => {
  const { v: _, members, active, finished, ...rest } = decodeHead(newestHead(mobVersions, json))
  const states = members.map((member): MemberState => ({
    ...member,
    restart_at: member.restart_at,
    cause: member.cause,
    process: member.process
  }))
  const retired = states.filter((member) => member.phase === "retired")
  const waiting = states.flatMap(({ identity, restart_at }) =>
    restart_at === undefined ? [] : [[identity, restart_at] as const]
  )
  return {
    ...rest,
    members: Buckets.from(states.map((member) => [member.identity, member])),
    retired: Recent.of(RETIRED_KEPT, retired.map(({ identity }) => [identity, null])),
    waiting: Buckets.from(waiting),
    active: Buckets.from(active.map(({ run_id, ...run }) => [run_id, run])),
    keys: Buckets.from(active.map(({ run_id, key }) => [key, run_id])),
    finished: Recent.of(KEYS_KEPT, finished)
  }
}
