/**
 * Writing a backup: under a temporary name until all of it is on disk.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { dirname } from "node:path"
import { crc32 } from "node:zlib"
import { reasonOf } from "../attempt.ts"
import { codeOf, syncFolder } from "../files.ts"
import { saysFull } from "../full.ts"
import { ownedName } from "../owned.ts"
import { BackupFileUnusable, NoRoom } from "./errors.ts"
import { sweepDrafts } from "./into-new.ts"
import { type BackupLine, type Counts, isBackup, noCounts } from "./lines.ts"

/** Text kept before it is written. */
const chunkLength = 1024 * 1024

/** Takes lines. */
export class LineWriter {
  readonly counts = noCounts()
  readonly #file: string
  readonly #handle: fs.promises.FileHandle
  readonly #sha = createHash("sha256")
  #crc = 0
  #lines = 0
  #bytes = 0
  #text: Array<string> = []
  #length = 0

  constructor(file: string, handle: fs.promises.FileHandle) {
    this.#file = file
    this.#handle = handle
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds a line. */
  readonly line = (line: BackupLine): void => this.text(JSON.stringify(line))

  /** Adds a line that is a JSON object as text already. */
  readonly text = (text: string): void => {
    const fields = text.slice(0, -1)
    this.#crc = crc32(fields, this.#crc)
    const line = `${fields},"crc":${this.#crc}}\n`
    this.#text.push(line)
    this.#length += line.length
    this.#lines++
  }

  /** Writes what was added, if it is worth it. Await it now and then. */
  readonly flush = (least = chunkLength): Effect.Effect<void, FileError> =>
    Effect.suspend(() => {
      if (this.#length < least) return Effect.void
      const chunk = Buffer.from(this.#text.join(""))
      this.#text = []
      this.#length = 0
      this.#sha.update(chunk)
      this.#bytes += chunk.length
      return filing(this.#file, () => this.#handle.writeFile(chunk))
    })

  /** Adds the closing line. */
  readonly end: Effect.Effect<Counts, FileError> = Effect.gen({ self: this }, function*() {
    yield* this.flush(0)
    this.line({ type: "end", lines: this.#lines, ...this.counts, sha256: this.#sha.copy().digest("hex") })
    yield* this.flush(0)
    return this.counts
  })
}

/**
 * Writes a backup. It has its name, with mode 0600, only when all of it is on disk; a backup that had this name stays
 * until then, and anything else that has it is refused. When `write` fails nothing is left.
 */
export const writeBackup = <A, E>(
  file: string,
  write: (writer: LineWriter) => Effect.Effect<A, E>
): Effect.Effect<A, E | FileError> =>
  Effect.acquireUseRelease(
    filing(file, async () => {
      const target = await realOf(file)
      await refuseOthers(target)
      sweepDrafts(target, draftKind)
      const draft = ownedName(target, draftKind)
      return { draft, handle: await fs.promises.open(draft, "wx", 0o600), target }
    }),
    ({ draft, handle, target }) =>
      Effect.tap(write(new LineWriter(file, handle)), () =>
        filing(file, async () => {
          await handle.sync()
          // Another process may have put something there meanwhile.
          await refuseOthers(target)
          await fs.promises.rename(draft, target)
          syncFolder(dirname(target))
        })),
    ({ draft, handle }) =>
      Effect.promise(async () => {
        await handle.close()
        await fs.promises.rm(draft, { force: true })
      })
  )

const draftKind = "part"

/** Where a link leads, so that the link stays. */
const realOf = (file: string): Promise<string> =>
  fs.promises.realpath(file).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return file
    throw error
  })

/** Rejects if there is something at this path, and it is no backup, whole or cut short: it may be worth more. */
const refuseOthers = async (file: string): Promise<void> => {
  const found = await fs.promises.stat(file).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  })
  if (found === undefined) return
  if (!found.isFile()) throw new Error("what is there is no file; nothing was written; give another name")
  const handle = await fs.promises.open(file, "r")
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0)
    if (isBackup(buffer.subarray(0, bytesRead))) return
  } finally {
    await handle.close()
  }
  throw new Error("what is there is no backup; nothing was written; give another name")
}

/** What using a backup's file can fail with. */
type FileError = BackupFileUnusable | NoRoom

/** Runs a use of a backup's file. */
const filing = <A>(file: string, use: () => Promise<A>): Effect.Effect<A, FileError> =>
  Effect.tryPromise({
    try: use,
    catch: (error) => {
      const reason = reasonOf(error)
      return saysFull(error) ? new NoRoom({ where: file, reason }) : new BackupFileUnusable({ file, reason })
    }
  })
