/**
 * Clauses of listeners: the live tail of a mob's events.
 */
import { Effect } from "effect"
import type { MobLog, StoredEvent } from "../../store.ts"
import { same, until } from "./check.ts"
import { type Clause, NotOffered, optional, required } from "./clause.ts"
import { entry, eventsAfter, eventsNamed, namesOf, range, submit, team, write } from "./writing.ts"

const mebibyte = "x".repeat(1024 * 1024)
/** Mebibytes after which a store that is not crowded never is. */
const most = 64

export const tail: ReadonlyArray<Clause> = [
  required(
    "STORE-027",
    "a listener hears events in cursor order, after the committed of their submissions, as they are read",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const answered = new Set<number>()
      const heard: Array<StoredEvent> = []
      const early: Array<unknown> = []
      log.listen({
        events: (events) => {
          heard.push(...events)
          for (const { event } of events) if (!answered.has(Number(event["revision"]))) early.push(event)
        }
      })
      for (const revision of range(1, 30)) {
        log.submit({
          entries: [entry("mob", revision, {
            events: range(1, 1 + revision % 3).map((index) => ({ type: "written", revision, index }))
          })],
          committed: () => answered.add(revision),
          failed: () => {}
        })
        if (revision % 7 === 0) yield* Effect.yieldNow
      }
      yield* until(() => heard.some(({ event }) => event["revision"] === 30))
      yield* same(early, [], "events heard before the committed of their submission")
      yield* same(heard, yield* eventsAfter(log), "events heard, and events read")
    })
  ),

  required(
    "STORE-028",
    "who begins to listen hears exactly the events above latestCursor of that moment: with a read up to it, no gap and none twice",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const follower = () => follow(log)
      const followers = [follower()]
      for (const revision of range(1, 60)) {
        log.submit({
          entries: [entry("mob", revision, { events: eventsNamed(`e${revision}`, revision % 3) })],
          committed: () => {
            if (revision % 4 === 0) followers.push(follower())
          },
          failed: () => {}
        })
        if (revision % 10 === 0) yield* Effect.yieldNow
        if (revision % 15 === 0) followers.push(follower())
      }
      yield* log.barrier("mob")
      followers.push(follower())
      yield* submit(log, [entry("mob", 61, { events: [{ type: "written", name: "last" }] })])
      yield* until(() => followers.every(({ heard }) => heard.at(-1) === "last"))
      const all = namesOf(yield* eventsAfter(log))
      for (const { from, heard } of followers) {
        const before = namesOf(yield* log.events(0, from))
        yield* same([...before, ...heard], all, `read up to ${from}, then heard`)
      }
    })
  ),

  required(
    "STORE-029",
    "each of several listeners hears; one that is removed hears nothing more",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const [a, b] = [follow(log), follow(log)]
      yield* write(log, "mob", 1, 1)
      yield* until(() => a.heard.length > 0 && b.heard.length > 0)
      a.remove()
      a.remove()
      yield* write(log, "mob", 2, 3)
      yield* until(() => b.heard.at(-1) === "mob@3")
      yield* same(
        [a.heard, b.heard],
        [["mob@1"], ["mob@1", "mob@2", "mob@3"]],
        "heard by the one removed, and the other"
      )
    })
  )
]

export const crowding: ReadonlyArray<Clause> = [
  optional(
    "STORE-070",
    "a store that is crowded takes submissions all the same, and tells its listeners when there is room again",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const heard: Array<string> = []
      log.listen({ room: () => heard.push(`room, crowded: ${log.crowded()}`) })
      const failed: Array<string> = []
      let submitted = 0
      let committed = 0
      const fill = () => {
        submitted++
        log.submit({
          entries: [entry(`run/${submitted}`, 1, { facts: [{ type: "filled", text: mebibyte }], events: [] })],
          committed: () => committed++,
          failed: (error) => failed.push(error._tag)
        })
      }
      while (submitted < most && !log.crowded()) fill()
      const crowded = log.crowded()
      fill()
      yield* until(() => committed + failed.length === submitted)
      if (!crowded) return yield* new NotOffered({ message: `it was not crowded by ${most} MiB` })
      yield* Effect.timeoutOption(until(() => heard.length > 0), "1 second")
      yield* same(failed, [], "submissions that failed")
      yield* same(heard, ["room, crowded: false"], "what was heard")
    })
  )
]

/** Names of what a new listener hears, and the cursor after which it should. */
const follow = (log: MobLog) => {
  const heard: Array<unknown> = []
  const from = log.latestCursor()
  const remove = log.listen({ events: (events) => heard.push(...namesOf(events)) })
  return { from, heard, remove }
}
