/**
 * Whether a data directory has room for what LevelDB writes when it opens: what stands in its log goes into a table.
 */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { join } from "node:path"

/** Tries by writing a file of that size, when the file system says that it would fit. Never fails. */
export const hasRoom = (dir: string): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    const path = fileOf(dir)
    try {
      const wanted = await wantedIn(join(dir, "db"))
      const { bavail, bsize } = await fs.promises.statfs(dir)
      // Known without filling up what others need; quotas and limits on files are known only by trying.
      if (bavail * bsize < wanted) return false
      await fill(path, wanted)
      return true
    } catch {
      return false
    } finally {
      await fs.promises.rm(path, { force: true }).catch(() => {})
    }
  })

/** Removes the file of a try that a killed process left. May throw. */
export const removeTry = (dir: string): void => fs.rmSync(fileOf(dir), { force: true })

const fileOf = (dir: string) => join(dir, "room")

/** Beyond the log: a new manifest, a new log, and something to begin with. */
const slack = 1024 * 1024

const wantedIn = async (folder: string): Promise<number> => {
  let sum = slack
  for (const name of await fs.promises.readdir(folder)) {
    if (name.endsWith(".log")) sum += (await fs.promises.stat(join(folder, name))).size
  }
  return sum
}

// Random, so that a file system that compresses does not take it for nothing.
const fill = async (path: string, length: number) => {
  const chunk = randomBytes(256 * 1024)
  const file = await fs.promises.open(path, "w", 0o600)
  try {
    for (let written = 0; written < length; written += chunk.length) await file.writeFile(chunk)
    await file.sync()
  } finally {
    await file.close()
  }
}
