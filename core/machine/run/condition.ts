/**
 * Conditions over a run's context. An absent root makes a leaf false; a structural fault, and `gt` or `lt` of values
 * that cannot be compared, is an error, which ends the run: a condition that cannot mean anything must not pass for
 * a decision.
 */
import type { Condition } from "../../../sdk/definition/schema.ts"
import { equals, type Json } from "../../../sdk/json.ts"
import { type ContextPath, contextPath, type PathContext, resolve } from "./path.ts"

/** A condition whose paths are parsed. */
export type CompiledCondition =
  | { readonly op: "in"; readonly path: ContextPath; readonly values: ReadonlyArray<Json> }
  | { readonly op: "gt" | "lt"; readonly path: ContextPath; readonly value: Json }
  | { readonly op: "and" | "or"; readonly exprs: ReadonlyArray<CompiledCondition> }
  | { readonly op: "not"; readonly expr: CompiledCondition }

/** True or false, or why the condition cannot be evaluated. */
type Evaluated = boolean | { readonly fault: string }

/** Reads the paths of a condition once. */
export const compileCondition = (condition: Condition): CompiledCondition => {
  switch (condition.op) {
    case "eq":
      return { op: "in", path: contextPath(condition.path), values: [condition.value] }
    case "in":
      return { op: "in", path: contextPath(condition.path), values: condition.values }
    case "gt":
    case "lt":
      return { op: condition.op, path: contextPath(condition.path), value: condition.value }
    case "and":
    case "or":
      return { op: condition.op, exprs: condition.exprs.map(compileCondition) }
    case "not":
      return { op: "not", expr: compileCondition(condition.expr) }
  }
}

/** Evaluates left to right; `and` and `or` stop at the first operand that decides. */
export const evaluate = (condition: CompiledCondition, context: PathContext): Evaluated => {
  switch (condition.op) {
    case "and":
    case "or": {
      const decides = condition.op === "or"
      for (const expr of condition.exprs) {
        const value = evaluate(expr, context)
        if (typeof value !== "boolean" || value === decides) return value
      }
      return !decides
    }
    case "not": {
      const value = evaluate(condition.expr, context)
      return typeof value === "boolean" ? !value : value
    }
  }
  const resolved = resolve(condition.path, context)
  if (resolved.type === "fault") return { fault: resolved.reason }
  if (resolved.type === "absent") return false
  if (condition.op === "in") return condition.values.some((value) => equals(resolved.value, value))
  const order = compare(resolved.value, condition.value)
  if (order === undefined) {
    return {
      fault: `${condition.op} cannot compare ${kind(resolved.value)} at '${condition.path.text}' with ${
        kind(condition.value)
      }`
    }
  }
  return condition.op === "gt" ? order > 0 : order < 0
}

const compare = (a: Json, b: Json): number | undefined => {
  if (typeof a === "number" && typeof b === "number") return a - b
  if (typeof a === "string" && typeof b === "string") return compareText(a, b)
  return undefined
}

/** Order of code points, which is the order of UTF-8 bytes; `<` on strings would compare UTF-16 units. */
const compareText = (a: string, b: string): number => {
  const left = a[Symbol.iterator]()
  const right = b[Symbol.iterator]()
  for (;;) {
    const x = left.next()
    const y = right.next()
    if (x.done || y.done) return (x.done ? 0 : 1) - (y.done ? 0 : 1)
    const difference = (x.value.codePointAt(0) ?? 0) - (y.value.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
}

const kind = (value: Json): string => value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`
