/**
 * A file as its author wrote it, with the order of keys kept.
 *
 * JavaScript objects move keys like `10` to the front, and the order of steps is part of a definition. So a document's
 * tables are Maps, which keep the order in which keys were set, whatever they look like.
 */

/** A value of a document. */
export type DocumentValue = null | boolean | number | string | ReadonlyArray<DocumentValue> | Table

/** A table (TOML) or object (JSON), in author order. */
export interface Table extends ReadonlyMap<string, DocumentValue> {}

/** The text is not TOML or not JSON. */
export interface SyntaxProblem {
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units. */
  readonly column: number
  readonly problem: string
}

/** Deepest nesting of a document; beyond it a reader by recursion could run out of stack. */
export const MAX_DEPTH = 200

/** Whether a value is a table. */
export const isTable = (value: DocumentValue | undefined): value is Table => value instanceof Map

/** The value as plain JSON; the order of keys is then no longer to be relied on. */
export const toPlain = (value: DocumentValue): unknown => {
  if (isTable(value)) return Object.fromEntries([...value].map(([key, item]) => [key, toPlain(item)]))
  return Array.isArray(value) ? value.map(toPlain) : value
}

/** Line and column of an index into a text. */
export const placeOf = (text: string, index: number): { readonly line: number; readonly column: number } => {
  const before = text.slice(0, index)
  return { line: before.split("\n").length, column: index - before.lastIndexOf("\n") }
}
