import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { ActorSystem, type CellSpec } from "../../core/actor/index.ts"
import { advance, ExpectationFailed, recordTap } from "../../core/testing/index.ts"
import { everySystem, type Order, recorder } from "../actor/fixtures.ts"

/** A parent whose child crashes after 100 ms and comes back after another 1,000. */
const crashing = (name: string) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const backoff = { initial: 1_000, max: 1_000, jitter: 0, reset: 60_000 }
    const parent: CellSpec<void, Order, unknown, never> = {
      name: `parent of ${name}`,
      supervision: { strategy: "one_for_one", intensity: 9, period: 60_000, backoff },
      init: (context) =>
        Effect.map(context.spawn(recorder(name, [])), (child) => {
          const crash = Effect.sync(() => void child.tellUnsafe({ type: "fail", error: `${name} boom` }))
          context.setTimer("crash", 100, { type: "run", effect: crash })
        }),
      behavior: (_, order) => order.type === "run" ? order.effect : Effect.void
    }
    return yield* system.spawn(parent)
  })

for (const [systemName, layer] of everySystem) {
  describe(`a recording of the tap, ${systemName}`, () => {
    it.effect("finds events in order, passes over those between, and gives what it found", () =>
      Effect.gen(function*() {
        const recording = yield* recordTap
        const parent = yield* crashing("a")
        yield* recording.expect("Started", { name: "a", incarnation: 1 })
        yield* recording.expect("Started", { path: parent.path })
        yield* recording.expectNone("Crashed")
        yield* advance(500)
        const crashed = yield* recording.expect("Crashed", { name: "a" })
        assert.deepStrictEqual(crashed.cause, Cause.fail("a boom"))
        yield* recording.expect("Restarting", { delay: 1_000 })
        yield* recording.expectNone("Started", { name: "a" })
        yield* advance(1_000)
        const { at, path } = yield* recording.expect("Started", { incarnation: 2 })
        assert.deepStrictEqual([at, path], [1_100, crashed.path])
        assert.deepStrictEqual(recording.events().map((it) => it._tag), [
          "Started",
          "Started",
          "DeadLetter",
          "Crashed",
          "Restarting",
          "Started"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("fails on what is not there, was before, or differs in one field, and goes nowhere then", () =>
      Effect.gen(function*() {
        const recording = yield* recordTap
        yield* crashing("a")
        yield* advance(2_000)
        for (
          const wrong of [
            recording.expect("Stopped"),
            recording.expect("Started", { name: "b" }),
            recording.expect("Started", { name: "a", incarnation: 3 }),
            recording.expect("Crashed", { cause: Cause.fail("b boom") }),
            recording.expectNone("Restarting", { delay: 1_000 })
          ]
        ) assert.instanceOf(yield* Effect.flip(wrong), ExpectationFailed)
        yield* recording.expect("Restarting", { name: "a" })
        yield* Effect.flip(recording.expect("Crashed"))
        yield* Effect.flip(recording.expect("Restarting"))
        yield* recording.expectNone("Restarting")
        yield* recording.expect("Started", { incarnation: 2 })
      }).pipe(Effect.provide(layer)))

    it.effect("says what was expected and what there is behind the last one found", () =>
      Effect.gen(function*() {
        const recording = yield* recordTap
        yield* crashing("a")
        yield* advance(2_000)
        yield* recording.expect("Restarting", { name: "a" })
        const missing = yield* Effect.flip(recording.expect("Stopped", { name: "a" }))
        const path = recording.events()[0]?.path
        assert.strictEqual(
          missing.message,
          `the tap did not hold what was expected\nexpected: a Stopped { name: 'a' }\nreceived: [ { _tag: 'Started', name: 'a', path: '${path}', incarnation: 2, at: 1100 } ]`
        )
        const surplus = yield* Effect.flip(recording.expectNone("Started"))
        assert.include(surplus.message, "expected: no Started {}\nreceived: [ { _tag: 'Started'")
        assert.lengthOf(surplus.actual as ReadonlyArray<unknown>, 1)
      }).pipe(Effect.provide(layer)))

    it.effect("waits for what is on its way, also to say that it is not there", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn(recorder("a", [], { restart: "temporary" }))
        const recording = yield* recordTap
        ref.tellUnsafe({ type: "die", defect: "boom" })
        yield* Effect.flip(recording.expectNone("Crashed"))
        const other = yield* system.spawn(recorder("b", []))
        other.tellUnsafe({ type: "die", defect: "boom" })
        yield* recording.expect("Crashed", { name: "b" })
      }).pipe(Effect.provide(layer)))

    it.effect("begins when it is made; two do not know of each other", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const early = yield* recordTap
        const ref = yield* system.spawn(recorder("a", []))
        const late = yield* recordTap
        yield* late.expectNone("Started")
        yield* ref.stop()
        yield* late.expect("Stopped", { reason: { _tag: "Normal" } })
        yield* early.expect("Started")
        yield* early.expect("Stopped")
        assert.deepStrictEqual([early.events().length, late.events().length], [2, 1])
      }).pipe(Effect.provide(layer)))
  })
}
