/**
 * The store over a medium: who owns which mob. What waits on the database does so here, in the connection and in the
 * logs; the committer is synchronous.
 */
import { Effect, type Scope } from "effect"
import type { MobId } from "../../sdk/ids.ts"
import {
  type MobLog,
  type MobReads,
  OwnerFenced,
  type StoreError,
  type StoreShape,
  StoreUnavailable
} from "../../sdk/store.ts"
import { Blobs } from "./blobs.ts"
import { Connection } from "./connection.ts"
import { destroy } from "./destroy.ts"
import type { DataFolderUnusable } from "./errors.ts"
import type { OwnedLog } from "./group.ts"
import { inspectMob } from "./inspected.ts"
import { Listeners } from "./listeners.ts"
import type { Medium } from "./medium.ts"
import { mobLog } from "./mob-log.ts"
import { openVerified } from "./open-database.ts"
import { openMob } from "./open-mob.ts"
import { namesOf, type Registered } from "./registry.ts"
import { CommitSeam, JournalTasks } from "./seams.ts"
import { nameless } from "./stage.ts"

/** Opens a store; it closes with the Scope: what was submitted is written first. */
export const openStore = Effect.fnUntraced(
  function*(medium: Medium): Effect.fn.Return<StoreShape, StoreError | DataFolderUnusable, Scope.Scope> {
    const tasks = yield* JournalTasks
    const seam = yield* CommitSeam
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const blobs = new Blobs(medium.blobs)
    const connection = yield* Effect.acquireRelease(
      Effect.map(
        openVerified(medium),
        (opened) => new Connection({ medium, tasks, fork, commits: (commit) => blobs.watched(seam(commit)) }, opened)
      ),
      (connection) => connection.close
    )
    const store = new Store(connection, blobs)
    yield* store.finishDestroyed
    const { acquire, destroy, inspect, mobs } = store
    return { supports: medium.supports, acquire, batches: () => connection.batches, destroy, inspect, mobs }
  }
)

class Store {
  readonly #connection: Connection
  readonly #blobs: Blobs

  constructor(connection: Connection, blobs: Blobs) {
    this.#connection = connection
    this.#blobs = blobs
  }

  readonly mobs: Effect.Effect<ReadonlyArray<MobId>, StoreError> = Effect.suspend(() => {
    const { status } = this.#connection
    return status.type === "closed" ? Effect.fail(status.error) : Effect.succeed(namesOf(this.#mobs))
  })

  /** Those on disk, with the destroyed ones. */
  get #mobs(): ReadonlyMap<string, Registered> {
    return this.#connection.committer.composer.ownership.mobs
  }

  readonly acquire = Effect.fn("Journal.acquire")(
    { self: this },
    function*(mob: MobId): Effect.fn.Return<MobLog, StoreError> {
      if (!mob.isWellFormed()) return yield* nameless(mob)
      const { epoch, mobNo } = yield* this.#register(mob)
      const { committer, database } = this.#connection
      const state = yield* Effect.catchTag(openMob(database, mob, mobNo, epoch), "StoreCorrupted", (damage) => {
        const now = this.#mobs.get(mob)
        // Whoever destroyed it meanwhile, or pruned it as its next owner, removed what was to be read.
        const ours = now?.mobNo === mobNo && now.epoch === epoch
        return Effect.fail(ours ? damage : new OwnerFenced({ mob, ours: epoch, current: now?.epoch ?? epoch }))
      })
      const { status } = this.#connection
      if (status.type !== "open") return yield* status.error
      // Reopened in between: what was read may be of before.
      if (committer !== this.#connection.committer) {
        return yield* new StoreUnavailable({ reason: "it was opened again meanwhile" })
      }
      const current = this.#mobs.get(mob)?.epoch ?? 0
      if (current !== epoch) return yield* new OwnerFenced({ mob, ours: epoch, current })
      const log: OwnedLog = { mob, mobNo, epoch, state, listeners: new Listeners(), ended: undefined }
      this.#connection.logs.add(log)
      committer.composer.ownership.own(log)
      return mobLog(this.#connection, this.#blobs, mob, log)
    }
  )

  /** The next owner's record; what is left of a destroyed mob of this name is removed first. */
  #register(mob: MobId): Effect.Effect<Registered, StoreError> {
    return Effect.flatMap(
      this.#connection.ask<Registered>(
        (asking) => ({ ...asking, type: "acquire", mob }),
        (registered) => this.#registered(mob, registered)
      ),
      (registered) =>
        registered.destroyed === undefined
          ? Effect.succeed(registered)
          : Effect.andThen(this.destroy(mob), this.#register(mob))
    )
  }

  readonly inspect = (mob: MobId): Effect.Effect<MobReads | undefined, StoreError> =>
    inspectMob({ readable: this.#connection.readable, steady: this.#connection.steady, shelf: this.#blobs.shelf }, mob)

  readonly destroy = Effect.fn("Journal.destroy")(
    { self: this },
    function*(mob: MobId): Effect.fn.Return<void, StoreError> {
      const connection = this.#connection
      const registered = yield* connection.ask<Registered | undefined>(
        (asking) => ({ ...asking, type: "destroy", mob }),
        (registered) => registered && this.#registered(mob, registered)
      )
      if (registered?.destroyed !== "begun") return
      const { mobNo } = registered
      yield* destroy({
        mobNo,
        database: connection.database,
        clear: this.#blobs.clear(mobNo),
        settle: connection.settle,
        erase: (keys, last) => connection.ask<void>((asking) => ({ ...asking, type: "erase", mob, mobNo, keys, last }))
      })
    }
  )

  /** Goes on with what an earlier process began. What cannot be finished now is left to the next opening. */
  readonly finishDestroyed: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      // Only `acquire` makes these names, and it takes a MobId.
      [...this.#mobs].flatMap(([mob, { destroyed }]) => destroyed === "begun" ? [mob as MobId] : []),
      (mob) => Effect.catch(this.destroy(mob), (error) => Effect.logWarning(`mob ${mob} is not destroyed yet`, error)),
      { discard: true }
    )
  )

  /** Another epoch of this mob is durable: every log of it is fenced from here on. */
  #registered(mob: MobId, registered: Registered): void {
    for (const log of this.#connection.logs) {
      if (log.mob !== mob || log.epoch === registered.epoch) continue
      this.#connection.end(log, new OwnerFenced({ mob, ours: log.epoch, current: registered.epoch }))
    }
  }
}
