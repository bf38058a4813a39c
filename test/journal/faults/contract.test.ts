/**
 * The store contract under faults: in a scenario of 300 operations the medium fails under the n-th, once or from then on,
 * for every n. What fails says so, nothing acknowledged is lost, nothing is half there, and the store opens again.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { holdLevel } from "../../../core/journal/level.ts"
import type { Medium } from "../../../core/journal/medium.ts"
import { memoryMedium } from "../../../core/journal/memory.ts"
import { JournalTasks } from "../../../core/journal/seams.ts"
import { openStore } from "../../../core/journal/store.ts"
import { folder, soak } from "../logs.ts"
import { failing, type Fault, Faults } from "./contract-medium.ts"
import { type Operation, scenario } from "./contract-scenario.ts"
import { Wrong, wrong } from "./contract-truth.ts"
import { World } from "./contract-world.ts"

const operations = scenario(300)

/** How the medium fails: under one operation, or from one on. */
type Duration = "once" | "for good"

/** Each `stride`-th n; every one at soak. */
const media: ReadonlyArray<{
  readonly name: string
  readonly medium: Effect.Effect<Medium, never, Scope.Scope>
  readonly stride: number
}> = [
  { name: "memory", medium: Effect.map(JournalTasks, memoryMedium), stride: soak ? 1 : 5 },
  {
    name: "LevelDB",
    medium: Effect.map(folder, (dir) => holdLevel(join(dir, "data"), undefined)),
    stride: soak ? 1 : 75
  }
]

describe.each(media)("a store on $name", ({ medium, stride }) => {
  for (const duration of ["once", "for good"] as const) {
    it.effect(
      `of which one operation of 300 fails, ${duration}, says so, and keeps what it acknowledged`,
      () =>
        Effect.gen(function*() {
          const failed = new Set<Operation["type"]>()
          for (let n = 0; n < operations.length; n += stride) {
            const faults: ReadonlyArray<Fault> = soak
              ? ["lost", "written"]
              : n / stride % 2 === 0
              ? ["lost"]
              : ["written"]
            for (const fault of faults) {
              const at = `operation ${n} (${operations[n]?.type}), ${fault} ${duration}`
              const type = yield* Effect.scoped(Effect.flatMap(medium, (medium) => play(medium, n, fault, duration)))
                .pipe(
                  Effect.mapError((error) => new Error(`${at}: ${error.message}`, { cause: error })),
                  Effect.catchDefect((defect) =>
                    Effect.die(defect instanceof Wrong ? new Wrong(`${at}: ${defect.message}`) : defect)
                  )
                )
              if (type !== undefined) failed.add(type)
            }
          }
          // The others read what is in memory.
          if (stride === 1) expect([...failed].toSorted()).toEqual(fallible)
        }),
      soak ? 1_800_000 : 30_000
    )
  }
})

const fallible: ReadonlyArray<Operation["type"]> = [
  "acquire",
  "aggregates",
  "blob",
  "destroyOther",
  "events",
  "head",
  "inspect",
  "load",
  "pinned",
  "prune",
  "putBlob",
  "refer",
  "submit",
  "writeOther"
]

/** Plays the scenario with a fault under one operation; gives its type if it failed. */
const play = Effect.fnUntraced(function*(medium: Medium, n: number, fault: Fault, duration: Duration) {
  const faults = new Faults()
  const lifetime = yield* Effect.acquireRelease(Scope.make(), Scope.close)
  const store = yield* Scope.provide(openStore(failing(medium, faults)), lifetime)
  const world = yield* World.begin(store)
  let failed: Operation["type"] | undefined
  for (const [index, operation] of operations.entries()) {
    if (index === n) faults.now = fault
    const before = faults.hits
    const result = yield* Effect.result(world.play(operation))
    const hit = faults.hits > before
    if (index === n && duration === "once") faults.now = undefined
    if (result._tag === "Success") {
      // An answer is for all of it.
      if (hit) yield* wrong(`operation ${index} (${operation.type}) answered, and a part of it failed`)
      continue
    }
    const { _tag, code } = result.failure
    if (index < n || index > n && duration === "once" || typeof code !== "string") {
      yield* wrong(`operation ${index} (${operation.type}) failed with ${_tag}, ${result.failure.message}`)
    }
    if (index === n) failed = operation.type
    if (duration === "once") yield* moving(world.recover())
  }
  yield* Scope.close(lifetime, Exit.void)
  faults.now = undefined
  yield* world.reopen(yield* openStore(failing(medium, faults)))
  return failed
})

/** Runs an effect while the virtual clock moves on, and lets the disk work. */
const moving = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) {
      yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
      yield* TestClock.adjust(20)
    }
    return yield* Fiber.join(fiber)
  })
