/**
 * Backups: mobs as they stand at one moment, in one file, without stopping whoever writes. Only what is sound goes into
 * it; a store that is damaged, or misses what it acknowledged, is refused as it would be at opening.
 */
import { Clock, Effect } from "effect"
import { join, resolve } from "node:path"
import type { MobId } from "../../../sdk/ids.ts"
import type { StoreError, StoreShape } from "../../../sdk/store.ts"
import { attempt, reasonOf } from "../attempt.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { pinKeys } from "../keys.ts"
import type { Database, DatabaseReads } from "../medium.ts"
import { readContents } from "../open-database.ts"
import { isThere, namesOf, type Registered } from "../registry.ts"
import { corrupted, unseal } from "../seal.ts"
import { readSecrets, type SecretsReadError } from "../secrets.ts"
import { BackupFileUnusable, MobNotStored, type NoRoom, orNoRoom } from "./errors.ts"
import { isWithin } from "./into-new.ts"
import { backupFormat, backupVersion, type Counts } from "./lines.ts"
import { lostBlobs } from "./lost-blobs.ts"
import { type CopySource, sourceOf } from "./open-copied.ts"
import { References } from "./references.ts"
import { type LineWriter, writeBackup } from "./write-lines.ts"
import { BlobGone, type MobWritten, writeMob } from "./write-mob.ts"

/** What a backup holds. */
export interface BackupOptions {
  /** Mobs to copy, with the definitions that they refer to; all of both if not said. */
  readonly mobs?: ReadonlyArray<MobId>
  /** Copies the secrets of the data directory too, readable by whoever can read the file. */
  readonly includeSecrets?: boolean
}

/** A backup that was written. */
export interface BackupWritten extends Counts {
  readonly file: string
  readonly bytes: number
  readonly mobs: ReadonlyArray<MobWritten>
  /** Names of the secrets in it. */
  readonly secrets: ReadonlyArray<string>
}

/** What making a backup can fail with. */
export type BackupError =
  | StoreError
  | DataFolderUnusable
  | BackupFileUnusable
  | SecretsReadError
  | MobNotStored
  | NoRoom

/**
 * Writes the mobs of an open store, or of a data directory that nobody holds, into a file; replaces the file when all of
 * the new one is on disk. What it reads is of one moment, between two group commits.
 */
export const backup = Effect.fn("Journal.backup")(
  function*(
    from: StoreShape | string,
    file: string,
    options: BackupOptions = {}
  ): Effect.fn.Return<BackupWritten, BackupError> {
    return yield* Effect.scoped(Effect.flatMap(sourceOf(from), (source) => write(source, file, options))).pipe(
      // What a copy lacks room for, the store goes on without.
      Effect.mapError(orNoRoom(typeof from === "string" ? from : file))
    )
  }
)

/** A backup of one mob, with the definitions that it refers to. */
export const exportMob = (
  from: StoreShape | string,
  mob: MobId,
  file: string
): Effect.Effect<BackupWritten, BackupError> => backup(from, file, { mobs: [mob] })

/** Tries, while the store opens its database anew again and again. */
const most = 20

const write = Effect.fnUntraced(
  function*(
    source: CopySource,
    file: string,
    options: BackupOptions
  ): Effect.fn.Return<BackupWritten, BackupError> {
    const { dir, isAnother } = source
    if (dir !== undefined) yield* refuseWithin(dir, file)
    let before: string | undefined
    for (let tries = 1;; tries++) {
      let database: Pick<Database, "snapshot"> | undefined
      const written = yield* source.database.pipe(
        Effect.tap((found) =>
          Effect.sync(() => {
            database = found
          })
        ),
        Effect.flatMap(({ snapshot }) => writeBackup(file, (writer) => writeAll(source, snapshot, writer, options))),
        Effect.map((all): BackupWritten => ({ file, ...all })),
        Effect.result
      )
      if (written._tag === "Success") return written.success
      const error = written.failure
      if (!(error instanceof BlobGone)) {
        // The store opened its database anew under the copy, which begins anew too.
        if (error._tag === "StoreUnavailable" && tries < most && (yield* isAnother(database))) continue
        return yield* Effect.fail(error)
      }
      // Removed since the snapshot, as nothing refers to it any more; another snapshot says whether that is so.
      if (error.where === before) return yield* corrupted(error.where, "it is missing, and a record refers to it")
      before = error.where
    }
  }
)

/** Everything from the header to the closing line. */
const writeAll = Effect.fnUntraced(
  function*(
    { dir, name, shelf }: CopySource,
    snapshot: Database["snapshot"],
    writer: LineWriter,
    { includeSecrets, mobs: asked }: BackupOptions
  ): Effect.fn.Return<Omit<BackupWritten, "file">, BackupError | BlobGone> {
    const taken_at = new Date(yield* Clock.currentTimeMillis).toISOString()
    const secrets = includeSecrets === true && dir !== undefined ? yield* readSecrets(dir) : {}
    const lost = dir === undefined ? new Set<string>() : lostBlobs(dir)
    const mobs: Array<MobWritten> = []
    // The file's failures pass through the snapshot as they are.
    const copied = yield* snapshot((reads) =>
      Effect.result(Effect.gen(function*() {
        const registered = yield* chosen(reads, name, asked)
        const names = registered.map(([mob]) => mob)
        writer.line({ type: "header", format: backupFormat, v: backupVersion, taken_at, mobs: names })
        const pins = yield* readPins(reads)
        const found = new References(pins)
        for (const [mob, record] of registered) {
          mobs.push(yield* writeMob({ reads, shelf, writer, lost }, mob, record, found, pins))
        }
        for (const [digest, text] of pins) {
          if (asked !== undefined && !found.digests.has(digest)) continue
          writer.text(`{"type":"definition","digest":"${digest}","definition":${text}}`)
          writer.counts.definitions++
          yield* writer.flush()
        }
      }))
    )
    if (copied._tag === "Failure") return yield* Effect.fail(copied.failure)
    if (Object.keys(secrets).length > 0) writer.line({ type: "secrets", secrets })
    const counts = yield* writer.end
    return { bytes: writer.bytes, mobs, secrets: Object.keys(secrets), ...counts }
  }
)

/** LevelDB removes what it does not know, and blobs are looked through. */
const refuseWithin = (dir: string, file: string): Effect.Effect<void, BackupFileUnusable> =>
  Effect.flatMap(
    Effect.try({
      try: () => ["db", "blobs"].some((name) => isWithin(join(dir, name), resolve(file))),
      catch: (error) => new BackupFileUnusable({ file, reason: reasonOf(error) })
    }),
    (within) =>
      within
        ? new BackupFileUnusable({ file, reason: `the store itself keeps its files there; nothing was written` })
        : Effect.void
  )

const chosen = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    where: string,
    asked: ReadonlyArray<MobId> | undefined
  ): Effect.fn.Return<ReadonlyArray<readonly [MobId, Registered]>, StoreError | MobNotStored> {
    const mobs = (yield* readContents(reads, where))?.mobs ?? new Map<string, Registered>()
    const found: Array<readonly [MobId, Registered]> = []
    for (const mob of new Set(asked ?? namesOf(mobs))) {
      const registered = mobs.get(mob)
      if (!isThere(registered)) return yield* new MobNotStored({ mob, where })
      found.push([mob, registered])
    }
    return found
  }
)

const readPins = Effect.fnUntraced(
  function*(reads: DatabaseReads): Effect.fn.Return<ReadonlyMap<string, string>, StoreError> {
    const keys = yield* reads.keys(pinKeys)
    const values = yield* reads.get(keys)
    return yield* attempt(() =>
      new Map(keys.map((key, index) => [key.toString("hex", 1), unseal(key, values[index] ?? "").body]))
    )
  }
)
