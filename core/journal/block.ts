/**
 * Blocks: what one group commit holds of one mob. The header says `seq`, first position, first cursor and the number of
 * entries; the body is one JSON line an entry. Positions and cursors of the entries follow by counting.
 */
import type { Cursor, Millis } from "../../sdk/ids.ts"
import type { JsonObject } from "../../sdk/json.ts"
import { type Entry, SchemaUnsupported } from "../../sdk/store.ts"
import { blockKey, type Key } from "./keys.ts"
import type { Pad } from "./pad.ts"
import { corrupted, numberOf, seal, sealLines, unseal } from "./seal.ts"
import { recordVersions } from "./versions.ts"

/** A block, checked, with its entries still text. */
export interface Block {
  readonly seq: number
  /** Position of its first entry. */
  readonly position: number
  /** Cursor of its first event, or the one the next event gets. */
  readonly cursor: Cursor
  readonly lines: ReadonlyArray<string>
}

/** An entry as it stands in a block. */
export interface EntryRecord {
  readonly aggregate: string
  readonly rev: number
  /** Owner epoch of its writer. */
  readonly epoch: number
  readonly at: Millis
  readonly facts: ReadonlyArray<JsonObject>
  readonly events: ReadonlyArray<JsonObject>
  /** Only on entries after which the aggregate is at its end. */
  readonly terminal?: true
}

/** Text of one entry. Throws when facts or events are no JSON. */
export const entryLine = (entry: Entry, epoch: number): string =>
  `${linePrefix(entry.aggregate)}${entry.revision},"epoch":${epoch},"at":${entry.at}`
  + `,"facts":${JSON.stringify(entry.facts)},"events":${JSON.stringify(entry.events)}${
    entry.terminal ? ",\"terminal\":true}" : "}"
  }`

/** How every line of this aggregate starts, and no other. */
export const linePrefix = (aggregate: string): string => `{"aggregate":${JSON.stringify(aggregate)},"rev":`

/** The entry of a line that passed its block's checksum. */
export const parseEntry = (line: string): EntryRecord =>
  // The checksum of the block matched, so this line is what `entryLine` wrote.
  JSON.parse(line) as EntryRecord

type Place = Omit<Block, "lines">

/** Value of a block. */
export const sealBlock = (key: Key, place: Place, lines: ReadonlyArray<string>): string =>
  seal(key, headerOf(place, lines), lines.join("\n"))

/** As {@link sealBlock}, in bytes that hold until the pad is cleared. */
export const sealBlockBytes = (key: Key, place: Place, lines: ReadonlyArray<string>, pad: Pad): Buffer =>
  sealLines(key, headerOf(place, lines), lines, pad)

const headerOf = ({ cursor, position, seq }: Place, lines: ReadonlyArray<string>) => ({
  seq,
  position,
  cursor,
  n: lines.length
})

/** Checks a block's value against the key it was read under. Throws `StoreCorrupted`. */
export const unsealBlock = (key: Key, value: string): Block => {
  const { body, header } = unseal(key, value)
  const lines = body.split("\n")
  if (lines.length !== numberOf(key, header, "n")) {
    throw corrupted(key, "it does not hold the number of entries it says")
  }
  return {
    seq: numberOf(key, header, "seq"),
    position: numberOf(key, header, "position"),
    cursor: numberOf(key, header, "cursor"),
    lines
  }
}

/** As {@link unsealBlock}, for a value read without its key: the key is rebuilt from the position it claims. */
export const unsealScanned = (mobNo: number, value: string): Block => {
  return unsealBlock(blockKey(mobNo, claimed(mobNo, value, positionText)), value)
}

/** Only the `seq` that a value claims, unchecked: cheap enough to look at every block that stood in LevelDB's log. */
export const claimedSeq = (mobNo: number, value: string): number => {
  return claimed(mobNo, value, seqText)
}

const claimed = (mobNo: number, value: string, field: RegExp): number => {
  const found = field.exec(value)?.[1]
  if (found !== undefined) return Number(found)
  const what = `a block of mob number ${mobNo}`
  const v = Number(versionText.exec(value)?.[1])
  const supported = recordVersions.block.length + 1
  if (v > supported) throw new SchemaUnsupported({ what, found: v, supported })
  throw corrupted(what, "its header line cannot be read")
}

// In every version `seq` and `position` stand here, so that a block can be placed before it is checked.
const versionText = /^\{"v":(\d{1,9}),/
const seqText = /^\{"v":\d+,"seq":(\d{1,16}),/
const positionText = /^\{"v":\d+,"seq":\d+,"position":(\d{1,16}),/
