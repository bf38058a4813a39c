/**
 * What is read and checked when a database is opened, before anything is written: its format, its mobs, and that no
 * acknowledged batch is missing. LevelDB drops damaged parts of its log without a word, so what stood there is looked
 * for: every `seq` that had not left the log for a table has a block, and none is below the MARK.
 */
import { Effect } from "effect"
import { SchemaUnsupported, type StoreError, StoreUnavailable } from "../../sdk/store.ts"
import { attempt, reasonOf } from "./attempt.ts"
import { claimedSeq } from "./block.ts"
import { type Floors, noFloors, unsealCheckpoint } from "./checkpoint.ts"
import type { DataFolderUnusable } from "./errors.ts"
import { blockKeys, blocksOfMobsFrom, checkpointKey, metaKey, mobKeys, mobOf, parseBlockKey } from "./keys.ts"
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
    const numbers = new Set(Array.from(contents.mobs.values(), (mob) => mob.mobNo))
    yield* refuseStrangers(database, numbers)
    // Nothing is left of the others to look for.
    const left = new Set(
      Array.from(contents.mobs.values()).flatMap(({ destroyed, mobNo }) => destroyed === "done" ? [] : [mobNo])
    )
    let settled = contents.seqFloor
    for (const mobNo of left) settled = Math.max(settled, (yield* readFloors(database, mobNo)).settledSeq)
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

/** Floors of a mob, from its checkpoint. */
const readFloors = Effect.fnUntraced(
  function*(database: DatabaseReads, mobNo: number): Effect.fn.Return<Floors, StoreError> {
    const [value] = yield* database.get([checkpointKey(mobNo)])
    return value === undefined ? noFloors : yield* attempt(() => unsealCheckpoint(mobNo, value))
  }
)

/** Blocks of a mob that nothing names: its record is lost, and its number must not be given again. */
const refuseStrangers = Effect.fnUntraced(
  function*(database: DatabaseReads, known: ReadonlySet<number>): Effect.fn.Return<void, StoreError> {
    for (let from = 0;;) {
      const [key] = yield* database.keys(blocksOfMobsFrom(from), 1)
      if (key === undefined) return
      const { mobNo } = parseBlockKey(key)
      if (!known.has(mobNo)) return yield* corrupted(key, "no mob has this number")
      from = mobNo + 1
    }
  }
)

const write = (database: Database, operations: ReadonlyArray<Operation>): Effect.Effect<void, StoreError> =>
  Effect.callback<void, StoreError>((resume) => {
    database.commit(operations, (error) => {
      resume(error === undefined ? Effect.void : Effect.fail(new StoreUnavailable({ reason: reasonOf(error) })))
    })
  })

const everything = { gte: Buffer.from([0x00]), lt: Buffer.from([0xff]) }
