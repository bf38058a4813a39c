/** Imports of the project's own files, read from source text; what the structure tests stand on. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"

export const root = new URL("../..", import.meta.url).pathname

const walk = (dir: string): ReadonlyArray<string> =>
  readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    return entry.isDirectory() ? walk(path) : entry.name.endsWith(".ts") ? [path] : []
  })

/** An import: the file it stands in, what it names, and whether it is gone at run time. */
export interface Import {
  readonly from: string
  /** A path relative to the root, or a package name. */
  readonly to: string
  readonly typeOnly: boolean
  /** Names that are imported, as far as they stand in braces. */
  readonly names: ReadonlyArray<string>
}

/** All imports of the TypeScript files below these folders. */
export const importsOf = (folders: ReadonlyArray<string>): ReadonlyArray<Import> =>
  folders.flatMap(walk).flatMap((file) => importsIn(file, readFileSync(join(root, file), "utf8")))

/** Imports of one file's text. */
export const importsIn = (file: string, text: string): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  const statement = /^\s*(?:import|export)\s+(type\s+)?(?:([^"';]*?)\s+from\s+)?"([^"]+)"/gm
  for (const match of text.matchAll(statement)) {
    const target = match[3] ?? ""
    const names = namesOf(match[2])
    const typeOnly = match[1] !== undefined || names.length > 0 && names.every((it) => it.startsWith("type "))
    found.push({ from: file, to: resolve(file, target), typeOnly, names })
  }
  for (const match of text.matchAll(/\bimport\("([^"]+)"\)/g)) {
    found.push({ from: file, to: resolve(file, match[1] ?? ""), typeOnly: false, names: [] })
  }
  return found
}

const namesOf = (clause: string | undefined): ReadonlyArray<string> =>
  clause?.match(/\{([\s\S]*)\}/)?.[1]?.split(",").map((it) => it.trim()).filter((it) => it.length > 0) ?? []

const resolve = (file: string, target: string) =>
  target.startsWith(".") ? normalize(join(dirname(file), target)) : target

/** A file's folder below the top level, such as `core/actor`. */
export const room = (file: string): string => relative(".", file).split("/").slice(0, 2).join("/")
