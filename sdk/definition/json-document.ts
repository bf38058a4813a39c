/**
 * Reads JSON with the order of keys kept, and says where it is broken. `JSON.parse` does neither: it moves keys like
 * `10` to the front, and gives no place for an unexpected token. A key given twice is an error, as in TOML.
 */
import { type DocumentValue, MAX_DEPTH, placeOf, type SyntaxProblem } from "./document.ts"

/** The document, or where and why it is broken. */
export const readJson = (text: string): { readonly value: DocumentValue } | SyntaxProblem => {
  const reader = new Reader(text)
  try {
    return { value: reader.document() }
  } catch (error) {
    if (error instanceof Stop) return { ...placeOf(text, error.index), problem: error.problem }
    throw error
  }
}

/** Leaves the recursion at the first problem; caught above and never seen outside. */
class Stop {
  readonly index: number
  readonly problem: string
  constructor(index: number, problem: string) {
    this.index = index
    this.problem = problem
  }
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// Everything but a quote, a backslash and control characters, or an escape.
// oxlint-disable-next-line no-control-regex
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y
const WORD = /true|false|null/y

class Reader {
  private at = 0
  private readonly text: string

  constructor(text: string) {
    this.text = text.startsWith("\ufeff") ? ` ${text.slice(1)}` : text
  }

  document(): DocumentValue {
    const value = this.value(0)
    this.skip()
    if (this.at < this.text.length) this.stop("unexpected text after the end")
    return value
  }

  private value(depth: number): DocumentValue {
    this.skip()
    if (depth > MAX_DEPTH) this.stop(`nested deeper than ${MAX_DEPTH} levels`)
    const next = this.text[this.at]
    if (next === "{") return this.table(depth)
    if (next === "[") return this.array(depth)
    if (next === "\"") return this.string()
    const literal = this.match(WORD) ?? this.match(NUMBER) ?? this.stop("expected a value")
    // The patterns above admit JSON literals only.
    return JSON.parse(literal) as boolean | number | null
  }

  private table(depth: number): DocumentValue {
    const table = new Map<string, DocumentValue>()
    this.at++
    for (let first = true;; first = false) {
      this.skip()
      if (first && this.eat("}")) return table
      const start = this.at
      if (this.text[this.at] !== "\"") {
        this.stop(first ? "expected a key in double quotes, or }" : "expected a key in double quotes")
      }
      const key = this.string()
      if (table.has(key)) this.stop(`key "${key}" is given twice`, start)
      this.skip()
      if (!this.eat(":")) this.stop("expected : after a key")
      table.set(key, this.value(depth + 1))
      this.skip()
      if (this.eat("}")) return table
      if (!this.eat(",")) this.stop("expected , or }")
    }
  }

  private array(depth: number): DocumentValue {
    const items: Array<DocumentValue> = []
    this.at++
    this.skip()
    if (this.eat("]")) return items
    for (;;) {
      items.push(this.value(depth + 1))
      this.skip()
      if (this.eat("]")) return items
      if (!this.eat(",")) this.stop("expected , or ]")
    }
  }

  private string(): string {
    const literal = this.match(STRING) ?? this.stop("this string does not end, or holds a line feed or a bad escape")
    // The pattern above admits JSON strings only.
    return JSON.parse(literal) as string
  }

  private skip() {
    this.match(SPACE)
  }

  private eat(character: string): boolean {
    if (this.text[this.at] !== character) return false
    this.at++
    return true
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0]
    if (found !== undefined) this.at += found.length
    return found
  }

  private stop(problem: string, index = this.at): never {
    throw new Stop(index, this.at >= this.text.length ? `the text ends early: ${problem}` : problem)
  }
}
