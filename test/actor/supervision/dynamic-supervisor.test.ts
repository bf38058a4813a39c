/**
 * `dynamicSupervisor` and `startChild`: many alike children that come, crash and go by themselves.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import {
  ActorSystem,
  child,
  dynamicSupervisor,
  SpecInvalid,
  startChild,
  supervisor
} from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem, notes } from "../fixtures.ts"
import { Family, type MemberOptions } from "./family.ts"
import { children, pool, start } from "./pool.ts"

for (const [systemName, layer] of everySystem) {
  describe(`a dynamic supervisor, ${systemName}`, () => {
    it.effect("starts a child for each argument, one after the other, and gives its reference when it is up", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const starts = () => Effect.andThen(Effect.sleep(100), Effect.sync(() => void family.log.push("up")))
        const ref = yield* system.spawn(pool(family, (name) => name === "a" ? { starts } : {}))
        const both = yield* Effect.forkChild(Effect.all([start(ref, "a"), start(ref, "b")], { concurrency: 2 }))
        yield* advance(100)
        const [a, b] = yield* Fiber.join(both)
        assert.deepStrictEqual(family.take(), ["start a", "up", "start b"])
        assert.deepStrictEqual([a?.name, b?.name], ["a", "b"])
        a?.tellUnsafe({ type: "note", text: "hello" })
        assert.deepStrictEqual(yield* a?.ask(notes, 1_000) ?? Effect.succeed([]), ["hello"])
        assert.deepStrictEqual(children(system), ["a running", "b running"])
      }).pipe(Effect.provide(layer)))

    it.effect("sup_start_child_returns_error_simple: an init that does not succeed is a SpawnFailed with its cause; nothing is left", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const hows: Record<string, MemberOptions> = {
          fails: { starts: () => Effect.fail("no start") },
          dies: { starts: () => Effect.die("no start") },
          hangs: { starts: () => Effect.never, startTimeout: 1_000 },
          wrong: { shutdown: -1 }
        }
        const ref = yield* system.spawn(pool(family, (name) => hows[name] ?? {}))
        for (const how of ["fails", "dies", "hangs", "wrong"]) {
          const starting = yield* Effect.forkChild(Effect.flip(start(ref, how)))
          yield* advance(1_000)
          const error = yield* Fiber.join(starting)
          assert.strictEqual(error._tag, "SpawnFailed")
          if (error._tag !== "SpawnFailed") continue
          assert.strictEqual(error.actor, how)
          const cause = Cause.squash(error.cause)
          if (how === "wrong") assert.instanceOf(cause, SpecInvalid)
          else assert.match(String(cause), how === "hangs" ? /StartTimeout/ : /no start/)
          assert.deepStrictEqual(children(system), [])
        }
        yield* start(ref, "fine")
        assert.deepStrictEqual(children(system), ["fine running"])
        assert.strictEqual(system.snapshotTree().children[0]?.restarts, 0)
      }).pipe(Effect.provide(layer)))

    it.effect("a factory that throws is a SpawnFailed, and the supervisor lives", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const ref = yield* system.spawn(dynamicSupervisor({
          name: "pool",
          intensity: 0,
          period: 5_000,
          counted: "together",
          child: (name: string) => {
            if (name === "bad") throw new Error("no such child")
            return family.member(name)
          }
        }))
        const error = yield* Effect.flip(start(ref, "bad"))
        assert.strictEqual(error._tag, "SpawnFailed")
        assert.match(error._tag === "SpawnFailed" ? String(Cause.squash(error.cause)) : "", /no such child/)
        yield* start(ref, "good")
        assert.strictEqual(system.snapshotTree().children[0]?.restarts, 0)
      }).pipe(Effect.provide(layer)))

    it.effect("that has stopped starts nobody; one that is stopped amid a start leaves nobody", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const ref = yield* system.spawn(pool(family, () => ({ starts: () => Effect.never })))
        const [amid, behind] = [
          yield* Effect.forkChild(Effect.flip(start(ref, "amid"))),
          yield* Effect.forkChild(Effect.flip(start(ref, "behind")))
        ]
        yield* settle
        yield* ref.stop()
        assert.strictEqual((yield* Fiber.join(amid))._tag, "ActorStopped")
        assert.strictEqual((yield* Fiber.join(behind))._tag, "ActorStopped")
        assert.strictEqual((yield* Effect.flip(start(ref, "late")))._tag, "ActorStopped")
        assert.deepStrictEqual(family.take(), ["start amid"])
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("whoever does not wait long enough gets AskTimeout; the child comes up all the same", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const ref = yield* system.spawn(pool(family, () => ({ starts: () => Effect.sleep(1_000) })))
        const starting = yield* Effect.forkChild(Effect.flip(startChild(ref, "slow", 500)))
        yield* advance(500)
        assert.strictEqual((yield* Fiber.join(starting))._tag, "AskTimeout")
        assert.deepStrictEqual(children(system), [])
        yield* advance(500)
        assert.deepStrictEqual(children(system), ["slow running"])
      }).pipe(Effect.provide(layer)))

    it.effect("simple_one_for_one_escalation: together, crashes add up; each, they do not", () =>
      Effect.gen(function*() {
        for (const counted of ["together", "each"] as const) {
          const system = yield* ActorSystem
          const family = new Family()
          const ref = yield* system.spawn(pool(family, () => ({}), { intensity: 1, counted }))
          for (const name of ["a", "b"]) yield* start(ref, name)
          for (const name of ["a", "b"]) family.crash(name)
          yield* settle
          const [node] = system.snapshotTree().children
          assert.strictEqual(node?.restarts, counted === "together" ? 1 : 0)
          // tree: what was started by hand is not started again with its supervisor.
          assert.deepStrictEqual(children(system), counted === "together" ? [] : ["a running", "b running"])
          yield* start(ref, "c")
          assert.include(children(system) ?? [], "c running")
          yield* ref.stop()
        }
      }).pipe(Effect.provide(layer)))

    it.effect("tree: only who dies is restarted; a supervision tree is restarted, but not dynamic children", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const workers = supervisor({
          name: "workers",
          strategy: "one_for_one",
          intensity: 4,
          period: 5_000,
          children: [child(family.member("child1")), child(family.member("child2"))]
        })
        const dynamic = child(pool(family, () => ({}), { intensity: 1, counted: "together" }))
        yield* system.spawn(family.member("top", {
          supervision: { strategy: "one_for_all", intensity: 4, period: 5_000 },
          children: [child(workers), dynamic]
        }))
        const ref = family.context("top").child(dynamic)
        for (const name of ["child3", "child4"]) yield* start(ref, name)
        family.take()
        family.crash("child4")
        yield* settle
        assert.deepStrictEqual(family.take(), ["stop child4 crashed boom", "start child4"])
        family.crash("child3")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop child3 crashed boom",
          "stop child4 shutdown",
          "stop child2 shutdown",
          "stop child1 shutdown",
          "start child1",
          "start child2"
        ])
        // The reference of a supervisor outlives its restart.
        yield* start(ref, "child5")
        assert.deepStrictEqual(
          system.snapshotTree().children[0]?.children.map((it) => it.children.map((it) => it.name)),
          [["child1", "child2"], ["child5"]]
        )
      }).pipe(Effect.provide(layer)))
  })
}
