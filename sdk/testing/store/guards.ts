/**
 * Clauses of guards: what a submission is taken on, and that it is taken as a whole.
 */
import { Effect } from "effect"
import type { Json } from "../../json.ts"
import { refusal, same, until } from "./check.ts"
import { type Clause, required } from "./clause.ts"
import { entry, eventsAfter, headAt, namesOf, note, range, revisionOf, submit, team, write } from "./writing.ts"

export const guards: ReadonlyArray<Clause> = [
  required(
    "STORE-010",
    "an entry is taken only at the revision after its aggregate's, else refused with RevisionConflict, which says both",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* write(log, "mob", 1, 2)
      const wrong = [["mob", 1, 2], ["mob", 2, 2], ["mob", 4, 2], ["run/new", 2, 0]] as const
      for (const [aggregate, revision, actual] of wrong) {
        const what = `revision ${revision} of ${aggregate}, which stands at ${actual}`
        const error = yield* refusal(submit(log, [entry(aggregate, revision)]), "RevisionConflict", what)
        yield* same(
          [error.aggregate, error.expected, error.actual],
          [aggregate, revision - 1, actual],
          `${what}: aggregate, expected, actual`
        )
        yield* same(yield* revisionOf(log, aggregate), actual, `${what}: the revision after it`)
      }
      yield* write(log, "mob", 3, 3)
    })
  ),

  required(
    "STORE-011",
    "a submission is all or nothing: where one guard does not hold, no entry, event or definition of it is written",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* write(log, "mob", 1, 1)
      const digest = "0a".repeat(32)
      const pins = [{ digest, definition: "of a refused submission" }]
      const [good, bad] = [entry("mob", 2), entry("run/a", 2)]
      for (const entries of [[good, bad], [bad, good]]) {
        yield* refusal(submit(log, entries, { pins }), "RevisionConflict", "two entries of which one is ahead")
        yield* same(yield* revisionOf(log, "mob"), 1, "the revision of the one that held")
        yield* same(yield* log.load("run/a"), undefined, "the aggregate of the one that did not")
        yield* same(namesOf(yield* eventsAfter(log)), ["mob@1"], "events after it")
        yield* same(yield* log.pinned(digest), undefined, "its definition")
      }
      yield* submit(log, [good, entry("run/a", 1)])
      yield* same([yield* revisionOf(log, "mob"), yield* revisionOf(log, "run/a")], [2, 1], "revisions when both hold")
    })
  ),

  required(
    "STORE-012",
    "guards are compared in submit order with all that was submitted before, so that a writer need not wait",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const answers: Array<string> = []
      for (const revision of range(1, 5)) note(log, answers, `at ${revision}`, [entry("mob", revision)])
      note(log, answers, "at 6 and 7", [entry("mob", 6), entry("mob", 7)])
      note(log, answers, "at 8 and 10", [entry("mob", 8), entry("mob", 10)])
      note(log, answers, "at 9", [entry("mob", 9)])
      note(log, answers, "at 8", [entry("mob", 8)])
      yield* until(() => answers.length === 9)
      yield* same(
        answers.toSorted(),
        [
          "at 1",
          "at 2",
          "at 3",
          "at 4",
          "at 5",
          "at 6 and 7",
          "at 8",
          "at 8 and 10 RevisionConflict",
          "at 9 RevisionConflict"
        ],
        "answers"
      )
      yield* same(yield* revisionOf(log, "mob"), 8, "the revision after them")
    })
  ),

  required(
    "STORE-013",
    "a head alone is taken only at its aggregate's revision, else refused with RevisionConflict",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      yield* write(log, "mob", 1, 3)
      for (const [aggregate, revision] of [["mob", 2], ["mob", 4], ["run/none", 1]] as const) {
        const what = `a head of ${aggregate} at ${revision}`
        yield* refusal(submit(log, [], { heads: [headAt(aggregate, revision)] }), "RevisionConflict", what)
      }
      yield* submit(log, [], { heads: [headAt("mob", 3)] })
    })
  ),

  required(
    "STORE-014",
    "what is no JSON, or has a name that is no Unicode, fails with StoreWriteFailed as not written, and the store goes on",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const circle: { self?: unknown } = {}
      circle.self = circle
      const noJson = circle as Json // what no type keeps an aggregate from giving
      const snapshots: ReadonlyArray<() => Json> = [() => noJson, () => {
        throw new Error("this aggregate has no state")
      }]
      for (const snapshot of snapshots) {
        const ending = submit(log, [entry("run/a", 1, { snapshot, terminal: true })])
        const error = yield* refusal(ending, "StoreWriteFailed", "an entry whose state is no JSON")
        yield* same(error.outcome, "not_written", "its outcome")
      }
      const facts = [{ name: noJson }]
      const error = yield* refusal(
        submit(log, [entry("run/a", 1, { facts })]),
        "StoreWriteFailed",
        "a fact that is no JSON"
      )
      yield* same(error.outcome, "not_written", "its outcome")
      const nameless = yield* refusal(
        submit(log, [entry("run/\ud800", 1)]),
        "StoreWriteFailed",
        "half a surrogate pair"
      )
      yield* same(nameless.outcome, "not_written", "its outcome")
      yield* submit(log, [entry("run/a", 1, { terminal: true })])
      yield* same(namesOf(yield* eventsAfter(log)), ["run/a@1"], "events after it")
    })
  )
]
