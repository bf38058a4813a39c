/**
 * Clauses of pruning: what goes, what stays, and that no number is given again.
 */
import { Effect, Fiber } from "effect"
import type { MobLog } from "../../store.ts"
import { holds, refusal, same } from "./check.ts"
import { type Clause, required } from "./clause.ts"
import {
  entry,
  eventsAfter,
  headAt,
  namesIn,
  namesOf,
  namesTo,
  nothing,
  range,
  revisionOf,
  submit,
  team,
  write,
  writeEnded
} from "./writing.ts"

export const prune: ReadonlyArray<Clause> = [
  required(
    "STORE-041",
    "a prune keeps every event from the cursor that it was given on, and says which is the first that is left",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* writeRuns(log, 1, 20)
      const all = yield* eventsAfter(log)
      for (const events of [1, 5, 12, 20]) {
        const { firstCursor, forgotten } = yield* log.prune({ events, forget: [] })
        yield* holds(
          firstCursor <= events,
          `asked to keep from ${events} on, it says that ${firstCursor} is the first left`
        )
        yield* same(yield* eventsAfter(log, firstCursor - 1), all.slice(firstCursor - 1), "events that are left")
        yield* same(forgotten, 0, "aggregates it forgot without being told to")
      }
    })
  ),

  required(
    "STORE-042",
    "a read of events that were pruned is refused with HistoryPruned, which says where to read on, as firstCursor does",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      yield* same(log.firstCursor(), 1, "the first cursor of a mob without events")
      const { cursor } = yield* writeRuns(log, 1, 10)
      yield* same(log.firstCursor(), 1, "the first cursor before a prune")
      yield* log.prune(nothing)
      yield* same(log.firstCursor(), cursor + 1, "the first cursor when no event is left")
      yield* writeRuns(log, 11, 13)
      for (const after of [0, 5]) {
        const error = yield* refusal(log.events(after, 100), "HistoryPruned", `events after ${after}`)
        const read = yield* log.events(error.first_cursor - 1, 100)
        yield* same(namesOf(read), ["run/11@1", "run/12@1", "run/13@1"], "events from there on")
        yield* same(log.firstCursor(), error.first_cursor, "the first cursor")
      }
      yield* same((yield* store.inspect(team))?.firstCursor(), cursor + 1, "the first cursor of a look")
    })
  ),

  required(
    "STORE-043",
    "a prune that is to keep nothing removes all history, and answers the numbers that come next, which are given once",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      const { cursor, position } = yield* writeRuns(log, 1, 8)
      const pruned = yield* log.prune(nothing)
      const next = { position: position + 1, cursor: cursor + 1 }
      yield* same(
        [pruned.firstPosition, pruned.firstCursor],
        [next.position, next.cursor],
        "first position and cursor left"
      )
      yield* same(yield* log.events(cursor, 10), [], "events left")
      const again = yield* store.acquire(team)
      yield* same(again.latestCursor(), cursor, "the latest cursor of the next owner")
      yield* same(yield* writeRuns(again, 9, 9), next, "where the next entry stands")
      yield* same(namesOf(yield* again.events(cursor, 10)), ["run/9@1"], "events after it")
    })
  ),

  required(
    "STORE-044",
    "an aggregate that is live loads whole after any prune",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      for (const name of ["run/silent", "run/headed", "run/answers"]) yield* write(log, name, 1, 5)
      yield* submit(log, [], { heads: [headAt("run/headed", 5)] })
      yield* write(log, "run/headed", 6, 7)
      yield* writeRuns(log, 1, 5)
      log.listen({
        headWanted: (aggregate) => {
          if (aggregate !== "run/answers") return
          log.submit({ entries: [], heads: [headAt(aggregate, 5)], committed: () => {}, failed: () => {} })
        }
      })
      for (const keep of [{ events: 4, forget: [] }, nothing, { ...nothing, forget: ["run/silent"] }]) {
        yield* log.prune(keep)
        for (const [name, revision] of [["run/silent", 5], ["run/headed", 7], ["run/answers", 5]] as const) {
          yield* same(namesIn(yield* log.load(name)), namesTo(name, revision), `facts of ${name}`)
        }
      }
      const next = yield* store.acquire(team)
      yield* same(namesIn(yield* next.load("run/silent")), namesTo("run/silent", 5), "facts that the next owner loads")
      yield* write(next, "run/silent", 6, 6)
    })
  ),

  required(
    "STORE-045",
    "a prune forgets the ended aggregates that it is told to, counts them, and leaves live, unknown and other ones alone",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* writeRuns(log, 1, 3)
      yield* write(log, "run/live", 1, 2)
      const forget = ["run/1", "run/live", "run/unknown", "run/3", "run/1"]
      yield* same((yield* log.prune({ events: 1, forget })).forgotten, 2, "aggregates it says it forgot")
      for (const [name, revision] of [["run/1", 0], ["run/2", 1], ["run/3", 0], ["run/live", 2]] as const) {
        yield* same(yield* revisionOf(log, name), revision, `the revision of ${name}`)
      }
      const named = (yield* log.aggregates("run/")).filter((name) => name !== "run/live")
      yield* same(named, ["run/2"], "ended aggregates that are left")
      yield* same((yield* log.prune({ events: 1, forget })).forgotten, 0, "aggregates it forgot when told again")
    })
  ),

  required(
    "STORE-046",
    "a name that was forgotten begins anew at revision 1, whatever of its first life is left in the log",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      yield* write(log, "run/a", 1, 3)
      yield* submit(log, [entry("run/a", 4, { terminal: true })])
      yield* log.prune({ events: 1, forget: ["run/a"] })
      yield* refusal(submit(log, [entry("run/a", 5)]), "RevisionConflict", "the entry after its end")
      yield* write(log, "run/a", 1, 2)
      yield* same(namesIn(yield* log.load("run/a")), namesTo("run/a", 2), "facts of its second life")
      const next = yield* store.acquire(team)
      yield* same(namesIn(yield* next.load("run/a")), namesTo("run/a", 2), "facts that the next owner loads")
      yield* same(yield* next.live, ["run/a"], "live aggregates")
    })
  ),

  required(
    "STORE-047",
    "a prune that is interrupted leaves the log whole, and the next one goes on",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* write(log, "mob", 1, 3)
      for (const round of range(0, 9)) {
        yield* writeRuns(log, 10 * round + 1, 10 * round + 10)
        const pruning = yield* Effect.forkChild(log.prune({ events: 10 * round, forget: [`run/${10 * round}`] }), {
          startImmediately: true
        })
        for (let waited = 0; waited < round; waited++) yield* Effect.yieldNow
        yield* Fiber.interrupt(pruning)
        const read = yield* log.events(log.latestCursor() - 10, 10)
        yield* same(
          namesOf(read),
          range(10 * round + 1, 10 * round + 10).map((run) => `run/${run}@1`),
          "the newest events"
        )
        yield* same(yield* revisionOf(log, `run/${10 * round + 5}`), 1, "an ended aggregate")
        yield* same(namesIn(yield* log.load("mob")), namesTo("mob", 3), "a live aggregate")
      }
      yield* submit(log, [], { heads: [headAt("mob", 3)] })
      yield* log.prune(nothing)
      yield* refusal(log.events(0, 1), "HistoryPruned", "the first event, after the next prune")
    })
  )
]

/** Runs that begin and end with one entry; where the last stands. */
const writeRuns = Effect.fnUntraced(function*(log: MobLog, from: number, to: number) {
  let last = { position: 0, cursor: 0 }
  for (const run of range(from, to)) last = yield* writeEnded(log, `run/${run}`)
  return last
})
