/**
 * A disk in memory that knows what is on it for sure. Writes go to a cache; what was synced survives the loss of power,
 * of the rest a seeded choice does: of each name in a folder any state since the folder was synced, of each file any
 * content since it was synced, or a part of the newest. No more than POSIX promises.
 */
import type { Random } from "./random.ts"

/** What a name in a folder stands for. */
export type Node = File | Folder | Records

/** A file. */
export class File {
  /** What it held since it was synced last, oldest first; the first is on disk for sure. */
  #contents: Array<Buffer> = [Buffer.alloc(0)]

  get content(): Buffer {
    return this.#contents.at(-1) ?? Buffer.alloc(0)
  }

  write(content: Buffer): void {
    this.#contents.push(content)
  }

  sync(): void {
    this.#contents = [this.content]
  }

  survive(random: Random): void {
    if (this.#contents.length > 1) {
      const newest = this.content
      const kept = this.#contents[random.below(this.#contents.length)] ?? newest
      // Torn: its length is on disk and not its bytes, or only some of them.
      const torn = Buffer.alloc(newest.length)
      newest.copy(torn, 0, 0, random.below(newest.length + 1))
      this.#contents.push(random.oneIn(4) ? torn : kept)
    }
    this.sync()
  }
}

/** A folder. */
export class Folder {
  readonly entries = new Map<string, Node>()
  /** What each name stood for since the folder was synced last, oldest first; the first is on disk for sure. */
  #before = new Map<string, Array<Node | undefined>>()

  set(name: string, node: Node | undefined): void {
    const before = this.#before.get(name) ?? []
    before.push(this.entries.get(name))
    this.#before.set(name, before)
    this.#put(name, node)
  }

  sync(): void {
    this.#before.clear()
  }

  survive(random: Random): void {
    for (const [name, before] of this.#before) {
      if (random.oneIn(2)) this.#put(name, before[random.below(before.length)])
    }
    this.sync()
    for (const node of this.entries.values()) node.survive(random)
  }

  #put(name: string, node: Node | undefined): void {
    if (node === undefined) this.entries.delete(name)
    else this.entries.set(name, node)
  }
}

/** One change of a batch, its key as latin1 text: the order of that text is the order of the bytes. */
export interface Change {
  readonly key: string
  readonly value: string | undefined
}

/**
 * What LevelDB keeps in its folder: records that are on disk for sure, and batches in its log that are not yet. Of these
 * a prefix survives: its log is one file, written in order, and a torn batch is dropped. It syncs its own folder.
 */
export class Records {
  /** What is read. */
  readonly view = new Map<string, string>()
  readonly #durable = new Map<string, string>()
  #pending: Array<ReadonlyArray<Change>> = []
  #sorted: ReadonlyArray<string> | undefined
  /** Number of the log's file: another one each time it was moved into a table. */
  log = 3
  /** Which life holds the lock; a process that ended holds none. */
  holder: number | undefined

  /** Bytes in the log would do as well: only whether there are any is looked at. */
  get logLength(): number {
    return this.#pending.length
  }

  /** Changes what is read; nothing of it is written. */
  apply(changes: ReadonlyArray<Change>): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.view.delete(key)
      else this.view.set(key, value)
    }
    this.#sorted = undefined
  }

  append(changes: ReadonlyArray<Change>): void {
    this.#pending.push(changes)
  }

  sync(): void {
    for (const changes of this.#pending) write(this.#durable, changes)
    this.#pending = []
  }

  /** What opening does: all of the log goes into a table, which is synced. */
  recover(): void {
    this.sync()
    this.log++
    this.view.clear()
    for (const [key, value] of this.#durable) this.view.set(key, value)
    this.#sorted = undefined
  }

  keys(): ReadonlyArray<string> {
    return this.#sorted ??= [...this.view.keys()].sort()
  }

  survive(random: Random): void {
    this.#pending.length = random.below(this.#pending.length + 1)
    this.sync()
  }
}

const write = (table: Map<string, string>, changes: ReadonlyArray<Change>): void => {
  for (const { key, value } of changes) {
    if (value === undefined) table.delete(key)
    else table.set(key, value)
  }
}
