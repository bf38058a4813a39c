/**
 * Method tables made ready for use: each Schema's decoder and encoder is built once for a table, whatever the number
 * of peers that speak it.
 */
import { Result, Schema } from "effect"
import type { Json } from "../json.ts"
import type { MethodTable } from "./table.ts"

type Coder = (value: unknown) => Result.Result<unknown, string>

/** @internal One method of a table with its coders. A notification has coders for its params alone. */
export interface CompiledMethod {
  readonly kind: "call" | "notification"
  readonly decodeParams: Coder
  readonly encodeParams: (value: unknown) => Json
  readonly decodeResult: Coder
  readonly encodeResult: (value: unknown) => Json
}

const decoder = (schema: Schema.Codec<unknown, unknown>): Coder => {
  const decode = Schema.decodeUnknownResult(schema)
  return (value) => {
    try {
      return Result.mapError(decode(value), (error) => error.message)
    } catch (defect) {
      // A user's Schema that throws must not take the peer's owner down.
      return Result.fail(String(defect))
    }
  }
}

const encoder = (schema: Schema.Codec<unknown, unknown>): (value: unknown) => Json => {
  // A Schema that changes nothing has nothing to encode: that the value is right is known from its type.
  if (Schema.toType(schema).ast === schema.ast) return (value) => value as Json
  const encode = Schema.encodeUnknownSync(schema)
  // A table's Schemas encode to JSON, as its contract says; the type of a table cannot express it for each method.
  return (value) => encode(value) as Json
}

const compiled = new WeakMap<MethodTable, ReadonlyMap<string, CompiledMethod>>()

/** @internal The methods of a table by name, compiled at its first use. */
export const compile = (table: MethodTable): ReadonlyMap<string, CompiledMethod> => {
  const known = compiled.get(table)
  if (known !== undefined) return known
  const methods = new Map<string, CompiledMethod>()
  for (const [name, method] of Object.entries(table)) {
    const result = method.kind === "call" ? method.result : Schema.Void
    methods.set(name, {
      kind: method.kind,
      decodeParams: decoder(method.params),
      encodeParams: encoder(method.params),
      decodeResult: decoder(result),
      encodeResult: encoder(result)
    })
  }
  compiled.set(table, methods)
  return methods
}
