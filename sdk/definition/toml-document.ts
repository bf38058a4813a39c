/**
 * Reads TOML with the order of keys kept; the one file that imports `smol-toml`.
 *
 * smol-toml judges the text and gives the values, in plain objects that move keys like `10` to the front. The text is
 * then known to be valid, so a small scan is enough to learn in which order its keys came: it knows headers, dotted
 * keys, inline tables and strings, and skips every other value.
 */
import { parse, TomlDate, TomlError, type TomlTable, type TomlValue } from "smol-toml"
import { type DocumentValue, MAX_DEPTH, type SyntaxProblem, type Table } from "./document.ts"

/** The document, or where and why it is broken. Dates and times become their text. */
export const readToml = (text: string): { readonly value: Table } | SyntaxProblem => {
  try {
    const values = parse(text, { maxDepth: MAX_DEPTH })
    return { value: tableOf(values, new KeyScan(text).scan(), 0) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [, problem] = /^Invalid TOML document: (.*)/.exec(error.message) ?? []
    return { line: error.line, column: error.column, problem: problem ?? error.message }
  }
}

/** Keys of a table in author order, and what is known of the tables under them. */
interface KeyOrder {
  readonly keys: Map<string, KeyOrder>
  /** One per element, if this is an array with tables in it. */
  readonly items: Array<KeyOrder>
}

const unordered = (): KeyOrder => ({ keys: new Map(), items: [] })

const tableOf = (values: TomlTable, order: KeyOrder, depth: number): Table => {
  const table = new Map<string, DocumentValue>()
  for (const key of new Set([...order.keys.keys(), ...Object.keys(values)])) {
    const value = values[key]
    if (value !== undefined) table.set(key, valueOf(value, order.keys.get(key) ?? unordered(), depth + 1))
  }
  return table
}

const valueOf = (value: TomlValue, order: KeyOrder, depth: number): DocumentValue => {
  if (depth > MAX_DEPTH) throw new TomlError(`nested deeper than ${MAX_DEPTH} levels`, { toml: "", ptr: 0 })
  if (Array.isArray(value)) {
    return value.map((item, index) => valueOf(item, order.items[index] ?? unordered(), depth + 1))
  }
  if (value instanceof TomlDate) return value.toISOString()
  if (typeof value === "bigint") return Number(value)
  return typeof value === "object" ? tableOf(value, order, depth) : value
}

const VOID = /(?:[ \t\r\n]|#[^\n]*)*/y
const BARE = /[A-Za-z0-9_-]+/y
const STRING =
  /"""[^"\\]*(?:(?:\\[^]|"(?!""))[^"\\]*)*"""(?:"{0,2})|'''[^']*(?:'(?!'')[^']*)*'''(?:'{0,2})|"[^"\\]*(?:\\.[^"\\]*)*"|'[^']*'/y
// A date may have a space inside; what follows it is then still no key, since a key needs `=`.
const SCALAR = /[^,\]}\r\n#]*/y

/** Walks valid TOML and notes keys in the order they come. */
class KeyScan {
  private at = 0
  private readonly text: string

  constructor(text: string) {
    this.text = text.startsWith("\ufeff") ? text.slice(1) : text
  }

  scan(): KeyOrder {
    const root = unordered()
    let current = root
    for (;;) {
      this.match(VOID)
      if (this.at >= this.text.length) return root
      if (this.text[this.at] !== "[") {
        this.pair(current)
        continue
      }
      const isArray = this.text[this.at + 1] === "["
      this.at += isArray ? 2 : 1
      current = this.reach(root, this.key())
      this.at += isArray ? 2 : 1
      if (isArray) {
        current.items.push(unordered())
        current = current.items.at(-1) ?? current
      }
    }
  }

  /** `a.b = value` */
  private pair(table: KeyOrder) {
    const target = this.reach(table, this.key())
    this.at++
    this.value(target)
  }

  private value(target: KeyOrder) {
    this.match(VOID)
    const next = this.text[this.at]
    if (next === "{") this.list("}", () => this.pair(target))
    else if (next === "[") {
      this.list("]", () => {
        const item = unordered()
        target.items.push(item)
        this.value(item)
      })
    } else if (this.match(STRING) === undefined) this.match(SCALAR)
  }

  private list(end: string, element: () => void) {
    this.at++
    while (this.at < this.text.length) {
      this.match(VOID)
      if (this.text[this.at] === end) break
      element()
      this.match(VOID)
      if (this.text[this.at] === ",") this.at++
    }
    this.at++
  }

  /** A dotted key; stops before `=` or `]`. */
  private key(): Array<string> {
    const parts: Array<string> = []
    for (;;) {
      this.match(VOID)
      const bare = this.match(BARE)
      parts.push(bare ?? this.quoted())
      this.match(VOID)
      if (this.text[this.at] !== ".") return parts
      this.at++
    }
  }

  private quoted(): string {
    const literal = this.match(STRING) ?? ""
    // TOML's escapes are more than JSON's, so the one who knows them reads the key: as the value of a pair.
    const { key } = parse(`key = ${literal}`)
    return String(key)
  }

  /** The table at a key path, made on the way; through an array of tables the last one is meant. */
  private reach(table: KeyOrder, path: ReadonlyArray<string>): KeyOrder {
    let current = table
    for (const part of path) {
      current = current.items.at(-1) ?? current
      const known = current.keys.get(part) ?? unordered()
      current.keys.set(part, known)
      current = known
    }
    return current
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0]
    if (found === undefined) return undefined
    this.at += found.length
    return found
  }
}
