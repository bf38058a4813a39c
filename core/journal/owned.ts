/**
 * Names that say which process made them, for files and folders that it renames or removes when it is done: what a
 * killed process left is told from what is in use, and goes when the next one comes by.
 */
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { lives, ownerSelf } from "./folder.ts"

/** A name beside `path` that is of this process, and that nobody else has or had. */
export const ownedName = (path: string, kind: string): string => {
  const { boot_id = none, pid, start_ticks = none } = ownerSelf("", undefined)
  return `${path}.${kind}-${pid}-${start_ticks}-${boot_id.slice(0, 8)}-${randomBytes(4).toString("hex")}`
}

/** The names of this kind beside `path` whose process lives; removes what has the others. May throw. */
export const sweepOwned = (path: string, kind: string): ReadonlyArray<string> => {
  const folder = dirname(resolve(path))
  const prefix = `${basename(path)}.${kind}-`
  return fs.readdirSync(folder).filter((name) => name.startsWith(prefix)).map((name) => join(folder, name))
    .filter((name) => {
      const maker = makerOf(name)
      if (maker === undefined || maker) return maker === true
      try {
        fs.rmSync(name, { recursive: true, force: true })
      } catch {
        // It is somebody else's, or there no more. Its process is dead in any case.
      }
      return false
    })
}

const none = "x"
const ofMaker = /-(\d+)-(\d+|x)-([0-9a-f]{8}|x)-[0-9a-f]{8}$/

/** Whether the process that made this name lives; undefined if it is none of these names. */
const makerOf = (name: string): boolean | undefined => {
  const [, pid, ticks, boot] = ofMaker.exec(name) ?? []
  if (pid === undefined) return undefined
  const self = ownerSelf("", undefined)
  const { boot_id } = self
  if ((boot_id?.slice(0, 8) ?? none) !== boot) return false
  return lives({
    pid: Number(pid),
    since: "",
    ...(ticks === none ? {} : { start_ticks: Number(ticks) }),
    ...(boot_id === undefined ? {} : { boot_id })
  })
}
