/**
 * Waiting before a restart: how long, what joins, what ends the waiting.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { advance, settle, TestSystem, VirtualTime } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { type Family, trio } from "./family.ts"

/** Crashes `name` and gives after how many milliseconds it was started again, to the millisecond. */
const waited = (family: Family, name: string) =>
  Effect.gen(function*() {
    const time = yield* VirtualTime
    family.take()
    const crashed = time.now()
    family.crash(name)
    yield* settle
    while (!family.log.includes(`start ${name}`)) {
      const due = time.nextDue()
      if (due === undefined) throw new Error(`${name} is never started`)
      yield* advance(due - time.now())
    }
    return time.now() - crashed
  })

for (const [systemName, layer] of everySystem) {
  describe(`back-off, ${systemName}`, () => {
    it.effect("doubles up to its maximum, keeps the mailbox, and starts over after a quiet time", () =>
      Effect.gen(function*() {
        const backoff = { initial: 100, max: 400, jitter: 0, reset: 10_000 }
        const { family } = yield* trio("one_for_one", { intensity: 100, backoff })
        const b = family.ref("b")
        const startsAfter = (millis: number) =>
          Effect.gen(function*() {
            family.take()
            b.tellUnsafe({ type: "fail", error: "boom" })
            b.tellUnsafe({ type: "note", text: "kept" })
            yield* advance(millis - 1)
            assert.notInclude(family.log, "start b", `too early, before ${millis}`)
            yield* advance(1)
            assert.include(family.log, "start b", `not after ${millis}`)
            assert.include(family.log, "handled b kept")
          })
        for (const millis of [100, 200, 400, 400]) yield* startsAfter(millis)
        yield* advance(10_000)
        yield* startsAfter(100)
      }).pipe(Effect.provide(layer)))

    it.effect("starts over after its reset and not before; the quiet time is counted from the crash", () =>
      Effect.gen(function*() {
        const backoff = { initial: 100, max: 10_000, jitter: 0, reset: 1_000 }
        const { family } = yield* trio("one_for_one", { intensity: 100, backoff })
        assert.strictEqual(yield* waited(family, "b"), 100)
        yield* advance(899)
        assert.strictEqual(yield* waited(family, "b"), 200)
        yield* advance(800)
        assert.strictEqual(yield* waited(family, "b"), 100)
      }).pipe(Effect.provide(layer)))

    it.effect("each child has its own row", () =>
      Effect.gen(function*() {
        const backoff = { initial: 100, max: 10_000, jitter: 0, reset: 60_000 }
        for (const strategy of ["one_for_one", "simple_one_for_one", "one_for_all"] as const) {
          const { family } = yield* trio(strategy, { intensity: 100, backoff })
          assert.strictEqual(yield* waited(family, "b"), 100)
          assert.strictEqual(yield* waited(family, "b"), 200)
          assert.strictEqual(yield* waited(family, "a"), 100, strategy)
        }
      }).pipe(Effect.provide(layer)))

    it.effect("a start that fails is one more in the row", () =>
      Effect.gen(function*() {
        const backoff = { initial: 100, max: 10_000, jitter: 0, reset: 60_000 }
        const { family } = yield* trio("one_for_one", { intensity: 3, backoff }, {
          b: { starts: (attempt) => attempt === 2 || attempt === 3 ? Effect.fail("not yet") : Effect.void }
        })
        family.crash("b")
        const started: Array<number> = []
        for (let now = 0; now <= 1_000; now += 50) {
          yield* advance(now === 0 ? 0 : 50)
          if (family.take().includes("start b")) started.push(now)
        }
        assert.deepStrictEqual(started, [100, 300, 700])
      }).pipe(Effect.provide(layer)))

    it.effect("jitter stays within its share, and is the seed's", () =>
      Effect.gen(function*() {
        const delays = (seed: number) =>
          Effect.gen(function*() {
            const backoff = { initial: 1_000, max: 1_000, jitter: 0.2, reset: 1 }
            const { family } = yield* trio("one_for_one", { intensity: 1_000, backoff })
            return yield* Effect.forEach(Array.from({ length: 20 }), () => waited(family, "b"))
          }).pipe(Effect.provide(TestSystem.layer(seed)))
        const first = yield* delays(1)
        assert.isTrue(first.every((it) => it >= 800 && it <= 1_200), String(first))
        assert.isAbove(new Set(first).size, 5)
        assert.deepStrictEqual(yield* delays(1), first)
        assert.notDeepEqual(yield* delays(2), first)
      }))

    it.effect("a child that is stopped during its back-off is not started, and leaves nothing asleep", () =>
      Effect.gen(function*() {
        const backoff = { initial: 60_000, max: 60_000, jitter: 0, reset: 1 }
        const { family, system } = yield* trio("one_for_one", { backoff })
        const b = family.ref("b")
        b.tellUnsafe({ type: "fail", error: "boom" })
        b.tellUnsafe({ type: "note", text: "never" })
        yield* settle
        assert.strictEqual(system.snapshotTree().children[0]?.children[1]?.status, "restarting")
        yield* b.stop()
        yield* settle
        assert.isUndefined((yield* VirtualTime).nextDue())
        yield* advance("1 hour")
        assert.deepStrictEqual(family.take(), ["stop b crashed boom"])
        assert.deepStrictEqual(system.snapshotTree().children[0]?.children.map((it) => it.name), ["a", "c"])
      }).pipe(Effect.provide(layer)))

    it.effect("of a group in its back-off, those that somebody stops are not started, and the others are in time", () =>
      Effect.gen(function*() {
        const backoff = { initial: 1_000, max: 1_000, jitter: 0, reset: 1 }
        for (const stopped of ["a", "b", "c"]) {
          const { family } = yield* trio("one_for_all", { backoff })
          family.crash("b")
          yield* advance(500)
          yield* family.ref(stopped).stop()
          yield* advance(499)
          assert.deepStrictEqual(family.take(), ["stop b crashed boom", "stop c shutdown", "stop a shutdown"])
          yield* advance(1)
          const left = ["a", "b", "c"].filter((name) => name !== stopped)
          assert.deepStrictEqual(family.take(), left.map((name) => `start ${name}`))
        }
      }).pipe(Effect.provide(layer)))

    it.effect("what crashes while a group waits joins it: stopped once, started once, in order", () =>
      Effect.gen(function*() {
        const backoff = { initial: 1_000, max: 1_000, jitter: 0, reset: 1 }
        const { family } = yield* trio("rest_for_one", { backoff })
        family.ref("c").tellUnsafe({ type: "fail", error: "boom" })
        yield* advance(500)
        family.ref("a").tellUnsafe({ type: "fail", error: "boom" })
        yield* advance(999)
        assert.deepStrictEqual(family.take(), ["stop c crashed boom", "stop a crashed boom", "stop b shutdown"])
        yield* advance(1)
        assert.deepStrictEqual(family.take(), ["start a", "start b", "start c"])
      }).pipe(Effect.provide(layer)))

    it.effect("what joins counts once more, as it had been up: once too often is too many, and nobody waits any more", () =>
      Effect.gen(function*() {
        const backoff = { initial: 1_000, max: 1_000, jitter: 0, reset: 1 }
        const { family } = yield* trio("rest_for_one", { intensity: 1, backoff })
        family.crash("c")
        yield* advance(500)
        family.crash("a")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop c crashed boom",
          "stop a crashed boom",
          "stop b shutdown",
          "stop parent crashed boom",
          "start parent",
          "start a",
          "start b",
          "start c"
        ])
        yield* advance("1 hour")
        assert.deepStrictEqual(family.take(), [])
      }).pipe(Effect.provide(layer)))

    it.effect("a group waits for the longest: one that joins with a shorter wait hastens nobody", () =>
      Effect.gen(function*() {
        const backoff = { initial: 100, max: 10_000, jitter: 0, reset: 60_000 }
        const { family } = yield* trio("rest_for_one", { intensity: 10, backoff })
        for (const millis of [100, 200]) assert.strictEqual(yield* waited(family, "c"), millis)
        family.take()
        family.crash("c")
        yield* advance(100)
        family.crash("a")
        yield* advance(299)
        assert.deepStrictEqual(family.take(), ["stop c crashed boom", "stop a crashed boom", "stop b shutdown"])
        yield* advance(1)
        assert.deepStrictEqual(family.take(), ["start a", "start b", "start c"])
      }).pipe(Effect.provide(layer)))

    it.effect("each waits for itself under one_for_one: a sibling comes and goes meanwhile", () =>
      Effect.gen(function*() {
        const backoff = { initial: 1_000, max: 1_000, jitter: 0, reset: 1 }
        const { family } = yield* trio("one_for_one", { backoff })
        family.crash("a")
        yield* advance(600)
        family.crash("b")
        yield* advance(400)
        assert.deepStrictEqual(family.take(), ["stop a crashed boom", "stop b crashed boom", "start a"])
        yield* advance(600)
        assert.deepStrictEqual(family.take(), ["start b"])
      }).pipe(Effect.provide(layer)))

    it.effect("a parent that stops or crashes waits for no back-off", () =>
      Effect.gen(function*() {
        const backoff = { initial: 60_000, max: 60_000, jitter: 0, reset: 1 }
        for (const strategy of ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"] as const) {
          const { family, parent } = yield* trio(strategy, { backoff })
          family.crash("a")
          yield* settle
          family.crash("parent")
          yield* settle
          assert.deepStrictEqual(family.take().slice(-4), ["start parent", "start a", "start b", "start c"], strategy)
          family.crash("a")
          yield* settle
          yield* parent.stop()
          assert.strictEqual(family.take().at(-1), "stop parent normal")
          yield* settle
          assert.isUndefined((yield* VirtualTime).nextDue())
        }
      }).pipe(Effect.provide(layer)))
  })
}
