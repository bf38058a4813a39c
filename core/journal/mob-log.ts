/**
 * One mob's log in its owner's hands: reads between two batches, submissions, barriers, pruning, blobs.
 */
import { Effect, Semaphore } from "effect"
import type { MobId } from "../../sdk/ids.ts"
import type { MobLog, StoreError, StoreListener } from "../../sdk/store.ts"
import type { Blobs } from "./blobs.ts"
import type { Connection } from "./connection.ts"
import type { OwnedLog } from "./group.ts"
import type { Database } from "./medium.ts"
import type { MobState } from "./mob-state.ts"
import { prune, type PruneSite } from "./prune.ts"
import { logReads } from "./reading.ts"
import { lengthOf, linesOf } from "./stage.ts"

/** The log that its owner is given. */
export const mobLog = (connection: Connection, blobs: Blobs, mob: MobId, log: OwnedLog): MobLog => {
  const pruning = Semaphore.makeUnsafe(1)
  return {
    ...logReads({
      whenQuiet: (look) => lookAt(connection, log, look),
      // Memory goes on with the log.
      refresh: Effect.void,
      steady: connection.steady,
      blobs: blobs.shelf
    }),
    mob,
    epoch: log.epoch,
    firstCursor: () => log.state.firstCursor,
    latestCursor: () => log.state.durableCursor,
    submit: (submission) => {
      const lines = linesOf(submission, log.epoch)
      connection.committer.add({ type: "submission", log, submission, lines, length: lengthOf(lines) })
    },
    crowded: () => connection.committer.crowded,
    barrier: (aggregate) => barrier(connection, log, aggregate),
    listen: (listener) => listen(connection, log, listener),
    prune: (keep) => pruning.withPermit(prune(pruneSite(connection, blobs, log), keep)),
    putBlob: (bytes) =>
      Effect.suspend(() => {
        const error = whyNot(connection, log)
        return error === undefined ? blobs.put(log.mobNo, bytes) : Effect.fail(error)
      })
  }
}

/** Why this log may not change what is kept beside the database; undefined if it may. */
const whyNot = ({ status }: Connection, log: OwnedLog): StoreError | undefined =>
  log.ended ?? (status.type === "closed" ? status.error : undefined)

/** Looks at a log between two batches; while the store reopens, at what the old database says of it. */
const lookAt = <A>(
  connection: Connection,
  log: OwnedLog,
  look: (state: MobState, database: Database) => A
): Effect.Effect<A, StoreError> => {
  const again = Effect.suspend(() => lookAt(connection, log, look))
  return Effect.suspend(() => {
    if (log.ended !== undefined) return Effect.fail(log.ended)
    if (connection.status.type !== "open") {
      return Effect.flatMap(connection.readable, (database) =>
        connection.status.type === "open"
          ? again
          : Effect.map(connection.views.of(log, database), (state) => look(state, database)))
    }
    return Effect.flatten(Effect.callback<Effect.Effect<A, StoreError>>((resume, signal) => {
      connection.committer.whenQuiet((ended) => {
        if (signal.aborted) return
        resume(Effect.succeed(
          log.ended !== undefined || ended !== undefined
            ? again
            : Effect.succeed(look(log.state, connection.database))
        ))
      })
    }))
  })
}

const barrier = (connection: Connection, log: OwnedLog, aggregate: string): Effect.Effect<void, StoreError> =>
  Effect.callback((resume, signal) => {
    const look = (): void => {
      if (signal.aborted) return
      if (log.ended !== undefined) return resume(Effect.fail(log.ended))
      const { committer, status } = connection
      switch (status.type) {
        case "closed":
          return resume(Effect.fail(status.error))
        case "reopening":
          return connection.whenTried(look)
        case "open":
          if (committer.holds(log, aggregate)) committer.afterNext(look)
          else resume(Effect.void)
      }
    }
    look()
  })

const listen = (connection: Connection, log: OwnedLog, listener: StoreListener): () => void => {
  const { ended } = log
  if (ended === undefined) return log.listeners.add(listener)
  let wanted = true
  connection.later(() => {
    if (wanted) connection.tell(listener, (listener) => listener.closed?.(ended))
  })
  return () => {
    wanted = false
  }
}

const pruneSite = (connection: Connection, blobs: Blobs, log: OwnedLog): PruneSite => {
  const whenWritten: PruneSite["whenWritten"] = (look) =>
    Effect.andThen(
      connection.ask<void>((asking) => ({ ...asking, type: "look" })),
      lookAt(connection, log, look)
    )
  return {
    mobNo: log.mobNo,
    whenWritten,
    askHead: (aggregate) => {
      for (const listener of log.listeners.headsOf(aggregate)) {
        connection.tell(listener, (listener) => listener.headWanted?.(aggregate))
      }
    },
    settle: connection.settle,
    // It may have been opened again meanwhile.
    reclaim: (range) => Effect.suspend(() => connection.database.reclaim(range)),
    remove: (step) =>
      Effect.suspend(() => {
        blobs.removing(log.mobNo)
        return connection.ask<number | undefined>((asking) => ({ ...asking, type: "prune", log, step }))
      }),
    sweep: blobs.sweep(
      log.mobNo,
      (watch) =>
        whenWritten((_, database) => {
          watch()
          return database
        }),
      () => whyNot(connection, log)
    )
  }
}
