/**
 * The files beside the database: `owner.json`, which says who holds the data directory, and `MARK`, which remembers the
 * last acknowledged `seq`.
 */
import { Schema } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { replaceFile } from "./files.ts"

/** Who holds a data directory. A pid alone may have been used again; on Linux start time and boot tell. */
export const Owner = Schema.Struct({
  pid: Schema.Int,
  /** Field 22 of `/proc/<pid>/stat`; absent where there is no /proc. */
  start_ticks: Schema.optionalKey(Schema.Int),
  boot_id: Schema.optionalKey(Schema.String),
  /** ISO 8601. */
  since: Schema.String,
  /** Path of the control socket. */
  socket: Schema.optionalKey(Schema.String)
})
export type Owner = typeof Owner.Type

/** This process as an owner. */
export const ownerSelf = (since: string, socket: string | undefined): Owner => ({
  pid: process.pid,
  ...identityOf(process.pid),
  since,
  ...(socket === undefined ? {} : { socket })
})

/** What `owner.json` says; undefined if it is missing or no record. */
export const readOwner = (dir: string): Owner | undefined => {
  const text = readText(join(dir, ownerFile))
  if (text === undefined) return undefined
  const decoded = decodeOwner(text)
  return decoded._tag === "Some" ? decoded.value : undefined
}

const decodeOwner = Schema.decodeUnknownOption(Schema.fromJsonString(Owner))

/** Whether the process that wrote this record lives. */
export const lives = (owner: Owner): boolean => {
  const now = identityOf(owner.pid)
  if (owner.start_ticks !== undefined && now.start_ticks !== undefined) {
    return owner.start_ticks === now.start_ticks && owner.boot_id === now.boot_id
  }
  if (owner.start_ticks !== undefined && fs.existsSync("/proc/self/stat")) return false
  try {
    return process.kill(owner.pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Writes `owner.json`, all of it or nothing. May throw. */
export const writeOwner = (dir: string, owner: Owner): void => {
  const path = join(dir, ownerFile)
  // Whoever writes it holds the lock, so there is one draft at a time, and a dead process's is written over.
  replaceFile(path, `${path}.new`, `${JSON.stringify(owner)}\n`)
}

/** Removes `owner.json` if it is still this owner's. */
export const removeOwner = (dir: string, owner: Owner): void => {
  const found = readOwner(dir)
  if (found !== undefined && isSame(found, owner)) fs.rmSync(join(dir, ownerFile), { force: true })
}

/** Whether two records are of one holding. */
export const isSame = (a: Owner, b: Owner): boolean =>
  a.pid === b.pid && a.since === b.since && a.start_ticks === b.start_ticks

/** The MARK of a directory: `seq`, its CRC-32, a magic number; 16 bytes, never synced. */
export class MarkFile {
  readonly #path: string
  readonly #bytes = Buffer.alloc(16)
  #file: number | undefined

  constructor(dir: string) {
    this.#path = join(dir, "MARK")
  }

  /** Undefined if there is none that can be read: it is not synced, so a power failure may have taken it. */
  read(): number | undefined {
    let bytes: Buffer
    try {
      bytes = fs.readFileSync(this.#path)
    } catch {
      return undefined
    }
    if (
      bytes.length !== 16 || bytes.readUInt32BE(12) !== magic || bytes.readUInt32BE(8) !== crc32(bytes.subarray(0, 8))
    ) {
      return undefined
    }
    return bytes.readUInt32BE(0) * 0x1_0000_0000 + bytes.readUInt32BE(4)
  }

  /** A MARK that cannot be written only fails to notice a loss; it is no reason to lose anything. */
  write(seq: number): void {
    this.#bytes.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), 0)
    this.#bytes.writeUInt32BE(seq % 0x1_0000_0000, 4)
    this.#bytes.writeUInt32BE(crc32(this.#bytes.subarray(0, 8)), 8)
    this.#bytes.writeUInt32BE(magic, 12)
    try {
      this.#file ??= this.#open()
      fs.writeSync(this.#file, this.#bytes, 0, 16, 0)
    } catch {
      return
    }
  }

  #open(): number {
    const file = fs.openSync(this.#path, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o600)
    try {
      // One that is longer would never be read again.
      fs.ftruncateSync(file, 16)
    } catch (error) {
      fs.closeSync(file)
      throw error
    }
    return file
  }

  close(): void {
    if (this.#file !== undefined) fs.closeSync(this.#file)
    this.#file = undefined
  }
}

const ownerFile = "owner.json"
const magic = 0x4d41524b // "MARK"

const identityOf = (pid: number): { readonly start_ticks?: number; readonly boot_id?: string } => {
  const stat = readText(`/proc/${pid}/stat`)
  const boot = readText("/proc/sys/kernel/random/boot_id")
  // The command name may hold spaces and parentheses; what follows its last one starts with field 3.
  const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
  return ticks === undefined || boot === undefined ? {} : { start_ticks: Number(ticks), boot_id: boot.trim() }
}

const readText = (path: string): string | undefined => {
  try {
    return fs.readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
