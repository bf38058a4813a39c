/**
 * Reading a mob's records without its cells: pinned definitions, runs that have none.
 */
import { Effect, Schema } from "effect"
import { Definition } from "../../sdk/definition/index.ts"
import type { RunId } from "../../sdk/ids.ts"
import { type MobLog, StoreCorrupted, type StoreError } from "../../sdk/store.ts"
import { runAggregateOf, validateSchema } from "../flow/index.ts"
import { loadAggregate, unfoldable } from "../journal/aggregate.ts"
import type { MobState } from "../machine/mob/index.ts"
import { runAggregate } from "../machine/protocol.ts"
import { compileFlow, pinOfFact, pinOfHead, type RunPin, type RunRecord, runRecord } from "../machine/run/index.ts"
import { mobAggregate } from "./coordinator.ts"

const decodeDefinition = Schema.decodeUnknownEffect(Definition)

/** The definition of a digest, from the store. */
export const readPinned = (log: Pick<MobLog, "pinned">, digest: string): Effect.Effect<Definition, StoreError> =>
  Effect.gen(function*() {
    const where = `definition ${digest}`
    const stored = yield* log.pinned(digest)
    if (stored === undefined) {
      return yield* new StoreCorrupted({
        where,
        what: "a mob or run names it and it is not there",
        remedy: "restore the data directory from a backup"
      })
    }
    return yield* Effect.mapError(
      decodeDefinition(stored),
      (error) => new StoreCorrupted({ where, what: error.message, remedy: "read it with the program that wrote it" })
    )
  })

/** Flow and definition a stored run is pinned to; undefined if there is no such run. */
export const readRunPin = (log: Pick<MobLog, "load">, run: RunId): Effect.Effect<RunPin | undefined, StoreError> =>
  Effect.flatMap(log.load(runAggregate(run)), (loaded) => {
    const head = loaded?.head
    const created = loaded?.entries[0]?.facts[0]
    // Both the first fact of a run and its head name it.
    if (head === undefined && created === undefined) return Effect.undefined
    return Effect.try({
      try: () => head !== undefined ? pinOfHead(head.state) : created && pinOfFact(created),
      catch: (cause) => unfoldable(runAggregate(run), cause)
    })
  })

/** A run's record, folded from the log; undefined if there is no such run. */
export const storedRun = (
  log: Pick<MobLog, "load" | "pinned">,
  run: RunId
): Effect.Effect<RunRecord | undefined, StoreError> =>
  Effect.gen(function*() {
    const pin = yield* readRunPin(log, run)
    if (pin === undefined) return undefined
    const definition = yield* readPinned(log, pin.digest)
    const plan = compileFlow(definition, pin.flow_id, pin.digest, validateSchema)
    const loaded = yield* loadAggregate(log, runAggregateOf(plan, run))
    return loaded === undefined ? undefined : runRecord(plan, loaded.state)
  })

/** Records of all stored runs, newest first; runs that cannot be read are left out and counted. */
export const storedRuns = (
  log: Pick<MobLog, "load" | "pinned" | "aggregates">
): Effect.Effect<{ readonly runs: ReadonlyArray<RunRecord>; readonly unreadable: number }, StoreError> =>
  Effect.gen(function*() {
    const runs: Array<RunRecord> = []
    let unreadable = 0
    for (const name of yield* log.aggregates("run/")) {
      // A run's aggregate is named after its id; see runAggregate.
      const record = yield* Effect.catchTag(
        storedRun(log, name.slice("run/".length) as RunId),
        "StoreCorrupted",
        () => {
          unreadable += 1
          return Effect.succeed(undefined)
        }
      )
      if (record !== undefined) runs.push(record)
    }
    runs.sort((a, b) => b.started_at - a.started_at || (a.run_id < b.run_id ? -1 : 1))
    return { runs, unreadable }
  })

/** A mob's state, folded from the log; undefined if it was never created. */
export const storedMob = (log: Pick<MobLog, "load">): Effect.Effect<MobState | undefined, StoreError> =>
  Effect.map(loadAggregate(log, mobAggregate), (loaded) => loaded?.state)
