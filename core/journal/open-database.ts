/**
 * What is read and checked when a database is opened, before anything is written: its format, its mobs, and that no
 * acknowledged batch is missing. LevelDB drops damaged parts of its log without a word, so what stood there is looked
 * for: every `seq` that had not left the log for a table has a block, and none is below the MARK.
 */
import { Effect } from "effect"
import { SchemaUnsupported, type StoreError } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import { claimedSeq } from "./block.ts"
import { unsealFloors } from "./checkpoint.ts"
import type { DataFolderUnusable } from "./errors.ts"
import { writeFailure } from "./full.ts"
import { blockKey, blockKeys, blocksOfMobsFrom, checkpointKey, type KeyRange, metaKey, mobKeys, mobOf } from "./keys.ts"
import type { Database, DatabaseReads, Medium } from "./medium.ts"
import { format, type Registered, sealMeta, unsealMeta, unsealMob } from "./registry.ts"
import { corrupted } from "./seal.ts"
import type { Operation } from "./seams.ts"

/** What a database says of itself. */
export interface Contents {
  readonly seqFloor: number
  /** By name, with those that were destroyed: their numbers are not given again. */
  readonly mobs: ReadonlyMap<string, Registered>
}

/** Reads `01` and `02`. A database without any key has no contents yet: undefined. */
export const readContents = Effect.fnUntraced(
  function*(database: DatabaseReads, name: string): Effect.fn.Return<Contents | undefined, StoreError> {
    const [value] = yield* database.get([metaKey])
    if (value === undefined) {
      const any = yield* database.keys(everything, 1)
      if (any.length === 0) return undefined
      return yield* corrupted(name, "it holds records, but not the one that says what they are")
    }
    const meta = yield* attempt(() => unsealMeta(value))
    if (meta.format !== format) {
      return yield* new SchemaUnsupported({ what: `the data directory ${name}`, found: meta.format, supported: format })
    }
    const keys = yield* database.keys(mobKeys)
    const values = yield* database.get(keys)
    const mobs = yield* attempt(() =>
      new Map(keys.map((key, index) => [mobOf(key), unsealMob(key, values[index] ?? "")]))
    )
    return { seqFloor: meta.seqFloor, mobs }
  }
)

/** A database that is sound. */
export interface Opened {
  readonly database: Database
  readonly contents: Contents
  /** Durable `seq`. */
  readonly seq: number
}

/** Opens and verifies; what cannot be verified is closed again. */
export const openVerified = Effect.fnUntraced(
  function*(medium: Medium): Effect.fn.Return<Opened, StoreError | DataFolderUnusable> {
    const database = yield* medium.open
    return yield* Effect.gen(function*() {
      const contents = yield* beginDatabase(database, medium.name)
      const seq = yield* verifyDatabase(database, medium, contents)
      return { database, contents, seq }
    }).pipe(Effect.onError(() => Effect.andThen(medium.leave, database.close)))
  },
  Effect.uninterruptible
)

/** Contents of a database that is there or, if it has no key, is begun now. */
const beginDatabase = Effect.fnUntraced(
  function*(database: Database, name: string): Effect.fn.Return<Contents, StoreError> {
    const contents = yield* readContents(database, name)
    if (contents !== undefined) return contents
    yield* write(database, [{ type: "put", key: metaKey, value: sealMeta({ format, seqFloor: 0 }) }])
    return { seqFloor: 0, mobs: new Map() }
  }
)

/** Durable `seq`. Fails with `StoreCorrupted` if a batch is missing. */
export const verifyDatabase = Effect.fnUntraced(
  function*(
    database: DatabaseReads,
    medium: Pick<Medium, "name" | "readMark">,
    contents: Contents
  ): Effect.fn.Return<number, StoreError> {
    yield* refuseStrangers(database, Array.from(contents.mobs.values(), (mob) => mob.mobNo))
    // Nothing is left of the others to look for.
    const left = new Set(
      Array.from(contents.mobs.values()).flatMap(({ destroyed, mobNo }) => destroyed === "done" ? [] : [mobNo])
    )
    const settled = Math.max(contents.seqFloor, yield* readSettled(database, [...left]))
    const found = new Set<number>()
    let durable = contents.seqFloor
    for (const mobNo of left) {
      // In small steps: of most mobs the newest block is settled.
      yield* database.scan({ ...blockKeys(mobNo, 0), reverse: true }, 16, (values) => {
        for (const value of values) {
          const seq = claimedSeq(mobNo, value)
          durable = Math.max(durable, seq)
          if (seq <= settled) return false
          found.add(seq)
        }
        return true
      })
    }
    durable = Math.max(durable, settled)
    for (let seq = settled + 1; seq <= durable; seq++) {
      if (!found.has(seq)) return yield* corrupted(medium.name, `group commit ${seq} is missing, later ones are there`)
    }
    const mark = medium.readMark()
    if (mark !== undefined && mark > durable) {
      return yield* corrupted(
        medium.name,
        `group commits up to ${mark} were acknowledged, those after ${durable} are missing (${mark - durable} lost)`
      )
    }
    return durable
  }
)

/** Checkpoints read at once. */
const atOnce = 256

/**
 * The highest `seq` that these mobs' checkpoints say is settled. One that is damaged says nothing, and only more is looked
 * through: its mob alone is lost to whoever acquires it.
 */
const readSettled = Effect.fnUntraced(
  function*(database: DatabaseReads, mobs: ReadonlyArray<number>): Effect.fn.Return<number, StoreError> {
    let settled = 0
    for (let at = 0; at < mobs.length; at += atOnce) {
      const part = mobs.slice(at, at + atOnce)
      const values = yield* database.get(part.map(checkpointKey))
      for (const [index, mobNo] of part.entries()) {
        const value = values[index]
        if (value === undefined) continue
        const said = attempt(() => unsealFloors(mobNo, value).settledSeq)
        settled = Math.max(settled, yield* Effect.catchTag(said, "StoreCorrupted", () => Effect.succeed(0)))
      }
    }
    return settled
  }
)

/** Blocks of a mob that nothing names: its record is lost, and its number must not be given again. */
const refuseStrangers = Effect.fnUntraced(
  function*(database: DatabaseReads, known: ReadonlyArray<number>): Effect.fn.Return<void, StoreError> {
    // Between the numbers that mobs have: most often that is nothing but what comes after the last.
    const gaps: Array<KeyRange> = []
    let from = 0
    for (const mobNo of known.toSorted((a, b) => a - b)) {
      if (mobNo > from) gaps.push({ gte: blockKey(from, 0), lt: blockKey(mobNo, 0) })
      from = mobNo + 1
    }
    gaps.push(blocksOfMobsFrom(from))
    yield* Effect.forEach(gaps, refuseAny(database), { concurrency: gapsAtOnce, discard: true })
  }
)

const gapsAtOnce = 16

const refuseAny = (database: DatabaseReads) => (range: KeyRange) =>
  Effect.flatMap(
    database.keys(range, 1),
    ([key]) => key === undefined ? Effect.void : Effect.fail(corrupted(key, "no mob has this number"))
  )

const write = (database: Database, operations: ReadonlyArray<Operation>): Effect.Effect<void, StoreError> =>
  Effect.callback<void, StoreError>((resume) => {
    database.commit(operations, (error) => {
      resume(error === undefined ? Effect.void : Effect.fail(writeFailure(error, "unknown")))
    })
  })

const everything = { gte: Buffer.from([0x00]), lt: Buffer.from([0xff]) }
