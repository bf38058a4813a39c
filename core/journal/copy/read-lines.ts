/**
 * Reading a backup: every line checked, and that the last one is there. A backup that is shorter than what was written,
 * or differs from it anywhere, is refused with the number of the first wrong line.
 */
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { crc32 } from "node:zlib"
import { SchemaUnsupported, StoreCorrupted } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import { BackupFileUnusable } from "./errors.ts"
import { AnyHeader, type BackupLine, backupVersion, type Counts, decodeLine, noCounts } from "./lines.ts"

/** A line that is not what was written. */
export const wrongLine = (file: string, line: number, what: string): StoreCorrupted =>
  new StoreCorrupted({
    where: `line ${line} of the backup ${file}`,
    what,
    remedy: "nothing was restored from it; take another copy of it, or an older backup"
  })

/** A checked line and its number, from 1. */
export interface Numbered {
  readonly number: number
  readonly line: BackupLine
}

/** What reading a backup can fail with. */
export type BackupReadError = StoreCorrupted | SchemaUnsupported | BackupFileUnusable

/**
 * Calls `each` for every line but the last, in order, in groups. Ends well only when the whole file is what was written.
 */
export const readBackup = Effect.fnUntraced(
  function*<E>(
    file: string,
    each: (lines: ReadonlyArray<Numbered>) => Effect.Effect<void, E>
  ): Effect.fn.Return<Counts, E | BackupReadError> {
    const lines = checkedLines(file)
    for (;;) {
      const next = yield* Effect.tryPromise({ try: () => lines.next(), catch: (error) => readError(file, error) })
      if (next.done === true) return next.value
      yield* each(next.value)
    }
  }
)

const readError = (file: string, error: unknown): BackupReadError =>
  error instanceof StoreCorrupted || error instanceof SchemaUnsupported
    ? error
    : new BackupFileUnusable({ file, reason: reasonOf(error) })

/** Groups of lines; throws what {@link readBackup} fails with. */
async function* checkedLines(file: string): AsyncGenerator<ReadonlyArray<Numbered>, Counts, undefined> {
  const check = new Check(file)
  let rest: Buffer = Buffer.alloc(0)
  for await (const read of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    // Without an encoding a stream gives buffers.
    const chunk = rest.length === 0 ? read as Buffer : Buffer.concat([rest, read as Buffer])
    const lines: Array<Numbered> = []
    let from = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const line = check.add(chunk.subarray(from, end + 1))
      if (line !== undefined) lines.push(line)
      from = end + 1
    }
    rest = chunk.subarray(from)
    if (lines.length > 0) yield lines
  }
  return check.end(rest)
}

class Check {
  readonly #file: string
  readonly #counts = noCounts()
  readonly #sha = createHash("sha256")
  #crc = 0
  #number = 0
  #ended = false

  constructor(file: string) {
    this.#file = file
  }

  /** A line with its line feed; undefined for the closing one. Throws. */
  add(bytes: Buffer): Numbered | undefined {
    const number = ++this.#number
    const wrong = (what: string) => wrongLine(this.#file, number, what)
    if (this.#ended) throw wrong("it comes after the closing line")
    const text = bytes.toString("utf8", 0, bytes.length - 1)
    const at = text.lastIndexOf(",\"crc\":")
    const crc = at < 0 ? undefined : /^,"crc":(\d{1,10})\}$/.exec(text.slice(at))?.[1]
    if (crc === undefined) throw wrong(number === 1 ? "this is no backup" : "it is no line of a backup")
    const fields = text.slice(0, at)
    this.#crc = crc32(fields, this.#crc)
    // Compared as bytes too: text that is no UTF-8 is read as other text.
    if (String(this.#crc) !== crc || Buffer.byteLength(text) !== bytes.length - 1) {
      throw wrong("its checksum does not match: it, or a line before it, is not what was written")
    }
    const line = this.#decode(number, JSON.parse(`${fields}}`))
    if (line.type === "end") {
      this.#close(line)
      return undefined
    }
    this.#sha.update(bytes)
    this.#count(line)
    return { number, line }
  }

  /** What was counted, if the closing line was there and `rest` is nothing. Throws. */
  end(rest: Buffer): Counts {
    if (rest.length > 0 || !this.#ended) {
      throw wrongLine(this.#file, this.#number + 1, "the backup ends here, before its closing line: it is cut short")
    }
    return this.#counts
  }

  #decode(number: number, fields: unknown): BackupLine {
    if (number === 1) {
      const header = Schema.decodeUnknownOption(AnyHeader)(fields)
      if (header._tag === "None") throw wrongLine(this.#file, number, "this is no backup")
      const found = header.value.v
      if (found !== backupVersion) {
        throw new SchemaUnsupported({ what: `the backup ${this.#file}`, found, supported: backupVersion })
      }
    }
    try {
      return decodeLine(fields)
    } catch {
      throw wrongLine(this.#file, number, "it is no line of a backup")
    }
  }

  #count(line: BackupLine): void {
    if (line.type === "entry") this.#counts.entries++
    if (line.type === "head") this.#counts.heads++
    if (line.type === "definition") this.#counts.definitions++
    if (line.type === "blob" && line.at === 0) this.#counts.blobs++
  }

  #close(line: Extract<BackupLine, { type: "end" }>): void {
    const wrong = (what: string) => wrongLine(this.#file, this.#number, what)
    if (line.lines !== this.#number - 1) throw wrong(`it counts ${line.lines} lines, there are ${this.#number - 1}`)
    if (line.sha256 !== this.#sha.digest("hex")) throw wrong("its SHA-256 is not that of the lines before it")
    const { blobs, definitions, entries, heads } = this.#counts
    if (
      line.blobs !== blobs || line.definitions !== definitions || line.entries !== entries || line.heads !== heads
    ) throw wrong("it does not count what is in the backup")
    this.#ended = true
  }
}
