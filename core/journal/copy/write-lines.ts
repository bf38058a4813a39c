/**
 * Writing a backup: under a temporary name until all of it is on disk.
 */
import { Effect, Exit } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { dirname } from "node:path"
import { crc32 } from "node:zlib"
import { reasonOf } from "../attempt.ts"
import { BackupFileUnusable } from "./errors.ts"
import { type BackupLine, type Counts, noCounts } from "./lines.ts"

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
  readonly flush = (least = chunkLength): Effect.Effect<void, BackupFileUnusable> =>
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
  readonly end: Effect.Effect<Counts, BackupFileUnusable> = Effect.gen({ self: this }, function*() {
    yield* this.flush(0)
    this.line({ type: "end", lines: this.#lines, ...this.counts, sha256: this.#sha.copy().digest("hex") })
    yield* this.flush(0)
    return this.counts
  })
}

/**
 * Writes a backup. It has its name, with mode 0600, only when all of it is on disk; one that had this name stays until
 * then. When `write` fails nothing is left.
 */
export const writeBackup = <A, E>(
  file: string,
  write: (writer: LineWriter) => Effect.Effect<A, E>
): Effect.Effect<A, E | BackupFileUnusable> => {
  const draft = `${file}.part-${process.pid}`
  return Effect.acquireUseRelease(
    filing(file, async () => {
      await fs.promises.rm(draft, { force: true })
      return fs.promises.open(draft, "wx", 0o600)
    }),
    (handle) => {
      const writer = new LineWriter(file, handle)
      return Effect.tap(write(writer), () =>
        filing(file, async () => {
          await handle.sync()
          await fs.promises.rename(draft, file)
          const folder = await fs.promises.open(dirname(file), "r")
          try {
            await folder.sync()
          } finally {
            await folder.close()
          }
        }))
    },
    (handle, exit) =>
      Effect.promise(async () => {
        await handle.close()
        if (Exit.isFailure(exit)) await fs.promises.rm(draft, { force: true })
      })
  )
}

/** Runs a use of a backup's file. */
export const filing = <A>(file: string, use: () => Promise<A>): Effect.Effect<A, BackupFileUnusable> =>
  Effect.tryPromise({ try: use, catch: (error) => new BackupFileUnusable({ file, reason: reasonOf(error) }) })
