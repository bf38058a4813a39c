/**
 * `report.md`: a pure function of the findings, so of the tree alone. No time, no root, nobody's name in it.
 */
import { SHORTEST_BLOCK } from "../blocks.ts"
import { display } from "../bytes.ts"
import { type Findings, LONG_FUNCTION } from "../findings.ts"
import { worstOf, type WorstPlace } from "../worst.ts"

/** A number with its noun: `1 file`, `2 files`. */
export const plural = (count: number, noun: string, many = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : many}`

/** The first few of many: `a, b, c and 4 more`. */
export const some = (all: ReadonlyArray<string>, most: number): string =>
  all.slice(0, most).join(", ") + (all.length > most ? ` and ${all.length - most} more` : "")

/** Why a file's text was not measured, or an entry was no item, in words. */
const word: { readonly [reason: string]: string } = {
  text: "text",
  binary: "binary (a NUL byte in it), not measured",
  large: "over 1 MiB, not measured",
  missing: "tracked, but not there",
  unreadable: "cannot be read",
  link: "a link, not followed",
  behind_link: "behind a linked folder, not followed",
  not_a_file: "neither file nor folder",
  submodule: "a submodule, not entered",
  unreadable_folder: "a folder that cannot be read"
}

/** A text as inline code, whatever bytes it has: a fence longer than any run of backticks in it. */
const code = (escaped: string): string => {
  const text = display(escaped)
  const runs = text.match(/`+/g) ?? []
  const fence = "`".repeat(Math.max(0, ...runs.map((run) => run.length)) + 1)
  const room = text.startsWith("`") || text.endsWith("`") ? " " : ""
  return `${fence}${room}${text}${room}${fence}`
}

/** Inline code in a table, where a bar would end the cell. */
const cell = (escaped: string): string => code(escaped).replaceAll("|", "\\|")

const at = (path: string, line: number, last = line): string =>
  `${code(path)}:${line}${last === line ? "" : `-${last}`}`

/** What a worst place is, in one line of Markdown. */
const placeLine = (place: WorstPlace): string => {
  const where = at(place.path, place.line, place.last)
  switch (place.kind) {
    case "function":
      return `function ${code(place.names[0] ?? "")} of ${plural(place.weight, "line")}, ${where}`
    case "block":
      return `block repeated in ${plural(place.names.length + 1, "place")}, ${where}`
    case "circle":
      return `import circle of ${plural(place.names.length + 1, "file")}, from ${where}`
    case "markers":
      return `${plural(place.weight / 10, "marker")}, the first at ${where}`
    case "file":
      return `long file, ${where}`
  }
}

const section = (title: string, lines: ReadonlyArray<string>, none: string): ReadonlyArray<string> => [
  `## ${title}`,
  "",
  ...lines.length === 0 ? [none] : lines,
  ""
]

/** The whole report, as Markdown. */
export const renderMarkdown = (findings: Findings): string => {
  const { circles, duplicates, files, functions, skipped, todos } = findings
  const sum = (of: (file: Findings["files"][number]) => number) => files.reduce((total, file) => total + of(file), 0)
  const texts = files.filter((file) => file.kind === "text")
  const unread = [
    ...files.flatMap(({ kind, path }) => kind === "text" ? [] : [{ path, why: kind }]),
    ...skipped
  ]
  return [
    "# Audit",
    "",
    "| measure | value |",
    "| --- | ---: |",
    `| files | ${files.length} |`,
    `| bytes | ${sum((file) => file.bytes)} |`,
    `| text files | ${texts.length} |`,
    `| lines | ${sum((file) => file.lines)} |`,
    `| functions | ${sum((file) => file.functions)} |`,
    `| functions of ${LONG_FUNCTION} lines or more | ${functions.length} |`,
    `| repeated blocks of ${SHORTEST_BLOCK} lines or more | ${duplicates.length} |`,
    `| import circles | ${circles.length} |`,
    `| TODO, FIXME, XXX, HACK | ${sum((file) => file.todos)} |`,
    `| not measured | ${unread.length} |`,
    "",
    ...section("Worst places", worstOf(findings).map((place, index) => `${index + 1}. ${placeLine(place)}`), "None."),
    ...section(
      "Long functions",
      functions.map((it) => `- ${plural(it.lines, "line")}: ${code(it.name)}, ${at(it.path, it.line)}`),
      `No file has a function of ${LONG_FUNCTION} lines or more.`
    ),
    ...section(
      "Repeated blocks",
      duplicates.map(({ lines, places }) =>
        `- ${plural(lines, "line")} in ${plural(places.length, "place")}: ${
          places.map((place) => at(place.path, place.line, place.last)).join(", ")
        }`
      ),
      `No block of ${SHORTEST_BLOCK} lines or more stands twice.`
    ),
    ...section(
      "Import circles",
      circles.map(({ members, way }) =>
        `- ${plural(members.length, "file")}: ${way.map((step) => at(step.from, step.line)).join(" -> ")} -> ${
          code(way[0]?.from ?? "")
        }`
      ),
      "No file imports itself, directly or through others."
    ),
    ...section("Markers", todos.map((it) => `- ${at(it.path, it.line)}: ${code(it.text)}`), "None."),
    ...section(
      "Not measured",
      unread.map(({ path, why }) => `- ${code(path)}: ${word[why]}`),
      "Every file was measured."
    ),
    ...section("Files", [
      "| path | bytes | lines | functions | longest | markers |",
      "| --- | ---: | ---: | ---: | ---: | ---: |",
      ...texts.map((file) =>
        `| ${cell(file.path)} | ${file.bytes} | ${file.lines} | ${file.functions} | ${
          file.longest?.lines ?? ""
        } | ${file.todos} |`
      )
    ], "None.")
  ].join("\n")
}
