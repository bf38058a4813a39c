/**
 * JSON Schema checks of step outputs, by ajv. The one file that knows it.
 */
import { Ajv, type ValidateFunction } from "ajv"
import { canonical, type Json } from "../../sdk/json.ts"

/** Schemas compiled at once; the oldest goes first. A mob's flows have few, and compiling is slow. */
const KEPT = 1_000

// A schema of the user may use any keyword of its own; `strict` would refuse those.
const ajv = new Ajv({ strict: false, addUsedSchema: false, logger: false })
const compiled = new Map<string, ValidateFunction | string>()

const compile = (schema: Json): ValidateFunction | string => {
  if (typeof schema !== "object" || schema === null) return "the schema is not a JSON object"
  try {
    return ajv.compile(schema)
  } catch (error) {
    return `the schema cannot be compiled: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Checks a value: undefined if it fits, else the first error in words. Pure but for its memory of compiled schemas. */
export const validateSchema = (schema: Json, value: Json): string | undefined => {
  const text = canonical(schema)
  let check = compiled.get(text)
  if (check === undefined) {
    check = compile(schema)
    if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value ?? "")
    compiled.set(text, check)
  }
  if (typeof check === "string") return check
  if (check(value)) return undefined
  const first = check.errors?.[0]
  return first === undefined
    ? "it does not fit"
    : `${first.instancePath || "the value"} ${first.message ?? "does not fit"}`
}
