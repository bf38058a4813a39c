import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { dispatch, spawn, start, stop } from "nact"
import { type ActorRef, ActorSystem, type CellContext, child, nactRef } from "../../core/actor/index.ts"
import { settle, TestSystem } from "../../core/testing/index.ts"
import { everySystem, type Order, recorder } from "./fixtures.ts"
import { ported, queryOf, tagOf } from "./nact-fixtures.ts"

for (const [systemName, layer] of everySystem) {
  describe(`nact below, ${systemName}`, () => {
    it.effect("what a nact program dispatches enters the mailbox, in order, and is handled like a tell", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("cell", log))
        const nact = start()
        const relay = spawn(nact, (_: undefined, text: string) => {
          dispatch(nactRef(ref), { type: "note", text })
          return undefined
        }, "relay")
        for (const text of ["1", "2", "3"]) dispatch(relay, text)
        yield* settle
        yield* settle
        assert.deepStrictEqual(log.slice(1), ["1", "2", "3"].map((text) => `handled cell ${text}`))
        stop(nact)
      }).pipe(Effect.provide(layer)))

    it.effect("a dispatch reaches the same mailbox across a restart, and crashes go through supervision", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("cell", log))
        dispatch(nactRef(ref), { type: "throw", defect: "boom" })
        dispatch(nactRef(ref), { type: "note", text: "after" })
        yield* settle
        yield* settle
        assert.deepStrictEqual(log.slice(1), ["stop cell crashed", "start cell", "handled cell after"])
      }).pipe(Effect.provide(layer)))

    it.effect("a cell can tell a nact actor", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const nact = start()
        const seen: Array<string> = []
        const actor = spawn(nact, (_: undefined, text: string) => {
          seen.push(text)
          return undefined
        }, "listener")
        const ref = yield* system.spawn<void, string, never, never>({
          name: "speaker",
          init: () => Effect.void,
          behavior: (_, text) => Effect.sync(() => dispatch(actor, text))
        })
        ref.tellUnsafe("hello")
        yield* settle
        yield* settle
        assert.deepStrictEqual(seen, ["hello"])
        stop(nact)
      }).pipe(Effect.provide(layer)))

    it.effect("what nact has not handed over when the cell ends is a dead letter, not lost", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn(recorder("cell", []))
        for (const text of ["1", "2", "3"]) dispatch(nactRef(ref), { type: "note", text })
        yield* ref.stop()
        yield* settle
        yield* settle
        const letters = system.deadLetters.last()
        assert.deepStrictEqual(letters.map((it) => it.reason), ["stopped", "stopped", "stopped"])
        assert.deepStrictEqual(letters.map((it) => Reflect.get(Object(it.message), "text")), ["1", "2", "3"])
      }).pipe(Effect.provide(layer)))

    it.effect("nact's stop of a cell stops it, after its children", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("parent", log, { children: [child(recorder("child", log))] }))
        stop(nactRef(ref))
        yield* settle
        yield* settle
        assert.deepStrictEqual(log, ["start child", "start parent", "stop child shutdown", "stop parent normal"])
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("a query that finds a mailbox full is rejected with that", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn(recorder("cell", [], { mailbox: { capacity: 1, overflow: "backpressure" } }))
        ref.tellUnsafe({ type: "suspend" })
        yield* settle
        ref.tellUnsafe({ type: "note", text: "waits" })
        assert.strictEqual(
          tagOf(yield* queryOf<Order, never>(ref, () => ({ type: "note", text: "asks" }))),
          "MailboxFull"
        )
      }).pipe(Effect.provide(layer)))
  })
}

describe("nact's tree", () => {
  it.effect("has ordinal names, whatever people call their cells, and a silent node above children", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      let context: CellContext<Order> | undefined
      const parent = yield* system.spawn(recorder("a mob / with % odd ✓ name", [], {
        init: (it) => {
          context = it
          return Effect.succeed({ texts: [], kept: [] })
        }
      }))
      const child = yield* context!.spawn(recorder("child", []))
      const twin = yield* context!.spawn(recorder("child", []))
      assert.strictEqual(parent.path, "/c1")
      assert.strictEqual(child.path, "/c1/k/c2")
      assert.strictEqual(twin.path, "/c1/k/c3")
      assert.strictEqual(parent.name, "a mob / with % odd ✓ name")
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("ends what nact programs have hung beside root cells with the system", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.fresh(ActorSystem.layer), scope)
      const system = (yield* Effect.provide(ActorSystem, context)) as typeof ActorSystem.Service
      const ends: Array<string> = []
      const ref = yield* system.spawn(ported<undefined, string>("root", undefined, (_, name, { parent }) => {
        spawn(parent, () => undefined, name, { afterStop: () => void ends.push(name) })
        return undefined
      }))
      ref.tellUnsafe("sibling")
      yield* settle
      yield* ref.stop()
      yield* settle
      assert.deepStrictEqual(ends, [])
      yield* Scope.close(scope, Exit.void)
      yield* settle
      assert.deepStrictEqual(ends, ["sibling"])
    }).pipe(Effect.provide(TestSystem.layerTime())))

  it.effect("loses each cell that stops, children and silent nodes too", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.fresh(ActorSystem.layer), scope)
      const system = (yield* Effect.provide(ActorSystem, context)) as typeof ActorSystem.Service
      const contexts: Array<CellContext<Order>> = []
      const parent: ActorRef<Order> = yield* system.spawn(recorder("parent", [], {
        init: (it) => {
          contexts.push(it)
          return Effect.as(it.spawn(recorder("child", [])), { texts: [], kept: [] })
        }
      }))
      const child = yield* contexts[0]!.spawn(recorder("child", []))
      // nact's own programs may hang actors below a cell.
      const seen: Array<string> = []
      const guest = spawn(nactRef(child), (_: undefined, text: string) => {
        seen.push(text)
        return undefined
      }, "guest")
      dispatch(guest, "alive")
      yield* settle
      assert.deepStrictEqual(seen, ["alive"])
      yield* parent.stop()
      for (const ref of [parent, child]) {
        assert.throws(() => spawn(nactRef(ref), () => undefined, "late"), /stopped/)
      }
      yield* Scope.close(scope, Exit.void)
      assert.throws(() => spawn(nactRef(parent), () => undefined, "late"), /stopped|undefined/)
    }).pipe(Effect.provide(TestSystem.layerTime())))
})
