/**
 * Logs read anew after a failed write: memory runs ahead of the disk by the batch that failed.
 */
import { Effect, Fiber } from "effect"
import { OwnerFenced, type StoreError } from "../../sdk/store.ts"
import type { OwnedLog } from "./group.ts"
import type { Database } from "./medium.ts"
import type { MobState } from "./mob-state.ts"
import type { Opened } from "./open-database.ts"
import { openMob } from "./open-mob.ts"

/** What the old database says of logs, for those who read while another one is opened. */
export class Views {
  readonly #fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly #views = new Map<OwnedLog, Fiber.Fiber<MobState, StoreError>>()

  constructor(fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>) {
    this.#fork = fork
  }

  /** Read once for all readers. */
  of(log: OwnedLog, database: Database): Effect.Effect<MobState, StoreError> {
    const known = this.#views.get(log)
    const view = known ?? this.#fork(read(database, log))
    if (known === undefined) this.#views.set(log, view)
    // One that failed is not kept: the next reader looks again.
    return Effect.onError(Fiber.join(view), () =>
      Effect.sync(() => {
        if (this.#views.get(log) === view) this.#views.delete(log)
      }))
  }

  clear(): void {
    this.#views.clear()
  }
}

/**
 * What another database says of each log, or why that log cannot go on: another owner's epoch, or damage, which ends that
 * log alone. What fails otherwise is tried again with all.
 */
export const readAnew = Effect.fnUntraced(
  function*(
    { contents, database }: Opened,
    logs: Iterable<OwnedLog>
  ): Effect.fn.Return<ReadonlyMap<OwnedLog, MobState | StoreError>, StoreError> {
    const states = new Map<OwnedLog, MobState | StoreError>()
    for (const log of logs) {
      const current = contents.mobs.get(log.mob)?.epoch ?? 0
      const { epoch, mob } = log
      states.set(
        log,
        current !== epoch ? new OwnerFenced({ mob, ours: epoch, current }) : yield* orDamage(read(database, log))
      )
    }
    return states
  }
)

const read = (database: Database, { epoch, mobNo, state }: OwnedLog) => openMob(database, state.mob, mobNo, epoch)

const orDamage = (read: Effect.Effect<MobState, StoreError>): Effect.Effect<MobState | StoreError, StoreError> =>
  Effect.catchTag(read, ["StoreCorrupted", "SchemaUnsupported"], (error) => Effect.succeed(error))
