/**
 * Head and tail give what the full replay gives: for the histories of the real machines, wherever the head stands.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Entry } from "mobwright/sdk"
import { type Aggregate, loadAggregate } from "../../core/journal/aggregate.ts"
import { JournalMemory } from "../../core/journal/index.ts"
import type { JsonObject } from "../../sdk/json.ts"
import { effort, seeds } from "../actor/fixtures.ts"
import { acquire, submit } from "./logs.ts"
import { machineHistory, withAggregate } from "./random-histories-machines.ts"

/** As it comes back from disk. */
const stored = <A>(value: A): A => JSON.parse(JSON.stringify(value)) as A // JSON is all that is written

/** What folding these entries onto a state comes to, with the events on the way. */
const replay = <S, F extends JsonObject>(
  { decodeFact, evolve, project }: Aggregate<S, F>,
  from: S | undefined,
  entries: ReadonlyArray<Entry>
): { readonly states: ReadonlyArray<S>; readonly events: ReadonlyArray<ReadonlyArray<JsonObject>> } => {
  let state = from
  const states: Array<S> = []
  const events = entries.map(({ facts }) => {
    const told: Array<JsonObject> = []
    for (const stands of facts) {
      const fact = decodeFact(stored(stands))
      const before: S | undefined = state
      state = evolve(before, fact)
      told.push(...project(before, fact, state))
    }
    if (state === undefined) throw new Error("an entry without a fact at the beginning")
    states.push(state)
    return told
  })
  return { states, events }
}

/** Entries looked at, by kind of aggregate. */
const looked = new Map<string, number>()

describe("head and tail of the machines' aggregates", () => {
  it.live.each(seeds(8, 300))(
    "seed %i: equal the full replay, wherever the head stands",
    (seed) =>
      Effect.gen(function*() {
        const { ends, history, loaded } = yield* machineHistory(seed)
        expect([...history.keys()]).toContain("mob")
        for (const [name, entries] of history) {
          const kind = name.replace(/\/.*/, "")
          looked.set(kind, (looked.get(kind) ?? 0) + entries.length)
          withAggregate(loaded, name, entries, <S, F extends JsonObject>(aggregate: Aggregate<S, F>) => {
            expect(entries.map(({ revision }) => revision)).toEqual(entries.map((_, index) => index + 1))
            const { decode, encode, isTerminal } = aggregate
            const whole = replay(aggregate, undefined, entries)
            const heads = whole.states.map((state) => stored(encode(state)))
            expect(whole.events, name).toEqual(entries.map(({ events }) => stored(events)))
            expect(heads.at(-1), name).toEqual(ends.get(name))
            entries.forEach((entry, index) => {
              expect(stored(entry.snapshot()), `${name} ${entry.revision}`).toEqual(heads[index])
              const state = whole.states[index]
              expect(entry.terminal).toBe(state !== undefined && isTerminal(state))
              const tail = entries.slice(index + 1)
              const rest = replay(aggregate, decode(heads[index] ?? null), tail)
              expect(rest.states.map((it) => stored(encode(it))), `${name} from ${entry.revision}`)
                .toEqual(heads.slice(index + 1))
              expect(rest.events).toEqual(whole.events.slice(index + 1))
            })
          })
        }
      }),
    effort(30_000, 600_000)
  )

  it.live.each(seeds(4, 60))(
    "seed %i: come back from a journal whose heads stand anywhere",
    (seed) =>
      Effect.gen(function*() {
        const { history, loaded } = yield* machineHistory(seed)
        const log = yield* acquire
        for (const [name, entries] of history) {
          yield* withAggregate(loaded, name, entries, <S, F extends JsonObject>(aggregate: Aggregate<S, F>) =>
            Effect.gen(function*() {
              const { encode } = aggregate
              const { states } = replay(aggregate, undefined, entries)
              for (const [index, entry] of entries.entries()) {
                yield* submit(log, [entry])
                // A head now and then, by no rhythm that the entries have.
                if ((index * index + seed) % 5 === 0) {
                  const { revision, snapshot } = entry
                  yield* submit(log, [], { heads: [{ aggregate: name, revision, snapshot }] })
                }
                const found = yield* loadAggregate(log, aggregate)
                expect(found?.revision).toBe(entry.revision)
                expect(found && encode(found.state), `${name} ${entry.revision}`).toEqual(encode(states[index]!))
              }
            }))
        }
        yield* log.prune({ events: Number.MAX_SAFE_INTEGER, forget: [] })
        for (const [name, entries] of history) {
          yield* withAggregate(loaded, name, entries, <S, F extends JsonObject>(aggregate: Aggregate<S, F>) =>
            Effect.map(loadAggregate(log, aggregate), (found) => {
              const last = replay(aggregate, undefined, entries).states.at(-1)
              expect(found && aggregate.encode(found.state), name).toEqual(last && aggregate.encode(last))
            }))
        }
      }).pipe(Effect.provide(JournalMemory.layer), Effect.scoped),
    effort(30_000, 600_000)
  )

  it("were those of mobs, runs and inboxes", () => {
    for (const kind of ["mob", "run", "inbox"]) expect(looked.get(kind), kind).toBeGreaterThan(20)
  })
})
