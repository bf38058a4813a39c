import { it as effectIt } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { compareBytes, display, escapeBytes, unescapeBytes } from "../../../examples/repo-audit/bytes.ts"
import { FILE_LIMIT, listTree, parseTracked, refusalOf } from "../../../examples/repo-audit/tree.ts"
import { git, gitReading } from "./plant.ts"

let root = ""
beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/audit-tree-`)
})
afterEach(() => rmSync(root, { recursive: true }))

const fill = (...names: ReadonlyArray<string>) => {
  for (const name of names) {
    if (name.includes("/")) mkdirSync(`${root}/${name.slice(0, name.lastIndexOf("/"))}`, { recursive: true })
    writeFileSync(Buffer.from(`${root}/${name}`, "latin1"), "text\n")
  }
}

describe("a folder that cannot be audited gets a clear word", () => {
  const word = (folder: string) =>
    Effect.runPromise(Effect.map(Effect.flip(listTree(folder)), (refused) => refused.message))

  it("when it is missing", async () => {
    expect(await word(`${root}/absent`)).toBe(`there is no folder ${root}/absent; check the path`)
  })
  it("when it is a file", async () => {
    fill("file")
    expect(await word(`${root}/file`)).toContain("is not a folder")
    expect(await word(`${root}/file/below`)).toContain("is not a folder")
  })
  it("when it is empty, or holds only what is skipped", async () => {
    expect(await word(root)).toContain("holds no files")
    fill(".hidden/a.ts", "node_modules/b/c.js")
    expect(await word(root)).toContain("holds no files")
    git(root, "init", "--quiet")
    expect(await word(root)).toContain("holds no files")
  })
  it.skipIf(process.getuid?.() === 0)("when it cannot be read", async () => {
    chmodSync(root, 0o000)
    try {
      expect(await word(root)).toContain("cannot be read")
    } finally {
      chmodSync(root, 0o700)
    }
  })
  it("by the error of the system call", () => {
    expect(["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EIO", undefined].map(refusalOf)).toEqual(
      ["missing", "not_a_folder", "unreadable", "unreadable", "unreadable", "unreadable"]
    )
  })
  it("when it holds too many files", async () => {
    git(root, "init", "--quiet")
    const track = (from: number, to: number) => {
      const entries = Array.from({ length: to - from }, (_, at) => `100644 ${"1".repeat(40)} 0\t${from + at}\n`)
      gitReading(entries.join(""), root, "update-index", "--index-info")
    }
    track(0, FILE_LIMIT)
    expect((await Effect.runPromise(listTree(root))).items).toHaveLength(FILE_LIMIT)
    track(FILE_LIMIT, FILE_LIMIT + 1)
    expect(await word(root)).toContain("more than 10,000 files; give a folder below it")
  })
})

describe("listing", () => {
  effectIt.effect(
    "without git takes every file but those in dot folders and node_modules, and says so",
    () =>
      Effect.gen(function*() {
        fill("b.ts", "a/c.ts", ".env", ".cache/x", "deep/node_modules/y.js")
        const listing = yield* listTree(root)
        expect(listing).toEqual({
          root: escapeBytes(Buffer.from(root)),
          source: "walk",
          note: "this is no git work tree: every file is listed, but for dot folders and node_modules",
          items: [".env", "a/c.ts", "b.ts"],
          skipped: []
        })
      })
  )

  effectIt.effect("without the git command does the same", () =>
    Effect.gen(function*() {
      fill("b.ts")
      const path = process.env["PATH"]
      process.env["PATH"] = root
      const listing = yield* Effect.ensuring(listTree(root), Effect.sync(() => process.env["PATH"] = path))
      expect(listing.note).toContain("git is not on PATH")
      expect(listing.items).toEqual(["b.ts"])
    }))

  effectIt.effect("with git takes what is tracked, also below the top of the work tree", () =>
    Effect.gen(function*() {
      fill("in/a.ts", "in/.github/b.yml", "out.ts", "in/untracked.ts")
      git(root, "init", "--quiet")
      git(root, "add", "in/a.ts", "in/.github/b.yml", "out.ts")
      expect(yield* listTree(root)).toMatchObject({
        source: "git",
        note: "",
        items: ["in/.github/b.yml", "in/a.ts", "out.ts"]
      })
      expect(yield* listTree(`${root}/in`)).toMatchObject({ source: "git", items: [".github/b.yml", "a.ts"] })
    }))

  effectIt.effect("of a git work tree that tracks nothing takes every file, and says so", () =>
    Effect.gen(function*() {
      fill("a.ts")
      git(root, "init", "--quiet")
      expect(yield* listTree(root)).toMatchObject({ source: "walk", items: ["a.ts"] })
      expect((yield* listTree(root)).note).toContain("git tracks no file here")
    }))

  effectIt.effect(
    "never follows a link, be it a file, a folder, or a folder that became one",
    () =>
      Effect.gen(function*() {
        fill("real/a.ts", "was/b.ts")
        symlinkSync("real/a.ts", `${root}/file`)
        symlinkSync("/", `${root}/folder`)
        expect(yield* listTree(root)).toMatchObject({
          items: ["real/a.ts", "was/b.ts"],
          skipped: [{ path: "file", why: "link" }, { path: "folder", why: "link" }]
        })
        git(root, "init", "--quiet")
        git(root, "add", "--all")
        rmSync(`${root}/was`, { recursive: true })
        symlinkSync("real", `${root}/was`)
        expect(yield* listTree(root)).toMatchObject({
          items: ["real/a.ts"],
          skipped: [{ path: "file", why: "link" }, { path: "folder", why: "link" }, {
            path: "was/b.ts",
            why: "behind_link"
          }]
        })
      })
  )

  effectIt.effect(
    "keeps names with spaces, line feeds, quotes and bytes that are no UTF-8, by both ways",
    () =>
      Effect.gen(function*() {
        fill("a b", "a\nb", "a\"b\\c", "a%b", "-a", "\xff\xfe", "na\xc3\xafve")
        const items = ["-a", "a%0Ab", "a b", "a%22b%5Cc", "a%25b", "na%C3%AFve", "%FF%FE"]
        expect((yield* listTree(root)).items).toEqual(items)
        git(root, "init", "--quiet")
        git(root, "add", "--all")
        expect((yield* listTree(root)).items).toEqual(items)
      })
  )

  it("names submodules, and a name in conflict once", () => {
    const sha = "0".repeat(40)
    const records = [`160000 ${sha} 0\tsub`, `100644 ${sha} 1\tboth`, `100644 ${sha} 2\tboth`, `100644 ${sha} 3\tboth`]
    expect(parseTracked(Buffer.from(records.map((record) => `${record}\0`).join("")))).toEqual([
      { mode: "160000", path: "sub" },
      { mode: "100644", path: "both" }
    ])
  })
})

describe("escaped bytes", () => {
  it("come back as they were, and sort as bytes", () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    expect(unescapeBytes(escapeBytes(all))).toEqual(all)
    expect(escapeBytes(all)).toMatch(/^[ -~]*$/)
    for (let a = 0; a < 256; a++) {
      for (let b = 0; b < 256; b += 5) {
        expect(Math.sign(compareBytes(escapeBytes(Buffer.from([a])), escapeBytes(Buffer.from([b]))))).toBe(
          Math.sign(a - b)
        )
      }
    }
  })

  it("show characters to people, and nothing that could move a cursor or hide", () => {
    const shown = (text: string) => display(escapeBytes(Buffer.from(text)))
    expect(shown("naïve 日本 \"q\" \\")).toBe("naïve 日本 \"q\" \\")
    expect(shown("a\u001b[2Jb\r\n")).toBe("a%1B[2Jb%0D%0A")
    expect(shown("a\u202eb\u00a0c\u2028")).toBe("a%E2%80%AEb%C2%A0c%E2%80%A8")
    expect(shown("100%41")).toBe("100%2541")
    expect(display("%FF%C3")).toBe("%FF%C3")
  })
})
