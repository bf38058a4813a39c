/**
 * `report.html`: one page that needs nothing but itself. The ten worst places with their code, the tree of the mob, the
 * timeline of this run. A pure function; whatever comes from the audited tree is text, never markup.
 */
import { display } from "../bytes.ts"
import type { Findings } from "../findings.ts"
import type { WorstPlace } from "../worst.ts"
import { plural, some } from "./markdown.ts"
import { drawTimeline, seconds } from "./svg.ts"
import type { Timeline } from "./timeline.ts"

/** A member as the page shows it. */
interface ShownMember {
  readonly identity: string
  readonly role: string
  readonly phase: string
  readonly generation: number
  readonly restarts: number
}

/** What the page is made of. `code` of a place are its lines, as far as they could be read again. */
export interface Page {
  readonly mob: string
  readonly findings: Findings
  readonly worst: ReadonlyArray<WorstPlace & { readonly code: ReadonlyArray<string> }>
  readonly members: ReadonlyArray<ShownMember>
  readonly timeline: Timeline
}

const entities: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;"
}

/** Text that stands for itself in markup and in attributes. */
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? "")

const bytes = (escaped: string): string => escapeHtml(display(escaped))

const title = (place: WorstPlace): string => {
  switch (place.kind) {
    case "function":
      return `Function <code>${bytes(place.names[0] ?? "")}</code> of ${plural(place.weight, "line")}`
    case "block":
      return `Block of ${place.last - place.line + 1} lines in ${plural(place.names.length + 1, "place")}`
    case "circle":
      return `Import circle of ${plural(place.names.length + 1, "file")}`
    case "markers":
      return `${plural(place.weight / 10, "marker")} in one file`
    case "file":
      return `Long file of ${plural(place.last, "line")}`
  }
}

const worstPlace = (place: Page["worst"][number]): string => {
  const others = place.kind === "function" ? [] : place.names
  const more = place.last - place.line + 1 - place.code.length
  return `<li><details${place.code.length <= 12 ? " open" : ""}>
<summary><b>${title(place)}</b> <span class="where">${bytes(place.path)}:${place.line}</span></summary>
${
    others.length === 0
      ? ""
      : `<p class="also">with ${some(others.map((path) => `<code>${bytes(path)}</code>`), 10)}</p>\n`
  }<pre>${
    place.code.map((line, index) => `<span class="n">${place.line + index}</span>${escapeHtml(line)}`).join("\n")
  }</pre>
${more > 0 && place.code.length > 0 ? `<p class="also">and ${plural(more, "more line")}</p>\n` : ""}</details></li>`
}

const memberNode = (member: ShownMember, timeline: Timeline): string => {
  const lane = timeline.lanes.find(({ identity }) => identity === member.identity)
  const crashes = lane?.crashes.length ?? 0
  return `<li><b>${escapeHtml(member.identity)}</b> <span class="phase">${escapeHtml(member.phase)}</span> ${
    plural(lane?.turns.length ?? 0, "turn")
  }, generation ${member.generation}${
    crashes === 0 ? "" : `, <span class="crash">${plural(crashes, "crash", "crashes")}</span>`
  }</li>`
}

const mobTree = ({ members, mob, timeline }: Page): string => {
  const roles = [...new Set(members.map((member) => member.role))].sort()
  return `<ul class="tree"><li><b>${escapeHtml(mob)}</b> supervises ${plural(members.length, "member")}<ul>${
    roles.map((role) =>
      `<li>${escapeHtml(role)}<ul>${
        members.filter((member) => member.role === role).map((member) =>
          memberNode(member, timeline)
        ).join("")
      }</ul></li>`
    ).join("")
  }</ul></li></ul>`
}

const tiles = ({ findings, timeline }: Page): string => {
  const total = (of: (file: Findings["files"][number]) => number) =>
    findings.files.reduce((sum, file) => sum + of(file), 0)
  const values: ReadonlyArray<readonly [string, string]> = [
    ["files", total(() => 1).toLocaleString("en")],
    ["lines", total((file) => file.lines).toLocaleString("en")],
    ["long functions", String(findings.functions.length)],
    ["repeated blocks", String(findings.duplicates.length)],
    ["import circles", String(findings.circles.length)],
    ["markers", String(total((file) => file.todos))],
    ["crashes survived", String(timeline.kills)],
    ["time", seconds(timeline.span)]
  ]
  return `<dl>${values.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`
}

const style = `
:root{color-scheme:light dark;--page:#fbfbfa;--ink:#1d2126;--soft:#626a73;--line:#dcdfe3;--card:#fff;--turn:#3b76c4;--crash:#c8322b;--again:#2c8a4b}
@media (prefers-color-scheme:dark){:root{--page:#14171a;--ink:#e4e7ea;--soft:#98a1aa;--line:#30363c;--card:#1c2024;--turn:#6aa3ee;--crash:#ff766d;--again:#5cc482}}
*{box-sizing:border-box}body{margin:0 auto;max-width:68rem;padding:2rem 1.25rem 4rem;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:2.25rem 0 .75rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));gap:.6rem;margin:0}
dl div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums}
ol.worst{padding-left:1.6rem}ol.worst>li{margin:.5rem 0}
details{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.5rem .8rem}summary{cursor:pointer;overflow-wrap:anywhere}
code,pre,.where{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.85em}.where,.also,.phase{color:var(--soft)}.also{margin:.4rem 0 0;overflow-wrap:anywhere}
pre{margin:.6rem 0 .2rem;padding-top:.6rem;border-top:1px solid var(--line);overflow-x:auto;line-height:1.45;tab-size:4}
pre .n{display:inline-block;width:3.5em;margin-right:1.2em;text-align:right;color:var(--soft);user-select:none}
.tree,.tree ul{list-style:none;padding-left:1.2rem;margin:.15rem 0}.tree{padding-left:0}.tree ul{border-left:1px solid var(--line)}
.crash{color:var(--crash)}.timeline{overflow-x:auto}svg{width:100%;min-width:40rem;height:auto;display:block}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .axis{fill:var(--soft);font-size:11px}svg .grid{stroke:var(--line)}
svg .turn{fill:var(--turn)}svg .died{stroke:var(--crash);stroke-width:2.5;fill:none}svg .again{fill:var(--again)}
.legend{color:var(--soft);font-size:.85rem}`

/** The whole page. */
export const renderHtml = (page: Page): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit</title>
<style>${style}
</style>
</head>
<body>
<h1>Audit</h1>
${tiles(page)}
<h2>Worst places</h2>
${page.worst.length === 0 ? "<p>None.</p>" : `<ol class="worst">${page.worst.map(worstPlace).join("\n")}</ol>`}
<h2>The mob</h2>
${mobTree(page)}
<h2>This run</h2>
<div class="timeline">${drawTimeline(page.timeline, escapeHtml)}</div>
<p class="legend">Bars are turns. A red cross is a crash of that member, a green triangle its restart. ${
    plural(page.timeline.redeliveries, "turn")
  } delivered again.</p>
</body>
</html>
`
