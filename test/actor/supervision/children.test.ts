/**
 * Children as data: started with each incarnation of their parent, before its `init`; and the supervisor that does
 * nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber } from "effect"
import {
  ActorSystem,
  type CellSpec,
  child,
  type ChildSpec,
  type Reply,
  type SpawnFailed,
  supervisor
} from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem, notes, type Order } from "../fixtures.ts"
import { Family, once } from "./family.ts"

const DEAF = Effect.uninterruptible(Effect.sleep(60_000))
const RULES = { strategy: "one_for_one", intensity: 3, period: 5_000 } as const

/** What a spawn failed with, and what that failed with, and so on. */
const causes = (error: SpawnFailed): ReadonlyArray<string> => {
  const cause = Cause.squash(error.cause)
  if (typeof cause !== "object" || cause === null || !("_tag" in cause)) return [String(cause)]
  return cause._tag === "SpawnFailed" ? ["SpawnFailed", ...causes(cause as SpawnFailed)] : [String(cause._tag)] // by its tag
}

for (const [systemName, layer] of everySystem) {
  describe(`children as data, ${systemName}`, () => {
    it.effect("are started in order, each when the one before is up, before init; stopped in reverse", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const up = (name: string) => () =>
          Effect.andThen(Effect.sleep(100), Effect.sync(() => void family.log.push(`${name} is up`)))
        const spec = family.member("parent", {
          children: ["a", "b"].map((name) => child(family.member(name, { starts: up(name) }))),
          starts: up("parent")
        })
        const spawning = yield* Effect.forkChild(system.spawn(spec))
        yield* advance(300)
        const parent = yield* Fiber.join(spawning)
        assert.deepStrictEqual(family.take(), [
          "start a",
          "a is up",
          "start b",
          "b is up",
          "start parent",
          "parent is up"
        ])
        yield* parent.stop()
        assert.deepStrictEqual(family.take(), ["stop b shutdown", "stop a shutdown", "stop parent normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("context.child gives each its reference, in init and in turns; it throws for any other", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const a = child(family.member("a"))
        const stranger = child(family.member("a"))
        const paths: Array<string> = []
        const parent = yield* system.spawn(family.member("parent", {
          children: [a],
          starts: (_, context) => Effect.sync(() => void paths.push(context.child(a).path))
        }))
        const ask = Effect.suspend(() => family.context("parent").child(a).ask(notes, 1_000))
        const turn = Effect.flatMap(Effect.orDie(ask), (texts) => Effect.sync(() => void paths.push(texts.join())))
        family.ref("a").tellUnsafe({ type: "note", text: "asked" })
        parent.tellUnsafe({ type: "run", effect: turn })
        yield* settle
        assert.deepStrictEqual(paths, [family.ref("a").path, "asked"])
        assert.throws(() => family.context("parent").child(stranger), /parent lists no child a/)
        yield* parent.stop()
        assert.throws(() => family.context("parent").child(a), /parent lists no child a/)
      }).pipe(Effect.provide(layer)))

    it.effect("one listed under two parents is started under each", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const shared = child(family.member("shared"))
        const parents = ["x", "y"].map((name) => supervisor({ ...RULES, name, children: [shared] }))
        for (const parent of parents) yield* system.spawn(parent)
        assert.deepStrictEqual(
          system.snapshotTree().children.map((it) => it.children.map((it) => `${it.name} ${it.status}`)),
          [["shared running"], ["shared running"]]
        )
      }).pipe(Effect.provide(layer)))

    for (const how of ["fails", "dies", "throws", "hangs", "hangs uninterruptibly"] as const) {
      const starts = () => {
        if (how === "throws") throw new Error("no start")
        if (how === "fails") return Effect.fail("no start")
        if (how === "dies") return Effect.die("no start")
        return how === "hangs" ? Effect.never : DEAF
      }
      const hangs = how.startsWith("hangs")
      // What hangs has its time; what does not even hear of it has the time to end on top.
      const over = how === "hangs" ? 1_000 : how === "hangs uninterruptibly" ? 1_000 + 5_000 : 0

      it.effect(`one whose init ${how} undoes those before it in reverse; init does not run, nothing is left`, () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          const family = new Family()
          const children = ["a", "b", "c", "d"].map((name) =>
            child(family.member(name, name === "c" ? { starts, startTimeout: 1_000 } : {}))
          )
          const spawning = yield* Effect.forkChild(Effect.flip(system.spawn(family.member("parent", { children }))))
          yield* settle
          yield* advance(Math.max(0, over - 1))
          if (hangs) assert.deepStrictEqual(family.log, ["start a", "start b", "start c"])
          yield* advance(1)
          assert.deepStrictEqual(family.take(), ["start a", "start b", "start c", "stop b shutdown", "stop a shutdown"])
          const error = yield* Fiber.join(spawning)
          assert.strictEqual(error.actor, "parent")
          assert.deepStrictEqual(causes(error).slice(0, 1), ["SpawnFailed"])
          assert.match(causes(error)[1] ?? "", hangs ? /StartTimeout/ : /no start/)
          assert.deepStrictEqual(system.snapshotTree().children, [])
          yield* advance(60_000)
          assert.deepStrictEqual(family.take(), [])
        }).pipe(Effect.provide(layer)))

      it.effect(`a parent whose own init ${how} stops its children in reverse`, () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          const family = new Family()
          const spec = family.member("parent", {
            ...{ startTimeout: 1_000, starts },
            children: ["a", "b"].map((name) => child(family.member(name)))
          })
          const spawning = yield* Effect.forkChild(Effect.flip(system.spawn(spec)))
          yield* settle
          yield* advance(over)
          assert.deepStrictEqual(family.take(), [
            "start a",
            "start b",
            "start parent",
            "stop b shutdown",
            "stop a shutdown"
          ])
          assert.match(causes(yield* Fiber.join(spawning))[0] ?? "", hangs ? /StartTimeout/ : /no start/)
          assert.deepStrictEqual(system.snapshotTree().children, [])
          yield* advance(60_000)
          assert.deepStrictEqual(family.take(), [])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("startTimeout is for children and init together", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        for (const [startTimeout, tag] of [[299, "Failure"], [301, "Success"], ["infinity", "Success"]] as const) {
          const family = new Family()
          const slow = { starts: () => Effect.sleep(100) }
          const children = ["a", "b"].map((name) => child(family.member(name, slow)))
          const spec = family.member("parent", { ...slow, children, startTimeout })
          const spawning = yield* Effect.forkChild(Effect.exit(system.spawn(spec)))
          yield* advance(300)
          assert.strictEqual((yield* Fiber.join(spawning))._tag, tag)
        }
      }).pipe(Effect.provide(layer)))

    it.effect("whoever spawns may be interrupted: what had started is stopped in reverse", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const children = ["a", "b", "c"].map((name) =>
          child(family.member(name, name === "c" ? { starts: () => Effect.never } : {}))
        )
        const spawning = yield* Effect.forkChild(system.spawn(family.member("parent", { children })))
        yield* settle
        yield* Fiber.interrupt(spawning)
        assert.deepStrictEqual(family.take(), ["start a", "start b", "start c", "stop b shutdown", "stop a shutdown"])
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("a cell that stops itself in its init is not started, and does not wait for itself", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const spec = family.member("parent", {
          children: [child(family.member("a"))],
          starts: (_, context) => context.self.stop()
        })
        const spawning = yield* Effect.forkChild(Effect.exit(system.spawn(spec)))
        yield* settle
        assert.strictEqual(spawning.pollUnsafe()?._tag, "Success")
        assert.strictEqual((yield* Fiber.join(spawning))._tag, "Failure")
        assert.deepStrictEqual(family.take(), ["start a", "start parent", "stop a shutdown"])
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

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
          ...["start a", "start b", "stop a shutdown"],
          ...["start a", "start b", "start parent"]
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
