/**
 * A world whose store says other things than what was written: records of a later version, records that are damaged, or
 * nothing at all for a while. What is written to it goes through, and is noted.
 */
import { Effect, Layer } from "effect"
import {
  Journal,
  type Json,
  type JsonObject,
  type Loaded,
  type MobId,
  type MobLog,
  type StoreError
} from "mobwright/sdk"
import { Saboteur } from "./saboteur.ts"

/** What becomes of a read: of an aggregate by its name, of a definition by its digest. */
export type Reading = (name: string) => StoreError | undefined

/** See the module's text. */
export class StoredOtherwise extends Saboteur {
  /** Facts that were submitted, in order, with the aggregate they are of. */
  readonly facts: Array<{ readonly aggregate: string; readonly fact: JsonObject }> = []
  /** Every read that was tried, in order. */
  readonly reads: Array<string> = []
  /** Why a read fails now, if it does. */
  fails: Reading = () => undefined
  /** What a read waits for. */
  waits: (name: string) => Effect.Effect<void> = () => Effect.void
  /** Called before each submission. */
  onSubmit = () => {}
  /** What an aggregate reads as. */
  alter: (aggregate: string, loaded: Loaded) => Loaded = (_, loaded) => loaded

  override readonly journal: Layer.Layer<Journal, never, Journal> = Layer.effect(
    Journal,
    Effect.map(Journal, (journal) => ({
      ...journal,
      acquire: (mob: MobId) => Effect.map(journal.acquire(mob), (log) => this.#wrapped(log))
    }))
  )

  /** Facts submitted since there were this many. */
  since(count: number): ReadonlyArray<string> {
    return this.facts.slice(count).map(({ aggregate, fact }) => `${aggregate} ${String(fact["type"])}`)
  }

  #wrapped(log: MobLog): MobLog {
    const read = <A>(name: string, effect: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
      Effect.suspend(() => {
        this.reads.push(name)
        const error = this.fails(name)
        return error === undefined ? Effect.andThen(this.waits(name), effect) : Effect.fail(error)
      })
    return {
      ...log,
      submit: (submission) => {
        this.onSubmit()
        for (const { aggregate, facts } of submission.entries) {
          for (const fact of facts) this.facts.push({ aggregate, fact })
        }
        log.submit(submission)
      },
      load: (aggregate) =>
        read(aggregate, Effect.map(log.load(aggregate), (loaded) => loaded && this.alter(aggregate, loaded))),
      pinned: (digest) => read(digest, log.pinned(digest))
    }
  }
}

/** This record in a later version. */
const later = (record: Json): JsonObject => ({ ...record as JsonObject, v: 900 }) // heads and facts are objects

/** An aggregate whose head a later program wrote. */
export const laterHead = (loaded: Loaded): Loaded =>
  loaded.head === undefined ? loaded : { ...loaded, head: { ...loaded.head, state: later(loaded.head.state) } }

/** An aggregate to which a later program added an entry. */
export const laterFact = (loaded: Loaded): Loaded => {
  const last = loaded.entries.at(-1)
  const revision = (last?.revision ?? loaded.head?.revision ?? 0) + 1
  return {
    ...loaded,
    entries: [...loaded.entries, { revision, at: last?.at ?? 0, facts: [{ v: 900, type: "ended" }] }]
  }
}

/** An aggregate to which a later program added an entry of a kind that there is not yet. */
export const unknownFact = (loaded: Loaded): Loaded => {
  const last = loaded.entries.at(-1)
  const revision = (last?.revision ?? loaded.head?.revision ?? 0) + 1
  return {
    ...loaded,
    entries: [...loaded.entries, { revision, at: last?.at ?? 0, facts: [{ v: 1, type: "not_yet" }] }]
  }
}
