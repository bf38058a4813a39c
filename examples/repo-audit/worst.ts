/**
 * The ten places to look at first. Weights are lines to read again: a function weighs its lines, a repeated block the
 * lines that could go, an import circle 40 a file, markers 10 each where a file has three or more, a long file a tenth
 * of its lines. A pure function of the findings.
 */
import { compareBytes } from "./bytes.ts"
import type { Findings } from "./findings.ts"

/** A bad place: what is wrong, and the lines that show it. Paths and names are escaped bytes. */
export interface WorstPlace {
  readonly kind: "function" | "block" | "circle" | "markers" | "file"
  readonly weight: number
  readonly path: string
  readonly line: number
  readonly last: number
  /** The name of a function; the other files of a block or circle; empty else. */
  readonly names: ReadonlyArray<string>
}

const firstMarkers = (findings: Findings): ReadonlyMap<string, number> => {
  const first = new Map<string, number>()
  for (const { path, line } of findings.todos) if (!first.has(path)) first.set(path, line)
  return first
}

const placesOf = (findings: Findings, markers: ReadonlyMap<string, number>): ReadonlyArray<WorstPlace> => [
  ...findings.files.flatMap(({ path, lines, longest, todos }): ReadonlyArray<WorstPlace> => {
    const marker = markers.get(path)
    return [
      ...longest === null ? [] : [{
        kind: "function" as const,
        weight: longest.lines,
        path,
        line: longest.line,
        last: longest.line + longest.lines - 1,
        names: [longest.name]
      }],
      ...todos < 3 || marker === undefined
        ? []
        : [{ kind: "markers" as const, weight: todos * 10, path, line: marker, last: marker, names: [] }],
      ...lines < 1000
        ? []
        : [{ kind: "file" as const, weight: Math.floor(lines / 10), path, line: 1, last: lines, names: [] }]
    ]
  }),
  ...findings.duplicates.flatMap(({ lines, places }): ReadonlyArray<WorstPlace> => {
    const [first, ...others] = places
    if (first === undefined) return []
    return [{ kind: "block", weight: lines * others.length, ...first, names: others.map((place) => place.path) }]
  }),
  ...findings.circles.flatMap(({ members, way }): ReadonlyArray<WorstPlace> => {
    const first = way[0]
    if (first === undefined) return []
    const { from: path, line } = first
    return [{
      kind: "circle",
      weight: members.length * 40,
      path,
      line,
      last: line,
      names: members.filter((it) => it !== path)
    }]
  })
]

/** The ten heaviest places, heaviest first; equals by kind, bytes of path, line. */
export const worstOf = (findings: Findings): ReadonlyArray<WorstPlace> =>
  [...placesOf(findings, firstMarkers(findings))].sort((a, b) =>
    b.weight - a.weight || (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0) || compareBytes(a.path, b.path)
    || a.line - b.line
  ).slice(0, 10)
