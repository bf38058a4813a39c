/**
 * `autoShutdown` and `significant`, as EEP 56 and OTP's documentation have them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ActorSystem, child, type Restart, supervisor } from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { Family, trio } from "./family.ts"

type AutoShutdown = "never" | "any_significant" | "all_significant"
type How = "ends" | "ends with shutdown" | "crashes" | "is stopped by a caller"

const HOWS: ReadonlyArray<How> = ["ends", "ends with shutdown", "crashes", "is stopped by a caller"]
const SAID: Record<How, string> = {
  "ends": "normal",
  "ends with shutdown": "shutdown",
  "crashes": "crashed boom",
  "is stopped by a caller": "normal"
}

/** "By itself, and not started again": whom a caller stops has not ended by itself, whom its crash restarts is not gone. */
const COUNTS: Record<"transient" | "temporary", Record<How, boolean>> = {
  transient: { "ends": true, "ends with shutdown": true, "crashes": false, "is stopped by a caller": false },
  temporary: { "ends": true, "ends with shutdown": true, "crashes": true, "is stopped by a caller": false }
}

const fall = (family: Family, name: string, how: How) =>
  Effect.gen(function*() {
    if (how === "ends") family.context(name).end()
    else if (how === "ends with shutdown") family.context(name).end("shutdown")
    else if (how === "crashes") family.crash(name)
    else yield* family.ref(name).stop()
    yield* settle
    return family.take()
  })

/** a and b are significant, c is not; the parent is not started again. */
const household = (autoShutdown: AutoShutdown, restart: Restart, significant: boolean) => {
  const own = significant ? { restart, significant } : { restart }
  return trio("one_for_one", { autoShutdown, intensity: 9 }, {
    parent: { restart: "transient" },
    a: own,
    b: own,
    c: { restart }
  })
}

for (const [systemName, layer] of everySystem) {
  describe(`autoShutdown, ${systemName}`, () => {
    for (const restart of ["transient", "temporary"] as const) {
      for (const how of HOWS) {
        const own = (name: string) =>
          restart === "transient" && how === "crashes"
            ? [`stop ${name} crashed boom`, `start ${name}`]
            : [`stop ${name} ${SAID[how]}`]

        it.effect(`significant_${restart}: any_significant, a ${restart} child that ${how} ${COUNTS[restart][how] ? "ends" : "leaves"} its parent`, () =>
          Effect.gen(function*() {
            const { family, system } = yield* household("any_significant", restart, true)
            const ended = ["stop c shutdown", "stop b shutdown", "stop parent shutdown"]
            const log = yield* fall(family, "a", how)
            assert.deepStrictEqual(log, COUNTS[restart][how] ? [...own("a"), ...ended] : own("a"))
            assert.strictEqual(system.snapshotTree().children.length, COUNTS[restart][how] ? 0 : 1)
          }).pipe(Effect.provide(layer)))

        it.effect(`significant_${restart}: all_significant, the last ${restart} child that ${how} ${COUNTS[restart][how] ? "ends" : "leaves"} its parent, the first does not`, () =>
          Effect.gen(function*() {
            const { family, system } = yield* household("all_significant", restart, true)
            assert.deepStrictEqual(yield* fall(family, "b", how), own("b"))
            const ended = ["stop c shutdown", "stop parent shutdown"]
            const log = yield* fall(family, "a", how)
            assert.deepStrictEqual(log, COUNTS[restart][how] ? [...own("a"), ...ended] : own("a"))
            assert.strictEqual(system.snapshotTree().children.length, COUNTS[restart][how] ? 0 : 1)
          }).pipe(Effect.provide(layer)))

        it.effect(`nonsignificant_${restart}: a ${restart} child that ${how} leaves its parent, whatever autoShutdown says`, () =>
          Effect.gen(function*() {
            for (const autoShutdown of ["never", "any_significant", "all_significant"] as const) {
              const { family } = yield* household(autoShutdown, restart, false)
              for (const name of ["a", "b", "c"]) assert.deepStrictEqual(yield* fall(family, name, how), own(name))
            }
          }).pipe(Effect.provide(layer)))
      }
    }

    it.effect("all_significant: of two, it is the last that counts, however the first went", () =>
      Effect.gen(function*() {
        for (const first of HOWS) {
          for (const last of HOWS) {
            const { family, system } = yield* household("all_significant", "temporary", true)
            yield* fall(family, "a", first)
            assert.strictEqual(system.snapshotTree().children.length, 1)
            yield* fall(family, "b", last)
            assert.strictEqual(
              system.snapshotTree().children.length,
              COUNTS.temporary[last] ? 0 : 1,
              `${first}, ${last}`
            )
            yield* family.ref("parent").stop()
          }
        }
      }).pipe(Effect.provide(layer)))

    for (const autoShutdown of ["any_significant", "all_significant"] as const) {
      for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
        for (const restart of ["transient", "temporary"] as const) {
          it.effect(`significant_bystander: ${autoShutdown}, ${strategy}: ${restart} ones that stop with a sibling do not count`, () =>
            Effect.gen(function*() {
              const significant = { restart, significant: true }
              const { family, system } = yield* trio(strategy, { autoShutdown }, { a: significant, c: significant })
              family.crash("b")
              yield* settle
              const log = family.take()
              assert.notInclude(log.join(), "parent")
              const stopped = strategy === "one_for_one" ? [] : strategy === "rest_for_one" ? ["c"] : ["a", "c"]
              const up = ["a", "b", "c"].filter((name) => restart === "transient" || !stopped.includes(name))
              assert.deepStrictEqual(system.snapshotTree().children[0]?.children.map((it) => it.name), up)
              assert.sameMembers([...log], [
                "stop b crashed boom",
                ...stopped.map((name) => `stop ${name} shutdown`),
                ...up.filter((name) => name === "b" || stopped.includes(name)).map((name) => `start ${name}`)
              ])
            }).pipe(Effect.provide(layer)))
        }
      }
    }

    it.effect("one that ended by itself in the instant of a sibling's crash counts, whichever came first", () =>
      Effect.gen(function*() {
        for (const first of ["a", "b"]) {
          for (const restart of ["transient", "temporary"] as const) {
            const { family, system } = yield* trio("one_for_all", { autoShutdown: "any_significant" }, {
              parent: { restart: "temporary" },
              b: { restart, significant: true }
            })
            if (first === "a") family.crash("a")
            family.context("b").end()
            family.crash("a")
            yield* settle
            const log = family.take()
            assert.notInclude(log, "start b")
            assert.strictEqual(log.at(-1), "stop parent shutdown", `${first} ${restart}`)
            assert.deepStrictEqual(system.snapshotTree().children, [])
          }
        }
      }).pipe(Effect.provide(layer)))

    it.effect("each: one that crashes too often is stopped by its parent, which does not count", () =>
      Effect.gen(function*() {
        const supervision = { autoShutdown: "any_significant", counted: "each", intensity: 0 } as const
        const { family } = yield* trio("one_for_one", supervision, { a: { restart: "transient", significant: true } })
        family.crash("a")
        yield* settle
        assert.deepStrictEqual(family.take(), ["stop a crashed boom"])
      }).pipe(Effect.provide(layer)))

    it.effect("a restart that is under way ends with the parent", () =>
      Effect.gen(function*() {
        const { family, system } = yield* trio("one_for_one", { autoShutdown: "any_significant" }, {
          parent: { restart: "transient" },
          a: { restart: "transient", significant: true },
          c: { starts: (attempt) => attempt === 1 ? Effect.void : Effect.never }
        })
        family.crash("c")
        yield* settle
        assert.deepStrictEqual(yield* fall(family, "a", "ends"), [
          "stop c crashed boom",
          "start c",
          "stop a normal",
          "stop b shutdown",
          "stop parent shutdown"
        ])
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("a parent in the middle of a message ends after it, and its next incarnation handles what is behind", () =>
      Effect.gen(function*() {
        const { family, parent } = yield* trio("one_for_one", { autoShutdown: "any_significant" }, {
          a: { restart: "temporary", significant: true }
        })
        parent.tellUnsafe({ type: "run", effect: Effect.sleep(100) })
        parent.tellUnsafe({ type: "note", text: "behind" })
        yield* settle
        assert.deepStrictEqual(yield* fall(family, "a", "ends"), ["stop a normal"])
        yield* advance(100)
        assert.deepStrictEqual(family.take(), [
          "stop c shutdown",
          "stop b shutdown",
          "stop parent shutdown",
          "start parent",
          "start a",
          "start b",
          "start c",
          "handled parent behind"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("a parent that is starting comes up and ends, or hangs until its time has passed", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        for (const start of ["succeeds", "hangs"] as const) {
          const family = new Family()
          const spec = family.member("parent", {
            restart: "transient",
            startTimeout: 1_000,
            kids: [family.member("a", { restart: "temporary", significant: true }), family.member("b")],
            supervision: { strategy: "one_for_one", intensity: 0, period: 1_000, autoShutdown: "any_significant" },
            starts: () => start === "hangs" ? Effect.never : Effect.sleep(100)
          })
          const spawning = yield* Effect.forkChild(Effect.exit(system.spawn(spec)))
          yield* settle
          yield* fall(family, "a", "ends")
          yield* advance(1_000)
          const exit = yield* Fiber.join(spawning)
          assert.strictEqual(exit._tag, start === "hangs" ? "Failure" : "Success")
          assert.deepStrictEqual(
            family.take(),
            start === "hangs" ? ["stop b shutdown"] : ["stop b shutdown", "stop parent shutdown"]
          )
          assert.deepStrictEqual(system.snapshotTree().children, [])
        }
      }).pipe(Effect.provide(layer)))

    for (const restart of ["permanent", "transient", "temporary"] as const) {
      it.effect(`nested: a ${restart} supervisor that its significant child ended ${restart === "permanent" ? "is started again" : "is gone"}, with shutdown`, () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          const family = new Family()
          const stopped: Array<string> = []
          system.tap.subscribe((event) => {
            if (event._tag === "Stopped") stopped.push(`${event.name} ${event.reason._tag}`)
          })
          const rules = { strategy: "one_for_one", intensity: 3, period: 1_000 } as const
          const worker = family.member("worker", { restart: "transient", significant: true })
          const inner = supervisor({
            ...rules,
            name: "inner",
            restart,
            autoShutdown: "any_significant" as const,
            children: [child(worker), child(family.member("other"))]
          })
          const outer = supervisor({ ...rules, name: "outer", children: [child(inner), child(family.member("aunt"))] })
          yield* system.spawn(outer)
          family.take()
          const again = restart === "permanent" ? ["start worker", "start other"] : []
          assert.deepStrictEqual(yield* fall(family, "worker", "ends"), [
            "stop worker normal",
            "stop other shutdown",
            ...again
          ])
          assert.deepStrictEqual(
            system.snapshotTree().children[0]?.children.map((it) => it.name),
            restart === "permanent" ? ["inner", "aunt"] : ["aunt"]
          )
          assert.strictEqual(stopped.includes("inner Shutdown"), restart !== "permanent")
        }).pipe(Effect.provide(layer)))
    }

    it.effect("significant_escalation: a significant supervisor that its significant child ended ends its own parent; another does not", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        for (const significant of [true, false]) {
          const family = new Family()
          const supervision = {
            strategy: "one_for_one",
            intensity: 3,
            period: 1_000,
            autoShutdown: "any_significant"
          } as const
          const c = family.member("c", { restart: "transient", significant: true })
          const b = family.member("b", { restart: "transient", significant, supervision, kids: [c] })
          yield* system.spawn(family.member("a", { restart: "transient", supervision, kids: [b] }))
          family.take()
          const log = yield* fall(family, "c", "ends")
          assert.deepStrictEqual(log, ["stop c normal", "stop b shutdown", ...significant ? ["stop a shutdown"] : []])
        }
      }).pipe(Effect.provide(layer)))

    it.effect("too many restarts of a significant child crash the parent: that is no shutdown", () =>
      Effect.gen(function*() {
        const supervision = { autoShutdown: "all_significant", intensity: 0 } as const
        const { family } = yield* trio("one_for_one", supervision, { a: { restart: "transient", significant: true } })
        assert.include(yield* fall(family, "a", "crashes"), "stop parent crashed boom")
      }).pipe(Effect.provide(layer)))
  })
}
