/**
 * Too many restarts: the parent crashes with its last child's cause, whatever it is doing.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { type ActorCrashed, ActorSystem, type Reply } from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem, notes, type Order } from "../fixtures.ts"
import { Family, once, trio } from "./family.ts"

const keep = (reply: Reply<string>): Order => ({ type: "keep", reply })
const ANEW = ["start parent", "start a", "start b", "start c"]

for (const [systemName, layer] of everySystem) {
  describe(`escalation, ${systemName}`, () => {
    it.effect("more restarts than the intensity allows crash the parent with the child's cause", () =>
      Effect.gen(function*() {
        const { family, system } = yield* trio("one_for_one", { intensity: 2 })
        const before = ["a", "b", "c"].map((name) => family.ref(name))
        for (const error of ["1", "2", "3"]) family.ref("b").tellUnsafe({ type: "fail", error })
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop b crashed 1",
          "start b",
          "stop b crashed 2",
          "start b",
          "stop b crashed 3",
          "stop c shutdown",
          "stop a shutdown",
          "stop parent crashed 3",
          ...ANEW
        ])
        // Children of a crashed parent are gone; their successors are others.
        for (const ref of before) {
          assert.strictEqual((yield* Effect.flip(ref.ask(notes, 1_000)))._tag, "ActorStopped")
        }
        assert.strictEqual(system.snapshotTree().children[0]?.restarts, 1)
      }).pipe(Effect.provide(layer)))

    it.effect("at the root the tree is stopped, and the system has its cause", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const bad = yield* system.spawn(family.member("bad"))
        const good = yield* system.spawn(family.member("good"))
        for (const error of ["1", "2", "3", "4"]) bad.tellUnsafe({ type: "fail", error })
        good.tellUnsafe({ type: "fail", error: "once" })
        yield* settle
        const [failed] = yield* system.failed
        assert.strictEqual(failed?.name, "bad")
        assert.strictEqual(failed && Cause.squash(failed.cause), "4")
        assert.deepStrictEqual(system.snapshotTree().children.map((it) => it.name), ["good"])
      }).pipe(Effect.provide(layer)))

    it.effect("goes up level by level, and stops where a parent may still restart", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const strict = { strategy: "one_for_all", intensity: 0, period: 5_000 } as const
        const leaf = family.member("leaf")
        const inner = family.member("inner", { kids: [leaf], supervision: strict })
        const outer = family.member("outer", { kids: [inner, family.member("aunt")], supervision: strict })
        yield* system.spawn(family.member("top", { kids: [outer, family.member("other")] }))
        family.take()
        family.crash("leaf")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop leaf crashed boom",
          "stop inner crashed boom",
          "stop aunt shutdown",
          "stop outer crashed boom",
          "start outer",
          "start inner",
          "start leaf",
          "start aunt"
        ])
        assert.deepStrictEqual(yield* system.failed, [])
      }).pipe(Effect.provide(layer)))

    it.effect("into a busy parent: its turn is interrupted, its message a dead letter and not handled again", () =>
      Effect.gen(function*() {
        const { family, parent, system } = yield* trio("one_for_one", { intensity: 0 })
        const interrupted = Effect.sync(() => void family.log.push("turn interrupted"))
        const message: Order = {
          type: "run",
          effect: Effect.onInterrupt(Effect.never, () => interrupted)
        }
        const held = yield* Effect.forkChild(Effect.flip(parent.ask(keep, 10_000)))
        yield* settle
        parent.tellUnsafe(message)
        for (const text of ["1", "2"]) parent.tellUnsafe({ type: "note", text })
        yield* settle
        family.crash("b")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop b crashed boom",
          "turn interrupted",
          "stop c shutdown",
          "stop a shutdown",
          "stop parent crashed boom",
          ...ANEW,
          "handled parent 1",
          "handled parent 2"
        ])
        assert.deepStrictEqual(system.deadLetters.last().map((it) => [it.reason, it.message]), [["crashed", message]])
        // Who had asked earlier, and was owed an answer, hears of the same crash.
        const error = yield* Fiber.join(held)
        assert.strictEqual(error._tag, "ActorCrashed")
        assert.strictEqual(Cause.squash((error as ActorCrashed).cause), "boom") // by its tag
      }).pipe(Effect.provide(layer)))

    it.effect("into a parent that is still starting: its start fails with the child's cause", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const spec = family.member("parent", {
          kids: [family.member("a"), family.member("b")],
          supervision: { strategy: "one_for_one", intensity: 0, period: 5_000 },
          starts: () => Effect.never
        })
        const spawning = yield* Effect.forkChild(Effect.flip(system.spawn(spec)))
        yield* settle
        family.crash("a")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "start parent",
          "start a",
          "start b",
          "stop a crashed boom",
          "stop b shutdown"
        ])
        const error = yield* Fiber.join(spawning)
        assert.strictEqual(Cause.squash(error.cause), "boom")
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("into a stopping parent: it ends with the reason it had, and nobody is started", () =>
      Effect.gen(function*() {
        const { family, parent } = yield* trio("one_for_one", { intensity: 0 }, {
          c: { stops: once(Effect.sleep(100)) }
        })
        const stopping = yield* Effect.forkChild(parent.stop())
        yield* advance(50)
        family.crash("a")
        family.crash("b")
        yield* advance(50)
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(family.take(), [
          "stop c shutdown",
          "stop b crashed boom",
          "stop a crashed boom",
          "stop parent normal"
        ])
      }).pipe(Effect.provide(layer)))

    for (const intensity of [0, 3]) {
      it.effect(`a child that crashes while its stopping parent's turn is awaited is not started; intensity ${intensity}`, () =>
        Effect.gen(function*() {
          const { family, parent } = yield* trio("one_for_one", { intensity })
          parent.tellUnsafe({ type: "run", effect: Effect.uninterruptible(Effect.sleep(100)) })
          yield* settle
          const stopping = yield* Effect.forkChild(parent.stop())
          yield* advance(50)
          family.crash("a")
          yield* advance(50)
          yield* Fiber.join(stopping)
          const log = family.take()
          assert.notInclude(log, "start a")
          assert.include(log, "stop a crashed boom")
          assert.strictEqual(log.at(-1), "stop parent normal")
        }).pipe(Effect.provide(layer)))

      it.effect(`a child that crashes in the instant its parent ends is not started under it; intensity ${intensity}`, () =>
        Effect.gen(function*() {
          for (const [first, second] of [["a", "parent"], ["parent", "a"]] as const) {
            for (const how of ["crash", "end"] as const) {
              const { family } = yield* trio("one_for_all", { intensity }, { parent: { restart: "temporary" } })
              const fell = (name: string) => {
                if (how === "end" && name === "parent") family.context(name).end()
                else family.crash(name)
              }
              fell(first)
              fell(second)
              yield* settle
              assert.deepStrictEqual(family.take(), [
                "stop c shutdown",
                "stop b shutdown",
                "stop a crashed boom",
                `stop parent ${how === "end" ? "normal" : "crashed boom"}`
              ])
            }
          }
        }).pipe(Effect.provide(layer)))
    }
  })
}
