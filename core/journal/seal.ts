/**
 * How every value stands on disk: a header line, a line feed, a body. The header is a flat JSON object that starts with
 * the record's version `v` and ends with `crc`, the CRC-32 of the key, of the header up to `crc`, and of everything
 * after the header line. LevelDB serves flipped bits without a word, so each read checks it.
 */
import { crc32 } from "node:zlib"
import { StoreCorrupted } from "../../sdk/store.ts"
import { describeKey, type Key, recordTypeOf } from "./keys.ts"
import type { Pad } from "./pad.ts"
import { type Contents, newest, recordVersions, type Upgrader } from "./versions.ts"

/** Value of `key` with this header and body. */
export const seal = (key: Key, header: Contents["header"], body: string): string => {
  const fields = JSON.stringify({ v: upgradersOf(key).length + 1, ...header }).slice(0, -1)
  return `${fields},"crc":${checksum(key, fields, body)}}\n${body}`
}

/** As {@link seal}, with the lines of the body encoded into a pad. */
export const sealLines = (key: Key, header: Contents["header"], lines: ReadonlyArray<string>, pad: Pad): Buffer => {
  const fields = JSON.stringify({ v: upgradersOf(key).length + 1, ...header }).slice(0, -1)
  // The header is ASCII; it is put right before the body when the body's checksum is known.
  const before = fields.length + crcRoom
  // No UTF-16 unit takes more than three bytes.
  const bytes = pad.room(lines.reduce((sum, line) => sum + 3 * line.length + 1, before))
  let end = before
  for (const line of lines) {
    end += bytes.write(line, end)
    bytes[end++] = 0x0a
  }
  end--
  const crc = crc32(bytes.subarray(before, end), crc32(fields, crc32(key)))
  const head = `${fields},"crc":${crc}}\n`
  const begin = before - head.length
  bytes.write(head, begin, "latin1")
  pad.used(end)
  return bytes.subarray(begin, end)
}

/**
 * What {@link seal} made, here or in an earlier program, checked and in its newest version. Throws `StoreCorrupted`, or
 * `SchemaUnsupported` for a sound record that a later program wrote.
 */
export const unseal = (key: Key, value: string): Contents => {
  const end = value.indexOf("\n")
  const at = end < 0 ? -1 : value.lastIndexOf(crcField, end)
  const crc = at < 0 ? undefined : crcText.exec(value.slice(at, end))?.[1]
  if (crc === undefined) throw corrupted(key, "its header line cannot be read")
  const fields = value.slice(0, at)
  const body = value.slice(end + 1)
  if (String(checksum(key, fields, body)) !== crc) throw corrupted(key, "its checksum does not match")
  // The checksum matched, so this text is what `seal` wrote.
  const { v, ...header } = JSON.parse(`${fields}}`) as Contents["header"]
  if (typeof v !== "number" || !Number.isSafeInteger(v) || v < 1) throw corrupted(key, "its version is none")
  return newest(describeKey(key), v, { header, body }, upgradersOf(key))
}

// A key of no table of ours is described and refused by whoever reads it.
const upgradersOf = (key: Key): ReadonlyArray<Upgrader> => {
  const type = recordTypeOf(key)
  return type === undefined ? [] : recordVersions[type]
}

/** A number from a header. Throws `StoreCorrupted` when it is none. */
export const numberOf = (key: Key, header: Contents["header"], field: string): number => {
  const value = header[field]
  if (typeof value !== "number") throw corrupted(key, `its field ${field} is no number`)
  return value
}

/** The error for a record that is not what was written. */
export const corrupted = (where: Key | string, what: string): StoreCorrupted =>
  new StoreCorrupted({
    where: typeof where === "string" ? where : describeKey(where),
    what,
    remedy: "restore the data directory from a copy; looking at it still shows what can be read"
  })

/** Room for the checksum and what stands around it. */
const crcRoom = 20
const crcField = ",\"crc\":"
const crcText = /^,"crc":(\d{1,10})\}$/
const checksum = (key: Key, fields: string, body: string): number => crc32(body, crc32(fields, crc32(key)))
