/**
 * Clauses of closing a store and opening it again, and of several that are open over one place.
 */
import { Effect } from "effect"
import type { MobLog, StoreError, StoreShape } from "../../store.ts"
import { holds, refusal, same, until } from "./check.ts"
import { type Bench, type Clause, opened, required } from "./clause.ts"
import {
  bytesOf,
  entry,
  eventsAfter,
  headAt,
  namesIn,
  namesOf,
  namesTo,
  note,
  nothing,
  other,
  range,
  revisionOf,
  submit,
  team,
  write,
  writeEnded
} from "./writing.ts"

export const reopening: ReadonlyArray<Clause> = [
  required(
    "STORE-054",
    "all that was acknowledged is there when the store is opened again",
    Effect.fnUntraced(function*(bench) {
      const digest = "0e".repeat(32)
      const { sha256 } = yield* opened(bench, (store) =>
        Effect.gen(function*() {
          yield* store.acquire(other)
          const log = yield* store.acquire(team)
          yield* write(log, "mob", 1, 4)
          yield* submit(log, [entry("run/a", 1)], { pins: [{ digest, definition: { is: "pinned" } }] })
          yield* write(log, "run/a", 2, 2)
          yield* submit(log, [], { heads: [headAt("run/a", 2)] })
          yield* writeEnded(log, "run/b")
          return yield* log.putBlob(bytesOf("a blob"))
        }))
      const store = yield* bench.open
      yield* same(yield* store.mobs, [other, team], "mobs")
      const log = yield* store.acquire(team)
      yield* same(namesIn(yield* log.load("mob")), namesTo("mob", 4), "facts of an aggregate")
      yield* same((yield* log.load("run/a"))?.head?.revision, 2, "the head that was written alone")
      yield* same((yield* log.load("run/b"))?.head?.terminal, true, "the end of an aggregate")
      yield* same(yield* log.live, ["mob", "run/a"], "live aggregates")
      yield* same(yield* log.aggregates("run/"), ["run/a", "run/b"], "aggregates")
      const names = [...namesTo("mob", 4), "run/a@1", "run/a@2", "run/b@1"]
      yield* same(namesOf(yield* eventsAfter(log)), names, "events")
      yield* same(yield* log.pinned(digest), { is: "pinned" }, "a definition")
      yield* same(yield* log.blob(sha256), bytesOf("a blob"), "a blob")
    }),
    "durable"
  ),

  required(
    "STORE-055",
    "epochs, positions and cursors go on when the store is opened again, also where all history was pruned",
    Effect.fnUntraced(function*(bench) {
      const before = yield* opened(bench, (store) =>
        Effect.gen(function*() {
          const log = yield* store.acquire(team)
          const at = yield* submit(log, [entry("run/a", 1), entry("run/a", 2, { terminal: true })])
          yield* log.prune({ ...nothing, forget: ["run/a"] })
          return { at, epoch: log.epoch }
        }))
      const log = yield* (yield* bench.open).acquire(team)
      yield* same(log.epoch, before.epoch + 1, "the epoch")
      yield* same(log.latestCursor(), before.at.cursor + 1, "the latest cursor")
      const wanted = { position: before.at.position + 2, cursor: before.at.cursor + 2 }
      yield* same(yield* submit(log, [entry("run/b", 1)]), wanted, "where the next entry stands")
      const error = yield* refusal(log.events(0, 1), "HistoryPruned", "events that were pruned before")
      yield* same(error.first_cursor, wanted.cursor, "the first cursor that is left")
    }),
    "durable"
  ),

  required(
    "STORE-056",
    "what is submitted when the store closes is answered, and what is answered committed is there afterwards",
    Effect.fnUntraced(function*(bench) {
      const calls: Array<string> = []
      yield* opened(bench, (store) =>
        Effect.map(store.acquire(team), (log) => {
          for (const revision of range(1, 20)) note(log, calls, "committed", [entry("mob", revision)])
        }))
      yield* until(() => calls.length === 20)
      if (!bench.supports.durable) return
      const log = yield* (yield* bench.open).acquire(team)
      const committed = calls.filter((call) => call === "committed").length
      const standing = yield* revisionOf(log, "mob")
      yield* holds(standing >= committed, `${committed} were committed, ${standing} are there`)
    })
  ),

  required(
    "STORE-057",
    "a store that was closed refuses every call with StoreClosed, and its listeners hear closed",
    Effect.fnUntraced(function*(bench) {
      const heard: Array<string> = []
      const { log, store } = yield* opened(bench, (store) =>
        Effect.gen(function*() {
          const log = yield* store.acquire(team)
          yield* write(log, "mob", 1, 1)
          log.listen({ closed: (error) => heard.push(error._tag) })
          return { store, log }
        }))
      for (const [name, call] of callsOf(store, log)) yield* refusal(call, "StoreClosed", name)
      yield* same(heard, ["StoreClosed"], "what a listener hears")
    })
  ),

  required(
    "STORE-058",
    "a mob that was destroyed stays so; one whose destroying was interrupted by the close is whole or gone",
    Effect.fnUntraced(function*(bench) {
      for (const waits of [undefined, 0, 2, 8]) {
        yield* opened(bench, (store) =>
          Effect.gen(function*() {
            const log = yield* store.acquire(team)
            yield* submit(log, range(1, 50).map((run) => entry(`run/${run}`, 1)))
            if (waits === undefined) return yield* store.destroy(team)
            yield* Effect.forkChild(store.destroy(team), { startImmediately: true })
            for (let waited = 0; waited < waits; waited++) yield* Effect.yieldNow
          }))
        yield* opened(bench, (store) =>
          Effect.gen(function*() {
            const there = (yield* store.mobs).length > 0
            if (waits === undefined) yield* same(there, false, "a mob that was destroyed")
            const live = yield* (yield* store.acquire(team)).live
            yield* same(live.length, there ? 50 : 0, `live aggregates of a mob that is ${there ? "whole" : "gone"}`)
            yield* store.destroy(team)
          }))
      }
    }),
    "durable"
  ),

  required(
    "STORE-059",
    "a place that is held by a store that is not shared is refused to another with a typed error, and does not suffer",
    Effect.fnUntraced(function*(bench) {
      const store = yield* bench.open
      const log = yield* store.acquire(team)
      yield* write(log, "mob", 1, 1)
      const second = yield* Effect.result(Effect.scoped(bench.open))
      yield* holds(second._tag === "Failure", "a second one was opened over a place that is held")
      // The failure of an opening is the layer's own, so it is looked at as a stranger.
      const code = second._tag === "Failure" && (second.failure as { readonly code?: unknown }).code
      yield* same(code, "STORE_LOCKED", "the code of the refusal")
      yield* write(log, "mob", 2, 2)
    }),
    "durable",
    "exclusive"
  ),

  required(
    "STORE-060",
    "of a store that is shared, an acquire through one opening fences the owner of another, and reads what it wrote",
    Effect.fnUntraced(function*({ open }: Bench) {
      const [ours, theirs] = [yield* open, yield* open]
      const log = yield* ours.acquire(team)
      yield* write(log, "mob", 1, 3)
      const next = yield* theirs.acquire(team)
      yield* same(next.epoch, log.epoch + 1, "the epoch of the second owner")
      yield* same(namesIn(yield* next.load("mob")), namesTo("mob", 3), "what the first owner wrote")
      yield* refusal(submit(log, [entry("mob", 4)]), "OwnerFenced", "a submission of the first owner")
      yield* write(next, "mob", 4, 4)
      const look = yield* ours.inspect(team)
      yield* same(look && (yield* revisionOf(look, "mob")), 4, "the revision that the first opening sees")
    }),
    "shared"
  )
]

/** Every call of a store and of a log that can fail, by name. */
export const callsOf = (
  store: StoreShape,
  log: MobLog
): ReadonlyArray<readonly [string, Effect.Effect<unknown, StoreError>]> => [
  ["acquire", store.acquire(team)],
  ["inspect", store.inspect(team)],
  ["destroy", store.destroy(other)],
  ["mobs", store.mobs],
  ["submit", submit(log, [entry("mob", 2)])],
  ["barrier", log.barrier("mob")],
  ["load", log.load("mob")],
  ["live", log.live],
  ["aggregates", log.aggregates("")],
  ["events", log.events(0, 1)],
  ["pinned", log.pinned("0f".repeat(32))],
  ["blob", log.blob("0f".repeat(32))],
  ["putBlob", log.putBlob(bytesOf("late"))],
  ["prune", log.prune({ events: 1, forget: [] })]
]
