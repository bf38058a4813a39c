/**
 * Backups: mobs as they stand at one moment, in one file, without stopping whoever writes. Only what is sound goes into
 * it; a damaged mob is refused, as it would be at opening.
 */
import { Clock, Effect } from "effect"
import type { MobId } from "../../../sdk/ids.ts"
import type { StoreError, StoreShape } from "../../../sdk/store.ts"
import { attempt } from "../attempt.ts"
import { readBlob } from "../blobs.ts"
import { parseEntry, unsealScanned } from "../block.ts"
import { type Checkpoint, noFloors, unsealCheckpoint } from "../checkpoint.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { headState, unsealHead } from "../head.ts"
import { aggregateOf, blockKey, blockKeys, checkpointKey, headKeys, pinKeys } from "../keys.ts"
import type { DatabaseReads, Shelf } from "../medium.ts"
import { readContents } from "../open-database.ts"
import { isThere, namesOf, type Registered } from "../registry.ts"
import { corrupted, unseal } from "../seal.ts"
import { readSecrets, type SecretsError } from "../secrets.ts"
import { type BackupFileUnusable, MobNotStored } from "./errors.ts"
import { backupFormat, backupVersion, type Counts, pieceSize } from "./lines.ts"
import { lostBlobs } from "./lost-blobs.ts"
import { type CopySource, sourceOf } from "./open-copied.ts"
import { References } from "./references.ts"
import { type LineWriter, writeBackup } from "./write-lines.ts"

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
  readonly mobs: ReadonlyArray<{
    readonly mob: string
    readonly epoch: number
    /** Of its newest entry and event; 0 if there is none. */
    readonly position: number
    readonly cursor: number
  }>
  /** Names of the secrets in it. */
  readonly secrets: ReadonlyArray<string>
}

/** What making a backup can fail with. */
export type BackupError = StoreError | DataFolderUnusable | BackupFileUnusable | SecretsError | MobNotStored

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
    return yield* Effect.scoped(Effect.flatMap(sourceOf(from), (source) => write(source, file, options)))
  }
)

/** A backup of one mob, with the definitions that it refers to. */
export const exportMob = (
  from: StoreShape | string,
  mob: MobId,
  file: string
): Effect.Effect<BackupWritten, BackupError> => backup(from, file, { mobs: [mob] })

const write = Effect.fnUntraced(
  function*(
    source: CopySource,
    file: string,
    options: BackupOptions
  ): Effect.fn.Return<BackupWritten, BackupError> {
    const taken_at = new Date(yield* Clock.currentTimeMillis).toISOString()
    const { dir } = source
    const secrets = options.includeSecrets === true && dir !== undefined ? yield* readSecrets(dir) : {}
    const lost = dir === undefined ? new Set<string>() : lostBlobs(dir)
    for (let before: string | undefined;;) {
      const written = yield* writeBackup(file, (writer) =>
        Effect.gen(function*() {
          const mobs: Array<BackupWritten["mobs"][number]> = []
          // The file's failures pass through the snapshot as they are.
          const copied = yield* source.snapshot((reads) =>
            Effect.result(Effect.gen(function*() {
              const registered = yield* chosen(reads, source.name, options.mobs)
              const names = registered.map(([mob]) => mob)
              writer.line({ type: "header", format: backupFormat, v: backupVersion, taken_at, mobs: names })
              const pins = yield* readPins(reads)
              const found = new References()
              for (const [mob, record] of registered) {
                mobs.push(yield* writeMob({ reads, shelf: source.shelf, writer, lost }, mob, record, found, pins))
              }
              for (const [digest, text] of pins) {
                if (options.mobs !== undefined && !found.digests.has(digest)) continue
                writer.text(`{"type":"definition","digest":"${digest}","definition":${text}}`)
                writer.counts.definitions++
                yield* writer.flush()
              }
            }))
          )
          if (copied._tag === "Failure") return yield* Effect.fail(copied.failure)
          if (Object.keys(secrets).length > 0) writer.line({ type: "secrets", secrets })
          const counts = yield* writer.end
          return { file, bytes: writer.bytes, mobs, secrets: Object.keys(secrets), ...counts }
        })).pipe(Effect.catchIf((error) => error instanceof BlobGone, Effect.succeed))
      if (!(written instanceof BlobGone)) return written
      // Removed since the snapshot, as nothing refers to it any more; another snapshot says whether that is so.
      if (written.where === before) return yield* corrupted(written.where, "it is missing, and a record refers to it")
      before = written.where
    }
  }
)

/** A blob that a snapshot refers to is not there. */
class BlobGone {
  readonly where: string

  constructor(where: string) {
    this.where = where
  }
}

const chosen = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    where: string,
    asked: ReadonlyArray<MobId> | undefined
  ): Effect.fn.Return<ReadonlyArray<readonly [MobId, Registered]>, StoreError | MobNotStored> {
    const mobs = (yield* readContents(reads, where))?.mobs ?? new Map<string, Registered>()
    const found: Array<readonly [MobId, Registered]> = []
    for (const mob of asked ?? namesOf(mobs)) {
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

/** Where a mob is read and written. */
interface Copying {
  readonly reads: DatabaseReads
  readonly shelf: Shelf
  readonly writer: LineWriter
  /** Blobs that are known to be missing. */
  readonly lost: ReadonlySet<string>
}

const writeMob = Effect.fnUntraced(
  function*(
    copying: Copying,
    mob: MobId,
    { epoch, mobNo }: Registered,
    found: References,
    pins: ReadonlyMap<string, string>
  ): Effect.fn.Return<BackupWritten["mobs"][number], StoreError | BackupFileUnusable | BlobGone> {
    const { reads, writer } = copying
    const [value] = yield* reads.get([checkpointKey(mobNo)])
    const floors = value === undefined ? noFloors : yield* attempt(() => unsealCheckpoint(mobNo, value))
    const end = yield* endOf(reads, mobNo, floors)
    writer.line({
      type: "mob",
      mob,
      epoch,
      oldest: floors.oldest,
      first_cursor: floors.firstCursor,
      next_position: end.position,
      next_cursor: end.cursor
    })
    const own = new References()
    yield* writeHeads(copying, mobNo, own)
    yield* writeEntries(copying, mobNo, floors, end, own)
    for (const digest of own.digests) {
      const pin = pins.get(digest)
      if (pin === undefined) continue
      found.digests.add(digest)
      // Its blobs are on the shelf of the mob that pinned it.
      own.addOptional(pin)
    }
    yield* writeBlobs(copying, mobNo, own)
    return { mob, epoch, position: end.position - 1, cursor: end.cursor - 1 }
  }
)

/** A place in a log. */
interface Place {
  readonly position: number
  readonly cursor: number
}

/** Where the next entry and event go. */
const endOf = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    mobNo: number,
    floors: Pick<Checkpoint, "nextPosition" | "nextCursor">
  ): Effect.fn.Return<Place, StoreError> {
    let end: Place = { position: floors.nextPosition, cursor: floors.nextCursor }
    yield* reads.scan({ ...blockKeys(mobNo, 0), reverse: true }, 1, ([value = ""]) => {
      const { cursor, lines, position } = unsealScanned(mobNo, value)
      end = {
        position: position + lines.length,
        cursor: lines.reduce((sum, line) => sum + parseEntry(line).events.length, cursor)
      }
      return false
    })
    return end
  }
)

/** Heads read at once; they hold whole states. */
const headsAtOnce = 64

const writeHeads = Effect.fnUntraced(
  function*(
    { reads, writer }: Copying,
    mobNo: number,
    own: References
  ): Effect.fn.Return<void, StoreError | BackupFileUnusable> {
    const keys = yield* reads.keys(headKeys(mobNo, ""))
    for (let at = 0; at < keys.length; at += headsAtOnce) {
      const part = keys.slice(at, at + headsAtOnce)
      const values = yield* reads.get(part)
      yield* attempt(() => {
        for (const [index, key] of part.entries()) {
          const aggregate = aggregateOf(key)
          const head = unsealHead(mobNo, aggregate, values[index] ?? "")
          headState(mobNo, aggregate, head)
          own.add(head.text)
          const { born, position, revision, terminal, text } = head
          const fields = JSON.stringify({ type: "head", aggregate, rev: revision, position, born, terminal })
          writer.text(`${fields.slice(0, -1)},"state":${text}}`)
          writer.counts.heads++
        }
      })
      yield* writer.flush()
    }
  }
)

/** Text of blocks read before it is written. */
const blocksLength = 1024 * 1024

const writeEntries = Effect.fnUntraced(
  function*(
    { reads, writer }: Copying,
    mobNo: number,
    floors: Checkpoint | typeof noFloors,
    end: Place,
    own: References
  ): Effect.fn.Return<void, StoreError | BackupFileUnusable> {
    let position = floors.oldest
    let cursor = floors.firstCursor
    for (let begun = position; position < end.position; begun = position) {
      let length = 0
      yield* reads.scan(blockKeys(mobNo, position), 16, (values) => {
        for (const value of values) {
          const block = unsealScanned(mobNo, value)
          if (block.position !== position || block.cursor !== cursor) {
            throw corrupted(blockKey(mobNo, position), `it is missing, or its first cursor is not ${cursor}`)
          }
          for (const line of block.lines) {
            writer.text(`{"type":"entry","position":${position},"cursor":${cursor},${line.slice(1)}`)
            writer.counts.entries++
            own.add(line)
            position++
            cursor += parseEntry(line).events.length
          }
          length += value.length
        }
        return length < blocksLength
      })
      if (position === begun) return yield* corrupted(blockKey(mobNo, position), "it is missing")
      yield* writer.flush()
    }
  }
)

const writeBlobs = Effect.fnUntraced(
  function*(
    { lost, shelf, writer }: Copying,
    mobNo: number,
    own: References
  ): Effect.fn.Return<void, StoreError | BackupFileUnusable | BlobGone> {
    for (const sha256 of own.blobs) {
      const bytes = yield* readBlob(shelf, mobNo, sha256)
      if (bytes === undefined) {
        if (own.isOptional(sha256) || lost.has(sha256)) continue
        return yield* Effect.fail(new BlobGone(shelf.describe(mobNo, sha256)))
      }
      writer.counts.blobs++
      for (let at = 0; at === 0 || at < bytes.length; at += pieceSize) {
        const data = Buffer.from(bytes.subarray(at, at + pieceSize)).toString("base64")
        writer.line({ type: "blob", sha256, bytes: bytes.length, at, data })
        yield* writer.flush()
      }
    }
  }
)
