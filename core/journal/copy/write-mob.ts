/**
 * Writing one mob into a backup, as it stands in a snapshot. What is damaged fails.
 */
import { Effect } from "effect"
import type { MobId } from "../../../sdk/ids.ts"
import type { StoreError } from "../../../sdk/store.ts"
import { attempt } from "../attempt.ts"
import { readBlob } from "../blobs.ts"
import { parseEntry, unsealScanned } from "../block.ts"
import { type Checkpoint, noFloors, unsealCheckpoint } from "../checkpoint.ts"
import { headState, unsealHead } from "../head.ts"
import { aggregateOf, blockKey, blockKeys, checkpointKey, headKeys } from "../keys.ts"
import type { DatabaseReads, Shelf } from "../medium.ts"
import type { Registered } from "../registry.ts"
import { corrupted } from "../seal.ts"
import type { BackupFileUnusable, NoRoom } from "./errors.ts"
import { pieceSize } from "./lines.ts"
import type { Place } from "./mob-survey.ts"
import { References } from "./references.ts"
import type { LineWriter } from "./write-lines.ts"

/** A mob that was written. */
export interface MobWritten {
  readonly mob: string
  readonly epoch: number
  /** Of its newest entry and event; 0 if there is none. */
  readonly position: number
  readonly cursor: number
}

/** A blob that a snapshot refers to is not there. */
export class BlobGone {
  readonly where: string

  constructor(where: string) {
    this.where = where
  }
}

type WriteError = StoreError | BackupFileUnusable | NoRoom

/** Where a mob is read and written. */
interface Copying {
  readonly reads: DatabaseReads
  readonly shelf: Shelf
  readonly writer: LineWriter
  /** Blobs that are known to be missing. */
  readonly lost: ReadonlySet<string>
}

/** Writes a mob; what it refers to of `pins` is added to `found`. */
export const writeMob = Effect.fnUntraced(
  function*(
    copying: Copying,
    mob: MobId,
    { epoch, mobNo }: Registered,
    found: References,
    pins: ReadonlyMap<string, string>
  ): Effect.fn.Return<MobWritten, WriteError | BlobGone> {
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
    const own = new References(pins)
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
  ): Effect.fn.Return<void, WriteError> {
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
  ): Effect.fn.Return<void, WriteError> {
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
  ): Effect.fn.Return<void, WriteError | BlobGone> {
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
