/** Parameters of a run, the flow to run, and the command line that continues it. */
import { resolve } from "node:path"
import type { Definition } from "../../sdk/definition/index.ts"
import { isObject, type Json, type JsonObject } from "../../sdk/json.ts"
import { type CommandFailed, usage } from "./failure.ts"

/** What `mob run` was asked. */
export interface RunOptions {
  readonly file: string
  readonly flow: string | undefined
  /** Text of a JSON object. */
  readonly params: string | undefined
  /** `k=v` pairs; they win over `params`. */
  readonly param: { readonly [key: string]: string }
  readonly key: string | undefined
  readonly data: string | undefined
  readonly json: boolean
}

const parsed = (text: string): Json | undefined => {
  try {
    // Whatever JSON.parse gives is JSON.
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/** `--params` with the `--param` pairs over it. A pair's value is JSON if it parses, else text. */
export const paramsOf = (options: Pick<RunOptions, "params" | "param">): JsonObject | CommandFailed => {
  const given = options.params === undefined ? {} : parsed(options.params)
  if (given === undefined || !isObject(given)) {
    return usage("PARAMS_INVALID", `--params takes a JSON object, such as '{"topic": "cats"}'; got ${options.params}`)
  }
  const pairs = Object.entries(options.param).map(([key, value]) => [key, parsed(value) ?? value] as const)
  return { ...given, ...Object.fromEntries(pairs) }
}

/** The flow asked for, else `main`, else the only one. */
export const flowOf = (definition: Definition, asked: string | undefined): string | CommandFailed => {
  const flows = definition.flows.map(([id]) => id)
  const list = flows.length === 0 ? "it has none" : `it has ${flows.join(", ")}`
  if (asked !== undefined) {
    return flows.includes(asked) ? asked : usage("FLOW_NOT_FOUND", `there is no flow ${asked}; ${list}`)
  }
  if (flows.includes("main")) return "main"
  const [only] = flows
  if (only !== undefined && flows.length === 1) return only
  return usage("FLOW_AMBIGUOUS", `which flow? Say --flow ID; ${list}`)
}

/** The command line that attaches to the same run again, ready for a shell. */
export const continueCommand = (options: RunOptions, flow: string, params: JsonObject): string =>
  [
    "mob run",
    quoted(options.file),
    ...(options.flow === undefined ? [] : ["--flow", quoted(flow)]),
    ...(Object.keys(params).length === 0 ? [] : ["--params", quoted(JSON.stringify(params))]),
    ...(options.key === undefined ? [] : ["--key", quoted(options.key)]),
    ...(options.data === undefined ? [] : ["--data", quoted(options.data)])
  ].join(" ")

/** A word for a POSIX shell. */
export const quoted = (word: string): string =>
  /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** `--data`, or `.mob` beside the definition. */
export const dataDirOf = (file: string, data: string | undefined): string =>
  resolve(data ?? resolve(file, "..", ".mob"))
