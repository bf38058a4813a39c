/**
 * Cells with many children, for benches of what a child costs.
 */
import { Effect } from "effect"
import { type ActorRef, ActorSystem, type CellSpec, type Supervision } from "../../core/actor/index.ts"

/** A cell that does nothing, as most do most of the time. */
export const idle: CellSpec<number, number, never, never> = {
  name: "cell",
  init: () => Effect.succeed(0),
  behavior: (count) => Effect.succeed(count)
}

/** What families to spawn. */
interface Plan {
  readonly families: number
  /** In each of them. */
  readonly children: number
  /** What they all are; idle if it is left out. */
  readonly child?: CellSpec<number, number, never, never>
  readonly supervision?: Supervision
}

/** Parents, and all their children. */
interface Families {
  readonly parents: ReadonlyArray<ActorRef<never>>
  readonly children: ReadonlyArray<ActorRef<number>>
  /** What a child took to spawn. */
  readonly spawned: Micros
  /** Heap bytes of a child; its reference is not counted. */
  readonly bytes: number
}

/** Microseconds, by the clock and of the main thread's work: that hardly feels what else runs. */
export interface Micros {
  readonly took: number
  readonly worked: number
}

/** Begins to measure; what it gives ends that, for so many. */
const stopwatch = () => {
  const before = process.threadCpuUsage()
  const begin = performance.now()
  return (count: number): Micros => {
    const took = (performance.now() - begin) * 1_000 / count
    const { system, user } = process.threadCpuUsage(before)
    return { took, worked: (system + user) / count }
  }
}

/** nact ends an actor in a macrotask of its own. */
const macrotask = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const heapUsed = Effect.map(macrotask, () => {
  if (globalThis.gc === undefined) throw new Error("what a cell costs is measured with node --expose-gc")
  globalThis.gc()
  return process.memoryUsage().heapUsed
})

/** Spawns them; nothing else may run meanwhile. */
export const spawnFamilies = ({ child = idle, children: each, families, supervision }: Plan) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const parents: Array<ActorRef<never>> = []
    const total = families * each
    const children = Array.from<ActorRef<number> | undefined>({ length: total })
    let spawned = 0
    const before = yield* heapUsed
    const end = stopwatch()
    for (let family = 0; family < families; family++) {
      const parent = yield* system.spawn<number, never, unknown, never>({
        name: "parent",
        ...(supervision && { supervision }),
        init: (context) =>
          Effect.gen(function*() {
            for (let number = 0; number < each; number++) {
              const ref = yield* context.spawn(child)
              children[spawned++] = ref
            }
            return 0
          }),
        behavior: (count) => Effect.succeed(count)
      })
      parents.push(parent)
    }
    const time = end(total)
    const bytes = ((yield* heapUsed) - before) / total
    const all = children.filter((it) => it !== undefined)
    if (all.length !== total) throw new Error(`${all.length} children were spawned, not ${total}`)
    return { parents, children: all, spawned: time, bytes } satisfies Families
  })

/** Stops them, and gives what a child took. */
export const stopFamilies = ({ children, parents }: Families) =>
  Effect.gen(function*() {
    const end = stopwatch()
    for (const parent of parents) yield* parent.stop()
    yield* macrotask
    const time = end(children.length)
    const alive = children.filter((it) => it.tellUnsafe(0)).length
    if (alive > 0) throw new Error(`${alive} children of ${children.length} outlived their parent`)
    return time
  })
