/**
 * The disk as the benches see it: folders that go again, the floor (LevelDB written directly), and what the kernel
 * counts of flushes.
 */
import { Effect, type Scope } from "effect"
import { Level } from "level"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Commit, Operation } from "../core/journal/index.ts"

/** A folder under the temporary directory; it goes with the Scope. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "mobwright-bench-"))),
  (dir) => Effect.sync(() => rmSync(dir, { recursive: true, force: true }))
)

/** Sees every batch that a journal commits, on its way to the disk. */
export class Recorder {
  batches: Array<ReadonlyArray<Operation>> = []

  /** For the journal's `CommitSeam`. */
  readonly seam = (commit: Commit): Commit => (operations, done) => {
    // What a journal hands over holds until `done`; text stays.
    this.batches.push(operations.map((it) => it.type === "put" ? { ...it, value: String(it.value) } : it))
    commit(operations, done)
  }

  /** What was committed since the last time. */
  take(): ReadonlyArray<ReadonlyArray<Operation>> {
    const taken = this.batches
    this.batches = []
    return taken
  }
}

type Put = { readonly type: "put"; readonly key: Buffer; readonly value: string }

/** LevelDB without a journal: batches of the same keys' lengths and the same values, synced one after the other. */
export class Floor {
  readonly #level: Level<Buffer, string>
  #written = 0

  constructor(level: Level<Buffer, string>) {
    this.#level = level
  }

  /** A key of this length that was never written; they grow, as positions do. */
  #key(length: number): Buffer {
    const key = Buffer.alloc(Math.max(8, length))
    key.writeUIntBE(this.#written++, key.length - 6, 6)
    return key
  }

  /** The batch that {@link Floor.write} takes. */
  like(operations: ReadonlyArray<Operation>): Array<Put> {
    return operations.flatMap((it) =>
      it.type === "put" ? [{ type: "put", key: this.#key(it.key.length), value: String(it.value) }] : []
    )
  }

  /** Writes the batches, each synced before the next; gives milliseconds. */
  async write(batches: ReadonlyArray<Array<Put>>): Promise<number> {
    const begin = performance.now()
    for (const batch of batches) await this.#level.batch(batch, { sync: true })
    return performance.now() - begin
  }
}

/** Opens a floor in a folder of its own. */
export const openFloor: Effect.Effect<Floor, never, Scope.Scope> = Effect.gen(function*() {
  const dir = yield* folder
  const level = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const level = new Level<Buffer, string>(join(dir, "db"), { keyEncoding: "buffer", valueEncoding: "utf8" })
      await level.open()
      return level
    }),
    (level) => Effect.promise(() => level.close())
  )
  return new Floor(level)
})

/** Flush requests that the block device below a folder has served; undefined where the kernel does not say. */
export const flushes = (dir: string): number | undefined => {
  const { dev } = statSync(dir)
  // As glibc's gnu_dev_major and gnu_dev_minor, for numbers below 2^32.
  const device = `/sys/dev/block/${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`
  // Flushes are counted for a whole disk only.
  const stat = existsSync(`${device}/partition`) ? `${device}/../stat` : `${device}/stat`
  if (!existsSync(stat)) return undefined
  const field = readFileSync(stat, "utf8").trim().split(/\s+/)[15]
  return field === undefined ? undefined : Number(field)
}
