/**
 * What LevelDB's errors mean: it tells damage by text alone, and some of it as if a file could not be reached.
 */
import { StoreCorrupted } from "../../sdk/store.ts"

/** Code and message of an error of `level`; the cause says more than what wraps it. */
export const causeOf = (error: unknown): { readonly code: string | undefined; readonly message: string } => {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = inner instanceof Error && "code" in inner && typeof inner.code === "string" ? inner.code : undefined
  return { code, message: inner instanceof Error ? inner.message : String(inner) }
}

/** The damage that an error tells of; undefined if it tells of none. `where` is said unless the error names a file. */
export const damageOf = (error: unknown, where: string): StoreCorrupted | undefined => {
  const { code, message } = causeOf(error)
  const file = missing.exec(message)?.[1]
  if (code !== "LEVEL_CORRUPTION" && file === undefined) return undefined
  return new StoreCorrupted({
    where: file ?? where,
    what: message,
    remedy: "restore the data directory from a backup, or save what is intact: see mob store repair --help"
  })
}

// A file of its own that is gone or cut short; one that may not be read says "Permission denied".
const missing = /^IO error: (.+): (?:No such file or directory|Invalid argument|Not a directory)$/
