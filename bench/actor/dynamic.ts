/**
 * A dynamic supervisor: what a child costs to spawn, to restart and in bytes, as one of 100 and as one of 100,000.
 */
import { Effect } from "effect"
import type { ActorRef, CellSpec, Supervision } from "../../core/actor/index.ts"
import { PAIRS, timed } from "../measure.ts"
import { spawnFamilies, stopFamilies } from "./families.ts"
import { absolute, FLAT, most, orLost } from "./rows.ts"

const supervision: Supervision = { strategy: "simple_one_for_one", intensity: 3, period: 5_000, counted: "each" }

const FEW = { families: 100, children: 100, supervision }
const MANY = { families: 1, children: 100_000, supervision }

/** How many children crash, one after the other. */
const CRASHES = 5_000

/** No noise here, but maps that double. */
const SAME_BYTES = 1.25

const crash = new Error("crash")

/** Crashes children, each when the one before is up again. */
class Chain {
  private victims: ReadonlyArray<ActorRef<number>> = []
  private next = 0
  private complete: (() => void) | undefined = undefined

  /** Tells the chain when it starts, and crashes with any message. */
  readonly child: CellSpec<number, number, never, never> = {
    name: "child",
    init: () => {
      this.started()
      return Effect.succeed(0)
    },
    behavior: () => {
      throw crash
    }
  }

  /** Gives the microseconds of work of a crash and its restart. */
  async run(children: ReadonlyArray<ActorRef<number>>): Promise<number> {
    const every = children.length / CRASHES
    this.victims = Array.from({ length: CRASHES }, (_, index) => children[index * every]!) // in range: every so many
    this.next = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    this.complete = resolve
    const { worked } = await timed(() => {
      this.started()
      return orLost(promise)
    })
    this.complete = undefined
    return worked * 1_000 / CRASHES
  }

  private started(): void {
    if (this.complete === undefined) return
    const victim = this.victims[this.next++]
    if (victim === undefined) this.complete()
    else victim.tellUnsafe(0)
  }
}

const costOf = (plan: typeof FEW) =>
  Effect.gen(function*() {
    const chain = new Chain()
    const families = yield* spawnFamilies({ ...plan, child: chain.child })
    const restarted = yield* Effect.promise(() => chain.run(families.children))
    const { worked: stopped } = yield* stopFamilies(families)
    return { spawned: families.spawned.worked, bytes: families.bytes, restarted, stopped }
  })

type Cost = Effect.Success<ReturnType<typeof costOf>>

/** Measures and prints. */
export const benchDynamic = Effect.gen(function*() {
  const few: Array<Cost> = []
  const many: Array<Cost> = []
  for (let round = -1; round < PAIRS; round++) {
    const first = yield* costOf(round % 2 === 0 ? FEW : MANY)
    const second = yield* costOf(round % 2 === 0 ? MANY : FEW)
    if (round < 0) continue
    few.push(round % 2 === 0 ? first : second)
    many.push(round % 2 === 0 ? second : first)
  }
  const compare = (name: string, key: "spawned" | "restarted" | "stopped" | "bytes", limit: number, digits = 2) => {
    absolute(`dynamic child, ${name}, one of 100`, few.map((it) => it[key]), undefined, digits)
    absolute(`dynamic child, ${name}, one of 100,000`, many.map((it) => it[key]), undefined, digits)
    absolute("  the second to the first", many.map((it, round) => it[key] / few[round]![key]), most(limit))
  }
  compare("microseconds of work to spawn", "spawned", FLAT)
  compare("microseconds of work to crash and start again", "restarted", FLAT)
  compare("microseconds of work to stop", "stopped", FLAT)
  compare("heap bytes", "bytes", SAME_BYTES, 0)
})
