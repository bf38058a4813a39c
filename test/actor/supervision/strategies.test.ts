/**
 * What a crash, an end or a stop of one child means for the others, and crashes at once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Restart, Strategy } from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem, notes } from "../fixtures.ts"
import { once, trio } from "./family.ts"

const restarted = {
  one_for_one: ["stop b %", "start b"],
  one_for_all: ["stop b %", "stop c shutdown", "stop a shutdown", "start a", "start b", "start c"],
  rest_for_one: ["stop b %", "stop c shutdown", "start b", "start c"]
} as const
const ANEW = ["start a", "start b", "start c"]
const gone = ["stop b %"]

const table: ReadonlyArray<readonly [Restart, "crashed" | "normal" | "stopped", "restarted" | "gone"]> = [
  ["permanent", "crashed", "restarted"],
  ["permanent", "normal", "restarted"],
  ["permanent", "stopped", "gone"],
  ["transient", "crashed", "restarted"],
  ["transient", "normal", "gone"],
  ["transient", "stopped", "gone"],
  ["temporary", "crashed", "gone"],
  ["temporary", "normal", "gone"],
  ["temporary", "stopped", "gone"]
]

const said = { crashed: "crashed boom", normal: "normal", stopped: "normal" } as const

for (const [systemName, layer] of everySystem) {
  describe(`strategies, ${systemName}`, () => {
    for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
      for (const [restart, reason, expected] of table) {
        it.effect(`${strategy}: a ${restart} child that ${reason} is ${expected}`, () =>
          Effect.gen(function*() {
            const { family } = yield* trio(strategy, {}, { b: { restart } })
            const b = family.ref("b")
            if (reason === "stopped") yield* b.stop()
            else b.tellUnsafe(reason === "crashed" ? { type: "fail", error: "boom" } : { type: "end" })
            yield* settle
            const names = expected === "restarted" ? restarted[strategy] : gone
            assert.deepStrictEqual(family.take(), names.map((it) => it.replace("%", said[reason])))
          }).pipe(Effect.provide(layer)))
      }
    }

    it.effect("siblings that stop with the crashed one keep their mailboxes", () =>
      Effect.gen(function*() {
        const { family } = yield* trio("one_for_all")
        const [a, b, c] = [family.ref("a"), family.ref("b"), family.ref("c")]
        const hold = yield* Effect.sync(() => Promise.withResolvers<void>())
        // c is in the middle of a message when b crashes; that message is lost, those behind it are not.
        c.tellUnsafe({ type: "run", effect: Effect.promise(() => hold.promise) })
        yield* settle
        for (const text of ["1", "2"]) c.tellUnsafe({ type: "note", text })
        b.tellUnsafe({ type: "fail", error: "boom" })
        assert.deepStrictEqual(yield* c.ask(notes, 1_000), ["1", "2"])
        assert.deepStrictEqual(yield* a.ask(notes, 1_000), [])
      }).pipe(Effect.provide(layer)))

    it.effect("a temporary sibling stops with the others and is not started again", () =>
      Effect.gen(function*() {
        const { family } = yield* trio("one_for_all", {}, { b: { restart: "temporary" } })
        const b = family.ref("b")
        family.ref("a").tellUnsafe({ type: "fail", error: "boom" })
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop a crashed boom",
          "stop c shutdown",
          "stop b shutdown",
          "start a",
          "start c"
        ])
        assert.strictEqual((yield* Effect.flip(b.ask(notes, 1_000)))._tag, "ActorStopped")
      }).pipe(Effect.provide(layer)))

    it.effect("a child that a caller stopped is not started with its siblings", () =>
      Effect.gen(function*() {
        const { family } = yield* trio("one_for_all")
        yield* family.ref("b").stop()
        family.crash("a")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop b normal",
          "stop a crashed boom",
          "stop c shutdown",
          "start a",
          "start c"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("a child that crashes while it drains is gone, and nobody is restarted for it", () =>
      Effect.gen(function*() {
        for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
          const { family, system } = yield* trio(strategy, {}, { a: { stops: once(Effect.sleep(10)) } })
          const a = family.ref("a")
          a.tellUnsafe({ type: "run", effect: Effect.sleep(10) })
          a.tellUnsafe({ type: "fail", error: "boom" })
          yield* settle
          const stopping = yield* Effect.forkChild(a.stop({ drain: true }))
          yield* advance(20)
          yield* Fiber.join(stopping)
          assert.deepStrictEqual(family.take(), ["stop a crashed boom"])
          assert.deepStrictEqual(system.snapshotTree().children.at(-1)?.children.map((it) => it.name), ["b", "c"])
        }
      }).pipe(Effect.provide(layer)))

    /** What two that crash in one instant, in that order, come to, and how many restarts that counts. */
    const atOnce: ReadonlyArray<readonly [Strategy, string, number, ReadonlyArray<string>]> = [
      ["one_for_one", "ac", 2, ["stop a crashed boom", "start a", "stop c crashed boom", "start c"]],
      ["simple_one_for_one", "ac", 2, ["stop a crashed boom", "start a", "stop c crashed boom", "start c"]],
      ["one_for_all", "ac", 1, ["stop a crashed boom", "stop c crashed boom", "stop b shutdown", ...ANEW]],
      ["one_for_all", "ca", 1, ["stop c crashed boom", "stop b shutdown", "stop a crashed boom", ...ANEW]],
      ["rest_for_one", "ac", 1, ["stop a crashed boom", "stop c crashed boom", "stop b shutdown", ...ANEW]],
      // As in OTP: the first does not stop the second with it, so that both count.
      ["rest_for_one", "ca", 2, ["stop c crashed boom", "stop a crashed boom", "stop b shutdown", ...ANEW]]
    ]
    for (const [strategy, [first = "", second = ""], counted, steps] of atOnce) {
      for (const slow of [false, true]) {
        const how = slow ? "slow to stop" : "quick to stop"
        it.effect(`${strategy}: ${first} and ${second} crash at once, ${how}: stopped once, started once, ${counted} counted`, () =>
          Effect.gen(function*() {
            const stops = slow ? once(Effect.sleep(10)) : once(Effect.void)
            const members = { a: { stops }, b: { stops }, c: { stops } }
            for (const intensity of [counted, counted - 1]) {
              const { family, parent, system } = yield* trio(strategy, { intensity }, members)
              family.crash(first)
              family.crash(second)
              yield* advance(100)
              const log = family.take()
              if (intensity < counted) assert.include(log, "stop parent crashed boom")
              // Side by side, those that are slow take turns.
              else if (slow && counted === 2 && strategy !== "rest_for_one") {
                assert.deepStrictEqual(log.toSorted(), steps.toSorted())
              } else assert.deepStrictEqual(log, steps)
              assert.deepStrictEqual(
                system.snapshotTree().children[0]?.children.map((it) => `${it.name} ${it.status}`),
                ["a running", "b running", "c running"]
              )
              yield* Effect.forkChild(parent.stop())
              yield* advance(100)
            }
          }).pipe(Effect.provide(layer)))
      }
    }

    it.effect("a transient sibling that ended by itself in the instant of a crash is gone", () =>
      Effect.gen(function*() {
        for (const first of ["a", "b"]) {
          const { family } = yield* trio("one_for_all", {}, { b: { restart: "transient" } })
          if (first === "a") family.crash("a")
          family.context("b").end()
          family.crash("a")
          yield* settle
          const log = family.take()
          assert.includeMembers([...log], ["stop b normal", "stop c shutdown", "start a", "start c"])
          assert.notInclude(log, "start b")
        }
      }).pipe(Effect.provide(layer)))

    it.effect("order_of_children: stopped in reverse, started in order, whatever their names", () =>
      Effect.gen(function*() {
        const { family, parent } = yield* trio("rest_for_one", {}, {
          a: { name: "ch7" },
          b: { name: "ch3" },
          c: { name: "ch10" }
        })
        family.crash("a")
        yield* settle
        const again = ["start a", "start b", "start c"]
        assert.deepStrictEqual(family.take(), ["stop a crashed boom", "stop c shutdown", "stop b shutdown", ...again])
        yield* parent.stop()
        assert.deepStrictEqual(family.take(), [
          "stop c shutdown",
          "stop b shutdown",
          "stop a shutdown",
          "stop parent normal"
        ])
      }).pipe(Effect.provide(layer)))
  })
}
