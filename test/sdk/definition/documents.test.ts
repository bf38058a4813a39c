import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { type DocumentValue, isTable, MAX_DEPTH } from "../../../sdk/definition/document.ts"
import { readJson } from "../../../sdk/definition/json-document.ts"
import { readToml } from "../../../sdk/definition/toml-document.ts"

/** A document as nested pairs, so that order can be compared. */
const pairs = (value: DocumentValue): unknown =>
  isTable(value) ? [...value].map(([key, item]) => [key, pairs(item)]) : Array.isArray(value) ? value.map(pairs) : value

const toml = (text: string) => {
  const read = readToml(text)
  return "value" in read ? pairs(read.value) : read
}
const json = (text: string) => {
  const read = readJson(text)
  return "value" in read ? pairs(read.value) : read
}

/** Entries with distinct keys, many of which an object would reorder; leaves are what could be mistaken for syntax. */
interface Tree {
  readonly entries: ReadonlyArray<readonly [key: string, value: Tree | ReadonlyArray<Tree> | string | number | boolean]>
}
const key = fc.oneof(
  fc.constantFrom(
    "10",
    "2",
    "0",
    "007",
    "a",
    "B-c",
    "",
    "a.b",
    "x = 1",
    "[t]",
    "#",
    "\"",
    "'",
    "é\n",
    "__proto__",
    "constructor"
  ),
  fc.string({ maxLength: 4, unit: "binary" })
)
const leaf = fc.oneof(
  fc.constantFrom("", "x = 1", "[t]\n10 = 3", "# no", "\"\"\"", "'''", "\\", "a: {", "}", "\u0007"),
  fc.string({ maxLength: 6 }),
  fc.integer(),
  fc.boolean()
)
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    entries: fc.uniqueArray(
      fc.tuple(
        key,
        fc.oneof({ depthSize: "small" }, leaf, tie("tree"), fc.array(tie("tree"), { minLength: 1, maxLength: 3 }))
      ),
      { selector: ([name]) => name, maxLength: 5 }
    )
  })
}))

const isTree = (value: Tree["entries"][number][1]): value is Tree => typeof value === "object" && !Array.isArray(value)
const isList = (value: Tree["entries"][number][1]): value is ReadonlyArray<Tree> => Array.isArray(value)

const asPairs = ({ entries }: Tree): unknown =>
  entries.map(([name, value]) => [name, isTree(value) ? asPairs(value) : isList(value) ? value.map(asPairs) : value])

const asJson = ({ entries }: Tree, space: string): string =>
  `{${space}` + entries.map(([name, value]) => {
    const text = isTree(value)
      ? asJson(value, space)
      : isList(value)
      ? `[${value.map((item) => asJson(item, space)).join(",")}]`
      : JSON.stringify(value)
    return `${JSON.stringify(name)}${space}:${space}${text}${space}`
  }).join(",") + "}"

const tomlString = (text: string) => JSON.stringify(text).replaceAll("\u007f", "\\u007f")
const tomlKey = (name: string) => /^[A-Za-z0-9_-]+$/.test(name) ? name : tomlString(name)
const tomlLeaf = (value: string | number | boolean, style: number) => {
  if (typeof value !== "string") return String(value)
  const literal = !/[\p{Cc}']/u.test(value)
  if (style === 1 && literal) return `'${value}'`
  if (style === 2) return `"""\n${tomlString(value).slice(1, -1)}"""`
  if (style === 3 && literal) return `'''${value}'''`
  return tomlString(value)
}

/** Writes a tree in the styles of TOML, and gives the order in which its keys then come. */
const asToml = (root: Tree, styles: ReadonlyArray<number>): { readonly text: string; readonly order: unknown } => {
  let next = 0
  const style = () => styles[next++ % styles.length] ?? 0
  const inline = ({ entries }: Tree): string =>
    `{ ${entries.map(([name, value]) => `${tomlKey(name)} = ${inlineValue(value)}`).join(", ")} }`
  const inlineValue = (value: Tree["entries"][number][1]): string =>
    isTree(value)
      ? inline(value)
      : isList(value)
      ? `[ # [x]\n${value.map(inline).join(", ")},\n]`
      : tomlLeaf(value, style())

  const table = (
    { entries }: Tree,
    path: ReadonlyArray<string>
  ): { readonly text: string; readonly order: Array<unknown> } => {
    const inBody: Array<readonly [string, unknown]> = []
    const below: Array<readonly [string, unknown]> = []
    let body = ""
    let rest = ""
    for (const [name, value] of entries) {
      const here = [...path, name]
      const header = here.map(tomlKey).join(" . ")
      if (isTree(value) && style() === 1) {
        const inner = table(value, here)
        rest += `\n[ ${header} ] # [no]\n${inner.text}`
        below.push([name, inner.order])
      } else if (isList(value) && style() === 1) {
        const items = value.map((item) => table(item, here))
        rest += items.map((item) => `\n[[${header}]]\n${item.text}`).join("")
        below.push([name, items.map((item) => item.order)])
      } else if (isTree(value) && value.entries.length === 1 && value.entries[0] !== undefined && style() === 2) {
        const [only, inner] = value.entries[0]
        body += `${tomlKey(name)} . ${tomlKey(only)} = ${inlineValue(inner)}\n`
        inBody.push([name, asPairs(value)])
      } else {
        body += `${tomlKey(name)} = ${inlineValue(value)} # x = "\n`
        inBody.push([name, isTree(value) ? asPairs(value) : isList(value) ? value.map(asPairs) : value])
      }
    }
    return { text: body + rest, order: [...inBody, ...below] }
  }
  return table(root, [])
}

describe("documents", () => {
  it("TOML keeps the order of keys in every way of writing tables", () => {
    fc.assert(
      fc.property(tree, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 20 }), (root, styles) => {
        const { order, text } = asToml(root, styles)
        expect(toml(text)).toEqual(order)
      }),
      { numRuns: process.env["MOB_EFFORT"] === "soak" ? 20_000 : 600 }
    )
  })

  it("JSON keeps the order of keys, and reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(tree, fc.constantFrom("", " ", "\n\t"), (root, space) => {
        const text = asJson(root, space)
        expect(json(text)).toEqual(asPairs(root))
      }),
      { numRuns: 300 }
    )
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const read = readJson(JSON.stringify(value))
        const plain = (item: DocumentValue): unknown =>
          isTable(item)
            ? Object.fromEntries([...item].map(([name, it]) => [name, plain(it)]))
            : Array.isArray(item)
            ? item.map(plain)
            : item
        expect("value" in read && plain(read.value)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 300 }
    )
  })

  it("JSON is refused where JSON.parse refuses it, at its line and column", () => {
    const broken: ReadonlyArray<readonly [text: string, line: number, column: number, problem: string]> = [
      ["", 1, 1, "the text ends early: expected a value"],
      ["{", 1, 2, "the text ends early: expected a key in double quotes, or }"],
      ["{\"a\": 1,}", 1, 9, "expected a key in double quotes"],
      ["{\"a\" 1}", 1, 6, "expected : after a key"],
      ["{\"a\": 1 \"b\": 2}", 1, 9, "expected , or }"],
      ["[1 2]", 1, 4, "expected , or ]"],
      ["[1,", 1, 4, "the text ends early: expected a value"],
      ["{\n  \"a\": tru\n}", 2, 8, "expected a value"],
      ["[01]", 1, 3, "expected , or ]"],
      ["\"a\nb\"", 1, 1, "this string does not end, or holds a line feed or a bad escape"],
      ["\"\\x\"", 1, 1, "this string does not end, or holds a line feed or a bad escape"],
      ["{} x", 1, 4, "unexpected text after the end"]
    ]
    for (const [text, line, column, problem] of broken) {
      expect(() => JSON.parse(text)).toThrow()
      expect(readJson(text)).toEqual({ line, column, problem })
    }
  })

  it("a key given twice is refused in JSON as in TOML", () => {
    expect(readJson("{\"a\": 1,\n\"a\": 2}")).toEqual({ line: 2, column: 1, problem: "key \"a\" is given twice" })
    expect(readToml("a = 1\na = 2\n")).toMatchObject({ line: 2, column: 1 })
  })

  it("nesting has an end, so that no file can exhaust the stack", () => {
    const deep = MAX_DEPTH + 2
    const problem = `nested deeper than ${MAX_DEPTH} levels`
    expect(readJson("[".repeat(deep) + "]".repeat(deep))).toMatchObject({ problem })
    expect(readJson("[".repeat(100_000))).toMatchObject({ problem })
    expect(readToml(`[${Array.from({ length: deep }, () => "a").join(".")}]\n`)).toMatchObject({ problem })
    expect(readToml(`a = ${"[".repeat(deep)}${"]".repeat(deep)}\n`)).toHaveProperty("problem")
  })

  it("a byte order mark, CRLF and dates are read", () => {
    expect(toml("\ufeffb = 1\r\n10 = 1979-05-27 07:32:00\r\n")).toEqual([["b", 1], ["10", "1979-05-27T07:32:00.000"]])
    expect(json("\ufeff{\"b\": 1}")).toEqual([["b", 1]])
  })

  it("long strings do not exhaust the scanner", () => {
    const long = "x\\n\"".repeat(500_000)
    expect(toml(`10 = """${long}"""\n2 = 1\n`)).toHaveLength(2)
    const escaped = "\\n".repeat(500_000)
    expect(json(`{"10": "${escaped}", "2": 1}`)).toHaveLength(2)
  })
})
