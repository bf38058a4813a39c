/**
 * Thousands of children below one dynamic supervisor: their end, and their place in nact's tree.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { spawn } from "nact"
import { type ActorRef, ActorSystem, nactRef } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { effort, everySystem, type Order } from "../fixtures.ts"
import { Family, once } from "./family.ts"
import { children, pool, start } from "./pool.ts"

for (const [systemName, layer] of everySystem) {
  describe(`the end of a dynamic supervisor, ${systemName}`, () => {
    it.effect("simple_one_for_one_shutdown: children are stopped all at once; one that is slow holds up nobody", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const count = effort(2_000, 5_000)
        const stops = (name: string) =>
          name === "c7" ? once(Effect.sleep(3_000)) : name === "c8" ? once(Effect.never) : once(Effect.void)
        const ref = yield* system.spawn(pool(family, (name) => ({ stops: stops(name) })))
        const names = Array.from({ length: count }, (_, index) => `c${index}`)
        for (const name of names) yield* start(ref, name)
        family.take()
        const stopping = yield* Effect.forkChild(ref.stop())
        yield* settle
        const quick = names.filter((name) => name !== "c7" && name !== "c8").map((name) => `stop ${name} shutdown`)
        assert.sameMembers([...family.take()], quick)
        yield* advance(2_999)
        assert.deepStrictEqual(family.take(), [])
        yield* advance(1)
        assert.deepStrictEqual(family.take(), ["stop c7 shutdown"])
        // The other has its five seconds.
        yield* advance(1_999)
        assert.isUndefined(stopping.pollUnsafe())
        yield* advance(1)
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("one whose restart hears nothing of its stop holds up nobody", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const starts = (attempt: number) => attempt === 1 ? Effect.void : Effect.uninterruptible(Effect.sleep(60_000))
        const ref = yield* system.spawn(pool(family, (name) => name === "a" ? { starts } : {}))
        for (const name of ["a", "b"]) yield* start(ref, name)
        family.crash("a")
        yield* settle
        const stopping = yield* Effect.forkChild(ref.stop())
        yield* settle
        assert.deepStrictEqual(family.take().slice(2), ["stop a crashed boom", "start a", "stop b shutdown"])
        yield* advance(4_999)
        assert.isUndefined(stopping.pollUnsafe())
        yield* advance(1)
        yield* Fiber.join(stopping)
        yield* advance(60_000)
        assert.deepStrictEqual(family.take(), [])
      }).pipe(Effect.provide(layer)))
  })
}

describe("nact's tree below a dynamic supervisor", () => {
  it.effect("has at most 1,024 children a node; empty nodes go, the newest is used again, all go with the supervisor", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const family = new Family()
      const ref = yield* system.spawn(pool(family))
      const refs = new Map<string, ActorRef<Order>>()
      const more = (count: number) =>
        Effect.gen(function*() {
          for (let index = 0; index < count; index++) {
            const name = `c${refs.size}`
            refs.set(name, yield* start(ref, name))
          }
        })
      const nodes = () => {
        const counts: Record<string, number> = {}
        for (const { path } of system.snapshotTree().children[0]?.children ?? []) {
          const [, , node = ""] = path.split("/")
          counts[node] = (counts[node] ?? 0) + 1
        }
        return counts
      }
      /** nact has an actor of that path: a sibling may be hung under its parent. */
      const inTree = (node: ActorRef<Order> | undefined) => {
        const { parent } = nactRef(node!) as unknown as { readonly parent: Parameters<typeof spawn>[0] } // nact's types hide it
        try {
          spawn(parent, () => undefined, "look")
          return true
        } catch {
          return false
        }
      }
      yield* more(2_500)
      assert.deepStrictEqual(nodes(), { k: 1_024, k2: 1_024, k3: 452 })
      assert.match(refs.get("c1023")?.path ?? "", /^\/c1\/k\/c\d+$/)
      assert.match(refs.get("c1024")?.path ?? "", /^\/c1\/k2\/c\d+$/)

      // A crash keeps its place.
      const { path } = refs.get("c5") ?? { path: "" }
      family.crash("c5")
      yield* settle
      assert.strictEqual(family.ref("c5").path, path)

      // Emptied, the second node goes; the first keeps the one that is left.
      for (let index = 1; index < 2_048; index++) yield* refs.get(`c${index}`)?.stop() ?? Effect.void
      assert.deepStrictEqual(nodes(), { k: 1, k3: 452 })
      assert.isFalse(inTree(refs.get("c1024")))
      assert.isTrue(inTree(refs.get("c0")))
      yield* more(1)
      assert.deepStrictEqual(nodes(), { k: 1, k3: 453 })

      // The newest stays for those that come, though it is empty.
      for (let index = 2_048; index <= 2_500; index++) yield* refs.get(`c${index}`)?.stop() ?? Effect.void
      assert.isTrue(inTree(refs.get("c2500")))
      yield* more(1)
      assert.deepStrictEqual(nodes(), { k: 1, k3: 1 })

      yield* ref.stop()
      for (const name of ["c0", "c2500", "c2501"]) assert.isFalse(inTree(refs.get(name)))
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("a child that does not start gives its place back", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const family = new Family()
      const ref = yield* system.spawn(pool(family, (name) => name === "bad" ? { starts: () => Effect.fail("no") } : {}))
      for (let index = 0; index < 2_000; index++) yield* Effect.flip(start(ref, "bad"))
      assert.match((yield* start(ref, "good")).path, /^\/c1\/k\/c\d+$/)
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("simple_one_for_one_scale_many_temporary_children: what came and went leaves nothing", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const family = new Family()
      const ref = yield* system.spawn(pool(family, () => ({ restart: "temporary" }), { counted: "together" }))
      for (let round = 0; round < 10; round++) {
        const names = Array.from({ length: effort(1_000, 10_000) }, (_, index) => `${round}-${index}`)
        for (const name of names) yield* start(ref, name)
        for (const [index, name] of names.entries()) {
          if (index % 3 === 0) family.crash(name)
          else if (index % 3 === 1) family.context(name).end()
          else yield* family.ref(name).stop()
        }
        yield* settle
        assert.deepStrictEqual(children(system), [])
        assert.strictEqual(family.take().length, names.length * 2)
      }
      assert.strictEqual(system.snapshotTree().children[0]?.restarts, 0)
    }).pipe(Effect.provide(TestSystem.layer())))
})
