/** Questions about a graph of dependencies. Unknown names are not its business and are passed over. */

/** Vertices in author order with the names each depends on. */
export type Dependencies = ReadonlyArray<readonly [id: string, on: ReadonlyArray<string>]>

/** One cycle, such as `["a", "b", "a"]`, or undefined if there is none. A vertex that depends on itself is one. */
export const findCycle = (graph: Dependencies): ReadonlyArray<string> | undefined => {
  const { rest } = chains(graph)
  const [first] = rest
  if (first === undefined) return undefined
  // Every vertex left over depends on one that is left over: following those must come back.
  const walked = [first[0]]
  let [, on] = first
  for (;;) {
    const next = rest.find(([id]) => on.includes(id))
    if (next === undefined) return undefined
    const before = walked.indexOf(next[0])
    walked.push(next[0])
    if (before !== -1) return walked.slice(before)
    on = next[1]
  }
}

/** Vertices on the longest chain; 0 for no vertices. Only meaningful without cycles. */
export const longestChain = (graph: Dependencies): number =>
  [...chains(graph).depth.values()].reduce((deepest, depth) => Math.max(deepest, depth), 0)

/** Takes vertices away whose dependencies are away, in rounds; what stays has a cycle in it or hangs on one. */
const chains = (graph: Dependencies) => {
  const known = new Set(graph.map(([id]) => id))
  const depth = new Map<string, number>()
  let rest = graph
  for (;;) {
    const ready = rest.filter(([, on]) => on.every((id) => !known.has(id) || depth.has(id)))
    if (ready.length === 0) return { depth, rest }
    const found = ready.map(([id, on]) => [id, 1 + Math.max(0, ...on.map((it) => depth.get(it) ?? 0))] as const)
    for (const [id, value] of found) depth.set(id, value)
    rest = rest.filter(([id]) => !depth.has(id))
  }
}
