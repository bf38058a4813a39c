/**
 * Who imports whom, and the circles among them: the strongly connected components of the graph, by Tarjan's
 * algorithm, each shown by a shortest way round. A pure function of the measures.
 */
import { compareBytes } from "./bytes.ts"
import type { Measured } from "./measure.ts"

/** One import that was found in the tree. */
export interface Step {
  readonly from: string
  readonly line: number
  readonly to: string
}

/** Files that import each other, by bytes of path, and a shortest way round from the first of them. */
interface Circle {
  readonly members: ReadonlyArray<string>
  readonly way: ReadonlyArray<Step>
}

const scripts = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"]

/** `a/b` and `../c` give `a/c`; undefined above the root. Works on escaped bytes. */
const walk = (folder: ReadonlyArray<string>, target: string): string | undefined => {
  const parts = [...folder]
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue
    if (part !== "..") parts.push(part)
    else if (parts.pop() === undefined) return undefined
  }
  return parts.join("/")
}

/** Paths that a relative import may mean, best first. */
const candidates = (path: string, target: string): ReadonlyArray<string> => {
  const folder = path.split("/").slice(0, -1)
  if (/\.pyi?$/i.test(path)) {
    const dots = /^\.*/.exec(target)?.[0].length ?? 0
    if (dots - 1 > folder.length) return []
    const base = walk(folder.slice(0, folder.length - dots + 1), target.slice(dots).replaceAll(".", "/"))
    return base === undefined
      ? []
      : base === ""
      ? ["__init__.py"]
      : [`${base}.py`, `${base}.pyi`, `${base}/__init__.py`]
  }
  const base = walk(folder, target)
  if (base === undefined) return []
  // TypeScript sources may be imported by the name of what they compile to.
  const written = /^(.*\.[mc]?)js(x?)$/.exec(base)
  const sources = written === null ? [] : [`${written[1]}ts${written[2]}`]
  const inside = base === "" ? "" : `${base}/`
  return [base, ...sources, ...scripts.map((end) => `${base}.${end}`), ...scripts.map((end) => `${inside}index.${end}`)]
}

/** Imports between files of the tree: the first import of each pair, in the order of the files. */
const stepsOf = (files: ReadonlyArray<Measured>): Map<string, ReadonlyArray<Step>> => {
  const known = new Set(files.map((file) => file.path))
  return new Map(files.map((file) => {
    const steps = new Map<string, Step>()
    for (const [line, target] of file.imports) {
      const to = candidates(file.path, target).find((path) => known.has(path))
      if (to !== undefined && !steps.has(to)) steps.set(to, { from: file.path, line, to })
    }
    return [file.path, [...steps.values()].sort((a, b) => compareBytes(a.to, b.to))]
  }))
}

/** Strongly connected components. Iterative: a chain of imports may be as long as the tree has files. */
const components = (graph: Map<string, ReadonlyArray<Step>>): ReadonlyArray<ReadonlyArray<string>> => {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const open: Array<string> = []
  const isOpen = new Set<string>()
  const found: Array<ReadonlyArray<string>> = []
  const enter = (node: string) => {
    order.set(node, order.size)
    low.set(node, order.size - 1)
    open.push(node)
    isOpen.add(node)
    return { node, next: 0 }
  }
  const lower = (node: string, value: number) => low.set(node, Math.min(low.get(node) ?? value, value))
  for (const root of graph.keys()) {
    if (order.has(root)) continue
    const path = [enter(root)]
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      const step = graph.get(frame.node)?.[frame.next++]
      if (step !== undefined) {
        const seen = order.get(step.to)
        if (seen === undefined) path.push(enter(step.to))
        else if (isOpen.has(step.to)) lower(frame.node, seen)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      const lowest = low.get(frame.node) ?? 0
      if (parent !== undefined) lower(parent.node, lowest)
      if (lowest !== order.get(frame.node)) continue
      const members = open.splice(open.lastIndexOf(frame.node))
      members.forEach((member) => isOpen.delete(member))
      found.push(members)
    }
  }
  return found
}

/** A shortest way from a member round to itself, within the members; the first by bytes of path among equals. */
const wayRound = (
  graph: Map<string, ReadonlyArray<Step>>,
  start: string,
  members: ReadonlySet<string>
): ReadonlyArray<Step> => {
  const reached = new Map<string, Step>()
  for (let ring = [start]; ring.length > 0;) {
    const next: Array<string> = []
    for (const node of ring) {
      for (const step of graph.get(node) ?? []) {
        if (!members.has(step.to) || reached.has(step.to)) continue
        reached.set(step.to, step)
        next.push(step.to)
      }
    }
    ring = reached.has(start) ? [] : next
  }
  const way: Array<Step> = []
  for (
    let step = reached.get(start);
    step !== undefined;
    step = step.from === start ? undefined : reached.get(step.from)
  ) {
    way.unshift(step)
  }
  return way
}

/** All import circles, a file that imports itself included: by bytes of their first path. */
export const circlesOf = (files: ReadonlyArray<Measured>): ReadonlyArray<Circle> => {
  const graph = stepsOf(files)
  return components(graph).flatMap((component): ReadonlyArray<Circle> => {
    const members = [...component].sort(compareBytes)
    const way = wayRound(graph, members[0] ?? "", new Set(members))
    return way.length === 0 ? [] : [{ members, way }]
  }).sort((a, b) => compareBytes(a.members[0] ?? "", b.members[0] ?? ""))
}
