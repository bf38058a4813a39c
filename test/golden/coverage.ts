/**
 * What golden files leave out: parts of a schema (fields, alternatives, items of lists) without an example, and, where
 * there is no schema to look at, parts that others of the kind have. What is left out may change unnoticed.
 */
import { Schema, type SchemaAST } from "effect"
import { isArray, type Json } from "../../sdk/json.ts"

/**
 * Parts of a schema, by the path where they were met, that these values have none of. A schema that stands in several
 * places, or in itself, needs each of its parts once.
 */
export const uncovered = (schema: Schema.Constraint, values: ReadonlyArray<unknown>): ReadonlyArray<string> => {
  const parts = new Map<SchemaAST.AST, Map<string, { readonly path: string; count: number }>>()
  const look = (ast: SchemaAST.AST, path: string, found: ReadonlyArray<unknown>): void => {
    const known = parts.get(ast) ?? new Map<string, { readonly path: string; count: number }>()
    parts.set(ast, known)
    const count = (part: string, having: number) => {
      const entry = known.get(part) ?? { path: `${path}${part}`, count: 0 }
      entry.count += having
      known.set(part, entry)
    }
    const into = (type: SchemaAST.AST, part: string, having: ReadonlyArray<unknown>) => {
      count(part, having.length)
      if (having.length > 0) look(type, `${path}${part}`, having)
    }
    switch (ast._tag) {
      case "Union":
        for (const [index, member] of ast.types.entries()) {
          const name = member._tag === "Literal" ? String(member.literal) : String(index)
          into(member, `|${name}`, found.filter(Schema.is(Schema.make(member))))
        }
        return
      case "Objects": {
        const objects = found as ReadonlyArray<{ readonly [name: PropertyKey]: unknown }> // they are of this schema
        for (const { name, type } of ast.propertySignatures) {
          const having = objects.filter((object) => Object.hasOwn(object, name))
          if (type.context?.isOptional === true) {
            count(`.${String(name)} left out`, objects.length - having.length)
          }
          into(type, `.${String(name)}`, having.map((object) => object[name]))
        }
        const named = new Set(ast.propertySignatures.map(({ name }) => name))
        for (const { type } of ast.indexSignatures) {
          const others = objects.flatMap((object) =>
            Object.keys(object).filter((name) => !named.has(name)).map((name) => object[name])
          )
          into(type, ".*", others)
        }
        return
      }
      case "Arrays": {
        const lists = found as ReadonlyArray<ReadonlyArray<unknown>> // they are of this schema
        for (const [index, element] of ast.elements.entries()) {
          into(element, `[${index}]`, lists.map((list) => list[index]))
        }
        for (const rest of ast.rest) into(rest, "[]", lists.flatMap((list) => list.slice(ast.elements.length)))
        return
      }
      case "Suspend":
        look(ast.thunk(), path, found)
    }
  }
  look(Schema.toType(Schema.make(schema.ast)).ast, "", values)
  return [...parts.values()].flatMap((known) => [...known.values()]).filter(({ count }) => count === 0).map((
    { path }
  ) => path)
}

/** Fields whose value is one of a few words. */
const words = new Set(["status", "phase", "stage", "kind", "lifetime", "cause", "ending"])
/** Fields that hold what users give. */
const users = new Set(["params", "value", "output", "structured", "content", "labels"])

/** What there is in a value: each field by its path, and the words in it. */
export const traits = (value: Json, path = ""): ReadonlyArray<string> => {
  if (typeof value !== "object" || value === null) return [path]
  const inner = isArray(value)
    ? value.flatMap((item) => traits(item, `${path}[]`))
    : Object.entries(value).flatMap(([name, item]) => {
      if (users.has(name)) return [`${path}.${name}`]
      if (words.has(name) && typeof item === "string") return [`${path}.${name} ${item}`]
      return traits(item, `${path}.${name}`)
    })
  return [...new Set([path, ...inner])]
}

/** Whether there is something in a value that is in none of the others. */
export const isTelling = (value: Json, others: ReadonlyArray<Json>): boolean => {
  const seen = new Set(others.flatMap((other) => traits(other)))
  return traits(value).some((trait) => !seen.has(trait))
}

/** Of these values, those that are telling beside the ones before them. */
export const telling = (values: Iterable<Json>): ReadonlyArray<Json> => {
  const found: Array<Json> = []
  for (const value of values) {
    if (isTelling(value, found)) found.push(value)
  }
  return found
}
