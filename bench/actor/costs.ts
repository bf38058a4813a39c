/**
 * What a cell costs: heap bytes, microseconds to spawn, and to stop as one of 1,000, 10,000 and 100,000.
 */
import { Effect } from "effect"
import { PAIRS } from "../measure.ts"
import { spawnFamilies, stopFamilies } from "./families.ts"
import { absolute, FLAT, most } from "./rows.ts"

/** Of the small ones as many as can be timed. */
const FEW = { families: 10, children: 1_000 }
const SOME = { families: 1, children: 10_000 }
const MANY = { families: 1, children: 100_000 }

const costOf = (plan: typeof FEW) =>
  Effect.gen(function*() {
    const families = yield* spawnFamilies(plan)
    const { bytes, spawned } = families
    return { bytes, spawned, stopped: yield* stopFamilies(families) }
  })

type Cost = Effect.Success<ReturnType<typeof costOf>>

/** Measures and prints. */
export const benchCosts = Effect.gen(function*() {
  const few: Array<Cost> = []
  const some: Array<Cost> = []
  const many: Array<Cost> = []
  yield* costOf(MANY)
  for (let round = 0; round < PAIRS; round++) {
    // The smallest and the largest take turns at being first.
    if (round % 2 === 0) few.push(yield* costOf(FEW))
    many.push(yield* costOf(MANY))
    if (round % 2 !== 0) few.push(yield* costOf(FEW))
    some.push(yield* costOf(SOME))
  }
  absolute("one cell of 100,000, heap bytes", many.map((it) => it.bytes), most(2_560), 0)
  absolute("one cell of 100,000, microseconds to spawn", many.map((it) => it.spawned.took), most(8))
  absolute("  of the main thread's work", many.map((it) => it.spawned.worked), most(8))
  absolute("one cell of 1,000, microseconds of work to stop", few.map((it) => it.stopped.worked))
  absolute("one cell of 10,000, microseconds of work to stop", some.map((it) => it.stopped.worked))
  absolute("one cell of 100,000, microseconds of work to stop", many.map((it) => it.stopped.worked))
  absolute(
    "  the last to the first, which is 1 if stopping is linear",
    many.map((it, round) => it.stopped.worked / few[round]!.stopped.worked),
    most(FLAT)
  )
})
