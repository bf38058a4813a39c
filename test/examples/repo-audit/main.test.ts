/** The example as a user runs it: a process of its own, a data directory on disk, real seats, real kills. */
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { delimiter } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { findingsOf } from "../../../examples/repo-audit/findings.ts"
import { Measure } from "../../../examples/repo-audit/measure.ts"
import { renderMarkdown } from "../../../examples/repo-audit/report/markdown.ts"
import { listTree } from "../../../examples/repo-audit/tree.ts"
import { expected, plant } from "./plant.ts"
import { example, hasPython, measureAll } from "./seat.ts"

let work = ""
let tree = ""
beforeAll(() => {
  work = mkdtempSync(`${tmpdir()}/audit-main-`)
  tree = `${work}/the tree`
  mkdirSync(tree)
  plant(tree)
})
afterAll(() => rmSync(work, { recursive: true }))

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const start = (args: ReadonlyArray<string>, path = process.env["PATH"]) => {
  const { npm_lifecycle_event: _, ...env } = process.env
  const child = spawn(process.execPath, [
    "--conditions=mobwright-source",
    "--no-warnings",
    `${example}main.ts`,
    ...args
  ], {
    cwd: work,
    env: { ...env, PATH: path },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const texts = { out: "", err: "" }
  child.stdout.on("data", (chunk: Buffer) => texts.out += chunk.toString())
  child.stderr.on("data", (chunk: Buffer) => texts.err += chunk.toString())
  const ran = new Promise<Ran>((resolve) => child.on("close", (code) => resolve({ code, ...texts })))
  return { child, ran }
}

/** Audits the planted tree into a data folder of its own. */
const auditTree = async (name: string, args: ReadonlyArray<string> = [], path?: string) => {
  const ran = await start([...args, "--data", `${work}/${name}`, "--out", `${work}/${name}-out`, tree], path).ran
  expect(ran.err).toBe("")
  expect(ran.code).toBe(0)
  const report = readFileSync(`${work}/${name}-out/report.md`, "utf8")
  return { ...ran, report, html: readFileSync(`${work}/${name}-out/report.html`, "utf8") }
}

/** Bytes of all files under a folder. Files may come and go meanwhile. */
const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (statSync(`${entry.parentPath}/${entry.name}`, { throwIfNoEntry: false })?.size ?? 0),
    0
  )

describe("npm start", () => {
  let plain: Awaited<ReturnType<typeof auditTree>>
  beforeAll(async () => {
    plain = await auditTree("plain")
  }, 60_000)

  it("finds exactly what was planted, as its parts do without a mob", async () => {
    const listing = await Effect.runPromise(listTree(tree))
    const measures = Schema.decodeUnknownSync(Schema.Array(Measure))(
      await measureAll("node", listing.root, listing.items)
    )
    const findings = findingsOf(measures, listing.skipped)
    expect(findings).toMatchObject(expected)
    expect(plain.report).toBe(renderMarkdown(findings))
  })

  it("sums up on the screen, writes both reports and ends with three commands", () => {
    const { html, out, report } = plain
    expect(out).toMatch(/longest function +412 {2}grind, lib\/long\.ts:3/)
    expect(out).toMatch(/repeated blocks +1 {2}largest: 30 lines in 3 places/)
    expect(out).toMatch(/import circles +1 /)
    expect(out).toMatch(/markers +7 /)
    if (hasPython) expect(out).toMatch(/measured by +2 {2}makes; 0 disagreements/)
    expect(out.trimEnd().split("\n").slice(-4)[0]).toBe("Try next:")
    expect(report).toContain("| files | 400 |\n")
    for (const secret of [work, "node-1", "python"]) expect(report).not.toContain(secret)
    expect(html).toContain("use(x, 17)")
    expect(html).not.toContain("class=\"died\"")
  })

  it.each([1, 2, 3])(
    "with --chaos and seed %i gives the same report.md, byte for byte, over five kills or more",
    async (seed) => {
      const { html, out, report } = await auditTree(`chaos-${seed}`, ["--chaos", "--seed", String(seed)])
      expect(report).toBe(plain.report)
      const [, kills, restarts, redeliveries] = /^chaos: (\d+) kills, (\d+) restarts, (\d+) redeliveries$/.exec(
        out.trimEnd().split("\n").at(-1) ?? ""
      ) ?? []
      expect(Number(kills)).toBeGreaterThanOrEqual(5)
      expect(Number(restarts)).toBeGreaterThanOrEqual(Number(kills))
      expect(Number(redeliveries)).toBeGreaterThanOrEqual(Number(kills))
      expect(html.match(/class="died"/g)).toHaveLength(Number(kills))
    },
    60_000
  )

  it("without python3 on PATH says so in one line and gives the same report.md", async () => {
    const bin = `${work}/bin`
    mkdirSync(bin)
    symlinkSync(process.execPath, `${bin}/node`)
    const git = (process.env["PATH"] ?? "").split(delimiter).find((folder) => existsSync(`${folder}/git`))
    symlinkSync(`${git}/git`, `${bin}/git`)
    const { out, report } = await auditTree("no-python", [], bin)
    expect(out).toContain("\npython3 is not on PATH: four Node seats, every file is measured once\n")
    expect(out).toMatch(/measured by +1 {2}make\n/)
    expect(report).toBe(plain.report)
  }, 60_000)

  it("goes on after its process was killed in the middle, and gives the same report.md", async () => {
    const data = `${work}/killed`
    mkdirSync(data)
    const { child, ran } = start(["--data", data, "--out", `${data}-out`, tree])
    // Killed when half as much is in the database as after a whole audit.
    const half = sizeOf(`${work}/plain`) / 2
    const watcher = watch(data, { recursive: true }, () => {
      if (sizeOf(data) > half) child.kill("SIGKILL")
    })
    const { code } = await ran
    watcher.close()
    expect(code).toBe(null)
    expect(existsSync(`${data}-out/report.md`)).toBe(false)
    const { out, report } = await auditTree("killed")
    expect(out).toContain("\ngoing on with the audit that was interrupted\n")
    expect(report).toBe(plain.report)
  }, 60_000)

  it.each<[what: string, args: () => ReadonlyArray<string>, word: string]>([
    ["a folder that is not there", () => [`${work}/absent`], "there is no folder"],
    ["an unknown option", () => ["--fast"], "there is no option --fast; usage: npm start -- "],
    ["an out folder that cannot be", () => ["--out", `${tree}/lib/long.ts/x`, `${tree}/circle`], "give another --out"]
  ])("says a clear word and exits 1 for %s", async (_, args, word) => {
    const { code, err, out } = await start([...args(), "--data", mkdtempSync(`${work}/words-`)]).ran
    expect(err).toContain(word)
    expect(err.trimEnd().split("\n")).toHaveLength(1)
    expect(out).not.toContain("Try next")
    expect(code).toBe(1)
  }, 60_000)

  it("audits a folder without git, and says what it listed instead", async () => {
    const folder = mkdtempSync(`${work}/bare-`)
    writeFileSync(`${folder}/a.ts`, "// TODO: one\n")
    const { code, out } = await start(["--data", `${work}/bare-data`, folder]).ran
    expect(code).toBe(0)
    expect(out).toContain("this is no git work tree: every file is listed, but for dot folders and node_modules")
    expect(readFileSync(`${work}/bare-data/report.md`, "utf8")).toContain("| TODO, FIXME, XXX, HACK | 1 |")
  }, 60_000)
})
