/**
 * How many restarts are too many, and what they are counted against.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import type { StopReason } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { reasonText, trio } from "./family.ts"

for (const [systemName, layer] of everySystem) {
  describe(`intensity, ${systemName}`, () => {
    for (const strategy of ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"] as const) {
      for (const intensity of [0, 1, 5]) {
        it.effect(`${strategy}: exactly ${intensity} restarts are allowed, whoever crashes; one more is too many`, () =>
          Effect.gen(function*() {
            const { family } = yield* trio(strategy, { intensity })
            for (let crash = 0; crash < intensity; crash++) {
              family.crash(["c", "a", "b"][crash % 3] ?? "a")
              yield* settle
            }
            assert.notInclude(family.take(), "start parent")
            family.crash("c", "last")
            yield* settle
            const log = family.take()
            assert.strictEqual(log[0], "stop c crashed last")
            assert.include(log, "stop parent crashed last")
            assert.include(log, "start parent")
          }).pipe(Effect.provide(layer)))
      }

      it.effect(`${strategy}: Infinity is never exceeded`, () =>
        Effect.gen(function*() {
          const { family } = yield* trio(strategy, { intensity: Infinity })
          for (let crash = 0; crash < 100; crash++) {
            family.crash("b")
            yield* settle
          }
          const log = family.take()
          assert.strictEqual(log.filter((it) => it === "start b").length, 100)
          assert.notInclude(log, "start parent")
        }).pipe(Effect.provide(layer)))
    }

    it.effect("ends that are restarted count as crashes do, and their parent says that they were too often", () =>
      Effect.gen(function*() {
        const { family } = yield* trio("one_for_one", { intensity: 1 })
        family.context("a").end()
        yield* settle
        family.context("a").end("shutdown")
        yield* settle
        assert.deepStrictEqual(family.take().slice(0, 6), [
          "stop a normal",
          "start a",
          "stop a shutdown",
          "stop c shutdown",
          "stop b shutdown",
          "stop parent crashed the child ended normally, and too often"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("ends that are not restarted do not count", () =>
      Effect.gen(function*() {
        const { family } = yield* trio("one_for_one", { intensity: 0 }, {
          a: { restart: "transient" },
          b: { restart: "temporary" }
        })
        family.context("a").end()
        family.crash("b")
        yield* family.ref("c").stop()
        yield* settle
        assert.sameMembers([...family.take()], ["stop a normal", "stop b crashed boom", "stop c normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("together: crashes of different children add up; each: they do not", () =>
      Effect.gen(function*() {
        for (const counted of ["together", "each"] as const) {
          const { family } = yield* trio("one_for_one", { intensity: 2, counted })
          for (const name of ["a", "b", "c", "a", "b", "c"]) {
            family.crash(name)
            yield* settle
          }
          assert.strictEqual(family.take().includes("start parent"), counted === "together", counted)
        }
      }).pipe(Effect.provide(layer)))

    for (const strategy of ["one_for_one", "simple_one_for_one"] as const) {
      it.effect(`${strategy}, each: one that crashes too often is stopped with its cause; the others and the parent live`, () =>
        Effect.gen(function*() {
          const { family, parent, system } = yield* trio(strategy, { intensity: 1, counted: "each" })
          const told: Array<string> = []
          const ref = family.ref("b")
          // A watch is no message of a recorder: what it is told is written down where it is made.
          family.context("parent").watch(ref, ({ name, reason }: { name: string; reason: StopReason }) => {
            told.push(`${name} ${reasonText(reason)}`)
            return { type: "note", text: "terminated" }
          })
          for (const cause of ["1", "2"]) {
            family.crash("b", cause)
            yield* settle
          }
          family.crash("a", "other")
          yield* settle
          assert.deepStrictEqual(family.take(), [
            "stop b crashed 1",
            "start b",
            "stop b crashed 2",
            "handled parent terminated",
            "stop a crashed other",
            "start a"
          ])
          assert.deepStrictEqual(told, ["b crashed 2"])
          assert.isFalse(ref.tellUnsafe({ type: "note", text: "late" }))
          assert.isTrue(parent.tellUnsafe({ type: "note", text: "alive" }))
          assert.deepStrictEqual(system.snapshotTree().children[0]?.children.map((it) => it.name), ["a", "c"])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("each: one that ends normally too often is gone as well, crashed", () =>
      Effect.gen(function*() {
        const { family, system } = yield* trio("one_for_one", { intensity: 0, counted: "each" })
        const events: Array<string> = []
        system.tap.subscribe((event) => {
          if (event._tag === "Stopped") events.push(`${event.name} ${reasonText(event.reason)}`)
        })
        family.context("b").end()
        yield* settle
        assert.deepStrictEqual(family.take(), ["stop b normal"])
        assert.deepStrictEqual(events, ["b crashed the child ended normally, and too often"])
      }).pipe(Effect.provide(layer)))
  })
}

describe("the period", () => {
  it.effect("multiple_restarts: restarts further apart than the period never escalate", () =>
    Effect.gen(function*() {
      const { family } = yield* trio("one_for_one", { intensity: 1, period: 1_000 })
      const b = family.ref("b")
      for (let crash = 0; crash < 20; crash++) {
        b.tellUnsafe({ type: "fail", error: "boom" })
        yield* advance(1_000)
      }
      assert.strictEqual(family.log.filter((it) => it === "start b").length, 20)
      assert.notInclude(family.log, "start parent")
      b.tellUnsafe({ type: "fail", error: "boom" })
      yield* advance(999)
      b.tellUnsafe({ type: "fail", error: "boom" })
      yield* settle
      assert.include(family.log, "start parent")
    }).pipe(Effect.provide(TestSystem.layer())))

  /** When crashes come, and which of them, from 1, is one too many; 0 is none. */
  const slides: ReadonlyArray<readonly [ReadonlyArray<number>, number]> = [
    [[0, 0, 0], 3],
    [[0, 500, 999], 3],
    [[0, 500, 1_000], 0],
    [[0, 500, 1_000, 1_499], 4],
    [[0, 500, 1_000, 1_500, 2_000], 0],
    [[0, 1, 1_000, 1_001, 2_000, 2_001], 0],
    [[0, 999, 999], 3],
    [[0, 1_000, 1_000, 1_999], 4]
  ]
  for (const [times, exceeded] of slides) {
    it.effect(`slides: intensity 2 in 1,000 ms, crashes at ${times.join(", ")}`, () =>
      Effect.gen(function*() {
        for (const counted of ["together", "each"] as const) {
          const { family } = yield* trio("one_for_one", { intensity: 2, period: 1_000, counted })
          let now = 0
          let gone = 0
          for (const [index, at] of times.entries()) {
            yield* advance(at - now)
            now = at
            family.crash("b")
            yield* settle
            const log = family.take()
            if (!log.includes("start b") || log.includes("start parent")) gone = index + 1
            if (gone > 0) break
          }
          assert.strictEqual(gone, exceeded, counted)
        }
      }).pipe(Effect.provide(TestSystem.layer())))
  }

  it.effect("a parent that was restarted counts anew", () =>
    Effect.gen(function*() {
      const { family, system } = yield* trio("one_for_one", { intensity: 1, period: 1_000 })
      for (let round = 1; round <= 3; round++) {
        for (const cause of ["1", "2"]) {
          family.crash("a", cause)
          yield* settle
        }
        assert.strictEqual(system.snapshotTree().children[0]?.restarts, round)
      }
      family.crash("a", "1")
      yield* settle
      family.crash("a", "2")
      yield* settle
      const [failed] = yield* system.failed
      assert.strictEqual(failed && Cause.squash(failed.cause), "2")
    }).pipe(Effect.provide(TestSystem.layer())))
})
