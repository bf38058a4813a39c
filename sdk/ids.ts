/**
 * Identifiers. Users choose mob ids, identities, flow ids; the runtime makes run and input ids.
 *
 * Each is a branded string: make one with `MobId.make("audit")`, decode one with its Schema. A brand costs nothing at
 * run time and keeps an identity from being passed where a run id is meant.
 */
import { Schema } from "effect"

/** Text with half of a surrogate pair has no UTF-8 of its own: two such names would be one on disk. */
const isWellFormed = Schema.makeFilter<string>((text) => text.isWellFormed() || "must be well-formed Unicode")

const name = Schema.String.pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(256), isWellFormed))

/** Stable name of a mob; one data directory may hold several. 1 to 256 characters. */
export const MobId = name.pipe(Schema.brand("MobId"))
export type MobId = typeof MobId.Type

/** Stable name of a member within its mob, across respawns and restarts. 1 to 256 characters, any script. */
export const Identity = name.pipe(Schema.brand("Identity"))
export type Identity = typeof Identity.Type

/** Key of a flow in its definition. */
export const FlowId = name.pipe(Schema.brand("FlowId"))
export type FlowId = typeof FlowId.Type

/** One execution of a flow; a UUID made by the runtime. */
export const RunId = name.pipe(Schema.brand("RunId"))
export type RunId = typeof RunId.Type

/**
 * One unit of work of one member. For flow steps a function of run, node path, iteration, lane and attempt
 * (`<run>/<node path>/<iteration>/<lane>/<attempt>`), for submitted work a function of its work reference.
 */
export const InputId = Schema.String.pipe(Schema.check(Schema.isMinLength(1)), Schema.brand("InputId"))
export type InputId = typeof InputId.Type

/** Number the mob gives at each new incarnation of a member; unique and rising within a mob. 0 means none yet. */
export type Fence = number

/** How often an identity was (re)born, from 1. */
export type Generation = number

/** Number of a public event within its mob, from 1, without gaps, never reused. */
export type Cursor = number

/** Milliseconds since the Unix epoch, as Effect's Clock gives them. */
export type Millis = number
