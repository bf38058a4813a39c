/**
 * Plain JSON, as it stands on disk and on the wire.
 */
import { Schema } from "effect"

/** Any JSON value. Numbers are IEEE doubles: integer `1` and float `1.0` are the same value. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** Any JSON object. */
export type JsonObject = { readonly [key: string]: Json }

/** Schema of {@link Json}, for boundaries that carry a user's own values. */
export const Json: Schema.Codec<Json> = Schema.Json

/**
 * Canonical text of a JSON value: keys sorted by UTF-16 code unit, no white space. Two values that are deeply equal
 * have the same text, so digests and run keys are taken over it.
 */
export const canonical = (value: Json): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  if (isArray(value)) return `[${value.map(canonical).join(",")}]`
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`)
  return `{${members.join(",")}}`
}

/** Deep equality of two JSON values; the order of keys does not count. */
export const equals = (a: Json, b: Json): boolean => {
  if (a === b) return true
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false
  if (isArray(a)) return isArray(b) && a.length === b.length && a.every((item, index) => equals(item, b[index] ?? null))
  if (isArray(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length
    && keys.every((key) => Object.hasOwn(b, key) && equals(a[key] ?? null, b[key] ?? null))
}

/** `Array.isArray` for read-only arrays, which the built-in guard does not narrow. */
export const isArray = (value: Json | undefined): value is ReadonlyArray<Json> => Array.isArray(value)

/** Whether a value is a JSON object, not an array and not null. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)
