/**
 * Upgraders of what a run stores.
 */
import type { Versions } from "../versions.ts"

/** Everything is in its first version yet. */
export const runVersions: Versions = { machine: "a run", head: [], facts: {} }
