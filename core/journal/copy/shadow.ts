/**
 * Looking at a data directory without changing a byte of it: LevelDB rewrites files when it opens, so it opens others, in
 * a folder of their own, where all that is looked at is of one moment. Tables and blobs are never changed once they are
 * written, and are linked; the rest is copied.
 */
import { Effect, type Scope } from "effect"
import { Level } from "level"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { StoreLocked } from "../../../sdk/store.ts"
import { reasonOf } from "../attempt.ts"
import { DataFolderUnusable } from "../errors.ts"
import { codeOf } from "../files.ts"
import { lives, readOwner } from "../folder.ts"
import { saysFull } from "../full.ts"
import { lookAtLevel } from "../level.ts"
import type { DatabaseReads } from "../medium.ts"
import { ownedName } from "../owned.ts"
import { NoRoom } from "./errors.ts"
import type { Find } from "./finding.ts"
import { sweepDrafts } from "./into-new.ts"

/** What making a shadow can fail with. */
export type ShadowError = StoreLocked | DataFolderUnusable | NoRoom

/**
 * A folder with `db`, `MARK` and `blobs` as a data directory has them, until the Scope closes. Fails with `StoreLocked`
 * when a process holds the directory, or changed it meanwhile.
 */
export const shadowOf = Effect.fnUntraced(
  function*(dir: string): Effect.fn.Return<string, ShadowError, Scope.Scope> {
    const owner = readOwner(dir)
    if (owner !== undefined && lives(owner)) {
      return yield* new StoreLocked({ dir, pid: owner.pid, since: owner.since })
    }
    const from = join(dir, "db")
    const folder = yield* Effect.acquireRelease(
      shadowing(dir, () => {
        if (fs.statSync(from, { throwIfNoEntry: false })?.isDirectory() !== true) {
          throw new Error("there is no store in it")
        }
        return folderBeside(resolve(dir))
      }),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const before = yield* shadowing(dir, () => stateOf(from))
    const filled = yield* Effect.result(shadowing(dir, () => fill(dir, folder)))
    // What was removed under the eyes of the copy is no failure of its own.
    const same = yield* shadowing(dir, () => before === stateOf(from))
    if (!same) return yield* new StoreLocked({ dir })
    if (filled._tag === "Failure") return yield* Effect.fail(filled.failure)
    yield* demandRoom(dir, folder, logsIn(folder))
    return folder
  }
)

/**
 * A database in a shadow as far as it can be opened at all; what it takes to open it is told to `find`. Fails when
 * LevelDB had no room for what it writes: then what it finds says nothing.
 */
export const openShadow = Effect.fnUntraced(
  function*(
    dir: string,
    shadow: string,
    find: Find,
    rescueFirst: boolean
  ): Effect.fn.Return<DatabaseReads | undefined, NoRoom | DataFolderUnusable, Scope.Scope> {
    const open = Effect.gen(function*() {
      const opened = yield* Effect.result(
        Effect.acquireRelease(lookAtLevel(shadow).open, (database) => database.close)
      )
      if (opened._tag === "Failure" && saysFull(opened.failure)) {
        return yield* new NoRoom({ where: dirname(shadow), reason: reasonOf(opened.failure) })
      }
      return opened
    })
    if (!rescueFirst) {
      const opened = yield* open
      if (opened._tag === "Success") return opened.success
      find("the database", `it does not open: ${whatOf(opened.failure)}`, {
        unread: { of: "everything", after: undefined, before: undefined }
      })
    }
    // LevelDB makes what it can of the files that are left. What it makes is checked record by record.
    yield* Effect.promise(() => (Level as unknown as Repairing).repair(join(shadow, "db")).catch(() => {}))
    // It does not fail when it has no room: what it could not write is left out.
    yield* demandRoom(dir, shadow, 0)
    if (yield* shadowing(dir, () => saysFull(new Error(logOf(shadow))))) {
      return yield* new NoRoom({ where: dirname(shadow), reason: "LevelDB had none for what it saved" })
    }
    const opened = yield* open
    if (opened._tag === "Success") return opened.success
    find("the database", `nothing in it can be read: ${whatOf(opened.failure)}`, { remedy: "restore a backup" })
    return undefined
  }
)

/** Under Node `Level` is classic-level's class; its type leaves out what a browser does not have. */
interface Repairing {
  readonly repair: (location: string) => Promise<void>
}

const whatOf = (error: { readonly message: string }): string =>
  "what" in error && typeof error.what === "string" ? error.what : error.message

const shadowKind = "look"

// On the same file system, if it may be written, so that tables can be linked.
const folderBeside = (dir: string): string => {
  for (const path of [dir, join(tmpdir(), "mob")]) {
    sweepDrafts(path, shadowKind)
    const folder = ownedName(path, shadowKind)
    try {
      fs.mkdirSync(folder, { mode: 0o700 })
      return folder
    } catch (error) {
      if (path !== dir) throw error
    }
  }
  throw new Error("no folder was made")
}

const fill = (dir: string, folder: string): void => {
  fs.mkdirSync(join(folder, "db"))
  for (const name of fs.readdirSync(join(dir, "db"))) {
    if (name !== "LOCK" && name !== "LOG" && name !== "LOG.old") take(join(dir, "db", name), join(folder, "db", name))
  }
  take(join(dir, "MARK"), join(folder, "MARK"))
  const blobs = join(dir, "blobs")
  if (!fs.existsSync(blobs)) return
  for (const entry of fs.readdirSync(blobs, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const to = join(folder, "blobs", path.slice(blobs.length + 1))
    if (!entry.isFile()) continue
    fs.mkdirSync(dirname(to), { recursive: true })
    take(path, to)
  }
}

const take = (from: string, to: string): void => {
  if (fs.statSync(from, { throwIfNoEntry: false })?.isFile() !== true) return
  if (unchanging.test(from)) {
    try {
      return fs.linkSync(from, to)
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw error
      // Another file system, or one without links.
    }
  }
  fs.copyFileSync(from, to)
}

const unchanging = /\.(ldb|sst)$|[0-9a-f]{64}$/

/** Changes whenever a process opens the database. */
const stateOf = (folder: string): string =>
  JSON.stringify(
    fs.readdirSync(folder).sort().map((name) => {
      const found = fs.statSync(join(folder, name), { throwIfNoEntry: false })
      return [name, found?.size, found?.mtimeMs]
    })
  )

const sizes = (folder: string, kind: RegExp): ReadonlyArray<number> =>
  fs.readdirSync(join(folder, "db")).filter((name) => kind.test(name))
    .map((name) => fs.statSync(join(folder, "db", name)).size)

const logsIn = (folder: string): number => sizes(folder, /\.log$/).reduce((sum, size) => sum + size, 0)

/** Beyond the log: a manifest, a new log, and something to begin with. */
const slack = 4 * 1024 * 1024

/** Opening writes what stands in the log into tables; saving what can be saved writes a damaged table anew. */
const demandRoom = (dir: string, folder: string, logs: number): Effect.Effect<void, NoRoom | DataFolderUnusable> =>
  Effect.flatMap(
    shadowing(dir, () => {
      const { bavail, bsize } = fs.statfsSync(folder)
      return 2 * logs + Math.max(0, ...sizes(folder, /\.(ldb|sst)$/)) + slack - bavail * bsize
    }),
    (lacking) => {
      if (lacking <= 0) return Effect.void
      const reason = `${Math.ceil(lacking / 1024 / 1024)} MB more are needed for a look at a copy of its files`
      return new NoRoom({ where: dirname(folder), reason })
    }
  )

/** What LevelDB said of its work. */
const logOf = (shadow: string): string => {
  const path = join(shadow, "db", "LOG")
  return fs.existsSync(path) ? fs.readFileSync(path, "utf8") : ""
}

const shadowing = <A>(dir: string, use: () => A): Effect.Effect<A, NoRoom | DataFolderUnusable> =>
  Effect.try({
    try: use,
    catch: (error) =>
      saysFull(error)
        ? new NoRoom({ where: dirname(resolve(dir)), reason: reasonOf(error) })
        : new DataFolderUnusable({ dir, reason: reasonOf(error) })
  })
