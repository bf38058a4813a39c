/**
 * Reading a backup: every line checked, and that the last one is there. A backup that is shorter than what was written,
 * or differs from it anywhere, is refused with the number of the first wrong line.
 */
import { Effect, Schema } from "effect"
import { constants } from "node:buffer"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { crc32 } from "node:zlib"
import { SchemaUnsupported, StoreCorrupted } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import { BackupFileUnusable } from "./errors.ts"
import { AnyHeader, type BackupLine, backupVersion, type Counts, decodeLine, isBackup, noCounts } from "./lines.ts"

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
type BackupReadError = StoreCorrupted | SchemaUnsupported | BackupFileUnusable

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
  // A device would never end.
  if (!(await fs.promises.stat(file)).isFile()) throw new Error("it is no file")
  const check = new Check(file)
  // A line can be longer than what is read at once: its parts are put together once.
  let begun: Array<Buffer> = []
  let length = 0
  for await (const read of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    const chunk = read as Buffer // without an encoding a stream gives buffers
    if (check.empty && length === 0) check.begins(chunk)
    const lines: Array<Numbered> = []
    let from = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const last = chunk.subarray(from, end + 1)
      const line = check.add(length === 0 ? last : Buffer.concat([...begun, last]))
      begun = []
      length = 0
      if (line !== undefined) lines.push(line)
      from = end + 1
    }
    const rest = chunk.subarray(from)
    if (rest.length > 0) begun.push(rest)
    length += rest.length
    if (length > longest) check.tooLong()
    if (lines.length > 0) yield lines
  }
  return check.end(length)
}

/** Bytes of a line: what stands in one was one text once. */
const longest = constants.MAX_STRING_LENGTH

const decodeHeader = Schema.decodeUnknownSync(AnyHeader)

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

  /** Whether no line came yet. */
  get empty(): boolean {
    return this.#number === 0
  }

  /** Looks at the first bytes, so that what is no backup is not read to its end. Throws. */
  begins(bytes: Buffer): void {
    if (!isBackup(bytes)) throw wrongLine(this.#file, 1, "this is no backup")
  }

  /** Throws. */
  tooLong(): never {
    throw wrongLine(this.#file, this.#number + 1, "it is no line of a backup: it does not end")
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
    const line = this.#decode(number, `${fields}}`)
    if (line.type === "end") {
      this.#close(line)
      return undefined
    }
    this.#sha.update(bytes)
    this.#count(line)
    return { number, line }
  }

  /** What was counted, if the closing line was there and nothing is left. Throws. */
  end(rest: number): Counts {
    if (rest > 0 || !this.#ended) {
      throw wrongLine(this.#file, this.#number + 1, "the backup ends here, before its closing line: it is cut short")
    }
    return this.#counts
  }

  #decode(number: number, text: string): BackupLine {
    const wrong = () => wrongLine(this.#file, number, number === 1 ? "this is no backup" : "it is no line of a backup")
    try {
      const fields: unknown = JSON.parse(text)
      if (number === 1) this.#checkVersion(fields)
      return decodeLine(fields)
    } catch (error) {
      throw error instanceof SchemaUnsupported ? error : wrong()
    }
  }

  /** Throws. */
  #checkVersion(fields: unknown): void {
    const { v } = decodeHeader(fields)
    if (v === backupVersion) return
    throw new SchemaUnsupported({ what: `the backup ${this.#file}`, found: v, supported: backupVersion })
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
