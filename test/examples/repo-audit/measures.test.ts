import { Schema } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { escapeBytes } from "../../../examples/repo-audit/bytes.ts"
import { randomOf } from "../../../examples/repo-audit/chaos.ts"
import { Measure } from "../../../examples/repo-audit/measure.ts"
import { generateFiles } from "./generate.ts"
import { hasPython, makes, measureAll, startAsking } from "./seat.ts"

let root = ""
beforeAll(() => {
  root = mkdtempSync(`${tmpdir()}/audit measures-`)
})
afterAll(() => rmSync(root, { recursive: true }))

const decode = Schema.decodeUnknownSync(Schema.Array(Measure))

const available = Object.keys(makes).filter((make) => make !== "python" || hasPython)

describe("the two makes of auditor", () => {
  it.skipIf(!hasPython)("give equal answers for generated files of every awkward kind", async () => {
    const count = process.env["MOB_EFFORT"] === "soak" ? 20_000 : 500
    const seed = Number(process.env["MOB_SEED"] ?? 1)
    console.log(`${count} files from MOB_SEED=${seed}`)
    const paths = generateFiles(root, count, randomOf(seed))
    const [node, python] = await Promise.all(
      ["node", "python"].map((make) => measureAll(make, escapeBytes(Buffer.from(root)), paths))
    )
    expect(node).toHaveLength(paths.length)
    expect(python).toEqual(node)
    // The files must reach the rules, or the comparison says nothing.
    const measures = decode(node)
    const kinds = new Set(measures.map((measure) => measure.kind))
    expect([...kinds].sort()).toEqual(["binary", "large", "link", "missing", "not_a_file", "text", "unreadable"])
    const texts = measures.flatMap((measure) => measure.kind === "text" ? [measure] : [])
    for (
      const reached of [
        texts.filter((it) => it.functions > 1 && (it.longest?.lines ?? 0) > 3),
        texts.filter((it) => it.todos > 1),
        texts.filter((it) => it.imports.length > 1),
        texts.filter((it) => it.blocks !== "")
      ]
    ) expect(reached.length).toBeGreaterThan(count / 20)
  })
})

describe.each(available)("the %s auditor", (make) => {
  let ask: ReturnType<typeof startAsking>
  beforeAll(() => {
    ask = startAsking(make)
  })
  afterAll(() => ask.end())
  const measure = async (name: string, content: string | Buffer) => {
    writeFileSync(`${root}/${name}`, content)
    return Schema.decodeUnknownSync(Measure)(await ask.measure(escapeBytes(Buffer.from(root)), name))
  }

  it("measures a small file as MEASURES.md says, field by field", async () => {
    const lines = [
      "import { a } from \"./a.ts\"",
      "",
      "export const f = (x: number) => {",
      "  // TODO: say \"hi\"",
      "  return x",
      "}",
      "const g = 1",
      "const h = 2",
      "const i = 3",
      "const j = 4",
      "const k = 5",
      "const l = 6"
    ]
    expect(await measure("small.ts", lines.join("\r\n"))).toEqual({
      path: "small.ts",
      kind: "text",
      bytes: lines.join("\r\n").length,
      lines: 12,
      functions: 1,
      longest: { name: "f", line: 3, lines: 4 },
      todos: 1,
      todo_list: [[4, "TODO: say %22hi%22"]],
      imports: [[1, "./a.ts"]],
      runs: [[1, 1], [3, 3], [7, 6]],
      // CRC-32 of the ten significant lines, each with LF, as zlib's command line tools give it.
      blocks: "541fe207"
    })
  })

  it.each<
    [
      what: string,
      name: string,
      lines: ReadonlyArray<string>,
      functions: number,
      longest: readonly [string, number] | null
    ]
  >([
    [
      "an arrow over several lines",
      "a.ts",
      ["export const f = (", "  a: string", "): void => {", "  x()", "}", "after()"],
      1,
      ["f", 5]
    ],
    ["an expression, up to the next line", "b.ts", ["const f = (x) =>", "  x", "", "const y = 1"], 1, ["f", 2]],
    [
      "methods, but no calls with callbacks",
      "c.ts",
      ["class A {", "  go(x) {", "    it(\"y\", () => {", "    })", "  }", "}"],
      1,
      ["go", 4]
    ],
    ["no control words", "d.ts", ["  if (x) {", "  } else if (y) {", "  while (z) {", "  }"], 0, null],
    ["a def up to its last line", "e.py", ["def f(", "    a,", "):", "    x", "", "# aside", "    y", "", "z = 1"], 1, [
      "f",
      7
    ]],
    ["a brace on a line of its own", "f.c", ["int main(void)", "{", "  x();", "#ifdef A", "  y();", "}", "int z;"], 1, [
      "main",
      6
    ]],
    ["a method of Go", "g.go", ["func (r *T) Name(a int) error {", "\treturn nil", "}"], 1, ["Name", 3]],
    ["a function of Rust", "h.rs", ["pub(crate) fn go<T>(x: T) -> U {", "  x", "}"], 1, ["go", 3]],
    [
      "no calls and no classes",
      "i.java",
      ["class A(B) {", "  foo(bar);", "  return baz(1) {", "  int x = y(2);"],
      0,
      null
    ],
    ["nothing in other languages", "j.md", ["function f() {", "}"], 0, null]
  ])("finds functions: %s", async (_, name, lines, functions, longest) => {
    const answer = await measure(name, lines.join("\n"))
    expect(answer).toMatchObject({
      functions,
      longest: longest === null ? null : { name: longest[0], lines: longest[1] }
    })
  })

  it.each<[line: string, text: string | undefined]>([
    ["// TODO: now", "TODO: now"],
    ["x = 1 # FIXME later", "FIXME later"],
    ["TODO", "TODO"],
    ["  * HACK  ", "HACK"],
    ["<!-- XXX -->", "XXX -->"],
    ["const TODO = 1", undefined],
    ["// TODOS", undefined],
    ["// MY_TODO", undefined],
    [`// ${"x".repeat(500)} TODO`, undefined],
    [`// TODO ${"x".repeat(100)}`, `TODO ${"x".repeat(75)}`]
  ])("finds markers: %s", async (line, text) => {
    const answer = await measure("marker.txt", line)
    expect(answer).toMatchObject({
      todos: text === undefined ? 0 : 1,
      todo_list: text === undefined ? [] : [[1, text]]
    })
  })

  it.each<[name: string, line: string, targets: ReadonlyArray<string>]>([
    ["a.ts", "import { x } from \"./x.ts\"; import('../y')", ["./x.ts", "../y"]],
    ["a.ts", "const x = require('./x')", ["./x"]],
    ["a.ts", "import x from \"x\"", []],
    ["a.ts", " * import x from \"./x\"", []],
    ["a.py", "from . import a, b as c", [".a", ".b"]],
    ["a.py", "from ..p.q import (r, *) # s", ["..p.q", "..p.q.r"]],
    ["a.py", "import os", []],
    ["a.md", "import \"./x\"", []]
  ])("finds imports in %s: %s", async (name, line, targets) => {
    expect(await measure(name, line)).toMatchObject({ imports: targets.map((target) => [1, target]) })
  })

  it("calls a file with a NUL byte binary, and one over 1 MiB large", async () => {
    expect(await measure("nul.ts", Buffer.from("a\0b"))).toEqual({ path: "nul.ts", kind: "binary", bytes: 3 })
    expect(await measure("big.ts", Buffer.alloc(1_048_577, 10))).toEqual({
      path: "big.ts",
      kind: "large",
      bytes: 1_048_577
    })
    expect(await measure("full.txt", Buffer.alloc(1_048_576, 10))).toMatchObject({ kind: "text", lines: 1_048_576 })
  })
})
