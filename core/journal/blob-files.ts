/**
 * The shelf of a data directory: `<dir>/blobs/<mobNo>/<sha256>`, each a file of its own. A file has its name only once
 * all of it is on disk.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import type { StoreError } from "../../sdk/store.ts"
import { readFailure } from "./attempt.ts"
import { makeFolder, syncFolder } from "./files.ts"
import { writeFailure } from "./full.ts"
import type { Shelf } from "./medium.ts"

/** The shelf of a directory. */
export const blobFiles = (dir: string): Shelf => {
  const root = join(dir, "blobs")
  const folderOf = (mobNo: number) => join(root, String(mobNo))
  const fileOf = (mobNo: number, sha256: string) => join(folderOf(mobNo), sha256)
  let drafts = 0
  /** Folders whose names are on disk for sure. */
  const made = new Set<number>()
  return {
    put: (mobNo, sha256, bytes) =>
      writing(async () => {
        const folder = folderOf(mobNo)
        if (!made.has(mobNo)) {
          makeFolder(root)
          makeFolder(folder)
          made.add(mobNo)
        }
        const draft = join(root, `${draftPrefix}${process.pid}-${drafts++}`)
        try {
          await writeFile(draft, bytes)
          await fs.promises.rename(draft, fileOf(mobNo, sha256))
        } catch (error) {
          await fs.promises.rm(draft, { force: true })
          throw error
        }
        await syncLater(folder)
      }),
    get: (mobNo, sha256) =>
      Effect.map(
        reading(() => fs.promises.readFile(fileOf(mobNo, sha256)), undefined),
        (bytes) => bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      ),
    names: (mobNo) =>
      Effect.map(
        reading(() => fs.promises.readdir(folderOf(mobNo)), []),
        (names) => names.filter((name) => nameText.test(name)).sort()
      ),
    remove: (mobNo, sha256) => fs.rmSync(fileOf(mobNo, sha256), { force: true }),
    clear: (mobNo) =>
      writing(async () => {
        await fs.promises.rm(folderOf(mobNo), { recursive: true, force: true })
        made.delete(mobNo)
        // Nobody looks for them again once it is said that they are gone.
        if (fs.existsSync(root)) syncFolder(root)
      }),
    describe: fileOf
  }
}

/** Removes what writers that were killed left half done. Call it while nobody writes. May throw. */
export const removeDrafts = (dir: string): void => {
  const root = join(dir, "blobs")
  if (!fs.existsSync(root)) return
  for (const name of fs.readdirSync(root)) {
    if (name.startsWith(draftPrefix)) fs.rmSync(join(root, name), { force: true })
  }
}

const draftPrefix = "new-"
const nameText = /^[0-9a-f]{64}$/

const writeFile = async (path: string, bytes: Uint8Array) => {
  const file = await fs.promises.open(path, "wx", 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

// Off the main thread: blobs come often.
const syncLater = async (path: string) => {
  const folder = await fs.promises.open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const notWritten = (cause: unknown): StoreError => writeFailure(cause, "not_written")

const writing = (write: () => Promise<void>): Effect.Effect<void, StoreError> =>
  Effect.uninterruptible(Effect.tryPromise({ try: write, catch: notWritten }))

const reading = <A, B>(read: () => Promise<A>, missing: B): Effect.Effect<A | B, StoreError> =>
  Effect.tryPromise({
    try: () =>
      read().catch((error: unknown) => {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return missing
        throw error
      }),
    catch: readFailure
  })
