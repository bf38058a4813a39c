import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { ActorSystem, SpawnFailed, StartTimeout } from "../../core/actor/index.ts"
import { advance, recordTap, settle } from "../../core/testing/index.ts"
import { everySystem, recorder } from "./fixtures.ts"
import { boom, family, line, type Recorder, told } from "./tap-family.ts"

for (const [systemName, layer] of everySystem) {
  describe(`the tap of starts that fail and crashes that are too many, ${systemName}`, () => {
    it.effect("a crash while it drains is told, and is the reason of its end", () =>
      Effect.gen(function*() {
        const { b } = yield* family({})
        const recording = yield* recordTap
        for (const order of [{ type: "note", text: "1" }, boom, { type: "note", text: "2" }] as const) {
          b.tellUnsafe(order)
        }
        yield* b.stop({ drain: true })
        assert.deepStrictEqual(recording.events().map(line), [
          "DeadLetter b crashed",
          "Crashed b boom",
          "DeadLetter b stopped",
          "Stopped b Crashed"
        ])
        yield* recording.expect("Stopped", { reason: { _tag: "Crashed", cause: Cause.fail("boom") } })
      }).pipe(Effect.provide(layer)))

    it.effect("one crash too many is told of the child, then of the parent, with the child's cause", () =>
      Effect.gen(function*() {
        const { b, parent } = yield* family({ intensity: 1 })
        const recording = yield* recordTap
        b.tellUnsafe(boom)
        b.tellUnsafe(boom)
        yield* settle
        assert.deepStrictEqual(recording.events().map(line), [
          "DeadLetter b crashed",
          "Crashed b boom",
          "Restarting b 0",
          "Started b 2",
          "DeadLetter b crashed",
          "Crashed b boom",
          "Crashed parent boom",
          "Stopped c Shutdown",
          "Stopped b Crashed",
          "Stopped a Shutdown",
          "Restarting parent 0",
          "Started a 1",
          "Started b 1",
          "Started c 1",
          "Started parent 2"
        ])
        yield* recording.expect("Crashed", { path: parent.path, cause: Cause.fail("boom") })
      }).pipe(Effect.provide(layer)))

    it.effect("a root cell that crashes too often is told as stopped, with its cause", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn(recorder("root", []))
        const recording = yield* recordTap
        for (let crash = 0; crash < 4; crash++) ref.tellUnsafe(boom)
        yield* settle
        assert.deepStrictEqual(recording.events().map(line).slice(-3), [
          "DeadLetter root crashed",
          "Crashed root boom",
          "Stopped root Crashed"
        ])
        yield* recording.expect("Stopped", { reason: { _tag: "Crashed", cause: Cause.fail("boom") } })
      }).pipe(Effect.provide(layer)))

    it.effect("a first start that fails is Crashed, then Stopped, and nothing of it was Started", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const fails: ReadonlyArray<readonly [Partial<Recorder>, string]> = [
          [{ init: () => Effect.fail("no") }, "no"],
          [{ init: () => Effect.andThen(Effect.yieldNow, Effect.die(new Error("no"))) }, "no"],
          [{
            init: () => {
              throw new Error("no")
            }
          }, "no"],
          [
            {
              init: (context) =>
                Effect.andThen(Effect.map(Effect.yieldNow, () => context.crash(Cause.fail("self"))), Effect.never)
            },
            "self"
          ]
        ]
        for (const [own, message] of fails) {
          const lines = yield* told
          yield* Effect.flip(system.spawn(recorder("x", [], own)))
          assert.deepStrictEqual(lines(), [`Crashed x ${message}`, "Stopped x Crashed"])
        }
      }).pipe(Effect.provide(layer)))

    it.effect("a listed child that does not start: those before it stop, and the parent's cause says it", () =>
      Effect.gen(function*() {
        const recording = yield* recordTap
        yield* Effect.flip(family({}, { c: { init: () => Effect.fail("no") } }))
        assert.deepStrictEqual(recording.events().map(line), [
          "Started a 1",
          "Started b 1",
          "Crashed c no",
          "Stopped c Crashed",
          "Crashed parent c did not start; see the cause",
          "Stopped b Shutdown",
          "Stopped a Shutdown",
          "Stopped parent Crashed"
        ])
        const { cause } = yield* recording.expect("Crashed", { name: "parent" })
        assert.deepStrictEqual(Cause.squash(cause), new SpawnFailed({ actor: "c", cause: Cause.fail("no") }))
      }).pipe(Effect.provide(layer)))

    it.effect("a start that hangs is Crashed with StartTimeout when its time is over", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const recording = yield* recordTap
        const hangs = recorder("x", [], { init: () => Effect.never, startTimeout: 700 })
        const spawning = yield* Effect.forkChild(Effect.flip(system.spawn(hangs)), { startImmediately: true })
        yield* advance(699)
        assert.deepStrictEqual(recording.events(), [])
        yield* advance(1)
        const { at, cause, path } = yield* recording.expect("Crashed", { name: "x" })
        assert.strictEqual(at, 700)
        assert.deepStrictEqual(Cause.squash(cause), new StartTimeout({ actor: "x", path, timeout: 700 }))
        yield* recording.expect("Stopped", { name: "x" })
        yield* Fiber.join(spawning)
        assert.lengthOf(recording.events(), 2)
      }).pipe(Effect.provide(layer)))

    it.effect("a restart that fails is one more crash, and its number is used up", () =>
      Effect.gen(function*() {
        let starts = 0
        const init: Recorder["init"] = () =>
          ++starts === 2 ? Effect.fail("no") : Effect.succeed({ texts: [], kept: [] })
        const { b } = yield* family({ strategy: "rest_for_one" }, { b: { init } })
        const lines = yield* told
        b.tellUnsafe(boom)
        yield* settle
        assert.deepStrictEqual(lines(), [
          "DeadLetter b crashed",
          "Crashed b boom",
          "Restarting c 0",
          "Restarting b 0",
          "Crashed b no",
          "Restarting b 0",
          "Started b 3",
          "Started c 2"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("a spec that is refused, and a spawn under a parent that has ended, tell nothing", () =>
      Effect.gen(function*() {
        const { context, parent, system } = yield* family({})
        yield* parent.stop()
        const lines = yield* told
        yield* Effect.flip(context.spawn(recorder("x", [])))
        yield* Effect.flip(system.spawn(recorder("x", [], { significant: true })))
        assert.deepStrictEqual(lines(), [])
      }).pipe(Effect.provide(layer)))
  })
}
