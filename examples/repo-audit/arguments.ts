/**
 * The command line of the example: `npm start -- [--chaos [--seed N]] [--out DIR] [--data DIR] [FOLDER]`.
 */
import { Schema } from "effect"
import { resolve } from "node:path"

/** What was asked for. Folders are absolute. */
export interface Request {
  readonly folder: string
  readonly data: string
  readonly out: string
  readonly chaos: boolean
  readonly seed: number
}

/** How to call it. */
export const USAGE = "npm start -- [--chaos [--seed N]] [--out DIR] [--data DIR] [FOLDER]"

/** The command line is not understood. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { problem: Schema.String }) {
  /** Stable code of this error. */
  readonly code = "USAGE"
  override get message() {
    return `${this.problem}; usage: ${USAGE}`
  }
}

/**
 * Reads the arguments. `from` is the folder that relative paths are meant from, `folder` what is audited when none is
 * given. Without `--data` the data folder is `.mob` in `from`; without `--out` the reports go to the data folder.
 */
export const parseArguments = (
  args: ReadonlyArray<string>,
  defaults: { readonly from: string; readonly folder: string }
): Request | UsageError => {
  const values = new Map<string, string>()
  const folders: Array<string> = []
  let chaos = false
  const rest = [...args]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [name = "", inline] = word.startsWith("--") ? word.split(/=(.*)/s, 2) : [word]
    if (word === "--") folders.push(...rest.splice(0))
    else if (word === "--chaos") chaos = true
    else if (name === "--seed" || name === "--out" || name === "--data") {
      const value = inline ?? rest.shift()
      if (value === undefined || value === "") return new UsageError({ problem: `${name} needs a value` })
      values.set(name, value)
    } else if (word.startsWith("-")) return new UsageError({ problem: `there is no option ${word}` })
    else folders.push(word)
  }
  const [folder = defaults.folder, another] = folders
  if (another !== undefined) return new UsageError({ problem: "one folder at a time" })
  const seed = values.get("--seed") ?? "1"
  if (!/^\d{1,9}$/.test(seed)) return new UsageError({ problem: `--seed ${seed} is no number` })
  if (values.has("--seed") && !chaos) return new UsageError({ problem: "--seed goes with --chaos" })
  const data = resolve(defaults.from, values.get("--data") ?? ".mob")
  const out = values.get("--out")
  return {
    folder: resolve(defaults.from, folder),
    data,
    out: out === undefined ? data : resolve(defaults.from, out),
    chaos,
    seed: Number(seed)
  }
}
