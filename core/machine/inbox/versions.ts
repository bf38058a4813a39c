/**
 * Upgraders of what an inbox stores.
 */
import type { Upgrader, Versions } from "../versions.ts"

/** Version 2 says whether the inbox is over; before, it was over when it was closed and nothing was left. */
const saysWhetherOver: Upgrader = (head) => ({
  ...head,
  over: head["closed"] !== undefined && Array.isArray(head["open"]) && head["open"].length === 0
})

export const inboxVersions: Versions = { machine: "an inbox", head: [saysWhetherOver], facts: {} }
