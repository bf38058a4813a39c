/**
 * Clauses of owners: epochs, fencing, and mobs that are apart.
 */
import { Effect, Fiber } from "effect"
import { MobId } from "../../ids.ts"
import { holds, refusal, same, until } from "./check.ts"
import { type Clause, required } from "./clause.ts"
import {
  bytesOf,
  entry,
  eventsAfter,
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

export const owners: ReadonlyArray<Clause> = [
  required(
    "STORE-001",
    "an open store says what it supports, as it is declared",
    Effect.fnUntraced(function*({ open, supports }) {
      yield* same((yield* open).supports, supports, "supports")
    })
  ),

  required(
    "STORE-002",
    "each acquire of a mob gives an epoch one above the last",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const first = yield* store.acquire(team)
      yield* store.acquire(other)
      const second = yield* store.acquire(team)
      yield* write(second, "mob", 1, 1)
      const third = yield* store.acquire(team)
      yield* same([second.epoch, third.epoch], [first.epoch + 1, first.epoch + 2], "epochs")
      yield* same(third.mob, team, "the mob of its log")
    })
  ),

  required(
    "STORE-003",
    "an acquire fences every earlier owner: what it submits is refused with OwnerFenced, which says by whom",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const ours = yield* store.acquire(team)
      yield* write(ours, "mob", 1, 1)
      const theirs = yield* store.acquire(team)
      const error = yield* refusal(submit(ours, [entry("mob", 2)]), "OwnerFenced", "a submission of a fenced owner")
      yield* same([error.mob, error.ours, error.current], [team, ours.epoch, theirs.epoch], "mob, ours, current")
      yield* same(yield* revisionOf(theirs, "mob"), 1, "the revision after it")
      yield* write(theirs, "mob", 2, 2)
    })
  ),

  required(
    "STORE-004",
    "what an owner submits while another acquires is either committed and there, or refused with OwnerFenced and not there",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const ours = yield* store.acquire(team)
      const answers: Array<string> = []
      const taking = yield* Effect.forkChild(store.acquire(team), { startImmediately: true })
      for (const revision of range(1, 20)) note(ours, answers, `run/${revision}`, [entry(`run/${revision}`, 1)])
      const theirs = yield* Fiber.join(taking)
      yield* until(() => answers.length === 20)
      for (const answer of answers) {
        const [name = "", tag] = answer.split(" ")
        if (tag !== undefined) yield* same(tag, "OwnerFenced", `the refusal of ${name}`)
        yield* same(yield* revisionOf(theirs, name), tag === undefined ? 1 : 0, `the revision of ${answer}`)
      }
    })
  ),

  required(
    "STORE-005",
    "the listeners of a fenced owner hear closed once, with OwnerFenced, and nothing after it",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const ours = yield* store.acquire(team)
      const heard: Array<string> = []
      ours.listen({
        events: () => heard.push("events"),
        lost: () => heard.push("lost"),
        reopened: () => heard.push("reopened"),
        closed: (error) => heard.push(`closed ${error._tag}`)
      })
      const theirs = yield* store.acquire(team)
      yield* until(() => heard.length > 0)
      yield* write(theirs, "mob", 1, 3)
      yield* store.acquire(team)
      yield* same(heard, ["closed OwnerFenced"], "what a listener of the first owner hears")
    })
  ),

  required(
    "STORE-006",
    "a fenced owner prunes nothing and keeps no blob: both are refused with OwnerFenced",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const ours = yield* store.acquire(team)
      yield* writeEnded(ours, "run/a")
      const theirs = yield* store.acquire(team)
      yield* refusal(ours.prune({ ...nothing, forget: ["run/a"] }), "OwnerFenced", "prune")
      yield* refusal(ours.putBlob(bytesOf("fenced")), "OwnerFenced", "putBlob")
      yield* same(namesOf(yield* eventsAfter(theirs)), ["run/a@1"], "events after it")
      yield* same(yield* revisionOf(theirs, "run/a"), 1, "the aggregate after it")
    })
  ),

  required(
    "STORE-007",
    "mobs are apart: aggregates, numbers, events, blobs and owners of one are not those of another",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const [a, b] = [yield* store.acquire(team), yield* store.acquire(other)]
      const heard: Array<string> = []
      b.listen({ events: (events) => heard.push(...namesOf(events).map(String)), closed: () => heard.push("closed") })
      const { sha256 } = yield* a.putBlob(bytesOf("of a"))
      yield* submit(a, [entry("mob", 1), entry("run/a", 1), entry("mob", 2)])
      const at = yield* submit(b, [entry("mob", 1, { events: [{ type: "written", name: "of b" }] })])
      yield* store.acquire(team)
      yield* until(() => heard.length > 0)
      yield* same(at, { position: 1, cursor: 1 }, "where the first entry of the second mob stands")
      yield* same(heard, ["of b"], "what a listener of the second mob hears")
      yield* same(namesOf(yield* eventsAfter(b)), ["of b"], "events of the second mob")
      yield* same(yield* b.live, ["mob"], "live aggregates of the second mob")
      yield* same(yield* b.blob(sha256), undefined, "a blob of the first mob, asked of the second")
      yield* write(b, "mob", 2, 2)
    })
  ),

  required(
    "STORE-008",
    "mobs are all that were acquired, by name",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      yield* same(yield* store.mobs, [], "mobs at first")
      for (const name of ["b", "c", "a", "b"]) yield* store.acquire(MobId.make(name))
      yield* same(yield* store.mobs, ["a", "b", "c"], "mobs")
    })
  ),

  required(
    "STORE-009",
    "names of mobs and aggregates are of any script and shape, up to 256 characters, and kept apart",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const names = ["Ünal", "李", "a b", "a", "A", "a/b", "a%2Fb", "\"'", "a\nb", "..", "👩‍🚀", "ÿ", "x".repeat(256)]
      for (const name of names) {
        const log = yield* store.acquire(MobId.make(name))
        yield* submit(log, names.map((aggregate) => entry(aggregate, 1)))
        for (const aggregate of names) {
          yield* same(namesIn(yield* log.load(aggregate)), namesTo(aggregate, 1), `what ${aggregate} of ${name} holds`)
        }
      }
      const mobs = yield* store.mobs
      yield* holds(names.every((name) => mobs.some((mob) => mob === name)), "a mob is missing from mobs")
      yield* same(mobs.length, names.length, "number of mobs")
    })
  )
]
