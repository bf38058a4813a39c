/**
 * What the journal's tests share: entries, submissions as effects, stores on both media.
 */
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Commit, CommitSeam, JournalLevel, JournalMemory } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import {
  type Committed,
  type Entry,
  type HeadOnly,
  Journal,
  type Loaded,
  type MobLog,
  type StoreError,
  type Submission
} from "../../sdk/store.ts"

export const soak = process.env["MOB_EFFORT"] === "soak"

export const team = MobId.make("team")

/** An entry whose fact and event tell where they come from. */
export const entry = (aggregate: string, revision: number, more: Partial<Entry> = {}): Entry => ({
  aggregate,
  revision,
  at: 1000 + revision,
  facts: [{ type: "counted", aggregate, revision }],
  events: [{ type: "counted", aggregate, revision }],
  snapshot: () => ({ aggregate, count: revision }),
  terminal: false,
  ...more
})

/** Submits and waits for the answer. */
export const submit = (
  log: MobLog,
  entries: ReadonlyArray<Entry>,
  more: { readonly heads?: ReadonlyArray<HeadOnly>; readonly pins?: NonNullable<Submission["pins"]> } = {}
): Effect.Effect<Committed, StoreError> =>
  Effect.callback((resume) =>
    log.submit({
      entries,
      ...more,
      committed: (at) => resume(Effect.succeed(at)),
      failed: (error) => resume(Effect.fail(error))
    })
  )

/** Submits without waiting; answers are noted in order. */
export const note = (log: MobLog, notes: Array<string>, name: string, entries: ReadonlyArray<Entry>): void =>
  log.submit({
    entries,
    committed: (at) => notes.push(`${name} at ${at.position}/${at.cursor}`),
    failed: (error) => notes.push(`${name} ${error._tag}`)
  })

/** Number of entries that an aggregate's head and tail say it has; fails if they disagree. */
export const count = (loaded: Loaded | undefined): number => {
  if (loaded === undefined) return 0
  let revision = loaded.head?.revision ?? 0
  const state = loaded.head?.state as { readonly count: number } | undefined // what `entry` snapshots
  if (revision !== (state?.count ?? 0)) throw new Error("the head is not the state after its revision")
  for (const item of loaded.entries) {
    revision++
    if (item.revision !== revision) throw new Error(`revision ${item.revision} stands where ${revision} should`)
    const fact = item.facts[0] as { readonly revision: Json } | undefined // what `entry` records
    if (fact?.revision !== revision) throw new Error("facts of another entry")
  }
  return revision
}

/** The first cursor that can be read, as a reader finds it. */
export const firstCursor = (log: Pick<MobLog, "events">): Effect.Effect<number> =>
  Effect.map(Effect.result(log.events(0, 1)), (read) => {
    if (read._tag === "Success") return 1
    if (read.failure._tag === "HistoryPruned") return read.failure.first_cursor
    throw read.failure
  })

/** A folder of one's own under the temporary directory, gone with the Scope. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "mobwright-journal-"))),
  (dir) => Effect.sync(() => rmSync(dir, { recursive: true, force: true }))
)

/** Both media, for suites that hold on each. */
export const media: ReadonlyArray<{ readonly name: string; readonly layer: Layer.Layer<Journal, unknown> }> = [
  { name: "memory", layer: JournalMemory.layer },
  { name: "LevelDB", layer: Layer.unwrap(Effect.map(folder, (dir) => JournalLevel.layer({ dir: join(dir, "data") }))) }
]

/** Stands in front of every commit of a layer. */
export const wrapped = (
  layer: Layer.Layer<Journal, unknown>,
  wrap: (commit: Commit) => Commit
): Layer.Layer<Journal, unknown> => Layer.provide(layer, Layer.succeed(CommitSeam, wrap))

/** Waits until `check` holds; the test's own time limit ends it. Looks often at first, then lets other processes run. */
export const until = (check: () => boolean): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let looks = 0
    const look = () => {
      if (check()) resume(Effect.void)
      else if (looks++ < 100) setImmediate(look)
      else setTimeout(look, 2)
    }
    look()
  })

export const acquire = Effect.flatMap(Journal, (journal) => journal.acquire(team))
