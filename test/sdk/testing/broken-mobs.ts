/**
 * Stores that break a clause of pruning, destroying, looking, closing and failed writes.
 */
import { Effect } from "effect"
import {
  HistoryPruned,
  type MobId,
  type MobLog,
  OwnerFenced,
  RevisionConflict,
  type StoreError,
  type StoreShape,
  StoreUnavailable,
  StoreWriteFailed
} from "../../../sdk/index.ts"
import { type Breakage, noting, onInspect, onListen, onLog, onStore } from "./broken.ts"

export const brokenMobs: ReadonlyArray<Breakage> = [
  {
    clause: 41,
    how: "removes one event more than it may",
    breaks: onLog((log) => ({
      prune: ({ events, forget }) => log.prune({ events: events > 1 && events < 1000 ? events + 1 : events, forget })
    }))
  },
  {
    clause: 42,
    how: "sends who reads pruned events on behind the first that is left",
    breaks: onLog((log) => ({
      events: (after, limit) =>
        Effect.catchTag(
          log.events(after, limit),
          "HistoryPruned",
          ({ first_cursor }) => new HistoryPruned({ first_cursor: first_cursor > 5 ? first_cursor + 1 : first_cursor })
        )
    }))
  },
  {
    clause: 43,
    how: "says that a position is left which it removed",
    breaks: onLog((log) => ({
      prune: (keep) => Effect.map(log.prune(keep), (pruned) => ({ ...pruned, firstPosition: pruned.firstPosition - 1 }))
    }))
  },
  {
    clause: 44,
    how: "removes an entry that a live aggregate needs",
    breaks: onLog((log) => {
      let pruned = false
      return {
        prune: (keep) =>
          noting(log.prune(keep), () => {
            pruned = true
          }),
        load: (aggregate) =>
          Effect.map(
            log.load(aggregate),
            (loaded) =>
              pruned && loaded && loaded.entries.length > 3 ? { ...loaded, entries: loaded.entries.slice(1) } : loaded
          )
      }
    })
  },
  {
    clause: 45,
    how: "counts what it was told to forget, and not what it forgot",
    breaks: onLog((log) => ({
      prune: (keep) => Effect.map(log.prune(keep), (pruned) => ({ ...pruned, forgotten: keep.forget.length }))
    }))
  },
  {
    clause: 46,
    how: "takes no entry of a name that it forgot",
    breaks: onLog((log) => {
      const forgotten = new Set<string>()
      return {
        prune: (keep) => noting(log.prune(keep), () => keep.forget.forEach((name) => forgotten.add(name))),
        submit: (submission) => {
          const [first] = submission.entries
          if (first === undefined || !forgotten.has(first.aggregate)) return log.submit(submission)
          queueMicrotask(() =>
            submission.failed(new RevisionConflict({ aggregate: first.aggregate, expected: 0, actual: 0 }))
          )
        }
      }
    })
  },
  {
    clause: 47,
    how: "prunes no more once a prune was interrupted",
    breaks: onLog((log) => {
      let interrupted = false
      return {
        prune: (keep) =>
          interrupted
            ? Effect.fail(new StoreUnavailable({ reason: "a prune was interrupted" }))
            : Effect.onInterrupt(log.prune(keep), () =>
              Effect.sync(() => {
                interrupted = true
              }))
      }
    })
  },
  {
    clause: 48,
    how: "goes on to list a mob that was destroyed, among others",
    breaks: onStore((store) => {
      const destroyed: Array<MobId> = []
      return {
        destroy: (mob) => noting(store.destroy(mob), () => destroyed.push(mob)),
        mobs: Effect.map(store.mobs, (names) => names.length > 0 ? [...names, ...destroyed] : names)
      }
    })
  },
  {
    clause: 49,
    how: "tells the owner of a destroyed mob to try again",
    breaks: onStore((store) => {
      const destroyed = new Set<string>()
      const answer = (mob: string, error: StoreError) =>
        destroyed.has(mob) ? new StoreUnavailable({ reason: "it was destroyed" }) : error
      return {
        destroy: (mob) => noting(store.destroy(mob), () => destroyed.add(mob)),
        acquire: (mob) =>
          Effect.map(store.acquire(mob), (log) => {
            destroyed.delete(mob)
            return {
              ...log,
              submit: (submission) =>
                log.submit({ ...submission, failed: (error) => submission.failed(answer(mob, error)) })
            }
          })
      }
    })
  },
  {
    clause: 50,
    how: "begins anew with the epochs of a mob that was destroyed",
    breaks: onStore((store) => {
      const destroyed = new Set<string>()
      return {
        destroy: (mob) => noting(store.destroy(mob), () => destroyed.add(mob)),
        acquire: (mob) => Effect.map(store.acquire(mob), (log) => destroyed.has(mob) ? { ...log, epoch: 1 } : log)
      }
    })
  },
  {
    clause: 51,
    how: "refuses to destroy what is not there",
    breaks: onStore((store) => ({
      destroy: (mob) =>
        Effect.flatMap(store.mobs, (names) =>
          names.includes(mob)
            ? store.destroy(mob)
            : Effect.fail(new StoreUnavailable({ reason: "there is no such mob" })))
    }))
  },
  {
    clause: 52,
    how: "says of a look the epoch of the next owner",
    breaks: onInspect((look) => ({ epoch: look.epoch + 1 }))
  },
  {
    clause: 53,
    how: "lets a look go on with the log",
    breaks: onStore((store) => {
      const logs = new Map<string, MobLog>()
      return {
        acquire: (mob) => noting(store.acquire(mob), (log) => logs.set(mob, log)),
        inspect: (mob) =>
          Effect.map(
            store.inspect(mob),
            (look) => look && { ...look, latestCursor: () => logs.get(mob)?.latestCursor() ?? look.latestCursor() }
          )
      }
    })
  },
  {
    clause: 54,
    how: "forgets definitions when it is opened again",
    breaks: onLog((log, _, opening) => opening > 1 ? { pinned: () => Effect.undefined } : log)
  },
  {
    clause: 55,
    how: "counts cursors anew when it is opened again",
    breaks: onLog((log, _, opening) => opening > 1 ? { latestCursor: () => 0 } : log)
  },
  {
    clause: 56,
    how: "loses the newest of many entries when it closes",
    breaks: onLog((log, _, opening) => ({
      load: (aggregate) =>
        Effect.map(log.load(aggregate), (loaded) =>
          opening > 1 && loaded && loaded.entries.length > 10
            ? { ...loaded, entries: loaded.entries.slice(0, -1) }
            : loaded)
    }))
  },
  {
    clause: 57,
    how: "closes without a word",
    breaks: onListen((listener) => ({
      closed: (error) => error._tag === "StoreClosed" ? undefined : listener.closed?.(error)
    }))
  },
  {
    clause: 58,
    how: "lists a destroyed mob again when it is opened again",
    breaks: (place) => {
      const destroyed: Array<MobId> = []
      return onStore((store, opening) => ({
        destroy: (mob) => noting(store.destroy(mob), () => destroyed.push(mob)),
        mobs: opening > 1 ? Effect.map(store.mobs, (names) => [...names, ...destroyed]) : store.mobs
      }))(place)
    }
  },
  {
    clause: 59,
    how: "lets a second one in",
    breaks: (place) => {
      let held: StoreShape | undefined
      return {
        ...place,
        open: Effect.tap(place.open, (store) =>
          Effect.sync(() => {
            held = store
          })).pipe(Effect.catch((error) => held === undefined ? Effect.fail(error) : Effect.succeed(held)))
      }
    }
  },
  {
    clause: 62,
    how: "answers as a failed write what it does not write while it is lost",
    breaks: onLog((log) => {
      let lost = false
      log.listen({
        lost: () => {
          lost = true
        },
        reopened: () => {
          lost = false
        }
      })
      const answer = (error: StoreError) =>
        lost && error._tag === "StoreUnavailable"
          ? new StoreWriteFailed({ outcome: "unknown", reason: error.reason })
          : error
      return {
        submit: (submission) => log.submit({ ...submission, failed: (error) => submission.failed(answer(error)) })
      }
    })
  },
  {
    clause: 63,
    how: "loses an acknowledged entry at a failed write",
    breaks: onLog((log) => {
      let again = false
      log.listen({
        reopened: () => {
          again = true
        }
      })
      return {
        load: (aggregate) =>
          Effect.map(
            log.load(aggregate),
            (loaded) =>
              again && aggregate === "run/a" && loaded ? { ...loaded, entries: loaded.entries.slice(0, -1) } : loaded
          )
      }
    })
  },
  {
    clause: 64,
    how: "leaves a position out after a failed write",
    breaks: onLog((log) => {
      let lost = 0
      log.listen({
        lost: () => {
          lost = 1
        }
      })
      return {
        submit: (submission) =>
          log.submit({
            ...submission,
            committed: ({ cursor, position }) => submission.committed({ cursor, position: position + lost })
          })
      }
    })
  },
  {
    clause: 65,
    how: "fails with what has no code",
    breaks: onLog((log) => ({
      events: (after, limit) =>
        Effect.mapError(log.events(after, limit), (error) =>
          // A layer's author may think that the tag is enough.
          error._tag === "HistoryPruned"
            ? Object.assign(new Error(error.message), { _tag: error._tag, first_cursor: error.first_cursor }) as never
            : error)
    }))
  }
]

/** A store over which several are open, of which none fences the other. */
export const neverFenced: Breakage = {
  clause: 60,
  how: "takes what a fenced owner writes through another opening",
  breaks: onLog((log) => ({
    submit: (submission) =>
      log.submit({
        ...submission,
        failed: (error) =>
          error instanceof OwnerFenced ? submission.committed({ position: 1, cursor: 1 }) : submission.failed(error)
      })
  }))
}
