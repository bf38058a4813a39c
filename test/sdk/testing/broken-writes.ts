/**
 * Stores that break a clause of owners, guards and answers.
 */
import { Effect } from "effect"
import {
  type Entry,
  MobId,
  OwnerFenced,
  RevisionConflict,
  type StoreListener,
  StoreWriteFailed
} from "../../../sdk/index.ts"
import { type Breakage, noting, onInspect, onLog, onStore, onSubmit } from "./broken.ts"

const conflict = (aggregate: string) => new RevisionConflict({ aggregate, expected: 0, actual: 0 })
const severalAggregates = (entries: ReadonlyArray<Entry>) => new Set(entries.map((it) => it.aggregate)).size > 1

export const brokenWrites: ReadonlyArray<Breakage> = [
  {
    clause: 1,
    how: "says of itself what it is not",
    breaks: onStore(({ supports }) => ({ supports: { ...supports, shared: true } }))
  },
  {
    clause: 2,
    how: "lets an epoch out at the third acquire",
    breaks: onStore((store) => {
      const acquires = new Map<string, number>()
      return {
        acquire: (mob) => {
          const count = (acquires.get(mob) ?? 0) + 1
          acquires.set(mob, count)
          return count === 3 ? Effect.andThen(store.acquire(mob), store.acquire(mob)) : store.acquire(mob)
        }
      }
    })
  },
  {
    clause: 3,
    how: "acknowledges what a fenced owner writes, and does not write it",
    breaks: onSubmit((submission) => ({
      ...submission,
      failed: (error) =>
        error._tag === "OwnerFenced" && submission.entries[0]?.aggregate === "mob"
          && submission.entries[0].revision === 2
          ? submission.committed({ position: 2, cursor: 2 })
          : submission.failed(error)
    }))
  },
  {
    clause: 4,
    how: "acknowledges what is submitted while another owner acquires, and does not write it",
    breaks: onStore((store) => {
      let acquiring = 0
      const away = Effect.sync(() => {
        acquiring--
      })
      return {
        acquire: (mob) =>
          Effect.suspend(() => {
            acquiring++
            return Effect.ensuring(store.acquire(mob), away)
          }).pipe(Effect.map((log) => ({
            ...log,
            submit: (submission) => {
              const meanwhile = acquiring > 0
              log.submit({
                ...submission,
                failed: (error) =>
                  meanwhile ? submission.committed({ position: 1, cursor: 1 }) : submission.failed(error)
              })
            }
          })))
      }
    })
  },
  {
    clause: 5,
    how: "tells the listeners of each earlier owner, at each acquire, that they are closed",
    breaks: onStore((store) => {
      const listeners = new Map<string, Array<StoreListener>>()
      return {
        acquire: (mob) =>
          Effect.map(store.acquire(mob), (log) => {
            const earlier = listeners.get(mob) ?? []
            for (const { closed } of earlier) closed?.(new OwnerFenced({ mob, ours: 1, current: log.epoch }))
            listeners.set(mob, earlier)
            return {
              ...log,
              listen: (listener) => {
                earlier.push(listener)
                return log.listen(listener)
              }
            }
          })
      }
    })
  },
  {
    clause: 6,
    how: "answers a fenced owner's prune as if it had been done",
    breaks: onLog((log) => ({
      prune: (keep) =>
        Effect.catchTag(log.prune(keep), "OwnerFenced", (error) =>
          keep.events > 1
            ? Effect.succeed({ firstCursor: 1, firstPosition: 1, forgotten: 0, blobs: 0 })
            : Effect.fail(error))
    }))
  },
  {
    clause: 7,
    how: "finds the blobs of one mob in another",
    breaks: onStore((store) => {
      const kept = new Map<string, { readonly mob: string; readonly bytes: Uint8Array }>()
      return {
        acquire: (mob) =>
          Effect.map(store.acquire(mob), (log) => ({
            ...log,
            putBlob: (bytes) => noting(log.putBlob(bytes), ({ sha256 }) => kept.set(sha256, { mob, bytes })),
            blob: (sha256) =>
              Effect.map(log.blob(sha256), (found) => {
                const elsewhere = kept.get(sha256)
                return found ?? (elsewhere?.mob === mob ? undefined : elsewhere?.bytes)
              })
          }))
      }
    })
  },
  {
    clause: 8,
    how: "lists mobs in no order",
    breaks: onStore((store) => ({
      mobs: Effect.map(store.mobs, (names) => names.length > 2 ? names.toReversed() : names)
    }))
  },
  {
    clause: 9,
    how: "takes mobs whose names differ in case for one",
    breaks: onStore((store) => ({ acquire: (mob) => store.acquire(MobId.make(mob.toLowerCase())) }))
  },
  {
    clause: 10,
    how: "says of a conflict that it expected another revision",
    breaks: onSubmit((submission) => ({
      ...submission,
      failed: (error) =>
        submission.failed(
          error._tag === "RevisionConflict"
            ? new RevisionConflict({ aggregate: error.aggregate, expected: error.expected + 1, actual: error.actual })
            : error
        )
    }))
  },
  {
    clause: 11,
    how: "writes the entries whose guards hold, of a submission of which one does not",
    breaks: onSubmit((submission, log) => ({
      ...submission,
      failed: (error) => {
        if (error._tag === "RevisionConflict" && severalAggregates(submission.entries)) {
          for (const entry of submission.entries) {
            log.submit({ entries: [entry], committed: () => {}, failed: () => {} })
          }
        }
        submission.failed(error)
      }
    }))
  },
  {
    clause: 12,
    how: "refuses several entries of an aggregate that has one in flight",
    breaks: onLog((log) => {
      let flying = 0
      return {
        submit: (submission) => {
          const [first, second] = submission.entries
          if (flying > 0 && first !== undefined && first.aggregate === second?.aggregate) {
            return queueMicrotask(() => submission.failed(conflict(first.aggregate)))
          }
          flying++
          log.submit({
            ...submission,
            committed: (at) => {
              flying--
              submission.committed(at)
            },
            failed: (error) => {
              flying--
              submission.failed(error)
            }
          })
        }
      }
    })
  },
  {
    clause: 13,
    how: "answers a head alone as written, whatever its revision",
    breaks: onSubmit((submission) => ({
      ...submission,
      failed: (error) =>
        error._tag === "RevisionConflict" && submission.entries.length === 0
          ? submission.committed({ position: 1, cursor: 1 })
          : submission.failed(error)
    }))
  },
  {
    clause: 14,
    how: "does not know whether it wrote what cannot be written",
    breaks: onSubmit((submission) => ({
      ...submission,
      failed: (error) =>
        submission.failed(
          error._tag === "StoreWriteFailed"
            ? new StoreWriteFailed({ outcome: "unknown", reason: error.reason })
            : error
        )
    }))
  },
  {
    clause: 15,
    how: "refuses twice what is far ahead",
    breaks: onSubmit((submission) => ({
      ...submission,
      failed: (error) => {
        submission.failed(error)
        if (error._tag === "RevisionConflict" && error.expected - error.actual > 2) submission.failed(error)
      }
    }))
  },
  {
    clause: 16,
    how: "acknowledges one aggregate later than the others",
    breaks: onSubmit((submission) => ({
      ...submission,
      committed: (at) =>
        submission.entries[0]?.aggregate === "run/3"
          ? setImmediate(() => submission.committed(at))
          : submission.committed(at)
    }))
  },
  {
    clause: 17,
    how: "says the newest cursor, and not the next, of what holds no event",
    breaks: onSubmit((submission) => ({
      ...submission,
      committed: ({ cursor, position }) =>
        submission.committed({
          position,
          cursor: submission.entries.every((it) => it.events.length === 0) ? cursor - 1 : cursor
        })
    }))
  },
  {
    clause: 18,
    how: "does not show one aggregate to who looks",
    breaks: onInspect((look) => ({
      load: (aggregate) => aggregate === "run/11" ? Effect.undefined : look.load(aggregate)
    }))
  },
  {
    clause: 19,
    how: "lets a barrier through at once, while writes are well",
    breaks: onLog((log) => {
      let well = true
      const suffers = () => {
        well = false
      }
      log.listen({ closed: suffers })
      return {
        submit: (submission) =>
          log.submit({
            ...submission,
            failed: (error) => {
              if (error._tag === "StoreWriteFailed") suffers()
              submission.failed(error)
            }
          }),
        barrier: (aggregate) => well ? Effect.void : log.barrier(aggregate)
      }
    })
  },
  {
    clause: 20,
    how: "counts each group commit twice",
    breaks: onStore((store) => ({ batches: () => 2 * store.batches() }))
  },
  {
    clause: 21,
    how: "asks for each snapshot once more",
    breaks: onSubmit((submission) => {
      for (const { snapshot } of submission.entries) {
        try {
          snapshot()
        } catch {
          // The store asks for it, and answers.
        }
      }
      return submission
    })
  }
]
