/**
 * Inlines the schemas that steps refer to, so that a definition is complete in itself. The text of a JSON object is
 * the schema; any other text is the path of a file that holds one.
 */
import { Effect } from "effect"
import { isObject, type Json } from "../json.ts"
import { place } from "./location.ts"
import type { Definition, Diagnostic, FlowStep } from "./schema.ts"

/** Reads a text file that a definition names. The path is as written; the reader knows from where it is meant. */
export type ReadFile = (path: string) => Effect.Effect<string, { readonly message: string }>

/** The definition with every `expected_schema` filled in, and what was wrong with the references. */
export const inlineSchemas = Effect.fnUntraced(function*(definition: Definition, readFile: ReadFile) {
  const findings: Array<Diagnostic> = []
  const flows: Array<Definition["flows"][number]> = []
  for (const [flowId, flow] of definition.flows) {
    const steps: Array<readonly [string, FlowStep]> = []
    for (const [stepId, step] of flow.steps) {
      const reference = step.expected_schema_ref
      if (reference === undefined) {
        steps.push([stepId, step])
        continue
      }
      const read = yield* schemaOf(reference, readFile)
      if ("schema" in read) steps.push([stepId, { ...step, expected_schema: read.schema }])
      else {
        steps.push([stepId, step])
        const location = place("flows", flowId, "steps", stepId, "expected_schema_ref")
        findings.push({ ...read, location, severity: "error" })
      }
    }
    flows.push([flowId, { ...flow, steps }])
  }
  return { definition: { ...definition, flows }, findings }
})

type Read = { readonly schema: Json } | { readonly code: string; readonly message: string }

const schemaOf = (reference: string, readFile: ReadFile): Effect.Effect<Read> => {
  const text = reference.trim()
  if (text === "") {
    return Effect.succeed({
      code: "schema_invalid",
      message: "expected_schema_ref is empty; write a JSON Schema, or the path of a file that holds one"
    })
  }
  if (text.startsWith("{")) return Effect.succeed(parsed(text, "the inline schema"))
  return readFile(text).pipe(Effect.match({
    onSuccess: (content) => parsed(content, `the schema file ${text}`),
    onFailure: (error): Read => ({
      code: "schema_unreadable",
      message: `the schema file ${text} cannot be read: ${error.message}`
    })
  }))
}

const parsed = (text: string, what: string): Read => {
  try {
    // Whatever JSON.parse gives is JSON.
    const schema = JSON.parse(text) as Json
    return isObject(schema) || typeof schema === "boolean"
      ? { schema }
      : { code: "schema_invalid", message: `${what} is not a JSON Schema: it must be an object` }
  } catch (error) {
    return {
      code: "schema_invalid",
      message: `${what} is not JSON: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}
