/**
 * Joins what the auditors measured into findings: a pure function. Where both makes measured and differ, the Node
 * value is taken and the difference is named.
 */
import { Schema } from "effect"
import { duplicatesOf } from "./blocks.ts"
import { compareBytes } from "./bytes.ts"
import { circlesOf } from "./circles.ts"
import { Longest, Measure, type Measured } from "./measure.ts"
import { Skipped } from "./tree.ts"

const { Array, Int, Literals, NullOr, String, Struct } = Schema

/** Lines from which a function is a finding. */
export const LONG_FUNCTION = 100

/** One file of the report. The counts are 0 for anything but text. */
const FileRow = Struct({
  path: String,
  kind: Literals(["text", "missing", "link", "not_a_file", "large", "unreadable", "binary"]),
  bytes: Int,
  lines: Int,
  functions: Int,
  longest: NullOr(Longest),
  todos: Int
})
type FileRow = typeof FileRow.Type

const Place = Struct({ path: String, line: Int, last: Int })
const Step = Struct({ from: String, line: Int, to: String })

/** What the audit found. Paths, names and texts are escaped bytes; every list has one order, so that a tree has one report. */
export const Findings = Struct({
  /** By bytes of path. */
  files: Array(FileRow),
  skipped: Array(Skipped),
  /** Functions of {@link LONG_FUNCTION} lines or more, one a file at most, the longest first. */
  functions: Array(Struct({ path: String, name: String, line: Int, lines: Int })),
  duplicates: Array(Struct({ lines: Int, places: Array(Place) })),
  circles: Array(Struct({ members: Array(String), way: Array(Step) })),
  /** By bytes of path, then line; at most 100 a file. */
  todos: Array(Struct({ path: String, line: Int, text: String }))
})
export type Findings = typeof Findings.Type

/** A file that the two makes measured differently, and in what. No part of the report. */
export const Disagreement = Struct({ path: String, fields: Array(String) })
export type Disagreement = typeof Disagreement.Type

const differences = (a: Measure, b: Measure): ReadonlyArray<string> => {
  const left = new Map(Object.entries(a))
  const right = new Map(Object.entries(b))
  // Both were decoded by the same Schema, so equal values have equal texts.
  return [...new Set([...left.keys(), ...right.keys()])].filter((key) =>
    JSON.stringify(left.get(key)) !== JSON.stringify(right.get(key))
  )
}

/** Files whose measures differ, in the order of `node`. `python` is empty where there was only one make. */
export const disagreementsOf = (
  node: ReadonlyArray<Measure>,
  python: ReadonlyArray<Measure>
): ReadonlyArray<Disagreement> => {
  const others = new Map(python.map((measure) => [measure.path, measure]))
  return node.flatMap((measure) => {
    const other = others.get(measure.path)
    const fields = other === undefined ? [] : differences(measure, other)
    return fields.length === 0 ? [] : [{ path: measure.path, fields }]
  })
}

const rowOf = (measure: Measure): FileRow =>
  measure.kind === "text"
    ? {
      path: measure.path,
      kind: measure.kind,
      bytes: measure.bytes,
      lines: measure.lines,
      functions: measure.functions,
      longest: measure.longest,
      todos: measure.todos
    }
    : { ...measure, lines: 0, functions: 0, longest: null, todos: 0 }

/** Findings of a tree: of the measures of its items, and of what was not given to an auditor. */
export const findingsOf = (measures: ReadonlyArray<Measure>, skipped: ReadonlyArray<Skipped>): Findings => {
  const sorted = [...measures].sort((a, b) => compareBytes(a.path, b.path))
  const texts = sorted.filter((measure): measure is Measured => measure.kind === "text")
  return {
    files: sorted.map(rowOf),
    skipped: [...skipped].sort((a, b) => compareBytes(a.path, b.path)),
    functions: texts.flatMap(({ path, longest }) =>
      longest !== null && longest.lines >= LONG_FUNCTION ? [{ path, ...longest }] : []
    ).sort((a, b) => b.lines - a.lines || compareBytes(a.path, b.path)),
    duplicates: duplicatesOf(texts),
    circles: circlesOf(texts),
    todos: texts.flatMap(({ path, todo_list }) => todo_list.map(([line, text]) => ({ path, line, text })))
  }
}
