/**
 * A planted tree: 400 items with exactly these findings in it: one function of 412 lines, one block of 30 lines in three
 * files, one import circle of three, seven markers, and entries that are awkward in name or bytes.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { Findings } from "../../../examples/repo-audit/findings.ts"

/** Items of the planted tree: what the auditors are given. */
export const ITEMS = 400

const lines = (...text: ReadonlyArray<string>): string => text.join("\n") + "\n"

const body = (count: number, line: (index: number) => string): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => line(index))

const block = body(30, (index) => `total = total + weight(${index}, ${index * 7})`)

// Names in raw bytes, as Latin-1 text.
const awkward: ReadonlyArray<readonly [name: string, content: string | Buffer]> = [
  ["a space.ts", "export const space = 1\n"],
  ["new\nline.ts", "export const feed = 1\n"],
  ["tab\tbed.py", "TABBED = 1\n"],
  ["quote\"s and 'back\\slash'.js", "export const quoted = 1\n"],
  ["per%41cent.ts", "export const percent = 1\n"],
  ["-dash.ts", "export const dash = 1\n"],
  ["{{ item }}.ts", "export const braces = 1\n"],
  ["`tick`|bar.ts", "export const ticks = 1\n"],
  ["$(touch owned);&.ts", "export const shell = 1\n"],
  ["<script>alert(1)<", "markup in a name\n"],
  ["na\xc3\xafve.ts", "export const utf8 = 1\n"],
  ["\xff\xfe.ts", "export const bytes = 1\n"],
  ["bytes/crlf.ts", "export const crlf = 1\r\nexport const second = 2\r\n"],
  ["bytes/bom.py", Buffer.from("\xef\xbb\xbfdef first():\n    return 1\n", "latin1")],
  ["bytes/nul.ts", Buffer.from("export const nul = '\0'\n")],
  ["bytes/empty.ts", ""],
  ["bytes/unended.ts", "export const unended = 1"],
  ["bytes/invalid.ts", Buffer.from([0x2f, 0x2f, 0x20, 0xff, 0xc3, 0x28, 0x0a])],
  ["bytes/lone-cr.ts", "one\rtwo\rthree\n"],
  ["bytes/wide.js", `const wide = "${"x".repeat(100_000)}"\n`],
  ["bytes/huge.bin", Buffer.alloc(1_048_577, 0x61)],
  ["bytes/gone.ts", "this one is tracked and then deleted\n"]
]

const planted: ReadonlyArray<readonly [name: string, content: string | Buffer]> = [
  [
    "lib/long.ts",
    lines(
      "const before = 1",
      "",
      "export function grind(x: number) {",
      ...body(410, (index) => `  use(x, ${index})`),
      "}",
      "grind(1)"
    )
  ],
  ["lib/short.ts", lines("export const short = () => {", "  return 1", "}")],
  ["copies/one.ts", lines("let total = 1", ...block, "// end of one")],
  [
    "copies/three.py",
    lines("def three():", "    total = 3", ...block.map((line) => `    ${line}`), "    return total")
  ],
  ["copies/two.js", "let weights = 2\r\n\r\n" + block.map((line) => `\t${line}\r\n`).join("") + "done(total)"],
  ["circle/a.ts", lines("import { b } from \"./b.ts\"", "export const a = b")],
  ["circle/b.ts", lines("// the next one is a folder", "import { c } from './c/index.js'", "export const b = c")],
  ["circle/c/index.ts", lines("export { a as c } from \"../a\"", "import \"node:fs\"")],
  ["circle/line.ts", lines("import { a } from \"./a.ts\"", "import \"./absent.ts\"")],
  [
    "marks/five.ts",
    lines("// TODO: one", "x() // FIXME(me): two", "/* XXX three */", "/**", " * HACK four", " */", "// TODO five")
  ],
  ["marks/two.py", lines("# TODO: six \u2013 \"quoted\"", "value = TODO", "pass  # XXX")],
  ...awkward
]

const fillers = body(ITEMS - planted.length, (index) => `fill/part-${index}.ts`)

/** Findings of the planted tree, but for its rows of files; under git one file more is missing and a link is a link. */
export const expected: Omit<Findings, "files"> = {
  skipped: [{ path: "linked", why: "link" }, { path: "linked.ts", why: "link" }],
  functions: [{ path: "lib/long.ts", name: "grind", line: 3, lines: 412 }],
  duplicates: [{
    lines: 30,
    places: [
      { path: "copies/one.ts", line: 2, last: 31 },
      { path: "copies/three.py", line: 3, last: 32 },
      { path: "copies/two.js", line: 3, last: 32 }
    ]
  }],
  circles: [{
    members: ["circle/a.ts", "circle/b.ts", "circle/c/index.ts"],
    way: [
      { from: "circle/a.ts", line: 1, to: "circle/b.ts" },
      { from: "circle/b.ts", line: 2, to: "circle/c/index.ts" },
      { from: "circle/c/index.ts", line: 1, to: "circle/a.ts" }
    ]
  }],
  todos: [
    { path: "marks/five.ts", line: 1, text: "TODO: one" },
    { path: "marks/five.ts", line: 2, text: "FIXME(me): two" },
    { path: "marks/five.ts", line: 3, text: "XXX three */" },
    { path: "marks/five.ts", line: 5, text: "HACK four" },
    { path: "marks/five.ts", line: 7, text: "TODO five" },
    { path: "marks/two.py", line: 1, text: "TODO: six %E2%80%93 %22quoted%22" },
    { path: "marks/two.py", line: 3, text: "XXX" }
  ]
}

/** Kinds of the items that are not measured, by path. */
export const unmeasured = { "bytes/gone.ts": "missing", "bytes/huge.bin": "large", "bytes/nul.ts": "binary" }

/** Runs git in a folder, apart from the machine's own configuration. */
export const git = (root: string, ...args: ReadonlyArray<string>): void => gitReading("", root, ...args)

/** As {@link git}, with something to read on its standard input. */
export const gitReading = (input: string, root: string, ...args: ReadonlyArray<string>): void => {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" }
  execFileSync("git", ["-C", root, ...args], { env, input, stdio: ["pipe", "ignore", "inherit"] })
}

/** Plants the tree in an empty folder and tracks it with git. */
export const plant = (root: string): void => {
  const write = (name: string, content: string | Buffer) => {
    mkdirSync(dirname(`${root}/${name}`), { recursive: true })
    writeFileSync(Buffer.from(`${root}/${name}`, "latin1"), content)
  }
  planted.forEach(([name, content]) => write(name, content))
  fillers.forEach((name, index) => write(name, lines(`export const part${index} = ${index}`, `// filler ${index}`)))
  symlinkSync("lib/long.ts", `${root}/linked.ts`)
  symlinkSync("lib", `${root}/linked`)
  git(root, "init", "--quiet")
  // Names alone are enough to be tracked, and spare git four hundred objects.
  git(root, "add", "--intent-to-add", "--all")
  unlinkSync(`${root}/bytes/gone.ts`)
  // Neither is part of the tree that git knows.
  write("untracked.ts", "// TODO: untracked\n")
  mkdirSync(`${root}/node_modules`)
}
