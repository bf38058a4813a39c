/**
 * Clauses of answers: what `committed` and `failed` say, how often, in which order, and what may be counted on then.
 */
import { Effect } from "effect"
import { holds, same, until } from "./check.ts"
import { type Clause, required } from "./clause.ts"
import {
  entry,
  eventsAfter,
  eventsNamed,
  headAt,
  namesOf,
  note,
  range,
  revisionOf,
  submit,
  team,
  write
} from "./writing.ts"

export const answers: ReadonlyArray<Clause> = [
  required(
    "STORE-015",
    "submit never throws, and exactly one of committed and failed is called for each submission, once",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      const calls = new Map<string, Array<string>>()
      const send = (name: string, revision: number) => {
        const heard: Array<string> = []
        calls.set(name, heard)
        log.submit({
          entries: [entry("mob", revision)],
          committed: () => {
            heard.push("committed")
            // From within the answer of another.
            if (revision === 3) send("4 from within", 4)
          },
          failed: (error) => heard.push(error._tag)
        })
      }
      send("1", 1)
      send("1 again", 1)
      send("2", 2)
      send("7 ahead", 7)
      send("3", 3)
      yield* until(() => calls.size === 6 && [...calls.values()].every((heard) => heard.length > 0))
      yield* store.acquire(team)
      send("5 fenced", 5)
      yield* until(() => calls.get("5 fenced")?.length !== 0)
      yield* write(yield* store.acquire(team), "mob", 5, 6)
      yield* same(
        Object.fromEntries(calls),
        {
          "1": ["committed"],
          "1 again": ["RevisionConflict"],
          "2": ["committed"],
          "7 ahead": ["RevisionConflict"],
          "3": ["committed"],
          "4 from within": ["committed"],
          "5 fenced": ["OwnerFenced"]
        },
        "calls of each submission"
      )
    })
  ),

  required(
    "STORE-016",
    "committed is called in submit order within the mob, whatever the aggregates",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const calls: Array<string> = []
      const names = range(0, 59).map((index) => `run/${index % 7} turn ${Math.floor(index / 7) + 1}`)
      for (const [index, name] of names.entries()) {
        note(log, calls, name, [entry(`run/${index % 7}`, Math.floor(index / 7) + 1)])
        if (index % 20 === 19) yield* Effect.yieldNow
      }
      yield* until(() => calls.length === names.length)
      yield* same(calls, names, "calls of committed")
    })
  ),

  required(
    "STORE-017",
    "committed says the position of the first entry, and the cursor of the first event or the one the next event will get",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const first = yield* submit(log, [entry("mob", 1)])
      const { cursor, position } = first
      const at = [
        yield* submit(log, [entry("mob", 2, { events: eventsNamed("b", 3) }), entry("mob", 3, { events: [] })]),
        yield* submit(log, [entry("mob", 4, { events: [] }), entry("run/a", 1, { events: [] })]),
        yield* submit(log, [entry("mob", 5, { events: [] }), entry("run/a", 2, { events: eventsNamed("c", 1) })]),
        yield* submit(log, [entry("mob", 6)])
      ]
      yield* same(
        at.map((it) => [it.position - position, it.cursor - cursor]),
        [[1, 1], [3, 4], [5, 4], [7, 5]],
        "positions and cursors, counted from the first"
      )
      const [event] = yield* log.events(cursor - 1, 1)
      yield* same(event?.event["name"], "mob@1", "the event that stands at the cursor of the first")
    })
  ),

  required(
    "STORE-018",
    "what was acknowledged is seen by every read that begins after it",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      for (const revision of range(1, 12)) {
        yield* submit(log, [entry("mob", revision), entry(`run/${revision}`, 1, { terminal: revision % 2 === 0 })])
        const look = yield* store.inspect(team)
        for (const reads of look === undefined ? [log] : [log, look]) {
          yield* same(yield* revisionOf(reads, "mob"), revision, "the revision of its aggregate")
          yield* same(yield* revisionOf(reads, `run/${revision}`), 1, "the revision of its other aggregate")
          const events = yield* eventsAfter(reads, 2 * revision - 2)
          yield* same(namesOf(events), [`mob@${revision}`, `run/${revision}@1`], "its events")
        }
      }
    })
  ),

  required(
    "STORE-019",
    "a barrier waits until nothing of its aggregate is open or in flight",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* log.barrier("mob")
      for (const round of [1, 2, 3]) {
        const calls: Array<string> = []
        for (const index of range(1, 5)) note(log, calls, String(index), [entry("mob", 5 * round - 5 + index)])
        note(log, calls, "refused", [entry("mob", 1)])
        note(log, calls, "head", [entry("run/a", round)])
        yield* log.barrier("mob")
        yield* holds(range(1, 5).every((index) => calls.includes(String(index))), `answered at the barrier: ${calls}`)
        yield* holds(calls.includes("refused RevisionConflict"), "a refusal came after the barrier")
        let written = false
        log.submit({
          entries: [],
          heads: [headAt("mob", 5 * round)],
          committed: () => {
            written = true
          },
          failed: () => {}
        })
        yield* log.barrier("mob")
        yield* holds(written, "a head alone was in flight at the barrier")
      }
    })
  ),

  required(
    "STORE-020",
    "batches counts the group commits that held a submission: at least one, and never more than submissions",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      const before = store.batches()
      yield* write(log, "mob", 1, 5)
      yield* same(store.batches() - before, 5, "group commits of five submissions that each waited for the one before")
      const calls: Array<string> = []
      for (const index of range(1, 50)) note(log, calls, String(index), [entry(`run/${index}`, 1)])
      yield* until(() => calls.length === 50)
      const grown = store.batches() - before - 5
      yield* holds(grown >= 1 && grown <= 50, `50 submissions at once were ${grown} group commits`)
    })
  ),

  required(
    "STORE-021",
    "a snapshot is asked for at most once, for the head of its own revision",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      const asked: Array<number> = []
      for (const revision of range(1, 40)) {
        const snapshot = () => {
          asked.push(revision)
          return { revision, filler: "x".repeat(2000) }
        }
        yield* submit(log, [entry("run/a", revision, { snapshot, terminal: revision === 40 })])
        const head = (yield* (yield* store.inspect(team))?.load("run/a") ?? Effect.undefined)?.head
        if (head !== undefined) {
          const { revision: of } = head.state as { readonly revision: number } // what the snapshot gave
          yield* same(of, head.revision, "the revision whose state the head holds")
        }
      }
      yield* same(asked, [...new Set(asked)], "revisions whose snapshot was asked for")
    })
  )
]
