/**
 * Files and folders whose names outlive a loss of power: a new name is on disk only when the folder that holds it is.
 */
import * as fs from "node:fs"
import { dirname, resolve } from "node:path"

/** Writes a folder's names to disk. One that may not be read cannot be synced, and is left to the system. May throw. */
export const syncFolder = (path: string): void => {
  let folder: number
  try {
    folder = fs.openSync(path, fs.constants.O_RDONLY)
  } catch (error) {
    if (codeOf(error) === "EACCES") return
    throw error
  }
  try {
    fs.fsyncSync(folder)
  } finally {
    fs.closeSync(folder)
  }
}

/**
 * Makes a folder for its owner alone, with those above it. Its name is synced also when it was there: who made it may
 * have died before he did. May throw.
 */
export const makeFolder = (path: string): void => {
  const wanted = resolve(path)
  const missing: Array<string> = []
  for (let folder = wanted; !fs.existsSync(folder); folder = dirname(folder)) missing.unshift(folder)
  // One by one: told to make those above it too, Node tries for ever where none can be made, as below /proc.
  for (const folder of missing) makeOne(folder)
  // What is there and is no folder.
  if (!fs.statSync(wanted).isDirectory()) makeOne(wanted)
  const top = dirname(missing[0] ?? wanted)
  for (let folder = dirname(wanted);; folder = dirname(folder)) {
    syncFolder(folder)
    if (folder === top) return
  }
}

const makeOne = (path: string): void => {
  try {
    fs.mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Somebody else made it meanwhile.
    if (codeOf(error) === "EEXIST" && fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return
    throw error
  }
}

/** Takes away what others may do with a folder of ours: a copy is often made open to all. May throw. */
export const closeToOthers = (path: string): void => {
  const found = fs.statSync(path, { throwIfNoEntry: false })
  if (found === undefined || (found.mode & 0o077) === 0 || found.uid !== process.getuid?.()) return
  fs.chmodSync(path, found.mode & 0o700)
}

/** Replaces a file that only its owner may read: all of the new one is there, or all of the old one. May throw. */
export const replaceFile = (path: string, draft: string, text: string): void => {
  try {
    // Writes all of it or throws, as `writeSync` would not on a disk that is nearly full.
    fs.writeFileSync(draft, text, { mode: 0o600, flush: true })
    fs.renameSync(draft, path)
  } catch (error) {
    fs.rmSync(draft, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/** The code of a system error. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
