/**
 * Children as data through restarts, of theirs and of their parent's; and the supervisor that does nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber } from "effect"
import { ActorSystem, type CellSpec, child, type ChildSpec, type Reply, supervisor } from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem, notes, type Order } from "../fixtures.ts"
import { Family, once } from "./family.ts"

const RULES = { strategy: "one_for_one", intensity: 3, period: 5_000 } as const

for (const [systemName, layer] of everySystem) {
  describe(`restarts with children as data, ${systemName}`, () => {
    it.effect("a restart of the parent starts them anew: others, with empty mailboxes and no restarts", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const a: ChildSpec<Order, never> = child(family.member("a", { stops: once(Effect.sleep(10)) }))
        yield* system.spawn(family.member("parent", { children: [a, child(family.member("b"))] }))
        family.crash("b")
        yield* settle
        family.take()
        const before = family.context("parent").child(a)
        before.tellUnsafe({ type: "suspend" })
        before.tellUnsafe({ type: "note", text: "lost" })
        yield* settle
        family.crash("parent")
        yield* advance(10)
        assert.deepStrictEqual(family.take(), [
          "stop b shutdown",
          "stop a shutdown",
          "stop parent crashed boom",
          "start a",
          "start b",
          "start parent"
        ])
        const after = family.context("parent").child(a)
        assert.notStrictEqual(after.path, before.path)
        assert.isFalse(before.tellUnsafe({ type: "note", text: "late" }))
        assert.deepStrictEqual(yield* after.ask(notes, 1_000), [])
        const [node] = system.snapshotTree().children
        assert.deepStrictEqual(node?.children.map((it) => [it.name, it.restarts]), [["a", 0], ["b", 0]])
        assert.strictEqual(node?.restarts, 1)
      }).pipe(Effect.provide(layer)))

    it.effect("one that does not start with a restart of the parent is one more crash of the parent", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const starts = (attempt: number) => attempt === 2 ? Effect.fail("not yet") : Effect.void
        const children = [child(family.member("a")), child(family.member("b", { starts }))]
        yield* system.spawn(family.member("parent", { children }))
        family.take()
        family.crash("parent")
        yield* settle
        assert.deepStrictEqual(family.take(), [
          "stop b shutdown",
          "stop a shutdown",
          "stop parent crashed boom",
          "start a",
          "start b",
          "stop a shutdown",
          "start a",
          "start b",
          "start parent"
        ])
        assert.strictEqual(system.snapshotTree().children[0]?.restarts, 2)
      }).pipe(Effect.provide(layer)))

    it.effect("one that crashes while a later one starts is restarted meanwhile", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const children = [child(family.member("a")), child(family.member("b", { starts: () => Effect.sleep(100) }))]
        const spawning = yield* Effect.forkChild(system.spawn(family.member("parent", { children })))
        yield* advance(50)
        family.crash("a")
        yield* advance(50)
        yield* Fiber.join(spawning)
        assert.deepStrictEqual(family.take(), ["start a", "start b", "stop a crashed boom", "start a", "start parent"])
      }).pipe(Effect.provide(layer)))

    it.effect("supervisor(): restarts its children by its rules, ends with them, and is itself a child", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const trio = ["a", "b", "c"].map((name) => child(family.member(name)))
        const inner = supervisor({
          name: "inner",
          strategy: "one_for_all",
          intensity: 1,
          period: 5_000,
          children: trio
        })
        const outer = yield* system.spawn(supervisor({ ...RULES, name: "outer", children: [child(inner)] }))
        assert.deepStrictEqual(family.take(), ["start a", "start b", "start c"])
        const [node] = system.snapshotTree().children
        assert.deepStrictEqual(node?.children.map((it) => [it.name, it.status, it.children.length]), [[
          "inner",
          "running",
          3
        ]])
        family.crash("b")
        yield* settle
        const together = ["stop c shutdown", "stop a shutdown", "start a", "start b", "start c"]
        assert.deepStrictEqual(family.take(), ["stop b crashed boom", ...together])
        // Once too often: the inner one begins anew.
        family.crash("b")
        yield* settle
        assert.deepStrictEqual(family.take(), ["stop b crashed boom", ...together])
        assert.strictEqual(system.snapshotTree().children[0]?.children[0]?.restarts, 1)
        yield* outer.stop()
        assert.deepStrictEqual(family.take(), ["stop c shutdown", "stop b shutdown", "stop a shutdown"])
      }).pipe(Effect.provide(layer)))

    it.effect("have the services that their parent was spawned with", () =>
      Effect.gen(function*() {
        class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}
        const polite: CellSpec<void, { readonly reply: Reply<string> }, never, Greeting> = {
          name: "polite",
          init: () => Effect.void,
          behavior: (_, { reply }) => Effect.map(Greeting, (greeting) => reply.done(Exit.succeed(greeting)))
        }
        const listed = child(polite)
        const system = yield* ActorSystem
        const said: Array<string> = []
        yield* system.spawn<void, never, unknown, Greeting>({
          name: "host",
          children: [listed],
          init: (context) =>
            Effect.andThen(
              context.child(listed).ask((reply: Reply<string>) => ({ reply }), 1_000),
              (greeting) => Effect.sync(() => void said.push(greeting))
            ),
          behavior: () => Effect.void
        }).pipe(Effect.provideService(Greeting, "hello"))
        assert.deepStrictEqual(said, ["hello"])
      }).pipe(Effect.provide(layer)))
  })
}
