/**
 * Clauses of aggregates: heads, loads, which are live, which there are.
 */
import { Effect } from "effect"
import { refusal, same, until } from "./check.ts"
import { type Clause, NotOffered, optional, required } from "./clause.ts"
import {
  entry,
  headAt,
  namesIn,
  namesTo,
  note,
  range,
  revisionOf,
  stateOf,
  submit,
  team,
  write,
  writeEnded
} from "./writing.ts"

/** Entries without an answer after which a store may be taken not to ask for heads. */
const patience = 6000

export const aggregates: ReadonlyArray<Clause> = [
  required(
    "STORE-030",
    "load gives the newest head and every entry after it, in order: together all facts; undefined if there is none",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* same(yield* log.load("mob"), undefined, "an aggregate that never had an entry")
      for (const revision of range(1, 20)) {
        const facts = [{ name: `mob@${revision}`, filler: "x".repeat(revision * 400) }]
        yield* submit(log, [entry("mob", revision, { facts }), entry(`run/${revision}`, 1)])
        const loaded = yield* log.load("mob")
        const first = (loaded?.head?.revision ?? 0) + 1
        const found = loaded?.entries.map((it) => it.revision)
        yield* same(found, range(first, revision), "revisions after the head")
        yield* same(namesIn(loaded), namesTo("mob", revision), `facts up to revision ${revision}`)
      }
    })
  ),

  required(
    "STORE-031",
    "a terminal entry writes a head: the state after it, marked terminal, with no entry after it",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* write(log, "run/a", 1, 2)
      yield* submit(log, [entry("run/a", 3, { terminal: true })])
      const head = { revision: 3, state: stateOf("run/a", 3), terminal: true }
      yield* same(yield* log.load("run/a"), { head, entries: [] }, "an aggregate at its end")
    })
  ),

  required(
    "STORE-032",
    "an aggregate at its end takes an entry under its guard, and is live again if that one is not terminal",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      yield* write(log, "run/a", 1, 1)
      yield* submit(log, [entry("run/a", 2, { terminal: true })])
      const { actual } = yield* refusal(submit(log, [entry("run/a", 1)]), "RevisionConflict", "its first entry again")
      yield* same(actual, 2, "the revision it stands at")
      yield* submit(log, [entry("run/a", 3, { terminal: true })])
      yield* same(yield* log.live, [], "live aggregates after a terminal entry after the end")
      const next = yield* store.acquire(team)
      yield* submit(next, [entry("run/a", 4)])
      yield* same(yield* next.live, ["run/a"], "live aggregates after one that is not terminal")
      yield* same(namesIn(yield* next.load("run/a")), namesTo("run/a", 4), "its facts")
    })
  ),

  required(
    "STORE-033",
    "live is every aggregate that has entries and did not end, oldest first",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      yield* same(yield* log.live, [], "live aggregates at first")
      yield* submit(log, [entry("run/z", 1), entry("mob", 1), entry("run/a", 1)])
      yield* submit(log, [entry("mob", 2), entry("run/m", 1, { terminal: true }), entry("run/b", 1)])
      yield* submit(log, [entry("run/z", 2), entry("run/a", 2, { terminal: true })])
      yield* same(yield* log.live, ["run/z", "mob", "run/b"], "live aggregates")
      yield* same(
        yield* (yield* store.acquire(team)).live,
        ["run/z", "mob", "run/b"],
        "live aggregates of the next owner"
      )
    })
  ),

  required(
    "STORE-034",
    "aggregates gives those of a prefix that have a head, live or ended, by name",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      for (const name of ["run/c", "run/a", "runs", "run/ab", "mob"]) yield* writeEnded(log, name)
      yield* write(log, "run/b", 1, 2)
      yield* submit(log, [], { heads: [headAt("run/b", 2)] })
      yield* same(yield* log.aggregates("run/"), ["run/a", "run/ab", "run/b", "run/c"], "of the prefix run/")
      yield* same(yield* log.aggregates("run/a"), ["run/a", "run/ab"], "of the prefix run/a")
      yield* same(yield* log.aggregates("run/x"), [], "of a prefix that none has")
      yield* same(yield* log.aggregates(""), ["mob", "run/a", "run/ab", "run/b", "run/c", "runs"], "of no prefix")
    })
  ),

  required(
    "STORE-035",
    "a head alone becomes the newest head of its aggregate, and entries go on after it",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      yield* write(log, "run/a", 1, 3)
      yield* submit(log, [entry("run/a", 4)], { heads: [headAt("run/a", 4)] })
      const head = { revision: 4, state: stateOf("run/a", 4), terminal: false }
      yield* same(yield* log.load("run/a"), { head, entries: [] }, "after a head with the entry that it is of")
      yield* write(log, "run/a", 5, 5)
      yield* submit(log, [], { heads: [headAt("run/a", 5)] })
      yield* write(log, "run/a", 6, 6)
      yield* same(namesIn(yield* log.load("run/a")), namesTo("run/a", 6), "facts after an entry after a head alone")
      const next = yield* store.acquire(team)
      yield* same(namesIn(yield* next.load("run/a")), namesTo("run/a", 6), "the same for the next owner")
    })
  ),

  optional(
    "STORE-036",
    "a store that asks for a head asks those who can give it, takes the head that answers, and asks no more",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const wanted: Array<string> = []
      const others: Array<string> = []
      log.listen({ headWanted: (aggregate) => wanted.push(aggregate) })
      log.listen({ headWanted: (aggregate) => others.push(aggregate), aggregate: "run/hot" })
      yield* write(log, "run/idle", 1, 3)
      const hot = (from: number, to: number) =>
        Effect.gen(function*() {
          const calls: Array<string> = []
          for (const revision of range(from, to)) note(log, calls, "hot", [entry("run/hot", revision, bare)])
          yield* until(() => calls.length === to - from + 1)
        })
      let written = 0
      for (; written < patience && !wanted.includes("run/idle"); written += 500) yield* hot(written + 1, written + 500)
      if (!wanted.includes("run/idle")) {
        return yield* new NotOffered({ message: `it asked for no head within ${patience} entries` })
      }
      yield* same(others.filter((aggregate) => aggregate !== "run/hot"), [], "asked of who can give another head alone")
      yield* submit(log, [], { heads: [headAt("run/idle", 3)] })
      const loaded = yield* log.load("run/idle")
      yield* same([loaded?.head?.revision, loaded?.entries], [3, []], "the head after the answer, and what follows it")
      wanted.length = 0
      yield* hot(written + 1, written + 2500)
      yield* same(wanted.filter((aggregate) => aggregate === "run/idle"), [], "asked for after the answer")
      yield* same(yield* revisionOf(log, "run/idle"), 3, "its revision")
    })
  )
]

/** What fills a log quickly. */
const bare = { events: [], snapshot: () => null }
