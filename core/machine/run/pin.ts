/**
 * What a stored run is pinned to, read without the plan that its state needs.
 */
import { Schema } from "effect"
import { FlowId } from "../../../sdk/ids.ts"
import type { Json, JsonObject } from "../../../sdk/json.ts"
import { newestHead } from "../versions.ts"
import { decodeRunFact } from "./fact.ts"
import { runVersions } from "./versions.ts"

const Pin = Schema.Struct({ digest: Schema.String, flow_id: FlowId })

/** Flow and definition of a run. */
export type RunPin = typeof Pin.Type

const decode = Schema.decodeUnknownSync(Pin)

/** The pin that a head holds. Throws as {@link decodeRunFact}. */
export const pinOfHead = (state: Json): RunPin => decode(newestHead(runVersions, state))

/** The pin that a run's first fact holds. Throws as {@link decodeRunFact}. */
export const pinOfFact = (created: JsonObject): RunPin => decode(decodeRunFact(created))
