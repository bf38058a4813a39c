/** Damage to a data directory, done from outside. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"

/** Writes the side file that remembers the last acknowledged commit, as the journal would. */
export const writeMark = (dir: string, seq: number): void => {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(seq, 4)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8)
  bytes.writeUInt32BE(0x4d41524b, 12)
  writeFileSync(join(dir, "MARK"), bytes)
}
