/**
 * Backups that nobody wrote: lines with checksums that are right, whatever they say.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { crc32 } from "node:zlib"

/** A line without its checksum. */
export interface Line {
  [field: string]: unknown
  readonly type: string
}

/** The lines of a backup but its last one. */
export const linesOf = (file: string): Array<Line> =>
  fs.readFileSync(file, "utf8").trimEnd().split("\n").slice(0, -1).map((text) => {
    const { crc: _, ...line } = JSON.parse(text) as Line // one line of a backup
    return line as Line
  })

/** Writes them, and a last line that fits. */
export const forge = (file: string, lines: ReadonlyArray<Line | string>): void => {
  let crc = 0
  let all = ""
  const add = (text: string) => {
    const fields = text.slice(0, -1)
    crc = crc32(fields, crc)
    all += `${fields},"crc":${crc}}\n`
  }
  for (const line of lines) add(typeof line === "string" ? line : JSON.stringify(line))
  const count = (type: string) => lines.filter((line) => typeof line !== "string" && line.type === type).length
  const blobs = lines.filter((line) => typeof line !== "string" && line.type === "blob" && line["at"] === 0).length
  const sha256 = createHash("sha256").update(all).digest("hex")
  const counts = { entries: count("entry"), heads: count("head"), blobs, definitions: count("definition") }
  add(JSON.stringify({ type: "end", lines: lines.length, ...counts, sha256 }))
  fs.writeFileSync(file, all)
}
