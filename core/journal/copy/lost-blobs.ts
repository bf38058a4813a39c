/**
 * Blobs that a repair did not find: records refer to them for ever, and that they are missing is nothing new. Their
 * names stand in a file beside the repaired store, and beside those that are restored from its backups.
 */
import { Schema } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { replaceFile } from "../files.ts"

const file = "lost-blobs.json"
const decode = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ v: Schema.Literal(1), blobs: Schema.Array(Schema.String) }))
)

/** Hashes of blobs that are known to be lost. */
export const lostBlobs = (dir: string): ReadonlySet<string> => {
  const path = join(dir, file)
  // Without it, they are found missing again.
  const found = fs.existsSync(path) ? decode(fs.readFileSync(path, "utf8")) : undefined
  return new Set(found?._tag === "Some" ? found.value.blobs : [])
}

/** Adds to them, if there are any to add. May throw. */
export const addLostBlobs = (dir: string, blobs: Iterable<string>): void => {
  const known = lostBlobs(dir)
  const all = new Set([...known, ...blobs])
  if (all.size === known.size) return
  const path = join(dir, file)
  replaceFile(path, `${path}.new`, `${JSON.stringify({ v: 1, blobs: [...all].sort() })}\n`)
}
