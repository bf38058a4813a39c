/**
 * Whoever restores is killed at any moment: all of the backup is there, or nothing; then it can be restored again.
 */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { backup, restore } from "../../../core/journal/copy/index.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { entry, folder, soak, submit, team, until } from "../logs.ts"
import { child } from "../processes.ts"
import { everything, fill, other, using, verifyHere } from "./stores.ts"

it.live(
  "kill -9 while restoring leaves all or nothing, and what is there already as it was",
  () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const file = join(dir, "backup")
      const before = yield* using(holdLevel(join(dir, "data"), undefined), (store) =>
        Effect.gen(function*() {
          yield* fill(store, 200)
          yield* backup(store, file, { mobs: [team] })
          const log = yield* store.inspect(team)
          return log && (yield* everything(log))
        }))
      const target = join(dir, "target")
      const own = Effect.suspend(() =>
        using(holdLevel(target, undefined), (store) =>
          Effect.gen(function*() {
            const mine = yield* store.inspect(other)
            const log = yield* store.inspect(team)
            return { mine: mine?.latestCursor(), log: log && (yield* everything(log)), mobs: yield* store.mobs }
          }))
      )
      /** Restores in another process, killed after `moment` milliseconds; gives how long it took. */
      const restoring = (moment: number) =>
        Effect.scoped(Effect.gen(function*() {
          const restorer = yield* child("copy/restorer.ts", [file, target])
          yield* until(() => restorer.lines.includes("ready"))
          const begun = performance.now()
          yield* Effect.raceFirst(Effect.sleep(moment), until(() => restorer.lines.includes("done")))
          restorer.kill()
          yield* Effect.promise(() => restorer.ended)
          return performance.now() - begun
        }))
      const whole = yield* restoring(60_000)
      const outcomes = { all: 0, none: 0 }
      const rounds = soak ? 60 : 4
      for (let round = 0; round < rounds; round++) {
        fs.rmSync(target, { recursive: true, force: true })
        yield* using(
          holdLevel(target, undefined),
          (store) => Effect.flatMap(store.acquire(other), (log) => submit(log, [entry("mob", 1)]))
        )
        yield* restoring(whole * (round + 0.3) / rounds)
        const after = yield* own
        expect(after.mine).toBe(1)
        if (after.log === undefined) {
          outcomes.none++
          expect(after.mobs).toEqual([other])
          // The opening above has cleaned up.
          expect(fs.existsSync(join(target, "blobs")) ? fs.readdirSync(join(target, "blobs")) : []).toEqual([])
          yield* restore(file, target)
          expect((yield* own).log).toEqual(before)
        } else {
          outcomes.all++
          expect(after.log).toEqual(before)
        }
        expect((yield* verifyHere(target)).findings).toEqual([])
      }
      // Moments of the first kind must be among them.
      expect(outcomes.none).toBeGreaterThan(0)
      if (process.env["MOB_SHOW"] === "1") console.log(outcomes)
    }),
  600_000
)
