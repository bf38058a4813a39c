/**
 * What can be said of a stored run without the plan that its state needs: what it is pinned to, and when it ended.
 */
import { Schema } from "effect"
import { FlowId, type Millis } from "../../../sdk/ids.ts"
import type { Json, JsonObject } from "../../../sdk/json.ts"
import { newestHead } from "../versions.ts"
import { decodeRunFact } from "./fact.ts"
import { runVersions } from "./versions.ts"

const Pin = Schema.Struct({ digest: Schema.String, flow_id: FlowId })

/** Flow and definition of a run. */
export type RunPin = typeof Pin.Type

const decodeEnd = Schema.decodeUnknownSync(
  Schema.Struct({ started_at: Schema.Number, ended_at: Schema.optionalKey(Schema.Number) })
)

/** When the run of this terminal head ended. Throws as {@link decodeRunFact}. */
export const endOfHead = (state: Json): Millis => {
  const { ended_at, started_at } = decodeEnd(newestHead(runVersions, state))
  return ended_at ?? started_at
}

const decode = Schema.decodeUnknownSync(Pin)

/** The pin that a head holds. Throws as {@link decodeRunFact}. */
export const pinOfHead = (state: Json): RunPin => decode(newestHead(runVersions, state))

/** The pin that a run's first fact holds. Throws as {@link decodeRunFact}. */
export const pinOfFact = (created: JsonObject): RunPin => decode(decodeRunFact(created))
