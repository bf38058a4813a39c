/**
 * The golden files: where they stand, how they are read and written.
 */
import * as fs from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Json } from "../../sdk/json.ts"
import type { Kind } from "./kinds.ts"

/** Absolute path of what stands beneath this folder. */
export const golden = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What was stored, to the letter, and what it is read as. */
export interface Example {
  readonly stored: Json
  readonly reads: Json
}

/** Path of the examples of one version of a kind. */
export const fileOf = (kind: Pick<Kind, "name">, version: number) => golden(`stored/${kind.name}.v${version}.json`)

/** Examples of one version of a kind; undefined if there is no such file. */
export const examplesIn = (kind: Pick<Kind, "name">, version: number): ReadonlyArray<Example> | undefined => {
  const file = fileOf(kind, version)
  // Written by `write.ts`.
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) as ReadonlyArray<Example> : undefined
}

/** All files of examples, as `run/created.v1`. */
export const names = (): ReadonlyArray<string> =>
  fs.readdirSync(golden("stored"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".json"))
    .map((path) => path.slice(0, -".json".length))
    .sort()

/** A value as JSON holds it. */
export const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json

/** Writes a JSON file with its folder. */
export const writeJson = (file: string, value: unknown): void => {
  fs.mkdirSync(dirname(file), { recursive: true })
  fs.writeFileSync(file, `${text(value)}\n`)
}

/** Indented, but with what is short on one line. */
const text = (value: unknown, indent = ""): string => {
  const line = JSON.stringify(value)
  if (line.length + indent.length <= 160 || typeof value !== "object" || value === null) return line
  const inner = `${indent} `
  const items = Array.isArray(value)
    ? value.map((item) => text(item, inner))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${text(item, inner)}`)
  const [open, close] = Array.isArray(value) ? "[]" : "{}"
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${indent}${close}`
}

/** Path of a backup of the version, and of what it holds. */
export const backupFile = (name: "plain" | "secrets", version: number) => golden(join("backups", `${name}.v${version}`))
