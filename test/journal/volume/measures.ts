/**
 * What a store costs that was written for long: memory after a collection, the folder's size, and what an opening reads.
 */
import { Effect } from "effect"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { DatabaseReads, Medium } from "../../../core/journal/medium.ts"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

/** Bytes. */
export interface Memory {
  /** JavaScript's heap and what it holds outside, after a collection. */
  readonly held: number
  readonly resident: number
}

/** Memory of this process, now. */
export const memory = (): Memory => {
  // What the first one lets go may hold something that only the next one finds.
  collect()
  collect()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { held: heapUsed + external, resident: rss }
}

/** Bytes of the files below a folder. LevelDB may remove one meanwhile. */
export const sizeOf = (dir: string): number =>
  readdirSync(dir, { recursive: true, encoding: "utf8" }).reduce((sum, name) => {
    const found = statSync(join(dir, name), { throwIfNoEntry: false })
    return sum + (found?.isFile() === true ? found.size : 0)
  }, 0)

/** What was read of a medium. */
export interface Read {
  values: number
  /** Characters of them. */
  length: number
}

/** The medium, with a count of what is read. */
export const counted = (medium: Medium): { readonly medium: Medium; readonly read: Read } => {
  const read: Read = { values: 0, length: 0 }
  const note = (values: ReadonlyArray<string | undefined>) => {
    for (const value of values) {
      if (value === undefined) continue
      read.values++
      read.length += value.length
    }
  }
  const reads = (of: DatabaseReads): DatabaseReads => ({
    ...of,
    get: (keys) => Effect.tap(of.get(keys), (values) => Effect.sync(() => note(values))),
    scan: (range, chunk, each) =>
      of.scan(range, chunk, (values) => {
        note(values)
        return each(values)
      })
  })
  return {
    read,
    medium: {
      ...medium,
      open: Effect.map(medium.open, (database) => ({
        ...database,
        ...reads(database),
        snapshot: (use) => database.snapshot((of) => use(reads(of)))
      }))
    }
  }
}
