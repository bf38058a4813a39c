/**
 * `dynamicSupervisor` and `startChild`: many alike children that come, crash and go by themselves.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { spawn } from "nact"
import {
  type ActorRef,
  ActorSystem,
  child,
  dynamicSupervisor,
  type DynamicSupervisorOptions,
  nactRef,
  SpecInvalid,
  type StartChild,
  startChild,
  supervisor
} from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { effort, everySystem, notes, type Order } from "../fixtures.ts"
import { Family, type MemberOptions, once } from "./family.ts"

type Options = Partial<Omit<DynamicSupervisorOptions<string, unknown, Order, unknown, never>, "child">>

/** A dynamic supervisor of members, `options` by name. */
const pool = (family: Family, of: (name: string) => MemberOptions = () => ({}), options: Options = {}) =>
  dynamicSupervisor({
    ...{ name: "pool", intensity: 3, period: 5_000, counted: "each", ...options },
    child: (name: string) => family.member(name, of(name))
  })

const start = (ref: ActorRef<StartChild<string, Order>>, name: string) => startChild(ref, name, 10_000)

const children = (system: typeof ActorSystem.Service) =>
  system.snapshotTree().children[0]?.children.map((it) => `${it.name} ${it.status}`)

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
          ...{ name: "pool", intensity: 0, period: 5_000, counted: "together" },
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
          ...{ name: "workers", strategy: "one_for_one", intensity: 4, period: 5_000 },
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
          ...["stop child3 crashed boom", "stop child4 shutdown", "stop child2 shutdown", "stop child1 shutdown"],
          ...["start child1", "start child2"]
        ])
        // The reference of a supervisor outlives its restart.
        yield* start(ref, "child5")
        assert.deepStrictEqual(
          system.snapshotTree().children[0]?.children.map((it) => it.children.map((it) => it.name)),
          [["child1", "child2"], ["child5"]]
        )
      }).pipe(Effect.provide(layer)))

    it.effect("simple_one_for_one_shutdown: children are stopped all at once; one that is slow holds up nobody", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const count = effort(2_000, 20_000)
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
