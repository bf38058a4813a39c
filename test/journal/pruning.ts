/**
 * What the tests of pruning share.
 */
import { Effect } from "effect"
import { type Commit, CommitSeam, JournalTasks } from "../../core/journal/index.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { openStore } from "../../core/journal/store.ts"
import type { MobLog } from "../../sdk/store.ts"

/** Keeps no history but what live aggregates need. */
export const nothing = { events: Number.MAX_SAFE_INTEGER, forget: [] }

export const headOf = (aggregate: string, revision: number) => ({
  heads: [{ aggregate, revision, snapshot: () => ({ aggregate, count: revision }) }]
})

export const cursors = (log: Pick<MobLog, "events">, after: number) =>
  Effect.map(log.events(after, 100_000), (events) => events.map((event) => event.cursor))

export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

/** A store over a medium, in the test's Scope. */
export const open = (medium: Medium, wrap: (commit: Commit) => Commit = (commit) => commit) =>
  Effect.provideService(openStore(medium), CommitSeam, wrap)

export const memory = Effect.map(JournalTasks, memoryMedium)
