import { Effect, Schema } from "effect"
import fc from "fast-check"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { duplicatesOf } from "../../../examples/repo-audit/blocks.ts"
import { circlesOf } from "../../../examples/repo-audit/circles.ts"
import { disagreementsOf, findingsOf } from "../../../examples/repo-audit/findings.ts"
import { Measure, type Measured } from "../../../examples/repo-audit/measure.ts"
import { renderMarkdown } from "../../../examples/repo-audit/report/markdown.ts"
import { type Listing, listTree } from "../../../examples/repo-audit/tree.ts"
import { worstOf } from "../../../examples/repo-audit/worst.ts"
import { expected, ITEMS, plant, unmeasured } from "./plant.ts"
import { hasPython, measureAll } from "./seat.ts"

const decode = Schema.decodeUnknownSync(Schema.Array(Measure))

const file = (path: string, over: Partial<Measured> = {}): Measured => ({
  path,
  kind: "text",
  bytes: 0,
  lines: 0,
  functions: 0,
  longest: null,
  todos: 0,
  todo_list: [],
  imports: [],
  runs: [],
  blocks: "",
  ...over
})

describe("a planted tree", () => {
  let root = ""
  let listing: Listing
  let node: ReadonlyArray<Measure>
  beforeAll(async () => {
    root = mkdtempSync(`${tmpdir()}/audit-plant-`)
    plant(root)
    listing = await Effect.runPromise(listTree(root))
    node = decode(await measureAll("node", listing.root, listing.items))
  })
  afterAll(() => rmSync(root, { recursive: true }))

  it("has 400 items and gives exactly its findings", () => {
    expect(listing.items).toHaveLength(ITEMS)
    const { files, ...findings } = findingsOf(node, listing.skipped)
    expect(findings).toEqual(expected)
    expect(files).toHaveLength(ITEMS)
    expect(Object.fromEntries(files.filter((row) => row.kind !== "text").map((row) => [row.path, row.kind]))).toEqual(
      unmeasured
    )
  })

  it.skipIf(!hasPython)("is measured alike by both makes", async () => {
    const python = decode(await measureAll("python", listing.root, listing.items))
    expect(python).toEqual(node)
    expect(disagreementsOf(node, python)).toEqual([])
  })

  it("has one report, in whatever order its files were measured and wherever it stands", async () => {
    const report = renderMarkdown(findingsOf(node, listing.skipped))
    expect(renderMarkdown(findingsOf([...node].reverse(), [...listing.skipped].reverse()))).toBe(report)
    expect(report).not.toContain(root)
    const elsewhere = mkdtempSync(`${tmpdir()}/audit-elsewhere-`)
    try {
      plant(elsewhere)
      const again = await Effect.runPromise(listTree(elsewhere))
      const measures = decode(await measureAll("node", again.root, again.items))
      expect(renderMarkdown(findingsOf(measures, again.skipped))).toBe(report)
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  it("has another report when a byte that counts changes", async () => {
    const report = renderMarkdown(findingsOf(node, listing.skipped))
    writeFileSync(`${root}/lib/short.ts`, "// TODO: eight\n")
    const measures = decode(await measureAll("node", listing.root, listing.items))
    expect(renderMarkdown(findingsOf(measures, listing.skipped))).not.toBe(report)
  })
})

describe("repeated blocks", () => {
  /** A file of lines, each a letter: the fingerprint of a window is its letters, as a number. */
  const coded = (path: string, text: string): Measured => {
    const windows = Array.from({ length: Math.max(0, text.length - 9) }, (_, at) => {
      let hash = 2_166_136_261
      for (const letter of text.slice(at, at + 10)) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619)
      return (hash >>> 0).toString(16).padStart(8, "0")
    })
    return file(path, { runs: text.length === 0 ? [] : [[1, text.length]], blocks: windows.join("") })
  }
  const letters = (from: number, count: number) =>
    String.fromCharCode(...Array.from({ length: count }, (_, at) => 1000 + from + at))

  it("of 30 lines in three files are one finding", () => {
    const shared = letters(0, 30)
    const found = duplicatesOf([
      coded("a", letters(100, 5) + shared + letters(200, 5)),
      coded("b", shared),
      coded("c", letters(300, 50) + shared + letters(400, 1))
    ])
    expect(found).toEqual([{
      lines: 30,
      places: [{ path: "a", line: 6, last: 35 }, { path: "b", line: 1, last: 30 }, { path: "c", line: 51, last: 80 }]
    }])
  })

  it("are told from 20 lines on", () => {
    const files = (lines: number) => [coded("a", letters(0, lines)), coded("b", letters(100, 9) + letters(0, lines))]
    expect(duplicatesOf(files(19))).toEqual([])
    expect(duplicatesOf(files(20))).toHaveLength(1)
  })

  it("that two files share beyond a third are a second, longer finding", () => {
    const shared = letters(0, 60)
    const found = duplicatesOf([
      coded("a", shared),
      coded("b", shared),
      coded("c", letters(900, 3) + shared.slice(20, 50) + letters(950, 3))
    ])
    expect(found.map(({ lines, places }) => [lines, places.map((place) => place.path).join("")])).toEqual([[60, "ab"], [
      30,
      "abc"
    ]])
  })

  it("are as long as they can be, also where a third file holds only their beginning", () => {
    const shared = letters(0, 60)
    const found = duplicatesOf([
      coded("a", shared),
      coded("b", shared),
      coded("c", shared.slice(0, 30) + letters(950, 3))
    ])
    expect(found.map(({ lines, places }) => [lines, places.map((place) => place.path).join("")])).toEqual([
      [60, "ab"],
      [30, "abc"]
    ])
  })

  it("that follow each other without a gap are not taken for one that overlaps itself", () => {
    const stanza = letters(0, 25)
    const found = duplicatesOf([coded("a", stanza + stanza + stanza)])
    expect(found.map(({ lines, places }) => [lines, places.map((place) => place.line)])).toEqual([[25, [1, 26, 51]]])
  })

  it("within one file count where they do not overlap", () => {
    const stanza = letters(0, 25)
    const [found, ...others] = duplicatesOf([coded("a", stanza + letters(500, 3) + stanza + letters(600, 3) + stanza)])
    expect(found?.places.map((place) => place.line)).toEqual([1, 29, 57])
    expect(others).toEqual([])
    expect(duplicatesOf([coded("a", "x".repeat(30))])).toEqual([])
  })

  it("hold what they claim, and nothing that repeats is missed", () => {
    const text = fc.array(fc.constantFrom("a", "b"), { minLength: 0, maxLength: 40 }).map((them) => them.join(""))
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), text, (texts, shared) => {
        const sources = [...texts.map((it, index) => letters(index * 50, 3) + it + shared), shared]
        const files = sources.map((it, index) => coded(`f${index}`, it))
        const found = duplicatesOf(files)
        const at = (place: { path: string; line: number; last: number }) =>
          (sources[Number(place.path.slice(1))] ?? "").slice(place.line - 1, place.last)
        for (const { lines, places } of found) {
          const first = places[0]
          if (first === undefined) throw new Error("a block without a place")
          expect(at(first)).toHaveLength(lines)
          for (const place of places) expect(at(place)).toBe(at(first))
        }
        // Two different files with 20 equal lines in a row must meet in a finding.
        for (const [index, source] of sources.entries()) {
          for (let start = 0; start + 20 <= source.length; start++) {
            const piece = source.slice(start, start + 20)
            const others = sources.flatMap((other, number) =>
              number !== index && other.includes(piece) ? [`f${number}`] : []
            )
            if (others.length === 0) continue
            const covering = found.some(({ places }) =>
              places.some((place) => place.path === `f${index}` && place.line <= start + 1 && place.last >= start + 20)
            )
            expect(covering).toBe(true)
          }
        }
      }),
      { seed: 7, numRuns: process.env["MOB_EFFORT"] === "soak" ? 20_000 : 300 }
    )
  })
})

describe("import circles", () => {
  const importing = (path: string, ...targets: ReadonlyArray<string>) =>
    file(path, { imports: targets.map((target, index) => [index + 1, target]) })
  const members = (...files: ReadonlyArray<Measured>) => circlesOf(files).map((circle) => circle.members)

  it.each<[what: string, from: string, target: string, to: string]>([
    ["a file as it is written", "a/x.ts", "../b/y.ts", "b/y.ts"],
    ["the source of what is compiled", "x.ts", "./y.js", "y.ts"],
    ["a name without its ending", "x.js", "./y", "y.mjs"],
    ["a folder's index", "a/x.ts", "..", "index.ts"],
    ["a module beside", "p/x.py", ".y", "p/y.py"],
    ["a package above", "p/q/x.py", "..r.y", "p/r/y/__init__.py"],
    ["the package itself", "p/x.py", ".", "p/__init__.py"]
  ])("go through %s", (_, from, target, to) => {
    const back = to.endsWith(".py") ? undefined : from
    const far = file(to, {
      imports: back === undefined ? [] : [[1, `./${"../".repeat(to.split("/").length - 1)}${back}`]]
    })
    const python = to.endsWith(".py")
      ? [file(to, { imports: [[1, `${".".repeat(to.split("/").length)}${from.slice(0, -3).replaceAll("/", ".")}`]] })]
      : [far]
    expect(members(importing(from, target), ...python)).toEqual([[from, to].sort()])
  })

  it("may be one file long, and stay inside the tree", () => {
    expect(members(importing("a.ts", "./a.ts"))).toEqual([["a.ts"]])
    expect(members(importing("a.ts", "../../a.ts", "./b.ts"), file("b.ts"))).toEqual([])
    expect(members(importing("p/x.py", "....p.x"))).toEqual([])
  })

  it("are the sets of files that reach each other, by a slow reckoning", () => {
    const graph = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 16 })
    fc.assert(
      fc.property(graph, (edges) => {
        const reach = Array.from({ length: 8 }, (_, from) => new Set(edges.flatMap(([a, b]) => a === from ? [b] : [])))
        for (let round = 0; round < 8; round++) {
          for (const set of reach) for (const next of set) reach[next]?.forEach((it) => set.add(it))
        }
        const slow = Array.from(
          { length: 8 },
          (_, node) => [...Array(8).keys()].filter((other) => reach[node]?.has(other) && reach[other]?.has(node))
        )
          .filter((group, node) => group[0] === node).map((group) => group.map((node) => `${node}.ts`))
        const files = Array.from(
          { length: 8 },
          (_, node) => importing(`${node}.ts`, ...edges.flatMap(([a, b]) => a === node ? [`./${b}`] : []))
        )
        const found = circlesOf(files)
        expect(found.map((circle) => circle.members)).toEqual(slow)
        for (const { members, way } of found) {
          expect(way[0]?.from).toBe(members[0])
          way.forEach((step, index) => expect(step.to).toBe(way[(index + 1) % way.length]?.from))
        }
      }),
      { seed: 7, numRuns: 300 }
    )
  })

  it("are found in a chain of ten thousand files", () => {
    const chain = Array.from({ length: 10_000 }, (_, at) => importing(`f${at}.ts`, `./f${(at + 1) % 10_000}.ts`))
    expect(circlesOf(chain)[0]?.members).toHaveLength(10_000)
  })
})

describe("joining", () => {
  it("takes the Node value and names the fields that differ", () => {
    const node = [file("a.ts", { todos: 1 }), file("b.ts"), { path: "c", kind: "missing", bytes: 0 } as const]
    const python = [file("b.ts"), file("a.ts", { todos: 2, lines: 3 }), file("c")]
    expect(
      disagreementsOf(node, python).map((
        { fields, path }
      ) => [path, fields.includes("todos"), fields.includes("lines")])
    ).toEqual([
      ["a.ts", true, true],
      ["c", true, true]
    ])
    expect(disagreementsOf(node, [])).toEqual([])
    expect(findingsOf(node, []).files[0]?.todos).toBe(1)
  })

  it("ranks at most ten places, heaviest first", () => {
    const files = Array.from(
      { length: 30 },
      (_, at) => file(`f${at}.ts`, { longest: { name: "f", line: 1, lines: at } })
    )
    const worst = worstOf(findingsOf(files, []))
    expect(worst.map((place) => place.weight)).toEqual([29, 28, 27, 26, 25, 24, 23, 22, 21, 20])
  })

  it("sorts by the bytes of paths, not by their escaped form", () => {
    const paths = ["z", "%FF", "%01", "a%25"]
    expect(findingsOf(paths.map((path) => file(path)), []).files.map((row) => row.path)).toEqual([
      "%01",
      "a%25",
      "z",
      "%FF"
    ])
  })
})
