/**
 * Whatever is done to a journal, in whatever order, what can be read is what a plain array says.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { join } from "node:path"
import { CommitSeam } from "../../core/journal/index.ts"
import { holdLevel } from "../../core/journal/level.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { JournalTasks } from "../../core/journal/seams.ts"
import { openStore } from "../../core/journal/store.ts"
import { count, entry, folder, soak, submit, team } from "./logs.ts"
import { type Command, commands, Disk, play, Tally, told } from "./random-histories.ts"

const on = (medium: Medium, history: ReadonlyArray<Command>, tally: Tally) => {
  const disk = new Disk()
  return play(Effect.provideService(openStore(medium), CommitSeam, disk.wrap), disk, tally, history)
}

const seed = process.env["MOB_SEED"] === undefined ? {} : { seed: Number(process.env["MOB_SEED"]) }

describe("a journal under a random history", () => {
  it("in memory gives back what a plain array holds", () => {
    const tally = new Tally()
    return fc.assert(
      fc.asyncProperty(commands, (history) =>
        Effect.gen(function*() {
          const medium = memoryMedium(yield* JournalTasks)
          const fiber = yield* Effect.forkChild(on(medium, history, tally))
          while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(100)
          yield* Fiber.join(fiber)
        }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)),
      { numRuns: soak ? 5_000 : 40, examples: told.map((history) => [history]), ...seed }
    ).then(() =>
      seen(tally, ["committed", "RevisionConflict", "OwnerFenced", "recovered", "landed", "removed", "forgot"])
    )
  }, soak ? 3_600_000 : 60_000)

  it("on LevelDB gives back what a plain array holds", () => {
    const tally = new Tally()
    return fc.assert(
      fc.asyncProperty(commands, (history) =>
        Effect.gen(function*() {
          const dir = yield* folder
          yield* on(holdLevel(join(dir, "data"), undefined), history, tally)
        }).pipe(Effect.scoped, Effect.runPromise)),
      { numRuns: soak ? 300 : 5 + told.length, examples: told.map((history) => [history]), ...seed }
    ).then(() => seen(tally, ["committed"]))
  }, soak ? 3_600_000 : 60_000)
})

it.effect.each([1, 2])(
  "an ended aggregate that takes revision %i while it is forgotten is either there or gone",
  (late) =>
    Effect.gen(function*() {
      const came = new Set<string>()
      for (let wait = 0; wait < 40; wait++) {
        const medium = memoryMedium(yield* JournalTasks)
        const log = yield* (yield* openStore(medium)).acquire(team)
        yield* submit(log, [entry("run/a", 1, { terminal: true })])
        // Somebody writes all the time, so that what comes meanwhile is one group.
        let revision = 0
        let writing = true
        const write = () => {
          if (!writing) return
          log.submit({ entries: [entry("mob", ++revision)], committed: write, failed: () => {} })
        }
        write()
        const fiber = yield* Effect.forkChild(log.prune({ events: 1, forget: ["run/a"] }))
        for (let turn = 0; turn < wait; turn++) yield* Effect.yieldNow
        const answer = yield* Effect.result(submit(log, [entry("run/a", late, { terminal: true })]))
        const { forgotten } = yield* Fiber.join(fiber)
        writing = false
        yield* log.barrier("mob")
        const again = yield* (yield* openStore(medium)).acquire(team)
        const left = count(yield* again.load("run/a"))
        came.add(`${answer._tag} ${forgotten} ${left}`)
      }
      // Refused means that it was gone, or that it still had the entry of before.
      const possible = late === 2
        ? ["Success 0 2", "Success 1 0", "Failure 1 0"]
        : ["Failure 1 0", "Success 1 1"]
      for (const it of came) expect(possible).toContain(it)
      expect(came.size).toBeGreaterThan(1)
    }).pipe(Effect.provideService(JournalTasks, { later: setImmediate, begin: () => () => {} }))
)

/** The histories are worth what they came to. */
const seen = ({ counts }: Tally, whats: ReadonlyArray<string>): void => {
  console.info([...counts].sort().map(([what, count]) => `${what} ${count}`).join(", "))
  for (const what of whats) expect(counts.get(what) ?? 0, what).toBeGreaterThan(0)
}
