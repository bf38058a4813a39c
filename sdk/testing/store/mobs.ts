/**
 * Clauses of destroying a mob, and of looking at one.
 */
import { Effect, Fiber } from "effect"
import type { MobLog } from "../../store.ts"
import { holds, refusal, same, until } from "./check.ts"
import { type Clause, required } from "./clause.ts"
import {
  bytesOf,
  entry,
  eventsAfter,
  namesIn,
  namesOf,
  namesTo,
  other,
  revisionOf,
  submit,
  team,
  write,
  writeEnded
} from "./writing.ts"

export const mobs: ReadonlyArray<Clause> = [
  required(
    "STORE-048",
    "destroy removes a mob and all that is kept of it, and nothing of another",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const [gone, left] = [yield* store.acquire(team), yield* store.acquire(other)]
      yield* fill(gone)
      const blob = yield* fill(left)
      yield* store.destroy(team)
      yield* same(yield* store.mobs, [other], "mobs that are left")
      yield* same(yield* store.inspect(team), undefined, "a look at the mob")
      yield* same(namesOf(yield* eventsAfter(left)), ["mob@1", "mob@2", "run/a@1"], "events of the other")
      yield* same(yield* left.blob(blob), bytesOf("a blob"), "a blob of the other")
      yield* same(namesIn(yield* left.load("mob")), namesTo("mob", 2), "an aggregate of the other")
      yield* write(left, "mob", 3, 3)
    })
  ),

  required(
    "STORE-049",
    "destroy fences the owner: it hears closed, and what it submits is refused with OwnerFenced",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      const heard: Array<string> = []
      log.listen({ closed: (error) => heard.push(error._tag) })
      yield* write(log, "run/a", 1, 1)
      yield* store.destroy(team)
      yield* refusal(submit(log, [entry("run/a", 2)]), "OwnerFenced", "a submission of its owner")
      yield* until(() => heard.length > 0)
      yield* same(heard, ["OwnerFenced"], "what its listener hears")
    })
  ),

  required(
    "STORE-050",
    "a mob of the same name begins anew: nothing of the first is there, its owner's epoch is later",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const first = yield* store.acquire(team)
      const blob = yield* fill(first)
      yield* store.destroy(team)
      const log = yield* store.acquire(team)
      yield* holds(log.epoch > first.epoch, `epoch ${log.epoch} came after ${first.epoch}`)
      yield* same([yield* log.live, yield* log.aggregates("")], [[], []], "live and all aggregates")
      yield* same([yield* log.load("mob"), yield* log.load("run/a")], [undefined, undefined], "aggregates of the first")
      yield* same(yield* log.blob(blob), undefined, "a blob of the first")
      yield* same([log.latestCursor(), yield* eventsAfter(log)], [0, []], "events")
      yield* same(yield* submit(log, [entry("mob", 1)]), { position: 1, cursor: 1 }, "where its first entry stands")
    })
  ),

  required(
    "STORE-051",
    "destroy does no harm where there is no mob, twice, at the same time, or interrupted",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      yield* store.destroy(team)
      yield* fill(yield* store.acquire(team))
      yield* Effect.all([store.destroy(team), store.destroy(team)], { concurrency: "unbounded" })
      yield* store.destroy(team)
      yield* same(yield* store.mobs, [], "mobs after it")
      yield* fill(yield* store.acquire(team))
      const destroying = yield* Effect.forkChild(store.destroy(team), { startImmediately: true })
      yield* Fiber.interrupt(destroying)
      const log = yield* store.acquire(team)
      const standing = [yield* revisionOf(log, "mob"), yield* revisionOf(log, "run/a")]
      yield* holds(standing.join() === "2,1" || standing.join() === "0,0", `revisions of a half mob: ${standing}`)
      yield* store.destroy(team)
      yield* same(yield* store.mobs, [], "mobs after the next")
    })
  ),

  required(
    "STORE-052",
    "inspect reads what is durable without becoming the owner; it is undefined where there is no mob",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      yield* same(yield* store.inspect(team), undefined, "a mob that was never acquired")
      yield* same(yield* store.mobs, [], "mobs after it")
      const log = yield* store.acquire(team)
      const blob = yield* fill(log)
      const look = yield* store.inspect(team)
      if (look === undefined) return yield* holds(false, "a mob that was acquired is not there")
      yield* same([look.mob, look.epoch], [team, log.epoch], "mob and epoch")
      yield* same(yield* eventsAfter(look), yield* eventsAfter(log), "events")
      yield* same([look.latestCursor(), yield* look.live], [log.latestCursor(), yield* log.live], "latest cursor, live")
      yield* same(yield* look.aggregates("run/"), yield* log.aggregates("run/"), "aggregates")
      yield* same(namesIn(yield* look.load("mob")), namesTo("mob", 2), "an aggregate")
      yield* same(yield* look.blob(blob), bytesOf("a blob"), "a blob")
      yield* write(log, "mob", 3, 3)
      yield* same((yield* store.inspect(team))?.epoch, log.epoch, "the epoch after it")
    })
  ),

  required(
    "STORE-053",
    "inspect shows the mob as it is then: what is written later does not come after it",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      yield* write(log, "mob", 1, 3)
      const look = yield* store.inspect(team)
      if (look === undefined) return yield* holds(false, "a mob that was acquired is not there")
      const before = look.latestCursor()
      yield* write(log, "mob", 4, 6)
      yield* same(look.latestCursor(), before, "its latest cursor")
      yield* same(namesOf(yield* eventsAfter(look)), ["mob@1", "mob@2", "mob@3"], "its events")
    })
  )
]

/** A live and an ended aggregate, and a blob; its hash. */
const fill = Effect.fnUntraced(function*(log: MobLog) {
  yield* write(log, "mob", 1, 2)
  yield* writeEnded(log, "run/a")
  return (yield* log.putBlob(bytesOf("a blob"))).sha256
})
