/**
 * Children as data: started with each incarnation of their parent, before its `init`; and the supervisor that does
 * nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { ActorSystem, child, type SpawnFailed, supervisor } from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem, notes } from "../fixtures.ts"
import { Family } from "./family.ts"

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
            startTimeout: 1_000,
            starts,
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
  })
}
