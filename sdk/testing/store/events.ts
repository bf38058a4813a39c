/**
 * Clauses of positions, cursors and the events that are read.
 */
import { Effect } from "effect"
import type { Json } from "../../json.ts"
import { refusal, same } from "./check.ts"
import { type Clause, required } from "./clause.ts"
import { entry, eventsAfter, eventsNamed, headAt, namesOf, range, submit, team, write } from "./writing.ts"

export const events: ReadonlyArray<Clause> = [
  required(
    "STORE-022",
    "positions start at 1 and have no gap, whatever is refused between, and whatever holds no entry",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const positions: Array<number> = []
      for (const round of [0, 1, 2]) {
        const log = yield* store.acquire(team)
        for (const revision of range(4 * round + 1, 4 * round + 4)) {
          positions.push((yield* submit(log, [entry("mob", revision)])).position)
          yield* refusal(submit(log, [entry("mob", revision)]), "RevisionConflict", "the same again")
        }
        yield* submit(log, [], { heads: [headAt("mob", 4 * round + 4)] })
      }
      yield* same(positions, range(1, 12), "positions")
    })
  ),

  required(
    "STORE-023",
    "cursors start at 1 and have no gap, whatever is refused between, and whatever holds no event",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      for (const round of [0, 1, 2]) {
        const log = yield* store.acquire(team)
        for (const revision of range(4 * round + 1, 4 * round + 4)) {
          yield* submit(log, [entry("mob", revision, { events: eventsNamed("e", revision % 4) })])
          yield* refusal(submit(log, [entry("mob", revision)]), "RevisionConflict", "the same again")
        }
      }
      const read = yield* eventsAfter(yield* store.acquire(team))
      yield* same(read.map(({ cursor }) => cursor), range(1, 18), "cursors")
    })
  ),

  required(
    "STORE-024",
    "events gives those above a cursor, in the order they were submitted, and at most as many as asked for",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const names: Array<Json> = []
      for (const revision of range(1, 15)) {
        const written = eventsNamed(`e${revision}`, revision % 4)
        names.push(...written.flatMap(({ name }) => name ?? []))
        yield* submit(log, [entry("mob", revision, { events: written })])
      }
      for (const after of [...range(0, names.length), names.length + 10]) {
        for (const limit of [0, 1, 5, 1000]) {
          const read = namesOf(yield* log.events(after, limit))
          yield* same(read, names.slice(after, after + limit), `at most ${limit} events after ${after}`)
        }
      }
    })
  ),

  required(
    "STORE-025",
    "latestCursor is 0 before the first event, then the cursor of the newest that is durable",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* same(log.latestCursor(), 0, "at first")
      yield* submit(log, [entry("mob", 1, { events: [] })])
      yield* same(log.latestCursor(), 0, "after an entry without events")
      const { cursor } = yield* submit(log, [entry("mob", 2, { events: eventsNamed("e", 3) })])
      yield* same(log.latestCursor(), cursor + 2, "after three events")
      yield* same((yield* eventsAfter(log)).at(-1)?.cursor, log.latestCursor(), "the cursor of the last that is read")
    })
  ),

  required(
    "STORE-026",
    "what is written is read as it was: facts, events, states, definitions and times",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const digest = "0b".repeat(32)
      const facts = [{ type: "a", value }, { type: "b" }]
      const written = [{ type: "c", value }]
      const at = 1_754_000_000_123
      const definition = { value }
      yield* submit(log, [entry("run/a", 1, { snapshot: () => value, terminal: true })], {
        pins: [{ digest, definition }]
      })
      yield* write(log, "run/b", 1, 1)
      yield* submit(log, [entry("run/b", 2, { at, facts, events: written, snapshot: () => value })])
      const [last] = (yield* eventsAfter(log)).slice(-1)
      yield* same(last && { at: last.at, event: last.event }, { at, event: written[0] }, "an event")
      yield* same((yield* log.load("run/a"))?.head?.state, value, "a state")
      const loaded = yield* log.load("run/b")
      const [tail] = loaded?.entries.slice(-1) ?? []
      if (tail === undefined) yield* same(loaded?.head?.state, value, "a state that was written with an entry")
      else yield* same(tail, { revision: 2, at, facts }, "an entry")
      yield* same(yield* log.pinned(digest), definition, "a definition")
      yield* same(yield* log.pinned("0c".repeat(32)), undefined, "a definition that was never pinned")
    })
  )
]

const value: Json = {
  text: "Ünal 李 👩‍🚀 \" \\ / \n \t \u0000 \u2028 \ud800",
  "": "a name that is empty",
  "__proto__x": [],
  numbers: [0, -1, 1.5, 1e300, 5e-324, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  nested: [[], {}, [[null, true, false, [{ deep: [[[["end"]]]] }]]]],
  long: "x".repeat(20_000)
}
