/**
 * Mobs, entries and submissions as the clauses write them. Each fact and event has a name that tells where it is from.
 */
import { Effect } from "effect"
import { MobId } from "../../ids.ts"
import type { Json, JsonObject } from "../../json.ts"
import type {
  Committed,
  Entry,
  Keep,
  Loaded,
  MobLog,
  MobReads,
  StoredEvent,
  StoreError,
  Submission
} from "../../store.ts"

/** The mob that most clauses write. */
export const team = MobId.make("team")
/** Another one beside it. */
export const other = MobId.make("other")

/** Keeps no history but what live aggregates need. */
export const nothing: Keep = { events: Number.MAX_SAFE_INTEGER, forget: [] }

/** One fact and one event, named after the aggregate and the revision. */
export const entry = (aggregate: string, revision: number, more: Partial<Entry> = {}): Entry => ({
  aggregate,
  revision,
  at: 1000 + revision,
  facts: [{ name: nameOf(aggregate, revision) }],
  events: [{ type: "written", name: nameOf(aggregate, revision) }],
  snapshot: () => stateOf(aggregate, revision),
  terminal: false,
  ...more
})

/** The state after a revision: the names of all facts so far. */
export const stateOf = (aggregate: string, revision: number): Json => ({ names: namesTo(aggregate, revision) })

/** Names of the facts of an aggregate's first entries. */
export const namesTo = (aggregate: string, revision: number): ReadonlyArray<string> =>
  range(1, revision).map((at) => nameOf(aggregate, at))

/** A head alone, of an aggregate that {@link entry} wrote. */
export const headAt = (aggregate: string, revision: number) => ({
  aggregate,
  revision,
  snapshot: () => stateOf(aggregate, revision)
})

/** Whole numbers from `from` to `to`. */
export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)

/** What goes with entries in a submission. */
type More = Pick<Submission, "heads" | "pins">

/** Submits and waits for the answer. */
export const submit = (
  log: MobLog,
  entries: ReadonlyArray<Entry>,
  more: More = {}
): Effect.Effect<Committed, StoreError> =>
  Effect.callback((resume) =>
    log.submit({
      entries,
      ...more,
      committed: (at) => resume(Effect.succeed(at)),
      failed: (error) => resume(Effect.fail(error))
    })
  )

/** Submits without waiting; the answer is noted as the name alone, or with the error's tag. */
export const note = (log: MobLog, notes: Array<string>, name: string, entries: ReadonlyArray<Entry>): void =>
  log.submit({
    entries,
    committed: () => notes.push(name),
    failed: (error) => notes.push(`${name} ${error._tag}`)
  })

/** Writes the revisions of an aggregate from one to another, one submission each. */
export const write = (
  log: MobLog,
  aggregate: string,
  from: number,
  to: number
): Effect.Effect<void, StoreError> =>
  Effect.forEach(range(from, to), (revision) => submit(log, [entry(aggregate, revision)]), { discard: true })

/** Writes an aggregate that begins and ends with one entry. */
export const writeEnded = (log: MobLog, aggregate: string): Effect.Effect<Committed, StoreError> =>
  submit(log, [entry(aggregate, 1, { terminal: true })])

/** The revision an aggregate stands at; 0 if there is none. */
export const revisionOf = (log: Pick<MobReads, "load">, aggregate: string): Effect.Effect<number, StoreError> =>
  Effect.map(log.load(aggregate), (loaded) => loaded?.entries.at(-1)?.revision ?? loaded?.head?.revision ?? 0)

/** Names of all facts that a load says there are, in order. */
export const namesIn = (loaded: Loaded | undefined): ReadonlyArray<Json | undefined> => [
  ...(loaded?.head?.state as { readonly names: ReadonlyArray<string> } | undefined)?.names ?? [], // what `entry` snapshots
  ...loaded?.entries.flatMap(({ facts }) => facts.map((fact) => fact["name"])) ?? []
]

/** Names of events, in order. */
export const namesOf = (events: ReadonlyArray<StoredEvent>): ReadonlyArray<Json | undefined> =>
  events.map(({ event }) => event["name"])

/** All events after a cursor, and none that are not there. */
export const eventsAfter = (
  log: Pick<MobReads, "events">,
  after = 0
): Effect.Effect<ReadonlyArray<StoredEvent>, StoreError> => log.events(after, 100_000)

/** Events of one entry, named after it. */
export const eventsNamed = (name: string, count: number): ReadonlyArray<JsonObject> =>
  range(1, count).map((index) => ({ type: "written", name: `${name}.${index}` }))

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Lower-case hex, as blobs are named. */
export const sha256Of = (bytes: Uint8Array<ArrayBuffer>): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", bytes)),
    (digest) => Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
  )

const nameOf = (aggregate: string, revision: number) => `${aggregate}@${revision}`
