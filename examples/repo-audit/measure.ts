/**
 * What an auditor answers, as MEASURES.md defines it.
 */
import { Schema } from "effect"

const { Array, Int, Literal, Literals, NullOr, String, Struct, Tuple, Union } = Schema

/** Answer for a file whose text is not measured, and why. */
const Unread = Struct({
  path: String,
  kind: Literals(["missing", "link", "not_a_file", "large", "unreadable", "binary"]),
  bytes: Int
})

/** The longest function of a file. */
export const Longest = Struct({ name: String, line: Int, lines: Int })

/** Answer for a text file. */
export const Measured = Struct({
  path: String,
  kind: Literal("text"),
  bytes: Int,
  lines: Int,
  functions: Int,
  longest: NullOr(Longest),
  todos: Int,
  todo_list: Array(Tuple([Int, String])),
  imports: Array(Tuple([Int, String])),
  runs: Array(Tuple([Int, Int])),
  blocks: String
})
export type Measured = typeof Measured.Type

/** Answer of an auditor for one file. */
export const Measure = Union([Measured, Unread])
export type Measure = typeof Measure.Type
