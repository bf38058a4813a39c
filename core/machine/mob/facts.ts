/**
 * Facts of a mob, as they are stored. Each carries its version `v`.
 */
import { Schema } from "effect"
import { ProcessRecord } from "../../../sdk/bridge.ts"
import { FlowId, Identity, MobId, RunId } from "../../../sdk/ids.ts"
import type { JsonObject } from "../../../sdk/json.ts"
import { newestFact } from "../versions.ts"
import { mobVersions } from "./versions.ts"

const { Array, Boolean, Int, Literal, Literals, Number, Record, String, Struct, Union } = Schema

const fact = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Struct({ v: Literal(1), type: Literal(type), ...fields })

const Lifetime = Literals(["host", "remote"])
const Cause = Struct({ code: String, message: String, log: Array(String) })

/** The mob exists. */
const MobCreated = fact("mob_created", { mob_id: MobId, digest: String, base: String, epoch: Int })

/** A process opened the mob: each active member has a new fence, each that lives in the host a new generation. */
const MobOpened = fact("mob_opened", {
  at: Number,
  epoch: Int,
  members: Array(Struct({ identity: Identity, generation: Int, fence: Int }))
})

/** Another definition of the same id, or another folder, is in force for new runs. */
const MobRevised = fact("mob_revised", { digest: String, base: String })

/** The mob is paused by its operator, or goes on. */
const MobStopped = fact("mob_stopped", {})
const MobResumed = fact("mob_resumed", {})

/** Completion or destruction is admitted; runs end and members go before it is reached. */
const MobEnding = fact("mob_ending", { ending: Literals(["completed", "destroyed"]) })
const MobCompleted = fact("mob_completed", {})
const MobDestroyed = fact("mob_destroyed", {})

/** A member exists; its first incarnation of this generation is due. */
const MemberSpawned = fact("member_spawned", {
  at: Number,
  identity: Identity,
  role: String,
  labels: Record(String, String),
  lifetime: Lifetime,
  generation: Int,
  fence: Int
})

/** The incarnation under this fence is no more; the next one is due at `restart_at`. */
const MemberCrashed = fact("member_crashed", {
  at: Number,
  identity: Identity,
  generation: Int,
  fence: Int,
  cause: Cause,
  restart_at: Number
})

/** A new incarnation is due now: after a crash, or because the member's door had to start again. */
const MemberIncarnated = fact("member_incarnated", {
  at: Number,
  identity: Identity,
  generation: Int,
  fence: Int,
  after: Literals(["crash", "door_start"])
})

/** No more incarnations of this generation. */
const MemberBroken = fact("member_broken", { at: Number, identity: Identity, generation: Int, cause: Cause })

/** The child process behind an incarnation, to be ended before the next one. */
const ProcessRecorded = fact("process_recorded", { identity: Identity, fence: Int, process: ProcessRecord })

/** The member takes no more work. */
const MemberRetiring = fact("member_retiring", { identity: Identity, generation: Int })

/** The member is gone; so many inputs of its inbox were abandoned. */
const MemberRetired = fact("member_retired", { identity: Identity, generation: Int, abandoned: Int })

/** A run is part of the mob from here on. */
const RunAdmitted = fact("run_admitted", {
  run_id: RunId,
  flow_id: FlowId,
  key: String,
  explicit: Boolean,
  digest: String
})

/** Its terminal fact is committed. */
const RunReleased = fact("run_released", { run_id: RunId, status: Literals(["completed", "failed", "canceled"]) })

/** The runs under these explicit keys are removed. */
const KeysForgotten = fact("keys_forgotten", { keys: Array(String) })

/** Its facts cannot be folded; it is let go, its log stays. */
const RunUnreadable = fact("run_unreadable", { run_id: RunId, cause: String })

/** What a mob decided. Snake case, complete, folded by `evolveMob`. */
export const MobFact = Union([
  MobCreated,
  MobOpened,
  MobRevised,
  MobStopped,
  MobResumed,
  MobEnding,
  MobCompleted,
  MobDestroyed,
  MemberSpawned,
  MemberCrashed,
  MemberIncarnated,
  MemberBroken,
  ProcessRecorded,
  MemberRetiring,
  MemberRetired,
  RunAdmitted,
  RunReleased,
  RunUnreadable,
  KeysForgotten
])
export type MobFact = typeof MobFact.Type

const decode = Schema.decodeUnknownSync(MobFact)
const types: ReadonlySet<string> = new Set(MobFact.members.map((member) => member.fields.type.literal))

/** A fact as stored, by this program or an earlier one. Throws on anything else. */
export const decodeMobFact = (stored: JsonObject): MobFact => decode(newestFact(mobVersions, types, stored))
