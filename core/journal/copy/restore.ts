/**
 * Restoring: mobs of a backup come into a data directory, all of them or none, with the positions, cursors, heads and
 * history that they had. Their owner epochs go on above those of the backup.
 */
import { Effect } from "effect"
import { resolve } from "node:path"
import type { StoreError } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import { DataFolderUnusable } from "../errors.ts"
import { holdLevel } from "../level.ts"
import type { Medium } from "../medium.ts"
import { changeSecrets, type Secrets, type SecretsError } from "../secrets.ts"
import { type BackupFileUnusable, type NoRoom, orNoRoom, type TargetTaken, type TargetUnusable } from "./errors.ts"
import { findings } from "./finding.ts"
import { intoNew, isFree } from "./into-new.ts"
import type { Counts } from "./lines.ts"
import { addLostBlobs } from "./lost-blobs.ts"
import { readBackup } from "./read-lines.ts"
import { Restoring } from "./restoring.ts"
import { staging } from "./staging.ts"

/** What came into a store. */
export interface Restored extends Counts {
  readonly mobs: ReadonlyArray<string>
  /** Names of secrets that came with it, and of those that were there already and stayed as they were. */
  readonly secrets: ReadonlyArray<string>
  readonly kept_secrets: ReadonlyArray<string>
}

/** What restoring can fail with. Nothing of the backup is in the store then. */
export type RestoreError =
  | StoreError
  | DataFolderUnusable
  | BackupFileUnusable
  | TargetTaken
  | TargetUnusable
  | SecretsError
  | NoRoom

/**
 * Brings the mobs of a backup into a data directory that nobody holds and that has no mob of these names. One that is
 * not there is made, whole or not at all. The backup is checked from its first to its last line before anything is written.
 */
export const restore = Effect.fn("Journal.restore")(
  function*(file: string, dir: string): Effect.fn.Return<Restored, RestoreError> {
    yield* readBackup(file, () => Effect.void)
    const into = (folder: string) => restoreInto({ ...holdLevel(folder, undefined), name: dir }, folder, file)
    const free = yield* Effect.try({
      try: () => isFree(resolve(dir)),
      catch: (error) => new DataFolderUnusable({ dir, reason: reasonOf(error) })
    })
    return yield* Effect.mapError(free ? intoNew(dir, into) : into(dir), orNoRoom(dir))
  }
)

/** As {@link restore}, for a backup of one mob. */
export const importMob = restore

/** Restores a backup that was checked into a medium; `dir` is where its secrets are, if it has any. */
export const restoreInto = Effect.fnUntraced(
  function*(medium: Medium, dir: string | undefined, file: string): Effect.fn.Return<Restored, RestoreError> {
    const { find, list } = findings()
    return yield* staging(medium, (staging) =>
      Effect.gen(function*() {
        const restoring = new Restoring(file, staging, list)
        const counts = yield* readBackup(file, (lines) =>
          Effect.gen(function*() {
            for (const line of lines) {
              const wait = restoring.line(line)
              if (wait !== undefined) yield* wait
            }
            yield* staging.flush
          }))
        yield* restoring.end
        const { lostBlobs, mobs, secrets } = restoring
        const there = dir === undefined
          ? yield* Effect.as(staging.publish(Effect.void), {})
          : yield* withSecrets(dir, secrets, (added) => staging.publish(Effect.andThen(lose(dir, lostBlobs), added)))
        const names = Object.keys(secrets)
        return {
          mobs,
          ...counts,
          secrets: names.filter((name) => !Object.hasOwn(there, name)),
          kept_secrets: names.filter((name) => Object.hasOwn(there, name))
        }
      }), find)
  }
)

/** Adds secrets while `publish` runs; they go again if it fails. Gives those that were there before. */
const withSecrets = Effect.fnUntraced(
  function*<E>(
    dir: string,
    secrets: Secrets,
    publish: (add: Effect.Effect<void, SecretsError>) => Effect.Effect<void, E | SecretsError>
  ): Effect.fn.Return<Secrets, E | SecretsError> {
    let there: Secrets = {}
    const names = Object.keys(secrets)
    if (names.length === 0) {
      yield* publish(Effect.void)
      return there
    }
    const add = Effect.map(changeSecrets(dir, (now) => ({ ...secrets, ...now })), (before) => {
      there = before
    })
    const remove = changeSecrets(
      dir,
      (now) =>
        Object.fromEntries(
          Object.entries(now).filter(([name]) => Object.hasOwn(there, name) || !Object.hasOwn(secrets, name))
        )
    )
    let added = false
    yield* publish(Effect.tap(add, () =>
      Effect.sync(() => {
        added = true
      }))).pipe(Effect.onError(() => added ? Effect.ignore(remove) : Effect.void))
    return there
  }
)

const lose = (dir: string, blobs: ReadonlySet<string>): Effect.Effect<void, DataFolderUnusable> =>
  Effect.try({
    try: () => addLostBlobs(dir, blobs),
    catch: (error) => new DataFolderUnusable({ dir, reason: reasonOf(error) })
  })
