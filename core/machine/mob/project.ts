/**
 * The public events of a mob (spec members 13, protocol 8).
 */
import type { JsonObject } from "../../../sdk/json.ts"
import type { MobFact } from "./facts.ts"
import type { MobState } from "./state.ts"

/**
 * Events of one fact, given the state before and after it. Most facts have one; bookkeeping (processes, releases,
 * the start of a completion) has none.
 */
export const projectMob = (
  before: MobState | undefined,
  fact: MobFact,
  after: MobState
): ReadonlyArray<JsonObject> => {
  switch (fact.type) {
    case "mob_created":
      return [{ type: fact.type, mob_id: fact.mob_id, digest: fact.digest }]
    case "mob_opened":
      return [{ type: fact.type, members: fact.members.length }]
    case "mob_revised":
      return before?.digest === fact.digest ? [] : [{ type: fact.type, digest: fact.digest }]
    case "mob_stopped":
    case "mob_resumed":
    case "mob_completed":
    case "mob_destroyed":
      return [{ type: fact.type }]
    case "mob_ending":
      return fact.ending === "destroyed" ? [{ type: "mob_destroying" }] : []
    case "member_spawned":
      return [{
        type: fact.type,
        identity: fact.identity,
        generation: fact.generation,
        fence_token: fact.fence,
        role: fact.role,
        labels: fact.labels
      }]
    case "member_crashed":
    case "member_broken": {
      const cause = `${fact.cause.code}: ${fact.cause.message}`
      return [{ type: fact.type, identity: fact.identity, generation: fact.generation, cause }]
    }
    case "member_incarnated": {
      const { identity, generation, fence } = fact
      return [{ type: "member_restarted", identity, generation, fence_token: fence }]
    }
    case "member_retiring":
    case "member_retired": {
      const role = after.members.get(fact.identity)?.role ?? before?.members.get(fact.identity)?.role ?? ""
      return [{ type: fact.type, identity: fact.identity, generation: fact.generation, role }]
    }
    case "run_unreadable": {
      const flow_id = before?.active.get(fact.run_id)?.flow_id ?? ""
      return [{ type: fact.type, run_id: fact.run_id, flow_id, cause: fact.cause }]
    }
    case "process_recorded":
    case "run_admitted":
    case "run_released":
    case "keys_forgotten":
      return []
  }
}
