/**
 * What a backup is made of: one JSON document a line. A header; for each mob its record, its heads, its entries in
 * order, its blobs in pieces; pinned definitions; secrets, if they were asked for; a closing line with what was counted
 * and the SHA-256 of all lines before it. Each line ends with `crc`, the CRC-32 of it and of every line before it, so
 * that the first line that is not what was written can be named.
 */
import { Schema } from "effect"
import type { JsonObject } from "../../../sdk/json.ts"
import type { EntryRecord } from "../block.ts"
import { Secrets } from "../secrets.ts"

/** Name of the format in the header. */
export const backupFormat = "mobwright-backup"
/** Version of the format that this program writes and reads. */
export const backupVersion = 1
/** Bytes of a blob in one line; as base64 they stay well below 1 MiB. */
export const pieceSize = 512 * 1024

const { Array, Boolean, Int, Literal, String, Struct, Union, Unknown, optionalKey } = Schema

/** Positions, cursors, revisions and epochs: from 1. */
const Count = Int.check(Schema.isGreaterThanOrEqualTo(1))
const Size = Int.check(Schema.isGreaterThanOrEqualTo(0))
const Aggregate = String.check(Schema.makeFilter((name) => name !== "" && name.isWellFormed()))
/** As JSON gives it. */
const Fields = Schema.declare((value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !globalThis.Array.isArray(value)
)

/** Only its version is looked at before the rest is understood. */
export const AnyHeader = Struct({
  type: Literal("header"),
  format: Literal(backupFormat),
  v: Int.check(Schema.isGreaterThan(0))
})

const Header = Struct({
  ...AnyHeader.fields,
  /** ISO 8601. */
  taken_at: String,
  mobs: Array(String)
})

const Mob = Struct({
  type: Literal("mob"),
  mob: String,
  epoch: Count,
  oldest: Count,
  first_cursor: Count,
  next_position: Count,
  next_cursor: Count
})
/** A mob's record: its owner epoch, where its log begins and what comes next. */
export type MobLine = typeof Mob.Type

const Head = Struct({
  type: Literal("head"),
  aggregate: Aggregate,
  rev: Count,
  position: Count,
  born: Count,
  terminal: Boolean,
  state: Unknown
})
/** A head with its state. */
export type HeadLine = typeof Head.Type

const Entry = Struct({
  type: Literal("entry"),
  position: Count,
  cursor: Count,
  aggregate: Aggregate,
  rev: Count,
  epoch: Count,
  at: Schema.Number,
  facts: Array(Fields),
  events: Array(Fields),
  terminal: optionalKey(Literal(true))
})
/** An entry with its place. */
export type EntryLine = typeof Entry.Type

const Blob = Struct({
  type: Literal("blob"),
  sha256: String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
  /** Length of the whole blob. */
  bytes: Size,
  /** Where in it this piece begins. */
  at: Size,
  /** Base64. */
  data: String
})
/** A piece of a blob; pieces come in order. */
export type BlobLine = typeof Blob.Type

const Definition = Struct({
  type: Literal("definition"),
  digest: String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
  definition: Unknown
})

const SecretsOf = Struct({ type: Literal("secrets"), secrets: Secrets })

const End = Struct({
  type: Literal("end"),
  lines: Int,
  entries: Int,
  heads: Int,
  blobs: Int,
  definitions: Int,
  sha256: String
})
/** What was counted. */
export type Counts = Pick<typeof End.Type, "entries" | "heads" | "blobs" | "definitions">

const Line = Union([Header, Mob, Head, Entry, Blob, Definition, SecretsOf, End])
/** A line without its `crc`. */
export type BackupLine = typeof Line.Type

/** Whether a file that begins with these bytes is a backup, as far as it goes. */
export const isBackup = (bytes: Buffer): boolean => {
  const begin = Buffer.from(`{"type":"header","format":"${backupFormat}",`)
  const length = Math.min(begin.length, bytes.length)
  return bytes.subarray(0, length).equals(begin.subarray(0, length))
}

/** Checks the fields of a line. Throws a SchemaError. */
export const decodeLine = Schema.decodeUnknownSync(Line)

/** The entry of a line, as a block holds it. */
export const entryOf = ({ aggregate, at, epoch, events, facts, rev, terminal }: EntryLine): EntryRecord => ({
  aggregate,
  rev,
  epoch,
  at,
  facts,
  events,
  ...(terminal === undefined ? {} : { terminal })
})

/** Nothing counted yet. */
export const noCounts = (): { -readonly [Field in keyof Counts]: Counts[Field] } => ({
  entries: 0,
  heads: 0,
  blobs: 0,
  definitions: 0
})
