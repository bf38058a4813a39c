import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber } from "effect"
import { type ActorRef, ActorSystem, dynamicSupervisor, type StartChild, startChild } from "../../core/actor/index.ts"
import { advance, recordTap, settle } from "../../core/testing/index.ts"
import { everySystem, notes, type Order, recorder } from "./fixtures.ts"
import { boom, family, line, type Recorder, told } from "./tap-family.ts"

const backoff = (jitter: number) => ({ initial: 100, max: 300, jitter, reset: 60_000 })

for (const [systemName, layer] of everySystem) {
  describe(`the tap, ${systemName}`, () => {
    it.effect("Started: listed children in order, each when it is up, then the parent", () =>
      Effect.gen(function*() {
        const lines = yield* told
        yield* family({})
        assert.deepStrictEqual(lines(), ["Started a 1", "Started b 1", "Started c 1", "Started parent 1"])
      }).pipe(Effect.provide(layer)))

    it.effect("Crashed: with the cause, behind the letter that is lost; Restarting; Started with the next number", () =>
      Effect.gen(function*() {
        const { b } = yield* family({})
        const defect = new Error("bang")
        const crashes = [
          [boom, Cause.fail("boom")],
          [{ type: "die", defect }, Cause.die(defect)],
          [{ type: "throw", defect }, Cause.die(defect)]
        ] as const
        for (const [index, [order, cause]] of crashes.entries()) {
          const recording = yield* recordTap
          b.tellUnsafe(order)
          yield* settle
          const where = { name: "b", path: b.path, at: 0 }
          assert.deepStrictEqual(recording.events().slice(0, 4), [
            { _tag: "DeadLetter", reason: "crashed", message: order, ...where },
            { _tag: "Crashed", cause, ...where },
            { _tag: "Restarting", delay: 0, ...where },
            { _tag: "Started", incarnation: index + 2, ...where }
          ])
          assert.lengthOf(recording.events(), 4)
        }
      }).pipe(Effect.provide(layer)))

    it.effect("Crashed: no letter where no message was handled", () =>
      Effect.gen(function*() {
        const { context } = yield* family({})
        const lines = yield* told
        context.fork(Effect.andThen(Effect.sleep(5), Effect.fail("fork")))
        yield* advance(5)
        assert.deepStrictEqual(lines(), [
          "Crashed parent fork",
          "Stopped c Shutdown",
          "Stopped b Shutdown",
          "Stopped a Shutdown",
          "Restarting parent 0",
          "Started a 1",
          "Started b 1",
          "Started c 1",
          "Started parent 2"
        ])
      }).pipe(Effect.provide(layer)))

    const restarting = {
      one_for_one: ["Restarting b 100", "Started b 2"],
      one_for_all: [
        "Restarting c 100",
        "Restarting a 100",
        "Restarting b 100",
        "Started a 2",
        "Started b 2",
        "Started c 2"
      ],
      rest_for_one: ["Restarting c 100", "Restarting b 100", "Started b 2", "Started c 2"]
    } as const
    for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
      it.effect(`Restarting: the crashed one behind its companions, with the same delay (${strategy})`, () =>
        Effect.gen(function*() {
          const { b } = yield* family({ strategy, backoff: backoff(0) })
          const recording = yield* recordTap
          b.tellUnsafe(boom)
          yield* advance(100)
          assert.deepStrictEqual(recording.events().map(line), [
            "DeadLetter b crashed",
            "Crashed b boom",
            ...restarting[strategy]
          ])
          for (const { _tag, at } of recording.events()) assert.strictEqual(at, _tag === "Started" ? 100 : 0)
        }).pipe(Effect.provide(layer)))
    }

    it.effect("Restarting: a temporary companion stops instead", () =>
      Effect.gen(function*() {
        const { b } = yield* family({ strategy: "one_for_all" }, { c: { restart: "temporary" } })
        const lines = yield* told
        b.tellUnsafe(boom)
        yield* settle
        assert.deepStrictEqual(lines(), [
          "DeadLetter b crashed",
          "Crashed b boom",
          "Stopped c Shutdown",
          "Restarting a 0",
          "Restarting b 0",
          "Started a 2",
          "Started b 2"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("Restarting: the delay grows with each crash, and passes before the start, jitter included", () =>
      Effect.gen(function*() {
        for (const jitter of [0, 0.5]) {
          const recording = yield* recordTap
          const { b } = yield* family({ intensity: 9, period: 60_000, backoff: backoff(jitter) })
          for (let crash = 0; crash < 4; crash++) {
            b.tellUnsafe(boom)
            yield* advance("1 second")
          }
          const delays: Array<number> = []
          for (let crash = 0; crash < 4; crash++) {
            const { at, delay } = yield* recording.expect("Restarting", { path: b.path })
            delays.push(delay)
            yield* recording.expect("Started", { path: b.path, incarnation: crash + 2, at: at + delay })
          }
          for (const [index, base] of [100, 200, 300, 300].entries()) {
            assert.isAtMost(Math.abs(delays[index]! - base), base * jitter)
          }
        }
      }).pipe(Effect.provide(layer)))

    it.effect("Stopped: with the reason of each end", () =>
      Effect.gen(function*() {
        const ended = (order: Order | "stop", own: Partial<Recorder>) =>
          Effect.gen(function*() {
            const { b, parent } = yield* family({}, { b: own })
            const recording = yield* recordTap
            if (order === "stop") yield* b.stop()
            else b.tellUnsafe(order)
            yield* settle
            const events = recording.events()
            yield* parent.stop()
            return events.map(line)
          })
        const end = (reason: "normal" | "shutdown"): Partial<Recorder> => ({
          restart: "transient",
          behavior: (state, _, context) =>
            Effect.sync(() => {
              context.end(reason)
              return state
            })
        })
        assert.deepStrictEqual(yield* ended("stop", {}), ["Stopped b Normal"])
        assert.deepStrictEqual(yield* ended({ type: "end" }, end("normal")), ["Stopped b Normal"])
        assert.deepStrictEqual(yield* ended({ type: "end" }, end("shutdown")), ["Stopped b Shutdown"])
        assert.deepStrictEqual(yield* ended({ type: "end" }, {}), ["Restarting b 0", "Started b 2"])
        assert.deepStrictEqual(yield* ended(boom, { restart: "temporary" }), [
          "DeadLetter b crashed",
          "Crashed b boom",
          "Stopped b Crashed"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("Stopped: letters first, then those below in reverse, then the cell; crashed ones keep their cause", () =>
      Effect.gen(function*() {
        const { b, parent } = yield* family({ backoff: backoff(0) })
        b.tellUnsafe(boom)
        yield* settle
        for (const text of ["1", "2"]) b.tellUnsafe({ type: "note", text })
        const recording = yield* recordTap
        yield* parent.stop()
        assert.deepStrictEqual(recording.events().map(line), [
          "Stopped c Shutdown",
          "DeadLetter b stopped",
          "DeadLetter b stopped",
          "Stopped b Crashed",
          "Stopped a Shutdown",
          "Stopped parent Normal"
        ])
        yield* recording.expect("DeadLetter", { message: { type: "note", text: "1" } })
        yield* recording.expect("DeadLetter", { message: { type: "note", text: "2" } })
        yield* recording.expect("Stopped", { path: b.path, reason: { _tag: "Crashed", cause: Cause.fail("boom") } })
      }).pipe(Effect.provide(layer)))

    it.effect("Stopped: once, however often it is stopped; what drains loses no letters", () =>
      Effect.gen(function*() {
        const { b } = yield* family({})
        const lines = yield* told
        for (const text of ["1", "2"]) b.tellUnsafe({ type: "note", text })
        yield* Effect.all([b.stop({ drain: true }), b.stop({ drain: true })], { concurrency: 2 })
        yield* b.stop()
        assert.deepStrictEqual(lines(), ["Stopped b Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("DeadLetter: full, stopped and crashed, with the very message", () =>
      Effect.gen(function*() {
        const { b } = yield* family({}, { b: { mailbox: { capacity: 1, overflow: "backpressure" } } })
        const recording = yield* recordTap
        const hold = yield* Deferred.make<void>()
        const holds: Order = { type: "run", effect: Deferred.await(hold) }
        b.tellUnsafe(holds)
        yield* settle
        const [kept, full, waits, late] = ["1", "2", "3", "4"].map((text): Order => ({ type: "note", text }))
        b.tellUnsafe(kept!)
        b.tellUnsafe(full!)
        const waiting = yield* Effect.forkChild(Effect.flip(b.tell(waits!)), { startImmediately: true })
        yield* b.stop()
        yield* Fiber.join(waiting)
        b.tellUnsafe(late!)
        yield* Effect.flip(b.tell(late!))
        yield* Effect.flip(b.ask(notes, 1_000))
        const letters = recording.events().flatMap((it) => it._tag === "DeadLetter" ? [it] : [])
        assert.deepStrictEqual(recording.events().map(line), [
          "DeadLetter b full",
          "DeadLetter b stopped",
          "DeadLetter b stopped",
          "DeadLetter b stopped",
          "Stopped b Normal",
          "DeadLetter b stopped",
          "DeadLetter b stopped",
          "DeadLetter b stopped"
        ])
        assert.deepStrictEqual(letters.slice(0, 6).map((it) => it.message), [
          full,
          waits,
          holds,
          kept,
          late,
          late
        ])
        for (const { path } of letters) assert.strictEqual(path, b.path)
      }).pipe(Effect.provide(layer)))

    it.effect("children of a dynamic supervisor come and go like any", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const lines = yield* told
        const pool: ActorRef<StartChild<string, Order>> = yield* system.spawn(
          dynamicSupervisor({
            name: "pool",
            intensity: 3,
            period: 5_000,
            counted: "each",
            child: (name: string) => recorder(name, [], name === "bad" ? { init: () => Effect.fail("no") } : {})
          })
        )
        const a = yield* startChild(pool, "a", 1_000)
        yield* startChild(pool, "b", 1_000)
        yield* Effect.flip(startChild(pool, "bad", 1_000))
        a.tellUnsafe(boom)
        yield* settle
        yield* pool.stop()
        assert.deepStrictEqual(lines(), [
          "Started pool 1",
          "Started a 1",
          "Started b 1",
          "Crashed bad no",
          "Stopped bad Crashed",
          "DeadLetter a crashed",
          "Crashed a boom",
          "Restarting a 0",
          "Started a 2",
          "Stopped a Shutdown",
          "Stopped b Shutdown",
          "Stopped pool Normal"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("the end of the system is told to its last cell", () =>
      Effect.gen(function*() {
        const lines = yield* Effect.provide(
          Effect.gen(function*() {
            yield* family({})
            yield* (yield* ActorSystem).spawn(recorder("other", []))
            return yield* told
          }),
          layer,
          { local: true }
        )
        assert.deepStrictEqual(lines(), [
          "Stopped other Shutdown",
          "Stopped c Shutdown",
          "Stopped b Shutdown",
          "Stopped a Shutdown",
          "Stopped parent Shutdown"
        ])
      }))
  })
}
