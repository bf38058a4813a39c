import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import {
  ActorCrashed,
  type ActorRef,
  ActorSystem,
  type CellContext,
  type CellSpec,
  type Reply,
  type Restart,
  type SpawnFailed,
  type Supervision
} from "../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../core/testing/index.ts"
import { everySystem, notes, type Order, recorder, seeds } from "./fixtures.ts"

type Parent = { readonly type: "spawn" } | { readonly type: "crash" }

/** A parent that starts `children` in its init, and hands out their references and its context. */
const parentOf = (
  children: ReadonlyArray<CellSpec<unknown, Order, unknown, never>>,
  supervision: Supervision,
  out: { refs: Array<ActorRef<Order>>; context?: CellContext<Parent> },
  log: Array<string> = []
): CellSpec<void, Parent, SpawnFailed | string, never> => ({
  name: "parent",
  supervision,
  init: (context) =>
    Effect.gen(function*() {
      log.push("start parent")
      out.context = context
      out.refs = []
      for (const child of children) out.refs.push(yield* context.spawn(child))
    }),
  behavior: (_, message) => message.type === "crash" ? Effect.fail("parent crashes") : Effect.void,
  onStop: (_, reason) => Effect.sync(() => void log.push(`stop parent ${reason._tag.toLowerCase()}`))
})

// The recorder's state is opaque to its parent.
const opaque = (spec: ReturnType<typeof recorder>) => spec as unknown as CellSpec<unknown, Order, unknown, never>

const family = (strategy: Supervision["strategy"], restart: Restart, supervision: Partial<Supervision> = {}) =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const out: { refs: Array<ActorRef<Order>>; context?: CellContext<Parent> } = { refs: [] }
    const system = yield* ActorSystem
    const children = ["a", "b", "c"].map((name) => opaque(recorder(name, log, name === "b" ? { restart } : {})))
    const parent = yield* system.spawn(
      parentOf(children, { strategy, intensity: 3, period: 5_000, ...supervision }, out, log)
    )
    log.length = 0
    const [a, b, c] = out.refs as [ActorRef<Order>, ActorRef<Order>, ActorRef<Order>]
    return { log, parent, a, b, c, out, system }
  })

const restarted = {
  one_for_one: ["stop b %", "start b"],
  one_for_all: ["stop b %", "stop c shutdown", "stop a shutdown", "start a", "start b", "start c"],
  rest_for_one: ["stop b %", "stop c shutdown", "start b", "start c"]
} as const
const gone = ["stop b %"]

const table: ReadonlyArray<readonly [Restart, "crashed" | "normal" | "stopped", "restarted" | "gone"]> = [
  ["permanent", "crashed", "restarted"],
  ["permanent", "normal", "restarted"],
  ["permanent", "stopped", "gone"],
  ["transient", "crashed", "restarted"],
  ["transient", "normal", "gone"],
  ["transient", "stopped", "gone"],
  ["temporary", "crashed", "gone"],
  ["temporary", "normal", "gone"],
  ["temporary", "stopped", "gone"]
]

for (const [systemName, layer] of everySystem) {
  describe(`supervision, ${systemName}`, () => {
    for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
      for (const [restart, reason, expected] of table) {
        it.effect(`${strategy}: a ${restart} child that ${reason} is ${expected}`, () =>
          Effect.gen(function*() {
            const { log, b } = yield* family(strategy, restart)
            if (reason === "stopped") yield* b.stop()
            else b.tellUnsafe(reason === "crashed" ? { type: "fail", error: "boom" } : { type: "end" })
            yield* settle
            const names = expected === "restarted" ? restarted[strategy] : gone
            assert.deepStrictEqual(log, names.map((it) => it.replace("%", reason === "stopped" ? "normal" : reason)))
          }).pipe(Effect.provide(layer)))
      }
    }

    for (const how of ["fail", "die", "throw"] as const) {
      it.effect(`a behaviour that ${how}s crashes; what was behind the message is handled by the next incarnation, in order`, () =>
        Effect.gen(function*() {
          const { log, b, system } = yield* family("one_for_one", "permanent")
          b.tellUnsafe({ type: "note", text: "1" })
          b.tellUnsafe({ type: how, error: "boom", defect: "boom" })
          for (const text of ["2", "3", "4"]) b.tellUnsafe({ type: "note", text })
          assert.deepStrictEqual(yield* b.ask(notes, 1_000), ["2", "3", "4"])
          assert.deepStrictEqual(log, [
            "handled b 1",
            "stop b crashed",
            "start b",
            "handled b 2",
            "handled b 3",
            "handled b 4"
          ])
          const letters = system.deadLetters.last()
          assert.deepStrictEqual(letters.map((it) => it.reason), ["crashed"])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("siblings that stop with the crashed one keep their mailboxes", () =>
      Effect.gen(function*() {
        const { a, b, c } = yield* family("one_for_all", "permanent")
        const hold = yield* Effect.sync(() => Promise.withResolvers<void>())
        // c is in the middle of a message when b crashes; that message is lost, those behind it are not.
        c.tellUnsafe({ type: "run", effect: Effect.promise(() => hold.promise) })
        yield* settle
        for (const text of ["1", "2"]) c.tellUnsafe({ type: "note", text })
        b.tellUnsafe({ type: "fail", error: "boom" })
        assert.deepStrictEqual(yield* c.ask(notes, 1_000), ["1", "2"])
        assert.deepStrictEqual(yield* a.ask(notes, 1_000), [])
      }).pipe(Effect.provide(layer)))

    it.effect("a temporary sibling stops with the others and is not started again", () =>
      Effect.gen(function*() {
        const { log, a, b } = yield* family("one_for_all", "temporary")
        a.tellUnsafe({ type: "fail", error: "boom" })
        yield* settle
        assert.deepStrictEqual(log, [
          "stop a crashed",
          "stop c shutdown",
          "stop b shutdown",
          "start a",
          "start c"
        ])
        assert.strictEqual((yield* Effect.flip(b.ask(notes, 1_000)))._tag, "ActorStopped")
      }).pipe(Effect.provide(layer)))

    it.effect("more restarts than the intensity allows crash the parent with the child's cause", () =>
      Effect.gen(function*() {
        const { log, a, b, c, system } = yield* family("one_for_one", "permanent", { intensity: 2 })
        for (const error of ["1", "2", "3"]) b.tellUnsafe({ type: "fail", error })
        yield* settle
        assert.deepStrictEqual(log, [
          "stop b crashed",
          "start b",
          "stop b crashed",
          "start b",
          "stop b crashed",
          "stop c shutdown",
          "stop a shutdown",
          "stop parent crashed",
          "start parent",
          "start a",
          "start b",
          "start c"
        ])
        // Children of a crashed parent are gone; their successors are others.
        for (const ref of [a, b, c]) {
          assert.strictEqual((yield* Effect.flip(ref.ask(notes, 1_000)))._tag, "ActorStopped")
        }
        assert.strictEqual(system.snapshotTree().children[0]?.restarts, 1)
      }).pipe(Effect.provide(layer)))

    it.effect("at the root the tree is stopped, and the system has its cause", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const bad = yield* system.spawn(recorder("bad", log))
        const good = yield* system.spawn(recorder("good", log))
        for (const error of ["1", "2", "3", "4"]) bad.tellUnsafe({ type: "fail", error })
        good.tellUnsafe({ type: "fail", error: "once" })
        yield* settle
        const [failed] = yield* system.failed
        assert.strictEqual(failed?.name, "bad")
        assert.strictEqual(failed && Cause.squash(failed.cause), "4")
        assert.deepStrictEqual(system.snapshotTree().children.map((it) => it.name), ["good"])
      }).pipe(Effect.provide(layer)))

    it.effect("an asker whose message crashes the cell gets the cause, one behind it gets its answer", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn<
          number,
          { readonly crash: boolean; readonly reply: Reply<number> },
          string,
          never
        >({
          name: "picky",
          init: () => Effect.succeed(0),
          behavior: (count, { crash, reply }) => {
            if (crash) return Effect.fail("no")
            reply.done(Exit.succeed(count))
            return Effect.succeed(count + 1)
          }
        })
        const ask = (crash: boolean) => ref.ask((reply: Reply<number>) => ({ crash, reply }), 1_000)
        const [first, second] = yield* Effect.all([Effect.exit(ask(true)), Effect.exit(ask(false))], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(second, Exit.succeed(0))
        const error = Exit.isFailure(first) ? Cause.squash(first.cause) : undefined
        assert.instanceOf(error, ActorCrashed)
        assert.strictEqual(error.code, "ACTOR_CRASHED")
        assert.strictEqual(Cause.squash(error.cause), "no")
      }).pipe(Effect.provide(layer)))
  })
}

describe("supervision in virtual time", () => {
  it.effect("restarts further apart than the period never escalate", () =>
    Effect.gen(function*() {
      const { b, log } = yield* family("one_for_one", "permanent", { intensity: 1, period: 1_000 })
      for (let crash = 0; crash < 20; crash++) {
        b.tellUnsafe({ type: "fail", error: "boom" })
        yield* advance(1_000)
      }
      assert.strictEqual(log.filter((it) => it === "start b").length, 20)
      assert.notInclude(log, "start parent")
      b.tellUnsafe({ type: "fail", error: "boom" })
      yield* advance(999)
      b.tellUnsafe({ type: "fail", error: "boom" })
      yield* settle
      assert.include(log, "start parent")
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("back-off doubles up to its maximum, keeps the mailbox, and starts over after a quiet time", () =>
    Effect.gen(function*() {
      const backoff = { initial: 100, max: 400, jitter: 0, reset: 10_000 }
      const { b, log } = yield* family("one_for_one", "permanent", { intensity: 100, backoff })
      const startsAfter = (millis: number) =>
        Effect.gen(function*() {
          log.length = 0
          b.tellUnsafe({ type: "fail", error: "boom" })
          b.tellUnsafe({ type: "note", text: "kept" })
          yield* advance(millis - 1)
          assert.notInclude(log, "start b", `too early, before ${millis}`)
          yield* advance(1)
          assert.include(log, "start b", `not after ${millis}`)
          assert.include(log, "handled b kept")
        })
      for (const millis of [100, 200, 400, 400]) yield* startsAfter(millis)
      yield* advance(10_000)
      yield* startsAfter(100)
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("jitter stays within its share, and is the seed's", () =>
    Effect.gen(function*() {
      const delays = (seed: number) =>
        Effect.gen(function*() {
          const backoff = { initial: 1_000, max: 1_000, jitter: 0.2, reset: 1 }
          const { b, log } = yield* family("one_for_one", "permanent", { intensity: 1_000, backoff })
          const found: Array<number> = []
          for (let crash = 0; crash < 20; crash++) {
            log.length = 0
            b.tellUnsafe({ type: "fail", error: "boom" })
            let waited = 0
            for (; !log.includes("start b"); waited += 10) yield* advance(10)
            found.push(waited)
          }
          return found
        }).pipe(Effect.provide(TestSystem.layer(seed)))
      const first = yield* delays(1)
      assert.isTrue(first.every((it) => it >= 800 && it <= 1_200), String(first))
      assert.isAbove(new Set(first).size, 5)
      assert.deepStrictEqual(yield* delays(1), first)
      assert.notDeepEqual(yield* delays(2), first)
    }))

  it.effect("a child that is stopped during its back-off is not started, and leaves nothing asleep", () =>
    Effect.gen(function*() {
      const backoff = { initial: 60_000, max: 60_000, jitter: 0, reset: 1 }
      const { b, log, system } = yield* family("one_for_one", "permanent", { backoff })
      b.tellUnsafe({ type: "fail", error: "boom" })
      b.tellUnsafe({ type: "note", text: "never" })
      yield* settle
      assert.strictEqual(system.snapshotTree().children[0]?.children[1]?.status, "restarting")
      yield* b.stop()
      yield* settle
      assert.isUndefined((yield* VirtualTime).nextDue())
      yield* advance("1 hour")
      assert.deepStrictEqual(log, ["stop b crashed"])
      assert.deepStrictEqual(system.snapshotTree().children[0]?.children.map((it) => it.name), ["a", "c"])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("what crashes while a group waits joins it: stopped once, started once, in order", () =>
    Effect.gen(function*() {
      const backoff = { initial: 1_000, max: 1_000, jitter: 0, reset: 1 }
      const { a, c, log } = yield* family("rest_for_one", "permanent", { backoff })
      c.tellUnsafe({ type: "fail", error: "boom" })
      yield* advance(500)
      a.tellUnsafe({ type: "fail", error: "boom" })
      yield* advance(999)
      assert.deepStrictEqual(log, ["stop c crashed", "stop a crashed", "stop b shutdown"])
      yield* advance(1)
      assert.deepStrictEqual(log.slice(3), ["start a", "start b", "start c"])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("what crashes while the others are being stopped ends with its own cause, and counts once", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      const contexts = new Map<string, CellContext<Order>>()
      const child = (name: string, onStop?: () => void) =>
        opaque(recorder(name, log, {
          init: (context) => {
            contexts.set(name, context)
            log.push(`start ${name}`)
            return Effect.succeed({ texts: [], kept: [] })
          },
          ...(onStop === undefined ? {} : { onStop: () => Effect.sync(onStop) })
        }))
      const out: { refs: Array<ActorRef<Order>> } = { refs: [] }
      const children = [child("a"), child("b", () => contexts.get("a")?.crash(Cause.fail("meanwhile"))), child("c")]
      yield* system.spawn(parentOf(children, { strategy: "one_for_all", intensity: 1, period: 5_000 }, out))
      log.length = 0
      contexts.get("c")?.crash(Cause.fail("first"))
      yield* settle
      assert.deepStrictEqual(log, ["stop c crashed", "stop a crashed", "start a", "start b", "start c"])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("a start that fails is one more crash", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      let starts = 0
      const out: { refs: Array<ActorRef<Order>> } = { refs: [] }
      const flaky = recorder("flaky", log, {
        init: () => {
          log.push("try flaky")
          return ++starts === 1 || starts > 3 ? Effect.succeed({ texts: [], kept: [] }) : Effect.fail(`start ${starts}`)
        }
      })
      const children = [opaque(recorder("a", log)), opaque(flaky), opaque(recorder("c", log))]
      yield* system.spawn(parentOf(children, { strategy: "one_for_all", intensity: 3, period: 5_000 }, out))
      log.length = 0
      out.refs[0]?.tellUnsafe({ type: "fail", error: "boom" })
      yield* settle
      assert.deepStrictEqual(
        log,
        [
          "stop a crashed",
          "stop c shutdown",
          "start a",
          "try flaky",
          "stop a shutdown",
          "start a",
          "try flaky",
          "stop a shutdown",
          "start a",
          "try flaky",
          "start c"
        ].toSpliced(2, 0, "stop flaky shutdown")
      )
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("children recover side by side under one_for_one", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      const out: { refs: Array<ActorRef<Order>> } = { refs: [] }
      let first = true
      const slow = recorder("slow", log, {
        init: () => {
          if (!first) return Effect.as(Effect.sleep(10_000), { texts: [], kept: [] })
          first = false
          return Effect.succeed({ texts: [], kept: [] })
        }
      })
      yield* system.spawn(
        parentOf(
          [opaque(slow), opaque(recorder("quick", log))],
          { strategy: "one_for_one", intensity: 9, period: 1 },
          out
        )
      )
      log.length = 0
      for (const ref of out.refs) ref.tellUnsafe({ type: "fail", error: "boom" })
      yield* settle
      assert.include(log, "start quick")
      // Stopping interrupts the init that is under way.
      yield* out.refs[0]?.stop() ?? Effect.void
      yield* advance(20_000)
      assert.strictEqual(system.snapshotTree().children[0]?.children.length, 1)
    }).pipe(Effect.provide(TestSystem.layer())))
})

describe("supervision under many seeds", () => {
  it.effect("whatever crashes when, all are up in the end, and notes behind crashes are handled once and in order", () =>
    Effect.forEach(seeds(20, 2_000), (seed) =>
      Effect.gen(function*() {
        for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
          const { log, a, b, c } = yield* family(strategy, "permanent", { intensity: 1_000 })
          for (let round = 0; round < 10; round++) {
            for (const ref of [a, b, c]) {
              ref.tellUnsafe({ type: "note", text: `${round}` })
              if ((round + seed) % 3 === 0) {
                ref.tellUnsafe({ type: round % 2 === 0 ? "die" : "fail", error: "boom", defect: "boom" })
              }
            }
          }
          yield* settle
          for (const name of ["a", "b", "c"]) {
            const handled = log.filter((it) => it.startsWith(`handled ${name}`))
            assert.deepStrictEqual(
              handled,
              Array.from({ length: 10 }, (_, round) => `handled ${name} ${round}`),
              `seed ${seed}`
            )
            const starts = log.filter((it) => it === `start ${name}`).length
            const stops = log.filter((it) => it.startsWith(`stop ${name}`)).length
            assert.strictEqual(starts, stops, `seed ${seed}, ${name}`)
          }
        }
      }).pipe(Effect.provide(TestSystem.layer(seed)))))
})
