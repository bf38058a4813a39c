/**
 * Reading the public events of a mob: a page at a time, or as a stream that goes on with what is committed.
 */
import { Effect, Queue, Stream } from "effect"
import type { HistoryPruned, StoredEvent } from "../../sdk/store.ts"
import { cursorOf, limitOf } from "./arguments.ts"
import * as E from "./errors.ts"
import type { RunningMob } from "./running.ts"
import type { CommandError, MobHandle } from "./types.ts"

/** Events read at once by the stream. */
const EVENTS_READ = 500

/** The handle's part that reads events. `fallen` fails when the mob closes. */
export const eventsOf = (
  mob: RunningMob,
  fallen: Effect.Effect<never, E.MobClosed>
): Pick<MobHandle, "pollEvents" | "events"> => {
  const pollEvents: MobHandle["pollEvents"] = Effect.fn("Mob.pollEvents")(function*(cursor, limit) {
    yield* mob.ask
    const after = cursorOf(cursor)
    const latest = mob.log.latestCursor()
    if (after > latest) return yield* new E.StaleEventCursor({ after, latest })
    return yield* mob.log.events(after, limitOf(limit))
  })

  const events: MobHandle["events"] = (from) =>
    Stream.unwrap(Effect.gen(function*() {
      yield* mob.ask
      const after = cursorOf(from)
      const latest = mob.log.latestCursor()
      if (after > latest) return yield* new E.StaleEventCursor({ after, latest })
      const news = yield* Queue.sliding<void>(1)
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const wake = () => Queue.offerUnsafe(news, undefined)
          return mob.log.listen({ events: wake, reopened: wake })
        }),
        (forget) => Effect.sync(forget)
      )
      /** What there is now; nothing while the store is opened again, which wakes us when it is. */
      const read = (cursor: number) =>
        Effect.catchTag(mob.log.events(cursor, EVENTS_READ), "StoreUnavailable", () => Effect.succeed([]))
      const next = (cursor: number): Effect.Effect<ReadonlyArray<StoredEvent>, CommandError | HistoryPruned> =>
        Effect.flatMap(read(cursor), (found) =>
          found.length > 0
            ? Effect.succeed(found)
            : Effect.flatMap(
              Effect.raceFirst(Queue.take(news), Effect.flip(fallen)),
              // The end: what was committed before it is still told, if the log can be read.
              (woken) => woken === undefined ? next(cursor) : Effect.orElseSucceed(read(cursor), () => [])
            ))
      return Stream.unfold(after, (cursor) =>
        Effect.map(next(cursor), (read) => {
          const last = read.at(-1)
          return last === undefined ? undefined : [read, last.cursor] as const
        })).pipe(Stream.flatMap(Stream.fromIterable))
    }))

  return { pollEvents, events }
}
