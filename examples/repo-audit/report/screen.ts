/**
 * What the terminal shows at the end: a table, what the two makes did not agree on, where the reports are, what to try
 * next. A pure function; bytes of the tree that would move the cursor stay escaped.
 */
import { display } from "../bytes.ts"
import type { Disagreement, Findings } from "../findings.ts"
import { plural, some } from "./markdown.ts"
import type { Timeline } from "./timeline.ts"

/** What the screen is told. */
export interface Screen {
  readonly findings: Findings
  readonly disagreements: ReadonlyArray<Disagreement>
  /** How many makes of auditor measured: 2, or 1 without Python. */
  readonly makes: 1 | 2
  readonly timeline: Timeline
  readonly markdown: string
  readonly html: string
  /** Commands to try next. */
  readonly next: ReadonlyArray<readonly [command: string, what: string]>
  /** In chaos, the last line counts; `wanted` kills were to be done. */
  readonly chaos: { readonly wanted: number } | undefined
}

const SHOWN = 20

const table = (rows: ReadonlyArray<readonly [string, string, string]>): ReadonlyArray<string> => {
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length))
  const [first, second] = [width(0), width(1)]
  return rows.map(([name, value, note]) => `  ${name.padEnd(first)}  ${value.padStart(second)}  ${note}`.trimEnd())
}

const unmeasured = (findings: Findings): ReadonlyArray<readonly [string, number]> => {
  const counts = new Map<string, number>()
  for (const why of [...findings.files.map(({ kind }) => kind), ...findings.skipped.map(({ why }) => why)]) {
    if (why !== "text") counts.set(why, (counts.get(why) ?? 0) + 1)
  }
  return [...counts].sort(([a], [b]) => a < b ? -1 : 1)
}

/** Lines for the terminal. */
export const renderScreen = (screen: Screen): ReadonlyArray<string> => {
  const { disagreements, findings, timeline } = screen
  const total = (of: (file: Findings["files"][number]) => number) =>
    findings.files.reduce((sum, file) => sum + of(file), 0)
  const number = (value: number) => value.toLocaleString("en")
  const longest = findings.files.reduce<Findings["files"][number] | undefined>(
    (best, file) => (file.longest?.lines ?? 0) > (best?.longest?.lines ?? 0) ? file : best,
    undefined
  )
  const block = findings.duplicates[0]
  const circle = findings.circles[0]
  const todo = findings.todos[0]
  const apart = unmeasured(findings)
  return [
    "",
    ...table([
      [
        "files",
        number(findings.files.length),
        `${number(total((it) => it.bytes))} bytes, ${number(total((it) => it.lines))} lines`
      ],
      [
        "longest function",
        number(longest?.longest?.lines ?? 0),
        longest?.longest ? `${display(longest.longest.name)}, ${display(longest.path)}:${longest.longest.line}` : ""
      ],
      [
        "repeated blocks",
        number(findings.duplicates.length),
        block
          ? `largest: ${block.lines} lines in ${block.places.length} places, ${display(block.places[0]?.path ?? "")}`
          : ""
      ],
      ["import circles", number(findings.circles.length), circle ? some(circle.members.map(display), 3) : ""],
      ["markers", number(total((it) => it.todos)), todo ? `first: ${display(todo.path)}:${todo.line}` : ""],
      [
        "not measured",
        number(apart.reduce((sum, [, count]) => sum + count, 0)),
        apart.map(([why, count]) => `${why.replaceAll("_", " ")} ${count}`).join(", ")
      ],
      [
        "measured by",
        `${screen.makes}`,
        screen.makes === 2 ? `makes; ${plural(disagreements.length, "disagreement")}` : "make"
      ]
    ]),
    ...disagreements.length === 0 ? [] : ["", "The two makes differ, the Node value stands:"],
    ...disagreements.slice(0, SHOWN).map(({ fields, path }) => `  ${display(path)}: ${fields.join(", ")}`),
    ...disagreements.length > SHOWN ? [`  and ${disagreements.length - SHOWN} more`] : [],
    "",
    `  ${screen.markdown}`,
    `  ${screen.html}`,
    "",
    "Try next:",
    ...table(screen.next.map(([command, what]) => [command, "", what] as const)),
    ...screen.chaos
      ? [
        `chaos: ${plural(timeline.kills, "kill")}, ${plural(timeline.restarts, "restart")}, ${
          plural(timeline.redeliveries, "redelivery", "redeliveries")
        }${timeline.kills < screen.chaos.wanted ? ` (too few files for ${plural(screen.chaos.wanted, "kill")})` : ""}`
      ]
      : []
  ]
}
