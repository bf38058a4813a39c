/**
 * Making a new data directory: under another name until all of it is on disk, so that a directory is there whole or is
 * not there.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { basename, dirname, join, relative, resolve, sep } from "node:path"
import { reasonOf } from "../attempt.ts"
import { codeOf, makeFolder, syncFolder } from "../files.ts"
import { saysFull } from "../full.ts"
import { ownedName, sweepOwned } from "../owned.ts"
import { NoRoom, TargetTaken, TargetUnusable } from "./errors.ts"

/** What making a new directory can fail with. */
export type IntoNewError = TargetTaken | TargetUnusable | NoRoom

/** Whether a new directory could be made at this path: there is nothing, or a folder with nothing in it. May throw. */
export const isFree = (path: string): boolean => {
  const found = fs.lstatSync(path, { throwIfNoEntry: false })
  return found === undefined || found.isDirectory() && fs.readdirSync(path).length === 0
}

/**
 * Runs `use` with a folder beside `target`, which gets its name when that has ended well; else nothing is left. The
 * folders above it are made if need be.
 */
export const intoNew = <A, E>(
  target: string,
  use: (draft: string) => Effect.Effect<A, E>
): Effect.Effect<A, E | IntoNewError> => {
  const path = resolve(target)
  return Effect.acquireUseRelease(
    making(target, () => {
      if (!isFree(path)) throw new TargetTaken({ target, holds: "something" })
      const draft = ownedName(path, draftKind)
      const above = topMissing(dirname(path))
      makeFolder(dirname(path))
      sweepDrafts(path, draftKind)
      fs.mkdirSync(draft, { mode: 0o700 })
      return { draft, above }
    }),
    ({ draft }) =>
      Effect.tap(use(draft), () =>
        making(target, () => {
          syncFolder(draft)
          rename(draft, path, target)
          syncFolder(dirname(path))
        })),
    ({ above, draft }) =>
      Effect.sync(() => {
        fs.rmSync(draft, { recursive: true, force: true })
        if (above !== undefined) removeEmpty(dirname(path), above)
      })
  )
}

/** Removes what processes that were killed left beside a path. */
export const sweepDrafts = (path: string, kind: string): void => {
  try {
    sweepOwned(path, kind)
  } catch {
    // A folder whose names may not be read: they stay.
  }
}

/** Whether a path is that folder, or in it, whatever links lead there. May throw. */
export const isWithin = (folder: string, path: string): boolean => {
  const way = relative(real(resolve(folder)), real(resolve(path)))
  return way !== ".." && !way.startsWith(`..${sep}`)
}

const draftKind = "part"

const rename = (draft: string, path: string, target: string): void => {
  try {
    fs.renameSync(draft, path)
  } catch (error) {
    // Somebody else was faster.
    if (!isFree(path)) throw new TargetTaken({ target, holds: "something" })
    throw error
  }
}

const making = <A>(target: string, use: () => A): Effect.Effect<A, IntoNewError> =>
  Effect.try({
    try: use,
    catch: (error) => {
      if (error instanceof TargetTaken) return error
      const reason = reasonOf(error)
      return saysFull(error) ? new NoRoom({ where: target, reason }) : new TargetUnusable({ target, reason })
    }
  })

/** The real path of what is there of a path, and the rest of it. */
const real = (path: string): string => {
  try {
    return fs.realpathSync(path)
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw error
    return join(real(dirname(path)), basename(path))
  }
}

/** The uppermost folder of a path that is not there; undefined if all are. */
const topMissing = (path: string): string | undefined => {
  let top: string | undefined
  for (let folder = path; !fs.existsSync(folder); folder = dirname(folder)) top = folder
  return top
}

/** Removes a folder and those above it up to `top`, as far as they are empty. */
const removeEmpty = (path: string, top: string): void => {
  try {
    for (let folder = path;; folder = dirname(folder)) {
      fs.rmdirSync(folder)
      if (folder === top) return
    }
  } catch {
    // Something is in it: ours, or somebody else's.
  }
}
