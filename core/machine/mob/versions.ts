/**
 * Upgraders of what a mob stores.
 */
import type { Versions } from "../versions.ts"

/** Everything is in its first version yet. */
export const mobVersions: Versions = { machine: "a mob", head: [], facts: {} }
