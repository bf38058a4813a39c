/**
 * Who is stopped while its restart waits or is under way is not started; neither is anybody whose parent stops.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ActorSystem } from "../../../core/actor/index.ts"
import { advance, settle, VirtualTime } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { Family, once, trio } from "./family.ts"

const hangsAtRestart = (attempt: number) => attempt === 1 ? Effect.void : Effect.never
/** Its start may take for ever: nothing sleeps for its end. */
const hanging = { starts: hangsAtRestart, startTimeout: "infinity" } as const
const deafAtRestart = (attempt: number) => attempt === 1 ? Effect.void : Effect.uninterruptible(Effect.sleep(60_000))

const OTP = {
  one_for_one: "hanging_restart_loop",
  rest_for_one: "hanging_restart_loop_rest_for_one",
  simple_one_for_one: "hanging_restart_loop_simple",
  one_for_all: "one_for_all"
} as const
const STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"] as const

for (const [systemName, layer] of everySystem) {
  describe(`a stop during a restart, ${systemName}`, () => {
    for (const strategy of STRATEGIES) {
      it.effect(`${strategy}: one that is stopped while its init runs is gone at once, the others go on (OTP: ${OTP[strategy]})`, () =>
        Effect.gen(function*() {
          const { family, system } = yield* trio(strategy, {}, { b: hanging })
          family.crash("b")
          yield* settle
          const [node] = system.snapshotTree().children
          assert.strictEqual(node?.children[1]?.status, "restarting")
          family.take()
          yield* family.ref("b").stop()
          yield* settle
          const waited = strategy === "one_for_all" || strategy === "rest_for_one" ? ["start c"] : []
          assert.deepStrictEqual(family.take(), waited)
          assert.deepStrictEqual(
            system.snapshotTree().children[0]?.children.map((it) => `${it.name} ${it.status}`),
            ["a running", "c running"]
          )
          assert.isUndefined((yield* VirtualTime).nextDue())
        }).pipe(Effect.provide(layer)))

      it.effect(`${strategy}: a parent that is stopped while a child's init runs waits for nothing (OTP: ${OTP[strategy]})`, () =>
        Effect.gen(function*() {
          const { family, parent, system } = yield* trio(strategy, {}, { b: hanging })
          family.crash("b")
          yield* settle
          family.take()
          yield* parent.stop()
          const log = family.take()
          assert.notInclude(log, "stop b shutdown")
          assert.strictEqual(log.at(-1), "stop parent normal")
          const left = {
            one_for_all: ["a"],
            rest_for_one: ["a"],
            one_for_one: ["c", "a"],
            simple_one_for_one: ["c", "a"]
          }
          assert.sameMembers([...log], [...left[strategy].map((it) => `stop ${it} shutdown`), "stop parent normal"])
          yield* settle
          assert.deepStrictEqual(system.snapshotTree().children, [])
          assert.isUndefined((yield* VirtualTime).nextDue())
        }).pipe(Effect.provide(layer)))
    }

    it.effect("an init that cannot be interrupted has as long as the cell may take to end, and is then abandoned", () =>
      Effect.gen(function*() {
        const { family, system } = yield* trio("one_for_one", {}, { b: { starts: deafAtRestart, shutdown: 2_000 } })
        family.crash("b")
        yield* settle
        const stopping = yield* Effect.forkChild(family.ref("b").stop())
        yield* advance(1_999)
        assert.isUndefined(stopping.pollUnsafe())
        yield* advance(1)
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(system.snapshotTree().children[0]?.children.map((it) => it.name), ["a", "c"])
        yield* advance(60_000)
        assert.deepStrictEqual(family.take(), ["stop b crashed boom", "start b"])
      }).pipe(Effect.provide(layer)))

    it.effect("one that is stopped while a sibling's onStop runs is not started with the group", () =>
      Effect.gen(function*() {
        for (const stopped of ["a", "b", "c"]) {
          const { family } = yield* trio("one_for_all", {}, { b: { stops: once(Effect.sleep(100)) } })
          family.crash("a")
          yield* advance(50)
          // b's onStop is running: a and c are down, or b itself is on its way.
          const stopping = yield* Effect.forkChild(family.ref(stopped).stop())
          yield* settle
          assert.strictEqual(stopping.pollUnsafe() === undefined, stopped === "b")
          yield* advance(50)
          yield* Fiber.join(stopping)
          const left = ["a", "b", "c"].filter((name) => name !== stopped)
          assert.deepStrictEqual(family.take(), [
            "stop a crashed boom",
            "stop c shutdown",
            "stop b shutdown",
            ...left.map((name) => `start ${name}`)
          ])
        }
      }).pipe(Effect.provide(layer)))

    it.effect("one that is stopped while its own onStop runs, after its crash, ends once, with its crash", () =>
      Effect.gen(function*() {
        for (const strategy of STRATEGIES) {
          const { family, system } = yield* trio(strategy, {}, { b: { stops: once(Effect.sleep(100)) } })
          family.crash("b")
          yield* advance(50)
          const stopping = yield* Effect.forkChild(family.ref("b").stop())
          yield* advance(50)
          yield* Fiber.join(stopping)
          const log = family.take()
          assert.strictEqual(log[0], "stop b crashed boom")
          assert.notInclude(log, "start b")
          assert.sameMembers(
            [...system.snapshotTree().children[0]?.children.map((it) => `${it.name} ${it.status}`) ?? []],
            ["a running", "c running"]
          )
          yield* system.snapshotTree().children.length > 0 ? family.ref("parent").stop() : Effect.void
        }
      }).pipe(Effect.provide(layer)))

    it.effect("one that is stopped with drain in its restart handles nothing more", () =>
      Effect.gen(function*() {
        const { family, system } = yield* trio("one_for_one", {}, { b: hanging })
        const b = family.ref("b")
        family.crash("b")
        b.tellUnsafe({ type: "note", text: "late" })
        yield* settle
        yield* b.stop({ drain: true })
        assert.deepStrictEqual(family.take(), ["stop b crashed boom", "start b"])
        assert.deepStrictEqual(system.deadLetters.last().map((it) => it.reason), ["stopped"])
      }).pipe(Effect.provide(layer)))

    it.effect("a parent that stops while its children's onStops run in a restart waits for them, and starts none", () =>
      Effect.gen(function*() {
        const slow = { stops: once(Effect.sleep(100)) }
        const { family, parent } = yield* trio("one_for_all", {}, { b: slow, c: slow })
        family.crash("a")
        yield* advance(50)
        const stopping = yield* Effect.forkChild(parent.stop())
        yield* advance(149)
        assert.isUndefined(stopping.pollUnsafe())
        yield* advance(1)
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(family.take(), [
          "stop a crashed boom",
          "stop c shutdown",
          "stop b shutdown",
          "stop parent normal"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("sup_stop_race: children that end by themselves while their parent stops end as they did, and none is started", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const ends = {
          normal: (name: string) => family.context(name).end(),
          shutdown: (name: string) => family.context(name).end("shutdown"),
          crash: (name: string) => family.crash(name)
        }
        const how = new Map<string, (name: string) => void>()
        const kids = (["permanent", "transient", "temporary"] as const).flatMap((restart) =>
          Object.entries(ends).map(([reason, end]) => {
            how.set(`${restart} ${reason}`, end)
            return family.member(`${restart} ${reason}`, { restart })
          })
        )
        const last = family.member("last", { stops: once(Effect.sleep(100)) })
        const parent = yield* system.spawn(family.member("parent", { kids: [...kids, last] }))
        family.take()
        const stopping = yield* Effect.forkChild(parent.stop())
        yield* advance(50)
        for (const [name, end] of how) end(name)
        yield* advance(50)
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(family.take(), [
          "stop last shutdown",
          ...[...how.keys()].reverse().map((name) =>
            name.endsWith("crash") ? `stop ${name} crashed boom` : `stop ${name} ${name.split(" ")[1]}`
          ),
          "stop parent normal"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("a parent that crashes while its children restart begins anew, once", () =>
      Effect.gen(function*() {
        for (const strategy of STRATEGIES) {
          const { family, system } = yield* trio(strategy, {}, {
            b: { starts: (attempt) => attempt === 2 ? Effect.never : Effect.void }
          })
          family.crash("b")
          yield* settle
          family.crash("parent")
          yield* settle
          const log = family.take()
          assert.deepStrictEqual(log.slice(-5), [
            "stop parent crashed boom",
            "start parent",
            "start a",
            "start b",
            "start c"
          ])
          assert.strictEqual(log.filter((it) => it === "start b").length, 2)
          const [node] = system.snapshotTree().children
          assert.deepStrictEqual(node?.children.map((it) => it.status), ["running", "running", "running"])
          yield* family.ref("parent").stop()
        }
      }).pipe(Effect.provide(layer)))
  })
}
