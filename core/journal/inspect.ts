/**
 * Looking at a data directory without opening it: takes the lock, lets LevelDB recover its own log, reads, closes.
 * Writes no entry, no `owner.json` and no `MARK`. Where damage is found, what is sound is still read.
 */
import { Effect, type Scope } from "effect"
import type { MobId } from "../../sdk/ids.ts"
import type { MobReads, StoreCorrupted, StoreError } from "../../sdk/store.ts"
import type { DataFolderUnusable } from "./errors.ts"
import { lookAtLevel } from "./level.ts"
import { readContents, verifyDatabase } from "./open-database.ts"
import { openMob } from "./open-mob.ts"
import { logReads } from "./reading.ts"
import { isThere, namesOf } from "./registry.ts"

/** A data directory as it stands. Valid until the Scope of {@link inspect} closes. */
export interface Inspection {
  /** Mobs that were ever acquired and not destroyed, in UTF-8 order of their names. */
  readonly mobs: ReadonlyArray<MobId>
  /** Newest durable `seq`; undefined while damage hides it. */
  readonly seq: number | undefined
  /** What opening this directory would fail with: acknowledged group commits are missing. */
  readonly damage: StoreCorrupted | undefined
  /** Reads one mob; undefined if there is none of this name. */
  readonly mob: (mob: MobId) => Effect.Effect<InspectedMob | undefined, StoreError>
}

/** The reading half of a log, and where it stands. */
export interface InspectedMob extends MobReads {
  /** Position of the newest entry; 0 if there is none. */
  readonly position: number
}

/** Looks at a data directory. Holds its lock until the Scope closes. */
export const inspect = Effect.fn("Journal.inspect")(
  function*(dir: string): Effect.fn.Return<Inspection, StoreError | DataFolderUnusable, Scope.Scope> {
    const medium = lookAtLevel(dir)
    const database = yield* Effect.acquireRelease(medium.open, (database) => database.close)
    const contents = (yield* readContents(database, dir)) ?? { seqFloor: 0, mobs: new Map() }
    const verified = yield* verifyDatabase(database, medium, contents).pipe(
      Effect.map((seq) => ({ seq, damage: undefined })),
      Effect.catchTag("StoreCorrupted", (damage) => Effect.succeed({ seq: undefined, damage }))
    )
    return {
      ...verified,
      mobs: namesOf(contents.mobs),
      mob: Effect.fnUntraced(function*(mob: MobId) {
        const registered = contents.mobs.get(mob)
        if (!isThere(registered)) return undefined
        const state = yield* openMob(database, mob, registered.mobNo, registered.epoch)
        return {
          ...logReads({
            whenQuiet: (look) => Effect.sync(() => look(state, database)),
            // Nobody writes while we hold the lock, and the database stays open.
            refresh: Effect.void,
            steady: (read) => read,
            blobs: medium.blobs
          }),
          mob,
          epoch: registered.epoch,
          position: state.nextPosition - 1,
          firstCursor: () => state.firstCursor,
          latestCursor: () => state.durableCursor
        }
      })
    }
  }
)
