/**
 * Blobs that a repair did not find: records refer to them for ever, and that they are missing is nothing new. Their
 * names stand in a file beside the repaired store.
 */
import { Schema } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"

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

/** Writes them, if there are any. May throw. */
export const writeLostBlobs = (dir: string, blobs: ReadonlyArray<string>): void => {
  if (blobs.length === 0) return
  const descriptor = fs.openSync(join(dir, file), "wx", 0o600)
  try {
    fs.writeSync(descriptor, `${JSON.stringify({ v: 1, blobs })}\n`)
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}
