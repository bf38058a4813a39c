/**
 * What crashes while a restart is under way, and starts that fail.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { Family, once, trio } from "./family.ts"

for (const [systemName, layer] of everySystem) {
  describe(`a crash during a restart, ${systemName}`, () => {
    it.effect("what crashes while the others are being stopped ends with its own cause, and counts once", () =>
      Effect.gen(function*() {
        const family = new Family()
        const stops = once(Effect.sync(() => family.crash("a", "meanwhile")))
        yield* trio("one_for_all", { intensity: 1 }, { b: { stops } }, family)
        family.crash("c", "first")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop c crashed first",
          "stop b shutdown",
          "stop a crashed meanwhile",
          "start a",
          "start b",
          "start c"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("the same where stops are slow", () =>
      Effect.gen(function*() {
        const slow = { stops: once(Effect.sleep(100)) }
        const { family } = yield* trio("one_for_all", { intensity: 1 }, { a: slow, b: slow, c: slow })
        family.crash("c", "first")
        yield* advance(50)
        family.crash("b", "second")
        yield* advance(100)
        family.crash("a", "third")
        yield* advance(1_000)
        assert.deepStrictEqual(family.take(), [
          "stop c crashed first",
          "stop b crashed second",
          "stop a crashed third",
          "start a",
          "start b",
          "start c"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("a start that fails is one more crash", () =>
      Effect.gen(function*() {
        const { family } = yield* trio("one_for_all", { intensity: 3 }, {
          b: { starts: (attempt) => attempt === 1 || attempt > 3 ? Effect.void : Effect.fail(`start ${attempt}`) }
        })
        family.ref("a").tellUnsafe({ type: "fail", error: "boom" })
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop a crashed boom",
          "stop c shutdown",
          "stop b shutdown",
          "start a",
          "start b",
          "stop a shutdown",
          "start a",
          "start b",
          "stop a shutdown",
          "start a",
          "start b",
          "start c"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("rest_for_one_other_child_fails_restart: those that stand before the one that failed stay up", () =>
      Effect.gen(function*() {
        const { family } = yield* trio("rest_for_one", { intensity: 2 }, {
          c: { starts: (attempt) => attempt === 2 ? Effect.fail("not yet") : Effect.void }
        })
        family.crash("b")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop b crashed boom",
          "stop c shutdown",
          "start b",
          "start c",
          "start c"
        ])
      }).pipe(Effect.provide(layer)))

    for (const how of ["crashes from outside", "crashes in a fork", "throws"] as const) {
      it.effect(`one that ${how} in its init is one more crash, and its init is interrupted`, () =>
        Effect.gen(function*() {
          const interrupted: Array<string> = []
          const { family, system } = yield* trio("one_for_one", { intensity: 2 }, {
            b: {
              starts: (attempt, context) => {
                if (attempt !== 2) return Effect.void
                if (how === "throws") throw new Error("boom")
                if (how === "crashes in a fork") {
                  context.fork(Effect.andThen(Effect.sleep(100), Effect.fail("forked")))
                }
                return Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push("b")))
              }
            }
          })
          family.crash("b")
          yield* advance(100)
          if (how === "crashes from outside") family.crash("b", "outside")
          yield* settle
          assert.deepStrictEqual(family.take(), ["stop b crashed boom", "start b", "start b"])
          assert.deepStrictEqual(interrupted, how === "throws" ? [] : ["b"])
          assert.strictEqual(system.snapshotTree().children[0]?.children[1]?.restarts, 2)
          // Counted: one more is too many.
          family.crash("b")
          yield* settle
          assert.include(family.take(), "start parent")
        }).pipe(Effect.provide(layer)))
    }

    it.effect("one that is up again and crashes while a later one starts counts once more, and all start anew", () =>
      Effect.gen(function*() {
        for (const intensity of [1, 2]) {
          const { family, parent } = yield* trio("one_for_all", { intensity }, {
            b: { starts: (attempt) => attempt === 2 ? Effect.sleep(100) : Effect.void }
          })
          family.crash("c")
          yield* advance(50)
          assert.deepStrictEqual(family.take().slice(3), ["start a", "start b"])
          family.crash("a", "again")
          yield* advance(50)
          const stops = ["stop a crashed again", "stop c shutdown", "stop b shutdown"]
          assert.deepStrictEqual(
            family.take(),
            intensity === 2
              ? ["start c", ...stops, "start a", "start b", "start c"]
              : ["start c", ...stops, "stop parent crashed again", "start parent", "start a", "start b", "start c"]
          )
          yield* parent.stop()
          family.take()
        }
      }).pipe(Effect.provide(layer)))

    it.effect("one that never comes up is too many crashes in the end", () =>
      Effect.gen(function*() {
        for (const strategy of ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"] as const) {
          const family = new Family()
          const starts = (attempt: number) =>
            attempt > 1 && family.attempts("parent") === 1 ? Effect.never : Effect.void
          yield* trio(strategy, { intensity: 5, period: 60_000 }, { b: { startTimeout: 2_000, starts } }, family)
          family.crash("b")
          yield* advance(2_000 * 5 - 1)
          assert.notInclude(family.log, "start parent", strategy)
          yield* advance(1)
          assert.include(family.take(), "stop parent crashed StartTimeout", strategy)
        }
      }).pipe(Effect.provide(layer)))

    it.effect("children recover side by side under one_for_one", () =>
      Effect.gen(function*() {
        const { family, system } = yield* trio("one_for_one", { intensity: 9, period: 1 }, {
          a: { starts: (attempt) => attempt === 1 ? Effect.void : Effect.sleep(10_000) }
        })
        const slow = family.ref("a")
        for (const name of ["a", "b"]) family.ref(name).tellUnsafe({ type: "fail", error: "boom" })
        yield* settle
        assert.includeMembers(family.log, ["start a", "start b"])
        assert.deepStrictEqual(system.snapshotTree().children[0]?.children.map((it) => it.status), [
          "restarting",
          "running",
          "running"
        ])
        // Stopping interrupts the init that is under way.
        yield* slow.stop()
        yield* advance(20_000)
        assert.deepStrictEqual(system.snapshotTree().children[0]?.children.map((it) => it.name), ["b", "c"])
      }).pipe(Effect.provide(layer)))

    it.effect("the tree shows the last failure, be it of a turn or of a start", () =>
      Effect.gen(function*() {
        const { family, system } = yield* trio("one_for_one", {}, {
          b: { starts: (attempt) => attempt === 2 ? Effect.die(new Error("no start")) : Effect.void }
        })
        family.context("b").crash(Cause.die(new Error("in a turn")))
        yield* settle
        assert.strictEqual(system.snapshotTree().children[0]?.children[1]?.lastFailure?.message, "no start")
      }).pipe(Effect.provide(layer)))
  })
}
