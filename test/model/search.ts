/**
 * Search through the worlds of a model: breadth first with hashes, and random walks.
 */

/** A way on. `progress`: it will happen sooner or later; a fault or a client's whim need not. */
export interface Action<World> {
  readonly label: string
  readonly progress: boolean
  readonly next: () => World
}

/** What is searched. */
export interface Model<World> {
  readonly initial: () => World
  readonly actions: (world: World) => ReadonlyArray<Action<World>>
  readonly text: (world: World) => string
  /** What must hold in every world. */
  readonly broken: (world: World) => string | undefined
  /** What must hold where nothing makes progress any more. */
  readonly unfinished: (world: World) => string | undefined
}

/** What went wrong, and how it came about. */
export interface Violation {
  readonly what: string
  readonly trace: ReadonlyArray<string>
}

/** What a search found. */
export interface Found {
  readonly states: number
  /** Every reachable world was seen. */
  readonly complete: boolean
  readonly violation: Violation | undefined
}

/** 53 bits of a text: with a million worlds, a collision that hides one has a chance of one in 18,000. */
const hash = (text: string): number => {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 0x85ebca77)
    b = Math.imul(b ^ code, 0xc2b2ae3d)
  }
  a = Math.imul(a ^ (a >>> 15), 0x27d4eb2f) ^ (b >>> 13)
  b = Math.imul(b ^ (b >>> 16), 0x165667b1) ^ (a >>> 11)
  return (b >>> 11) * 4294967296 + (a >>> 0)
}

/**
 * Visits worlds breadth first until all are seen, `limit` are, or one breaks a rule. A complete search also finds
 * worlds from which progress alone never reaches an end.
 */
export const search = <World>(model: Model<World>, limit: number): Found => {
  const ids = new Map<number, number>()
  const parents: Array<number> = [-1]
  const labels: Array<string> = [""]
  const edges: Array<[number, number]> = []
  const ends: Array<number> = []
  const trace = (id: number): ReadonlyArray<string> => {
    const steps: Array<string> = []
    for (let at = id; at > 0; at = parents[at] ?? 0) steps.push(labels[at] ?? "")
    return steps.reverse()
  }
  const found = (id: number, what: string): Found => ({
    states: ids.size,
    complete: false,
    violation: { what, trace: trace(id) }
  })
  const first = model.initial()
  ids.set(hash(model.text(first)), 0)
  let level: Array<[number, World]> = [[0, first]]
  while (level.length > 0) {
    const next: Array<[number, World]> = []
    for (const [id, world] of level) {
      if (ids.size > limit) return { states: ids.size, complete: false, violation: undefined }
      const broken = model.broken(world)
      if (broken !== undefined) return found(id, broken)
      let moves = false
      for (const action of model.actions(world)) {
        const after = action.next()
        const key = hash(model.text(after))
        let to = ids.get(key)
        if (to === undefined) {
          to = ids.size
          ids.set(key, to)
          parents.push(id)
          labels.push(action.label)
          next.push([to, after])
        }
        if (action.progress) {
          edges.push([id, to])
          if (to !== id) moves = true
        }
      }
      if (!moves) {
        const unfinished = model.unfinished(world)
        if (unfinished !== undefined) return found(id, unfinished)
        ends.push(id)
      }
    }
    level = next
  }
  const stuck = livelock(ids.size, edges, ends)
  return stuck === undefined
    ? { states: ids.size, complete: true, violation: undefined }
    : found(stuck, "I7 progress goes round in circles for ever")
}

/** A world from which no end is reachable by progress alone. */
const livelock = (
  states: number,
  edges: ReadonlyArray<readonly [number, number]>,
  ends: ReadonlyArray<number>
): number | undefined => {
  const back = new Map<number, Array<number>>()
  for (const [from, to] of edges) {
    const sources = back.get(to)
    if (sources === undefined) back.set(to, [from])
    else sources.push(from)
  }
  const seen = new Uint8Array(states)
  const queue = [...ends]
  for (const end of ends) seen[end] = 1
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    for (const from of back.get(at) ?? []) {
      if (seen[from] === 1) continue
      seen[from] = 1
      queue.push(from)
    }
  }
  const stuck = seen.indexOf(0)
  return stuck < 0 ? undefined : stuck
}

/** Follows random ways, faults now and then, each to an end or `length` steps. */
export const walk = <World>(
  model: Model<World>,
  { walks, length, seed }: { readonly walks: number; readonly length: number; readonly seed: number }
): { readonly steps: number; readonly ends: number; readonly violation: Violation | undefined } => {
  let state = seed >>> 0
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  }
  let steps = 0
  let ends = 0
  for (let count = 0; count < walks; count++) {
    let world = model.initial()
    const trace: Array<string> = []
    for (let step = 0; step < length; step++) {
      const broken = model.broken(world)
      if (broken !== undefined) return { steps, ends, violation: { what: broken, trace } }
      const actions = model.actions(world)
      const progress = actions.filter((action) => action.progress)
      const whims = actions.filter((action) => !action.progress)
      if (progress.length === 0 && (whims.length === 0 || random() < 0.5)) {
        const unfinished = model.unfinished(world)
        if (unfinished !== undefined) return { steps, ends, violation: { what: unfinished, trace } }
        ends++
        break
      }
      const pool = whims.length > 0 && (progress.length === 0 || random() < 0.15) ? whims : progress
      const action = pool[Math.floor(random() * pool.length)]
      if (action === undefined) break
      trace.push(action.label)
      world = action.next()
      steps++
    }
  }
  return { steps, ends, violation: undefined }
}
