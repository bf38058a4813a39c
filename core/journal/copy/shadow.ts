/**
 * Looking at a database without changing a byte of it: LevelDB rewrites files when it opens, so it opens others, in a
 * folder of their own. Tables are never changed once they are written, and are linked; the rest is copied.
 */
import { Effect, type Scope } from "effect"
import { Level } from "level"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { StoreLocked } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import { DataFolderUnusable } from "../errors.ts"
import { lives, readOwner } from "../folder.ts"
import { lookAtLevel } from "../level.ts"
import type { DatabaseReads } from "../medium.ts"
import type { Find } from "./finding.ts"

/**
 * A folder whose `db` stands for that of a data directory, until the Scope closes. Fails with `StoreLocked` when a
 * process holds the directory, or changed it meanwhile.
 */
export const shadowOf = Effect.fnUntraced(
  function*(dir: string): Effect.fn.Return<string, StoreLocked | DataFolderUnusable, Scope.Scope> {
    const owner = readOwner(dir)
    if (owner !== undefined && lives(owner)) {
      return yield* new StoreLocked({ dir, pid: owner.pid, since: owner.since })
    }
    const from = join(dir, "db")
    const folder = yield* Effect.acquireRelease(
      unlessUnusable(dir, () => {
        if (fs.statSync(from, { throwIfNoEntry: false })?.isDirectory() !== true) {
          throw new Error("there is no store in it")
        }
        return folderBeside(resolve(dir))
      }),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const same = yield* unlessUnusable(dir, () => {
      const before = stateOf(from)
      fs.mkdirSync(join(folder, "db"))
      for (const { name } of before) {
        if (name !== "LOCK" && name !== "LOG" && name !== "LOG.old") take(join(from, name), join(folder, "db", name))
      }
      return JSON.stringify(before) === JSON.stringify(stateOf(from))
    })
    if (!same) return yield* new StoreLocked({ dir })
    return folder
  }
)

/** A database in a shadow as far as it can be opened at all; what it takes to open it is told to `find`. */
export const openShadow = Effect.fnUntraced(
  function*(
    shadow: string,
    find: Find,
    rescueFirst: boolean
  ): Effect.fn.Return<DatabaseReads | undefined, never, Scope.Scope> {
    const open = Effect.result(Effect.acquireRelease(lookAtLevel(shadow).open, (database) => database.close))
    if (!rescueFirst) {
      const opened = yield* open
      if (opened._tag === "Success") return opened.success
      find("the database", `it does not open: ${whatOf(opened.failure)}`)
    }
    // LevelDB makes what it can of the files that are left. What it makes is checked record by record.
    yield* Effect.promise(() => (Level as unknown as Repairing).repair(join(shadow, "db")).catch(() => {}))
    const opened = yield* open
    if (opened._tag === "Success") return opened.success
    find("the database", `nothing in it can be read: ${whatOf(opened.failure)}`, "restore a backup")
    return undefined
  }
)

/** Under Node `Level` is classic-level's class; its type leaves out what a browser does not have. */
interface Repairing {
  readonly repair: (location: string) => Promise<void>
}

const whatOf = (error: { readonly message: string }): string =>
  "what" in error && typeof error.what === "string" ? error.what : error.message

// On the same file system, if it may be written, so that tables can be linked.
const folderBeside = (dir: string): string => {
  try {
    return fs.mkdtempSync(`${dir}.look-`)
  } catch {
    return fs.mkdtempSync(join(tmpdir(), "mob-look-"))
  }
}

const take = (from: string, to: string): void => {
  if (!fs.statSync(from).isFile()) return
  if (from.endsWith(".ldb") || from.endsWith(".sst")) {
    try {
      return fs.linkSync(from, to)
    } catch {
      // Another file system, or one without links.
    }
  }
  fs.copyFileSync(from, to)
}

const stateOf = (folder: string) =>
  fs.readdirSync(folder).sort().map((name) => {
    const { mtimeMs, size } = fs.statSync(join(folder, name))
    return { name, size, mtimeMs }
  })

const unlessUnusable = <A>(dir: string, use: () => A): Effect.Effect<A, DataFolderUnusable> =>
  Effect.try({ try: use, catch: (error) => new DataFolderUnusable({ dir, reason: reasonOf(error) }) })
