/**
 * Upgraders of what an inbox stores.
 */
import type { Versions } from "../versions.ts"

/** Everything is in its first version yet. */
export const inboxVersions: Versions = { machine: "an inbox", head: [], facts: {} }
