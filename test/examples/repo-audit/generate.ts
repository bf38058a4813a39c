/**
 * Files of every awkward kind, from a seed: the bytes that the rules of MEASURES.md turn on, in random order.
 */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { escapeBytes } from "../../../examples/repo-audit/bytes.ts"

const ends = [
  "js",
  "mjs",
  "TS",
  "tsx",
  "cts",
  "py",
  "PYI",
  "c",
  "H",
  "hpp",
  "go",
  "rs",
  "java",
  "kt",
  "php",
  "swift",
  "md",
  "txt",
  "json",
  "",
  "tar.ts",
  "ts.bak"
]

const pieces = [
  "function f(a, b) {",
  "export default async function* gen<T>(x) {",
  "export const f = (a) =>",
  "const g = async (",
  "let h: (x) => y = function() {",
  "  run(a: string): void {",
  "describe(\"x\", () => {",
  "if (a) {",
  "} else if (b) {",
  "static async #x(a) {",
  "handler: async (x) => {",
  "get y() {",
  "def f(a):",
  "async  def g[T](x,",
  "    def method(self) -> int:",
  "return 1",
  ") -> None:",
  "int main(void)",
  "{",
  "}",
  "};",
  ") {",
  "]",
  "static const char *name(int a) {",
  "pub(crate) async fn go<T>(x: T) -> U {",
  "func (r *T) Name(a int) error {",
  "fun String.x(): Int {",
  "class Foo(val x: Int) {",
  "std::vector<int> A::b(int c) const {",
  "void f(int a,",
  "return call(x) {",
  "#define X(a) \\",
  "#endif",
  "# comment",
  "~Foo() {",
  "public function x() {",
  "// TODO: now",
  "# FIXME(x) later",
  "TODO first",
  "* XXX",
  "- HACK - it",
  "a /* TODO",
  "xTODO",
  "TODO_x // TODO",
  "\"TODO\"",
  "<!-- FIXME -->",
  "-- XXX --",
  "import \"./a\"",
  "import x from './b.js'",
  "export * from \"../c\"",
  "} from \"./d\"; require( './e')",
  "// from \"./no\"",
  "* import \"./no\"",
  "x.from \"./no\"",
  "await import(\"./f\")",
  "require  ('../g/h.json')",
  "from . import a, b as c",
  "from ..x.y import (z, w) # q",
  "from .m import *",
  "from .m import (",
  "from ... import \\",
  "import os",
  "",
  "   ",
  "\t\t",
  "\v\f x",
  "abc",
  "abcd",
  "const x = 1",
  "const y = 2 // two",
  "return x + y",
  "x".repeat(499),
  "x".repeat(501),
  "(".repeat(40) + "{",
  "  // TODO " + "y".repeat(120),
  "\u00e9t\u00e9 => {",
  "naïve(x) {",
  "日本語 = () => {"
]

const raw = [[0xff], [0x80, 0x28], [0xc3], [0xef, 0xbb, 0xbf], [0x0d], [0x0d, 0x0d], [0x0b], [0x1a], [0x7f], [0x25], [
  0x22,
  0x5c
]]

const names = [
  "plain",
  "with space",
  "tab\there",
  "line\nfeed",
  "quote\"s",
  "back\\slash",
  "per%cent",
  "naïve",
  "日本",
  "-dash",
  "*star?",
  "a;b|c&d",
  "{{ x }}"
]

/**
 * Writes `count` files and a few entries that are no text under a folder; `random` gives numbers from 0 to 1. Answers
 * their paths as escaped bytes.
 */
export const generateFiles = (root: string, count: number, random: () => number): ReadonlyArray<string> => {
  const pick = <A>(from: ReadonlyArray<A>): A => {
    const value = from[Math.floor(random() * from.length)]
    if (value === undefined) throw new Error("nothing to pick from")
    return value
  }
  const content = (): Buffer => {
    const lines: Array<Buffer> = []
    const length = Math.floor(random() * random() * 120)
    const crlf = random() < 0.2
    const feed = Buffer.from(crlf ? "\r\n" : "\n")
    const repeated = Array.from({ length: 12 }, () => pick(pieces))
    if (random() < 0.1) lines.push(Buffer.from([0xef, 0xbb, 0xbf]))
    for (let line = 0; line < length; line++) {
      const indent = " ".repeat(Math.floor(random() * 4) * 2) + (random() < 0.1 ? "\t" : "")
      const text = random() < 0.3 ? repeated[line % 12] ?? "" : pick(pieces)
      lines.push(Buffer.from(indent + text + (random() < 0.1 ? " \t" : "")))
      if (random() < 0.06) lines.push(Buffer.from(pick(raw)))
      if (line < length - 1 || random() < 0.7) lines.push(feed)
    }
    if (random() < 0.03) lines.push(Buffer.from([0]))
    return Buffer.concat(lines)
  }
  const paths: Array<string> = []
  const folders = ["", "lib/", "a b/", "d%25/"]
  folders.forEach((folder) => mkdirSync(`${root}/${folder}`, { recursive: true }))
  for (let index = 0; index < count; index++) {
    const bytes = random() < 0.05 ? Buffer.from([0x66, 0xff, 0xfe]) : Buffer.from(pick(names))
    const end = pick(ends)
    const path = Buffer.concat([
      Buffer.from(pick(folders)),
      bytes,
      Buffer.from(`-${index}${end === "" ? "" : `.${end}`}`)
    ])
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), path]), content())
    paths.push(escapeBytes(path))
  }
  writeFileSync(`${root}/large.ts`, Buffer.alloc(1_048_577, 0x78))
  writeFileSync(`${root}/full.ts`, "const x = (a) => {\n}\n".repeat(2000))
  writeFileSync(`${root}/imports.py`, "from . import a, b, c\n".repeat(500))
  writeFileSync(`${root}/empty.py`, "")
  symlinkSync("full.ts", `${root}/link.ts`)
  return [
    ...paths,
    "large.ts",
    "full.ts",
    "imports.py",
    "empty.py",
    "link.ts",
    "lib",
    "absent.ts",
    "full.ts/x",
    "nul%00byte"
  ]
}
