/** Judges a normalised document by the Schema, and words each finding for the author: in plain words, at their place. */
import { Result, Schema, SchemaIssue } from "effect"
import type { Normalised } from "./author.ts"
import { place } from "./location.ts"
import { Definition, type Diagnostic } from "./schema.ts"

/** The definition, or everything that is wrong with its types. */
export const decodeDefinition = (normalised: Normalised): Result.Result<Definition, ReadonlyArray<Diagnostic>> =>
  Schema.decodeUnknownResult(Definition)(normalised.value, { errors: "all", reportInput: true }).pipe(
    Result.mapError((error) => findingsOf(error.issue, normalised))
  )

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const findingsOf = (issue: SchemaIssue.Issue, { value, flat }: Normalised): ReadonlyArray<Diagnostic> => {
  const seen = new Set<string>()
  return format(issue).issues.flatMap(({ message, path }) => {
    // The formatter gives every path as an array of plain keys.
    const segments = authorPath((path ?? []) as ReadonlyArray<PropertyKey>, value)
    // The author wrote no root for a flat flow; what is wrong in it is told at the steps already.
    if (segments[0] === "flows" && segments[2] === "root" && flat.has(String(segments[1]))) return []
    const finding: Diagnostic = {
      code: "schema_mismatch",
      message: worded(message, segments.at(-1)),
      ...(segments.length > 0 ? { location: place(...segments) } : {}),
      severity: "error"
    }
    const key = JSON.stringify(finding)
    return seen.has(key) ? [] : (seen.add(key), [finding])
  })
}

const worded = (message: string, key: string | number | undefined): string => {
  const name = key === undefined ? "the definition" : typeof key === "number" ? `element ${key}` : `"${key}"`
  if (message === "Missing key") return `${name} is missing`
  return `${name}: ${message.charAt(0).toLowerCase()}${message.slice(1)}`.replaceAll(" | ", " or ")
}

/** The author's path for a path in normal form: a pair is named by its key, and `extra` is nothing the author wrote. */
const authorPath = (path: ReadonlyArray<PropertyKey>, value: unknown): ReadonlyArray<string | number> => {
  const segments: Array<string | number> = []
  let current = value
  for (let index = 0; index < path.length; index++) {
    const key = path[index]
    if (typeof key !== "string" && typeof key !== "number") continue
    const next = child(current, key)
    if (typeof key === "number" && isPairList(segments) && Array.isArray(next) && typeof next[0] === "string") {
      segments.push(next[0])
      // The place within the pair: 0 is its key, 1 its value; neither is the author's.
      const within = path[index + 1]
      current = within === 0 ? next[0] : next[1]
      index++
      continue
    }
    if (index === 0 && key === "extra") {
      current = next
      continue
    }
    segments.push(key)
    current = next
  }
  return segments
}

const isPairList = (segments: ReadonlyArray<string | number>) => {
  const last = segments.at(-1)
  if (segments.length === 1) return last === "profiles" || last === "flows"
  return segments[0] === "flows"
    && (segments.length === 3 ? last === "steps" : segments[2] === "root" && last === "nodes")
}

// Values under judgement have any shape.
const child = (value: unknown, key: string | number): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string | number, unknown>)[key] : undefined
