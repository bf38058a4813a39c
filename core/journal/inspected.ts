/**
 * Looking at one mob of an open store without becoming its owner.
 */
import { Effect } from "effect"
import type { MobId } from "../../sdk/ids.ts"
import { type MobReads, OwnerFenced, type StoreError } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import { mobKey } from "./keys.ts"
import type { Database, DatabaseReads, Shelf } from "./medium.ts"
import type { MobState } from "./mob-state.ts"
import { openMob } from "./open-mob.ts"
import { logReads, type Source } from "./reading.ts"
import { isThere, unsealMob } from "./registry.ts"

/** What looking needs of the store. */
interface InspectSite {
  readonly readable: Effect.Effect<Database, StoreError>
  readonly steady: Source["steady"]
  readonly shelf: Shelf
}

/**
 * Reads of a mob as it stood at this moment; undefined if there is none. Its index does not go on with the log, so an
 * aggregate may be read as it is later. What was pruned since is looked for again in an index of then.
 */
export const inspectMob = Effect.fnUntraced(
  function*({ readable, shelf, steady }: InspectSite, mob: MobId): Effect.fn.Return<MobReads | undefined, StoreError> {
    if (!mob.isWellFormed()) return undefined
    const standing = Effect.flatMap(readable, (database) => database.snapshot((reads) => stateOf(reads, mob)))
    const first = yield* steady(standing)
    if (first === undefined) return undefined
    const { epoch, mobNo } = first
    let state = first
    return {
      ...logReads({
        whenQuiet: (look) => Effect.map(readable, (database) => look(state, database)),
        refresh: Effect.flatMap(standing, (again) => {
          if (again?.mobNo !== mobNo) {
            return new OwnerFenced({ mob, ours: epoch, current: again?.epoch ?? epoch + 1 })
          }
          state = again
          return Effect.void
        }),
        steady,
        blobs: shelf
      }),
      mob,
      epoch,
      firstCursor: () => state.firstCursor,
      latestCursor: () => state.durableCursor
    }
  }
)

const stateOf = Effect.fnUntraced(
  function*(reads: DatabaseReads, mob: MobId): Effect.fn.Return<MobState | undefined, StoreError> {
    const key = mobKey(mob)
    const [value] = yield* reads.get([key])
    const registered = value === undefined ? undefined : yield* attempt(() => unsealMob(key, value))
    return isThere(registered) ? yield* openMob(reads, mob, registered.mobNo, registered.epoch) : undefined
  }
)
