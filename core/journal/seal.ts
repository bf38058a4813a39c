/**
 * How every value stands on disk: a header line, a line feed, a body. The header is a flat JSON object that starts with
 * the record's version `v` and ends with `crc`, the CRC-32 of the key, of the header up to `crc`, and of everything
 * after the header line. LevelDB serves flipped bits without a word, so each read checks it.
 */
import { crc32 } from "node:zlib"
import { SchemaUnsupported, StoreCorrupted } from "../../sdk/store.ts"
import { describeKey, type Key } from "./keys.ts"

/** Version of every record type; one number until the first upgrader. */
const recordVersion = 1

/** Fields of a header: flat, without `v` and `crc`. */
type Header = { readonly [field: string]: number | string | boolean }

/** Value of `key` with this header and body. */
export const seal = (key: Key, header: Header, body: string): string => {
  const fields = JSON.stringify({ v: recordVersion, ...header }).slice(0, -1)
  return `${fields},"crc":${checksum(key, fields, body)}}\n${body}`
}

/** What {@link seal} made, checked. Throws `StoreCorrupted`, or `SchemaUnsupported` for a sound record of another version. */
export const unseal = (key: Key, value: string): { readonly header: Header; readonly body: string } => {
  const end = value.indexOf("\n")
  const at = end < 0 ? -1 : value.lastIndexOf(crcField, end)
  const crc = at < 0 ? undefined : crcText.exec(value.slice(at, end))?.[1]
  if (crc === undefined) throw corrupted(key, "its header line cannot be read")
  const fields = value.slice(0, at)
  const body = value.slice(end + 1)
  if (String(checksum(key, fields, body)) !== crc) throw corrupted(key, "its checksum does not match")
  // The checksum matched, so this text is what `seal` wrote.
  const header = JSON.parse(`${fields}}`) as Header
  if (header["v"] !== recordVersion) {
    throw new SchemaUnsupported({ what: describeKey(key), found: Number(header["v"]), supported: recordVersion })
  }
  return { header, body }
}

/** A number from a header. Throws `StoreCorrupted` when it is none. */
export const numberOf = (key: Key, header: Header, field: string): number => {
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

const crcField = ",\"crc\":"
const crcText = /^,"crc":(\d{1,10})\}$/
const checksum = (key: Key, fields: string, body: string): number => crc32(body, crc32(fields, crc32(key)))
