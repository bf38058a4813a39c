/**
 * Aggregates: what one writer writes, as pure functions of its facts, and how one is folded from the log.
 */
import { Cause, Effect, Option, Schedule } from "effect"
import type { Json, JsonObject } from "../../sdk/json.ts"
import { type MobLog, SchemaUnsupported, StoreCorrupted, type StoreError } from "../../sdk/store.ts"

/** Pure functions of one aggregate. Facts are JSON as they stand on disk. */
export interface Aggregate<S, F extends JsonObject> {
  /** Name in the log: `mob`, `run/<id>`, `inbox/<identity>`. */
  readonly name: string
  readonly evolve: (state: S | undefined, fact: F) => S
  /** Public events of one fact. */
  readonly project: (before: S | undefined, fact: F, after: S) => ReadonlyArray<JsonObject>
  readonly encode: (state: S) => Json
  /** May throw on a record it cannot read. */
  readonly decode: (state: Json) => S
  /** May throw on a fact it cannot read. */
  readonly decodeFact: (fact: JsonObject) => F
  /** After a terminal state the aggregate is no longer live. */
  readonly isTerminal: (state: S) => boolean
}

/** Folds an aggregate from the log; undefined if it has no entry. Fails with `StoreCorrupted` on an unreadable record. */
export const loadAggregate = <S, F extends JsonObject>(
  log: Pick<MobLog, "load">,
  aggregate: Aggregate<S, F>
): Effect.Effect<{ readonly state: S; readonly revision: number } | undefined, StoreError> =>
  Effect.flatMap(log.load(aggregate.name), (loaded) => {
    if (loaded === undefined) return Effect.succeed(undefined)
    return Effect.try({
      try: () => {
        let state = loaded.head === undefined ? undefined : aggregate.decode(loaded.head.state)
        let revision = loaded.head?.revision ?? 0
        for (const entry of loaded.entries) {
          for (const fact of entry.facts) state = aggregate.evolve(state, aggregate.decodeFact(fact))
          revision = entry.revision
        }
        return state === undefined ? undefined : { state, revision }
      },
      catch: (cause) => unfoldable(aggregate.name, cause)
    })
  })

/** Why records whose checksums match make no state: a later program wrote them, or they are damaged all the same. */
export const unfoldable = (aggregate: string, cause: unknown): SchemaUnsupported | StoreCorrupted =>
  cause instanceof SchemaUnsupported ? cause : new StoreCorrupted({
    where: aggregate,
    what: `its records cannot be folded (${cause instanceof Error ? cause.message : String(cause)})`,
    remedy: "the log was left as it is; read it with the program that wrote it"
  })

/** Reads until the store answers: what could not be read just now, or is being opened again, is no reason to give up. */
export const untilReadable = <A>(read: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
  Effect.retry(read, { while: (error) => error._tag === "StoreUnavailable", schedule: patience })

const patience = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

/**
 * What a cell that could not start says of its records: `unreadable` lasts, and may be recorded; `unsupported` is for a
 * later program to read, so nothing may be recorded; undefined says nothing of them, as when its parent ended.
 */
export const unreadOf = (cause: Cause.Cause<unknown>): Unread | undefined => {
  if (Cause.hasInterruptsOnly(cause)) return undefined
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error instanceof SchemaUnsupported) return { type: "unsupported", error }
  if (error === undefined || error instanceof StoreCorrupted) return { type: "unreadable", message: causeText(cause) }
  return undefined
}

/** See {@link unreadOf}. */
export type Unread =
  | { readonly type: "unreadable"; readonly message: string }
  | { readonly type: "unsupported"; readonly error: SchemaUnsupported }

/** The same as `Cause.squash`, as text. */
export const causeText = (cause: Cause.Cause<unknown>): string => {
  const squashed = Cause.squash(cause)
  return squashed instanceof Error ? squashed.message : String(squashed)
}
