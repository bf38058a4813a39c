/**
 * The memory medium: the same keys and values as on disk, in a map. A commit ends in a later task of the journal's task
 * port, so that a test on virtual time sees every interleaving that a disk would allow. What was written survives a
 * close, so reopening after a failed commit works as on disk.
 */
import { Effect } from "effect"
import { Buffer } from "node:buffer"
import { StoreUnavailable } from "../../sdk/store.ts"
import { attempt } from "./attempt.ts"
import type { KeyRange } from "./keys.ts"
import type { Database, DatabaseReads, Medium, Shelf } from "./medium.ts"
import { type Commit, type TaskPort, textOf } from "./seams.ts"

/** A medium of its own, empty. */
export const memoryMedium = (tasks: TaskPort): Medium => {
  const table = new SortedTable()
  let mark: number | undefined
  return {
    name: "memory",
    supports: { durable: false, shared: false },
    open: Effect.sync(() => memoryDatabase(table, tasks)),
    hasRoom: Effect.succeed(true),
    blobs: memoryShelf(),
    readMark: () => mark,
    writeMark: (seq) => {
      mark = seq
    },
    leave: Effect.void
  }
}

const memoryDatabase = (table: SortedTable, tasks: TaskPort): Database => {
  let open = true
  const commit: Commit = (operations, done) =>
    tasks.later(() => {
      if (!open) return done(new Error("the database is closed"))
      for (const { key, ...operation } of operations) {
        table.set(key.toString("latin1"), operation.type === "put" ? textOf(operation.value) : undefined)
      }
      done()
    })
  return {
    ...memoryReads(table, () => open),
    commit,
    getSync: (key) => table.get(key.toString("latin1")),
    snapshot: (read) => Effect.suspend(() => read(memoryReads(table.copy(), () => open))),
    settle: Effect.void,
    reclaim: () => Effect.void,
    close: Effect.sync(() => {
      open = false
    })
  }
}

const memoryReads = (table: SortedTable, isOpen: () => boolean): DatabaseReads => {
  const whenOpen = <A>(read: () => A) =>
    Effect.suspend(() => isOpen() ? attempt(read) : new StoreUnavailable({ reason: "it is closed" }))
  return {
    get: (keys) => whenOpen(() => keys.map((key) => table.get(key.toString("latin1")))),
    scan: (range, chunk, each) =>
      whenOpen(() => {
        const found = table.range(range)
        for (let at = 0; at < found.length; at += chunk) {
          if (!each(found.slice(at, at + chunk).map((key) => table.get(key) ?? ""))) return
        }
      }),
    keys: (range, limit) => whenOpen(() => table.range(range).slice(0, limit).map((key) => Buffer.from(key, "latin1")))
  }
}

const memoryShelf = (): Shelf => {
  const mobs = new Map<number, Map<string, Uint8Array>>()
  return {
    put: (mobNo, sha256, bytes) =>
      Effect.sync(() => {
        mobs.set(mobNo, (mobs.get(mobNo) ?? new Map<string, Uint8Array>()).set(sha256, bytes))
      }),
    get: (mobNo, sha256) => Effect.sync(() => mobs.get(mobNo)?.get(sha256)?.slice()),
    names: (mobNo) => Effect.sync(() => [...mobs.get(mobNo)?.keys() ?? []].sort()),
    remove: (mobNo, sha256) => mobs.get(mobNo)?.delete(sha256),
    clear: (mobNo) => Effect.sync(() => void mobs.delete(mobNo)),
    describe: (mobNo, sha256) => `blob ${sha256} of mob number ${mobNo}`
  }
}

/** A map with its keys in order. Keys are latin1 text of binary keys: code unit order is byte order. */
class SortedTable {
  readonly #values: Map<string, string>
  readonly #keys: Array<string>

  constructor(values: ReadonlyMap<string, string> = new Map(), keys: ReadonlyArray<string> = []) {
    this.#values = new Map(values)
    this.#keys = [...keys]
  }

  copy(): SortedTable {
    return new SortedTable(this.#values, this.#keys)
  }

  get(key: string): string | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: string | undefined): void {
    const known = this.#values.has(key)
    if (value === undefined) {
      if (known) this.#keys.splice(this.#find(key), 1)
      this.#values.delete(key)
      return
    }
    if (!known) this.#keys.splice(this.#find(key), 0, key)
    this.#values.set(key, value)
  }

  range(range: KeyRange): Array<string> {
    const found = this.#keys.slice(this.#find(range.gte.toString("latin1")), this.#find(range.lt.toString("latin1")))
    return range.reverse === true ? found.reverse() : found
  }

  // Index of the first key that is not below `key`.
  #find(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] ?? "") < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
