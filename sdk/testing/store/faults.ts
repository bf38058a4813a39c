/**
 * Clauses of failed writes: what is said, what is there, and that the store goes on by itself.
 */
import { Effect } from "effect"
import type { Committed } from "../../store.ts"
import { holds, same, until } from "./check.ts"
import { type Clause, required } from "./clause.ts"
import { callsOf } from "./reopening.ts"
import {
  entry,
  eventsAfter,
  namesIn,
  namesOf,
  namesTo,
  note,
  range,
  revisionOf,
  submit,
  team,
  write
} from "./writing.ts"

export const faults: ReadonlyArray<Clause> = [
  required(
    "STORE-061",
    "when a write fails, all that is not acknowledged is answered failed, then listeners hear lost, and reopened when it is well",
    Effect.fnUntraced(function*({ faults, open }) {
      const log = yield* (yield* open).acquire(team)
      yield* write(log, "mob", 1, 1)
      const heard: Array<string> = []
      log.listen({
        lost: () => heard.push("lost"),
        reopened: () => heard.push("reopened"),
        closed: () => heard.push("closed")
      })
      yield* faults.begin
      for (const revision of range(2, 6)) note(log, heard, "answer", [entry("mob", revision)])
      yield* until(() => heard.includes("lost"))
      yield* faults.end
      yield* until(() => heard.at(-1) === "reopened")
      const answers = heard.slice(0, 5).map((answer) =>
        answer.replace(/StoreFull|StoreWriteFailed/, "of a failed write")
      )
      yield* same(answers, range(2, 6).map(() => "answer of a failed write"), "what came before lost")
      yield* same(heard.slice(5), ["lost", "reopened"], "what came then")
    }),
    "faults"
  ),

  required(
    "STORE-062",
    "between lost and reopened a submission is refused with StoreUnavailable, and a barrier waits",
    Effect.fnUntraced(function*({ faults, open }) {
      const log = yield* (yield* open).acquire(team)
      const heard: Array<string> = []
      log.listen({
        lost: () => {
          heard.push("lost")
          note(log, heard, "a submission", [entry("mob", 1)])
        },
        reopened: () => heard.push("reopened")
      })
      yield* faults.begin
      yield* Effect.flip(submit(log, [entry("mob", 1)]))
      yield* until(() => heard.includes("lost"))
      yield* faults.end
      yield* log.barrier("mob")
      yield* same(
        heard.slice(0, 3),
        ["lost", "a submission StoreUnavailable", "reopened"],
        "what came before the barrier let through"
      )
      yield* write(log, "mob", (yield* revisionOf(log, "mob")) + 1, 4)
    }),
    "faults"
  ),

  required(
    "STORE-063",
    "after a failed write nothing acknowledged is missing, and each submission that failed is there as a whole or not at all",
    Effect.fnUntraced(function*({ faults, open }) {
      const log = yield* (yield* open).acquire(team)
      for (const round of range(1, 3)) {
        const standing = yield* revisionOf(log, "mob")
        yield* submit(log, [entry("mob", standing + 1), entry("run/a", standing + 1)])
        yield* faults.begin
        yield* Effect.flip(submit(log, [entry("mob", standing + 2), entry("run/a", standing + 2)]))
        yield* faults.end
        yield* log.barrier("mob")
        const [mob, run] = [yield* revisionOf(log, "mob"), yield* revisionOf(log, "run/a")]
        yield* same(mob, run, "revisions of two aggregates that are written together")
        yield* holds(mob === standing + 1 || mob === standing + 2, `revision ${mob} after round ${round}`)
        yield* same(namesIn(yield* log.load("mob")), namesTo("mob", mob), "facts of one of them")
        const names = range(1, mob).flatMap((revision) => [`mob@${revision}`, `run/a@${revision}`])
        yield* same(namesOf(yield* eventsAfter(log)), names, "events")
      }
    }),
    "faults"
  ),

  required(
    "STORE-064",
    "positions and cursors go on without a gap after a failed write, and none that was acknowledged is given again",
    Effect.fnUntraced(function*({ faults, open }) {
      const log = yield* (yield* open).acquire(team)
      const acknowledged: Array<Committed> = []
      for (let round = 0; round < 3; round++) {
        yield* faults.begin
        yield* Effect.flip(submit(log, [entry("mob", 1 + (yield* revisionOf(log, "mob")))]))
        yield* faults.end
        yield* log.barrier("mob")
        const revision = 1 + (yield* revisionOf(log, "mob"))
        const at = yield* submit(log, [entry("mob", revision)])
        yield* same(at, { position: revision, cursor: revision }, "where the next entry stands")
        acknowledged.push(at)
      }
      const cursors = (yield* eventsAfter(log)).map(({ cursor }) => cursor)
      yield* same(cursors, range(1, acknowledged.at(-1)?.cursor ?? 0), "cursors")
    }),
    "faults"
  ),

  required(
    "STORE-065",
    "every failure is one of the contract's errors, with its stable code and a message",
    Effect.fnUntraced(function*({ open }) {
      const failures: Array<unknown> = []
      const fails = (call: Effect.Effect<unknown, unknown>) =>
        Effect.flip(call).pipe(
          Effect.mapError((value) => new Error(`it should be refused, and answered ${String(value)}`)),
          Effect.map((failure) => failures.push(failure))
        )
      const { log, store } = yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* open
        const fenced = yield* store.acquire(team)
        const log = yield* store.acquire(team)
        yield* fails(submit(fenced, [entry("mob", 1)]))
        yield* fails(fenced.prune({ events: 1, forget: [] }))
        yield* fails(fenced.putBlob(new Uint8Array(1)))
        yield* fails(submit(log, [entry("mob", 2)]))
        yield* fails(submit(log, [entry("run/a", 1, {
          terminal: true,
          snapshot: () => {
            throw new Error("this aggregate has no state")
          }
        })]))
        yield* submit(log, [entry("run/a", 1, { terminal: true })])
        yield* log.prune({ events: 2, forget: [] })
        yield* fails(log.events(0, 1))
        return { store, log }
      }))
      for (const [, call] of callsOf(store, log)) yield* fails(call)
      for (const failure of failures) {
        yield* holds(failure instanceof Error && failure.message !== "", `${String(failure)} says nothing`)
        // A failure may be anything until it was looked at.
        const { _tag = "", code } = failure as { readonly _tag?: string; readonly code?: string }
        yield* same(code, codes.get(_tag), `the code of ${_tag || String(failure)}`)
        yield* holds(codes.has(_tag), `${_tag || String(failure)} is no error of the contract`)
      }
    })
  )
]

const codes = new Map([
  ["StoreLocked", "STORE_LOCKED"],
  ["StoreCorrupted", "STORE_CORRUPTED"],
  ["StoreWriteFailed", "STORE_WRITE_FAILED"],
  ["StoreFull", "STORE_FULL"],
  ["StoreUnavailable", "STORE_UNAVAILABLE"],
  ["StoreClosed", "STORE_CLOSED"],
  ["OwnerFenced", "OWNER_FENCED"],
  ["RevisionConflict", "REVISION_CONFLICT"],
  ["HistoryPruned", "HISTORY_PRUNED"],
  ["SchemaUnsupported", "SCHEMA_UNSUPPORTED"]
])
