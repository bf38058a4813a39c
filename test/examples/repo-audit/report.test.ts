import type { StoredEvent } from "mobwright/sdk"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { escapeBytes } from "../../../examples/repo-audit/bytes.ts"
import { excerpt } from "../../../examples/repo-audit/excerpt.ts"
import type { Findings } from "../../../examples/repo-audit/findings.ts"
import { type Page, renderHtml } from "../../../examples/repo-audit/report/html.ts"
import { renderMarkdown } from "../../../examples/repo-audit/report/markdown.ts"
import { renderScreen, type Screen } from "../../../examples/repo-audit/report/screen.ts"
import { timelineOf } from "../../../examples/repo-audit/report/timeline.ts"
import { worstOf } from "../../../examples/repo-audit/worst.ts"
import { expected } from "./plant.ts"

const row = (path: string, over: Partial<Findings["files"][number]> = {}): Findings["files"][number] => ({
  path,
  kind: "text",
  bytes: 10,
  lines: 2,
  functions: 0,
  longest: null,
  todos: 0,
  ...over
})

const findings: Findings = {
  ...expected,
  files: [
    row("`a`|b.ts"),
    row("<script>alert(1)<"),
    row("lib/long.ts", { functions: 1, longest: { name: "grind", line: 3, lines: 412 } }),
    row("x%0Ay", { kind: "binary", lines: 0 })
  ]
}

const event = (
  cursor: number,
  at: number,
  fields: { readonly type: string; readonly [key: string]: string | number }
): StoredEvent => ({
  cursor,
  at,
  event: fields
})

const events: ReadonlyArray<StoredEvent> = [
  event(1, 900, { type: "member_crashed", identity: "node-1", generation: 1, cause: "before the run" }),
  event(2, 1000, { type: "flow_started", run_id: "r", flow_id: "audit" }),
  event(3, 1000, { type: "step_dispatched", run_id: "r", step_id: "node", target: "node-1", item: 0 }),
  event(4, 1000, { type: "step_dispatched", run_id: "r", step_id: "node", target: "node-2", item: 1 }),
  event(5, 1100, { type: "step_target_completed", run_id: "r", step_id: "node", target: "node-2", item: 1 }),
  event(6, 1200, { type: "member_crashed", identity: "node-1", generation: 1, cause: "killed" }),
  event(7, 1300, { type: "member_restarted", identity: "node-1", generation: 2, fence_token: 9 }),
  event(8, 1300, { type: "step_redelivered", run_id: "r", step_id: "node", target: "node-1", fence_token: 9 }),
  event(9, 1400, { type: "step_redelivered", run_id: "another", step_id: "node", target: "node-1", fence_token: 9 }),
  event(10, 1500, { type: "step_target_completed", run_id: "r", step_id: "node", target: "node-1", item: 0 }),
  event(11, 2000, { type: "flow_completed", run_id: "r", flow_id: "audit" })
]

const timeline = timelineOf(events, "r")

describe("the timeline", () => {
  it("counts turns, crashes, restarts and redeliveries of its run, from its first event on", () => {
    expect(timeline).toEqual({
      span: 1000,
      lanes: [
        { identity: "node-1", turns: [{ start: 0, end: 500 }], crashes: [200], restarts: [300] },
        { identity: "node-2", turns: [{ start: 0, end: 100 }], crashes: [], restarts: [] }
      ],
      kills: 1,
      restarts: 1,
      redeliveries: 1
    })
  })
})

describe("report.md", () => {
  it("names every finding once, whatever bytes are in a name", () => {
    const report = renderMarkdown(findings)
    expect(report).toContain("- 412 lines: `grind`, `lib/long.ts`:3\n")
    expect(report).toContain(
      "- 30 lines in 3 places: `copies/one.ts`:2-31, `copies/three.py`:3-32, `copies/two.js`:3-32\n"
    )
    expect(report).toContain(
      "- 3 files: `circle/a.ts`:1 -> `circle/b.ts`:2 -> `circle/c/index.ts`:1 -> `circle/a.ts`\n"
    )
    expect(report).toContain("- `marks/two.py`:1: `TODO: six – \"quoted\"`\n")
    expect(report).toContain("- `x%0Ay`: binary (a NUL byte in it), not measured\n")
    expect(report).toContain("| `` `a`\\|b.ts `` | 10 | 2 |")
    expect(report.endsWith("|\n")).toBe(true)
  })

  it("of a tree without findings says so in every section", () => {
    const report = renderMarkdown({
      files: [row("a.txt")],
      skipped: [],
      functions: [],
      duplicates: [],
      circles: [],
      todos: []
    })
    for (
      const none of [
        "No file has a function of 100",
        "No block of 20 lines",
        "No file imports itself",
        "None.",
        "Every file was measured."
      ]
    ) {
      expect(report).toContain(none)
    }
  })
})

describe("report.html", () => {
  const page: Page = {
    mob: "repo-audit",
    findings,
    worst: worstOf(findings).map((place) => ({ ...place, code: ["</pre><script>alert(\"x\")</script> & more"] })),
    members: [
      { identity: "node-1", role: "auditor_node", phase: "active", generation: 2, restarts: 1 },
      { identity: "<b>node-2", role: "auditor_node", phase: "active", generation: 1, restarts: 0 }
    ],
    timeline
  }
  const html = renderHtml(page)

  it("shows what comes from the tree as text, never as markup", () => {
    expect(html).not.toContain("<script")
    expect(html).not.toContain("<b>node-2")
    expect(html).toContain("&lt;/pre&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; more")
  })

  it("needs nothing but itself", () => {
    expect(html).not.toMatch(/(?:src|href|url|@import|https?:)\s*[=(:]/i)
    expect(html).toContain("default-src 'none'")
    expect(html).toContain("prefers-color-scheme:dark")
  })

  it("marks crashes and restarts in the timeline, and counts them in the tree of the mob", () => {
    expect(html.match(/class="died"/g)).toHaveLength(1)
    expect(html.match(/class="again"/g)).toHaveLength(1)
    expect(html).toContain(
      "<b>node-1</b> <span class=\"phase\">active</span> 1 turn, generation 2, <span class=\"crash\">1 crash</span>"
    )
  })

  it("stays small however many turns there were", () => {
    const turns = Array.from({ length: 20_000 }, (_, at) => ({ start: at, end: at + 1 }))
    const busy = { ...timeline, span: 20_000, lanes: [{ identity: "node-1", turns, crashes: [], restarts: [] }] }
    expect(renderHtml({ ...page, timeline: busy }).length).toBeLessThan(40_000)
  })
})

describe("the screen", () => {
  const screen: Screen = {
    findings,
    disagreements: [],
    makes: 2,
    timeline,
    markdown: "/out/report.md",
    html: "/out/report.html",
    next: [["npm start -- --chaos", "kills"], ["npm start -- FOLDER", "another"], ["npm run mob -- events", "log"]],
    chaos: undefined
  }

  it("sums up, and ends with three commands to try next", () => {
    const lines = renderScreen(screen)
    expect(lines.join("\n")).toContain("longest function  412  grind, lib/long.ts:3")
    expect(lines.slice(-4).map((line) => line.trim().split("  ")[0])).toEqual([
      "Try next:",
      "npm start -- --chaos",
      "npm start -- FOLDER",
      "npm run mob -- events"
    ])
  })

  it("lists disagreements, and says so when there are many", () => {
    const disagreements = Array.from({ length: 25 }, (_, at) => ({ path: `f${at}`, fields: ["lines", "blocks"] }))
    const text = renderScreen({ ...screen, disagreements }).join("\n")
    expect(text).toContain("25 disagreements")
    expect(text).toContain("  f19: lines, blocks\n  and 5 more")
    expect(text).not.toContain("f20")
  })

  it("in chaos ends with the counts of the event log, and owns up to too few", () => {
    expect(renderScreen({ ...screen, chaos: { wanted: 1 } }).at(-1)).toBe("chaos: 1 kill, 1 restart, 1 redelivery")
    expect(renderScreen({ ...screen, chaos: { wanted: 5 } }).at(-1)).toContain("(too few files for 5 kills)")
  })
})

describe("an excerpt", () => {
  let root = ""
  beforeAll(() => {
    root = mkdtempSync(`${tmpdir()}/audit-excerpt-`)
    writeFileSync(`${root}/a.ts`, "one\r\n\ttwo\n\u001b[2J \u00e9\n" + "four\n".repeat(200))
    symlinkSync("a.ts", `${root}/link.ts`)
  })
  afterAll(() => rmSync(root, { recursive: true }))

  it("gives at most sixty lines without control characters, and none of what cannot be read", () => {
    const of = (path: string, first: number, last: number) => excerpt(escapeBytes(Buffer.from(root)), path, first, last)
    expect(of("a.ts", 1, 3)).toEqual(["one", "    two", "\ufffd[2J é"])
    expect(of("a.ts", 1, 200)).toHaveLength(60)
    expect(of("link.ts", 1, 3)).toEqual([])
    expect(of("absent.ts", 1, 3)).toEqual([])
  })
})
