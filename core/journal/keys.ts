/**
 * The binary keys of a data directory. The first byte is the table, numbers are big-endian, so that LevelDB's byte
 * order is the order of mobs and positions. No sublevels: their names refuse users' ids.
 */
import { Buffer } from "node:buffer"

const META = 0x01
const MOB = 0x02
const BLOCK = 0x10
const HEAD = 0x11
const CHECKPOINT = 0x12
const PIN = 0x40

/** A key; compare two with `Buffer.compare`. */
export type Key = Buffer

/** What stands under a key. */
export type RecordType = "meta" | "mob" | "block" | "head" | "checkpoint" | "pin"

/** What stands under this key; undefined if it is none of ours. */
export const recordTypeOf = (key: Key): RecordType | undefined => {
  switch (key[0]) {
    case META:
      return "meta"
    case MOB:
      return "mob"
    case BLOCK:
      return "block"
    case HEAD:
      return "head"
    case CHECKPOINT:
      return "checkpoint"
    case PIN:
      return "pin"
    default:
      return undefined
  }
}

/** Keys from `gte` up to but without `lt`, in order, or backwards with `reverse`. */
export interface KeyRange {
  readonly gte: Key
  readonly lt: Key
  readonly reverse?: boolean
}

/** `01`: format version and `seq` floor of the database. */
export const metaKey: Key = Buffer.from([META])

/** `02 mob-id`: number and owner epoch of a mob. */
export const mobKey = (mob: string): Key => named(MOB, undefined, mob)

/** All `02` keys. */
export const mobKeys: KeyRange = { gte: Buffer.from([MOB]), lt: Buffer.from([MOB + 1]) }

/** `10 mobNo u64(first position)`: a block. Positions stay below 2^53. */
export const blockKey = (mobNo: number, position: number): Key => {
  const key = Buffer.allocUnsafe(13)
  key[0] = BLOCK
  key.writeUInt32BE(mobNo, 1)
  key.writeUInt32BE(Math.floor(position / 0x1_0000_0000), 5)
  key.writeUInt32BE(position % 0x1_0000_0000, 9)
  return key
}

/** Mob and first position of a block key. */
export const parseBlockKey = (key: Key): { readonly mobNo: number; readonly position: number } => ({
  mobNo: key.readUInt32BE(1),
  position: key.readUInt32BE(5) * 0x1_0000_0000 + key.readUInt32BE(9)
})

/** Blocks of one mob whose first position is at least `from`. */
export const blockKeys = (mobNo: number, from: number): KeyRange => ({
  gte: blockKey(mobNo, from),
  lt: blockKey(mobNo + 1, 0)
})

/** Blocks of all mobs with at least this number. */
export const blocksOfMobsFrom = (mobNo: number): KeyRange => ({ gte: blockKey(mobNo, 0), lt: Buffer.from([BLOCK + 1]) })

/** `11 mobNo aggregate`: a head. */
export const headKey = (mobNo: number, aggregate: string): Key => named(HEAD, mobNo, aggregate)

/** Heads of one mob whose aggregate starts with `prefix`. */
export const headKeys = (mobNo: number, prefix: string): KeyRange => {
  const gte = named(HEAD, mobNo, prefix)
  return { gte, lt: following(gte) }
}

/** Name of the aggregate of a head key. */
export const aggregateOf = (key: Key): string => key.toString("utf8", 5)

/** `12 mobNo`: a checkpoint. */
export const checkpointKey = (mobNo: number): Key => named(CHECKPOINT, mobNo, "")

/** Whether a digest has a key of its own. */
export const isDigest = (digest: string): boolean => /^[0-9a-f]{64}$/.test(digest)

/** `40 sha256`: a pinned definition. `digest` is lower-case hex. */
export const pinKey = (digest: string): Key => Buffer.concat([Buffer.from([PIN]), Buffer.from(digest, "hex")])

/** All `40` keys. */
export const pinKeys: KeyRange = { gte: Buffer.from([PIN]), lt: Buffer.from([PIN + 1]) }

/** Name of a mob in a `02` key. */
export const mobOf = (key: Key): string => key.toString("utf8", 1)

/** A key as a person reads it in an error. */
export const describeKey = (key: Key): string => {
  switch (recordTypeOf(key)) {
    case "meta":
      return "the meta record"
    case "mob":
      return `the record of mob ${mobOf(key)}`
    case "block": {
      const { mobNo, position } = parseBlockKey(key)
      return `block ${position} of mob number ${mobNo}`
    }
    case "head":
      return `the head of ${aggregateOf(key)} in mob number ${key.readUInt32BE(1)}`
    case "checkpoint":
      return `the checkpoint of mob number ${key.readUInt32BE(1)}`
    default:
      return `key ${key.toString("hex")}`
  }
}

const named = (table: number, mobNo: number | undefined, name: string): Key => {
  const at = mobNo === undefined ? 1 : 5
  const key = Buffer.allocUnsafe(at + Buffer.byteLength(name))
  key[0] = table
  if (mobNo !== undefined) key.writeUInt32BE(mobNo, 1)
  key.write(name, at)
  return key
}

/** The smallest key above this one. */
export const after = (key: Key): Key => Buffer.concat([key, Buffer.from([0x00])])

// The smallest key above all keys that start with `prefix`; a table byte is never 0xff, so there is one.
const following = (prefix: Key): Key => {
  let end = prefix.length
  while (prefix[end - 1] === 0xff) end--
  const key = Buffer.from(prefix.subarray(0, end))
  key[end - 1] = (key[end - 1] ?? 0) + 1
  return key
}
