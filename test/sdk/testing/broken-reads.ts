/**
 * Stores that break a clause of events, listeners, aggregates and blobs.
 */
import { Effect } from "effect"
import type { StoredEvent } from "../../../sdk/index.ts"
import { RevisionConflict } from "../../../sdk/index.ts"
import { type Breakage, noting, onListen, onLog, onStore, onSubmit } from "./broken.ts"

/** Changes the events that a log reads. */
const onEvents = (change: (event: StoredEvent) => StoredEvent) =>
  onLog((log) => ({ events: (after, limit) => Effect.map(log.events(after, limit), (events) => events.map(change)) }))

export const brokenReads: ReadonlyArray<Breakage> = [
  {
    clause: 22,
    how: "gives a position to each head alone",
    breaks: onStore((store) => {
      let headsAlone = 0
      return {
        acquire: (mob) =>
          Effect.map(store.acquire(mob), (log) => ({
            ...log,
            submit: (submission) =>
              log.submit({
                ...submission,
                committed: ({ cursor, position }) => {
                  submission.committed({ cursor, position: position + headsAlone })
                  if (submission.entries.length === 0) headsAlone++
                }
              })
          }))
      }
    })
  },
  {
    clause: 23,
    how: "leaves a cursor out",
    breaks: onEvents((it) => {
      const late = it.cursor > 12 && String(it.event["name"]).startsWith("e.")
      return late ? { ...it, cursor: it.cursor + 1 } : it
    })
  },
  {
    clause: 24,
    how: "gives one event more than asked for",
    breaks: onLog((log) => ({
      events: (after, limit) => log.events(after, limit === 5 && after > 0 ? limit + 1 : limit)
    }))
  },
  {
    clause: 25,
    how: "has a newest cursor as soon as there is an entry",
    breaks: onLog((log) => {
      let written = false
      return {
        submit: (submission) =>
          log.submit({
            ...submission,
            committed: (at) => {
              written = true
              submission.committed(at)
            }
          }),
        latestCursor: () => log.latestCursor() || Number(written)
      }
    })
  },
  {
    clause: 26,
    how: "keeps seconds of times",
    breaks: onEvents((it) => it.at > 1e12 ? { ...it, at: Math.floor(it.at / 1000) * 1000 } : it)
  },
  {
    clause: 27,
    how: "tells events before it acknowledges their submission",
    breaks: onSubmit((submission) => ({
      ...submission,
      committed: (at) =>
        submission.entries[0]?.events[0]?.["revision"] === undefined
          ? submission.committed(at)
          : queueMicrotask(() => submission.committed(at))
    }))
  },
  {
    clause: 28,
    how: "tells who begins to listen the newest event once more",
    breaks: onLog((log) => {
      let newest: ReadonlyArray<StoredEvent> = []
      log.listen({
        events: (events) => {
          newest = events.slice(-1)
        }
      })
      return {
        listen: (listener) => {
          let again = newest
          return log.listen({
            ...listener,
            events: (events) => {
              listener.events?.([...again, ...events])
              again = []
            }
          })
        }
      }
    })
  },
  {
    clause: 29,
    how: "never removes a listener",
    breaks: onLog((log) => ({
      listen: (listener) => {
        log.listen(listener)
        return () => {}
      }
    }))
  },
  {
    clause: 70,
    how: "does not say when there is room again",
    breaks: onListen(() => ({ room: () => {} }))
  },
  {
    clause: 30,
    how: "loads one entry less where many follow the head",
    breaks: onLog((log) => ({
      load: (aggregate) =>
        Effect.map(
          log.load(aggregate),
          (loaded) =>
            loaded && loaded.entries.length >= 6 ? { ...loaded, entries: loaded.entries.toSpliced(1, 1) } : loaded
        )
    }))
  },
  {
    clause: 31,
    how: "does not mark the head of an end",
    breaks: onLog((log) => ({
      load: (aggregate) =>
        Effect.map(
          log.load(aggregate),
          (loaded) => loaded?.head?.revision === 3 ? { ...loaded, head: { ...loaded.head, terminal: false } } : loaded
        )
    }))
  },
  {
    clause: 32,
    how: "takes no entry after an end",
    breaks: onLog((log) => {
      const ended = new Set<string>()
      return {
        submit: (submission) => {
          const late = submission.entries.find((it) => it.revision > 2 && ended.has(it.aggregate))
          for (const it of submission.entries) if (it.terminal) ended.add(it.aggregate)
          if (late === undefined) return log.submit(submission)
          const { aggregate, revision } = late
          queueMicrotask(() =>
            submission.failed(new RevisionConflict({ aggregate, expected: revision - 1, actual: revision }))
          )
        }
      }
    })
  },
  {
    clause: 33,
    how: "lists live aggregates by name",
    breaks: onLog((log) => ({ live: Effect.map(log.live, (names) => names.toSorted()) }))
  },
  {
    clause: 34,
    how: "lists many aggregates in another order",
    breaks: onLog((log) => ({
      aggregates: (prefix) =>
        Effect.map(log.aggregates(prefix), (names) => names.length > 3 ? names.toReversed() : names)
    }))
  },
  {
    clause: 35,
    how: "does not write a head that comes with an entry",
    breaks: onSubmit(({ heads = [], ...submission }) => ({
      ...submission,
      heads: submission.entries.length > 0 ? [] : heads
    }))
  },
  {
    clause: 36,
    how: "goes on to ask for a head that it has",
    breaks: onLog((log) => {
      const ask: Array<() => void> = []
      return {
        listen: (listener) =>
          log.listen({
            ...listener,
            headWanted: (aggregate) => {
              listener.headWanted?.(aggregate)
              ask.push(() => listener.headWanted?.(aggregate))
            }
          }),
        submit: (submission) =>
          log.submit({
            ...submission,
            committed: (at) => {
              submission.committed(at)
              for (const again of ask) again()
            }
          })
      }
    })
  },
  {
    clause: 37,
    how: "finds a blob that is empty under a name that is no hash",
    breaks: onLog((log) => ({
      blob: (sha256) => sha256 === "no hash" ? Effect.succeed(new Uint8Array(0)) : log.blob(sha256)
    }))
  },
  {
    clause: 38,
    how: "gives all readers of a blob the same bytes",
    breaks: onLog((log) => {
      const read = new Map<string, Uint8Array>()
      return {
        blob: (sha256) =>
          Effect.map(log.blob(sha256), (bytes) => {
            const first = read.get(sha256) ?? bytes
            if (first !== undefined) read.set(sha256, first)
            return bytes && first
          })
      }
    })
  },
  {
    clause: 39,
    how: "loses blobs at the second prune",
    breaks: onLog((log) => {
      let prunes = 0
      return {
        prune: (keep) => noting(log.prune(keep), () => prunes++),
        blob: (sha256) => prunes > 1 ? Effect.undefined : log.blob(sha256)
      }
    })
  },
  {
    clause: 40,
    how: "does not count the blobs that it removes",
    breaks: onLog((log) => ({ prune: (keep) => Effect.map(log.prune(keep), (pruned) => ({ ...pruned, blobs: 0 })) }))
  },
  {
    clause: 61,
    how: "says twice that it is open again",
    breaks: onListen((listener) => ({
      reopened: () => {
        listener.reopened?.()
        listener.reopened?.()
      }
    }))
  }
]
