/**
 * Very many crashes: one after the other, in a storm, and all at once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Scope } from "effect"
import { queryObjects } from "node:v8"
import {
  type ActorRef,
  ActorSystem,
  type CellContext,
  type CellSpec,
  Dispatcher,
  dynamicSupervisor,
  startChild,
  type Strategy
} from "../../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../../core/testing/index.ts"
import { seeds } from "../fixtures.ts"

const systems: ReadonlyArray<readonly [string, Layer.Layer<ActorSystem | Dispatcher | VirtualTime>]> = [
  ["production run queue", TestSystem.layerProduction()],
  ...seeds(0, 2).map((seed) => [`seed ${seed}`, TestSystem.layer(seed)] as const)
]

const CRASHES = 10_000
/** Objects that come and go with V8 and the test runner, at any time. */
const FEW = 100
/** Compiled code, which is no object: more than 100 bytes a crash are not of V8. */
const MEGABYTE = 1_024 * 1_024

/** What is alive after a collection, and open handles, when nothing moves. */
const measure = Effect.map(settle, () => ({
  // It collects before it counts.
  objects: queryObjects(Object, { format: "count" }),
  bytes: process.memoryUsage().heapUsed,
  handles: process.getActiveResourcesInfo().filter((it) => it !== "Immediate").length
}))

/** What a cell that crashes may have understood by then. */
type Order = { readonly number: number; readonly crash?: "fail" | "die" | "throw" | "amid" | "fork" | "outside" }

const WAYS = ["fail", "die", "throw", "amid", "fork", "outside"] as const

for (const [systemName, layer] of systems) {
  describe(`ten thousand crashes in a row, ${systemName}`, () => {
    it.effect(
      "leave heap and handles level, keep the order of messages, and are a dead letter each",
      () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          let child: ActorRef<Order> | undefined
          let context: CellContext<Order> | undefined
          let handled = 0
          let letters = 0
          let lives = 0
          let released = 0
          const crasher: CellSpec<void, Order, string, never> = {
            name: "crasher",
            init: (it) =>
              Effect.gen(function*() {
                context = it
                lives++
                it.setPeriodicTimer("tick", 20, { number: 0 })
                it.setTimer("once", 40, { number: 0 })
                it.watch(it.self, () => ({ number: 0 }))
                it.fork(Effect.never)
                yield* Scope.addFinalizer(it.scope, Effect.sync(() => void released++))
                yield* it.spawn<void, never, never, never>({
                  name: "below",
                  init: () => Effect.void,
                  behavior: () => Effect.void
                }).pipe(Effect.orDie)
              }),
            behavior: (_, { crash, number }, it) => {
              if (crash === undefined) {
                if (number === 0) return Effect.void
                assert.strictEqual(number, ++handled)
                return Effect.void
              }
              switch (crash) {
                case "fail":
                  return Effect.fail("a failure")
                case "die":
                  return Effect.die(new Error("a defect"))
                case "throw":
                  throw new Error("thrown")
                case "amid":
                  return Effect.andThen(Effect.yieldNow, Effect.fail("amid a turn"))
                case "fork":
                  it.fork(Effect.fail("a fork"))
                  return Effect.never
                case "outside":
                  queueMicrotask(() => context?.crash(Cause.die("from outside")))
                  return Effect.never
              }
            }
          }
          system.deadLetters.subscribe(({ message, reason }) => {
            // In order: each is the message behind the last that was handled.
            assert.deepInclude(message, { number: handled })
            assert.strictEqual(reason, "crashed")
            letters++
          })
          yield* system.spawn<void, never, never, never>({
            name: "parent",
            supervision: { strategy: "one_for_one", intensity: Infinity, period: 1_000 },
            init: (it) =>
              it.spawn(crasher).pipe(
                Effect.map((ref) => {
                  child = ref
                }),
                Effect.orDie
              ),
            behavior: () => Effect.void
          })
          let early = yield* measure
          for (let crash = 1; crash <= CRASHES; crash++) {
            child?.tellUnsafe({ number: crash })
            child?.tellUnsafe({ number: crash, crash: WAYS[crash % WAYS.length]! })
            if (crash % 20 === 0) yield* advance(1)
            if (crash === 1_000) early = yield* measure
          }
          yield* advance(1)
          const late = yield* measure
          assert.strictEqual(handled, CRASHES)
          assert.strictEqual(letters, CRASHES)
          assert.strictEqual(lives, CRASHES + 1)
          assert.strictEqual(released, CRASHES)
          assert.isAtMost(late.handles, early.handles)
          assert.isBelow(late.objects - early.objects, FEW)
          assert.isBelow(late.bytes - early.bytes, MEGABYTE)
        }).pipe(Effect.provide(layer)),
      120_000
    )

    it.effect(
      "ten thousand children that crash at once under one supervisor, each counted by itself, all restart",
      () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          const contexts = new Map<number, CellContext<"ping">>()
          const lives: Array<number> = []
          let pings = 0
          const parent = yield* system.spawn(dynamicSupervisor({
            name: "many",
            counted: "each",
            intensity: 1,
            period: 1_000,
            child: (number: number): CellSpec<void, "ping", never, never> => ({
              name: `child ${number}`,
              init: (context) =>
                Effect.sync(() => {
                  contexts.set(number, context)
                  lives[number] = (lives[number] ?? 0) + 1
                }),
              behavior: () => Effect.sync(() => void pings++)
            })
          }))
          const refs = yield* Effect.forEach(
            Array.from({ length: 10_000 }, (_, index) => index),
            (number) => startChild(parent, number, 60_000)
          )
          for (const ref of refs) ref.tellUnsafe("ping")
          for (const context of contexts.values()) context.crash(Cause.die("all at once"))
          for (const ref of refs) ref.tellUnsafe("ping")
          yield* settle
          assert.isTrue(lives.every((it) => it === 2))
          assert.strictEqual(lives.length, 10_000)
          assert.strictEqual(pings, 20_000)
          assert.strictEqual(system.deadLetters.count(), 0)
          const [many] = system.snapshotTree().children
          assert.strictEqual(many?.restarts, 0)
          assert.isTrue(many?.children.every(({ restarts, status }) => restarts === 1 && status === "running"))
          // Once too often for these, and for nobody else.
          for (const number of [3, 4_711]) contexts.get(number)?.crash(Cause.die("again"))
          yield* settle
          assert.strictEqual(system.snapshotTree().children[0]?.children.length, 9_998)
        }).pipe(Effect.provide(layer)),
      120_000
    )
  })
}

const STRATEGIES: ReadonlyArray<Strategy> = ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
const PERIOD = 5_000
/** Of the system's root. */
const AT_THE_ROOT = 3

/** `levels` supervisors above each other, and at the bottom one cell that crashes `delay` after each start. */
const storm = (
  strategy: Strategy,
  levels: number,
  intensity: number,
  delay: number,
  started: () => void
): CellSpec<void, "boom", never, never> =>
  levels === 0
    ? {
      name: "leaf",
      init: (context) =>
        Effect.sync(() => {
          started()
          context.setTimer("boom", delay, "boom")
        }),
      behavior: () => Effect.die("boom")
    }
    : {
      name: `level ${levels}`,
      supervision: { strategy, intensity, period: PERIOD },
      init: (context) =>
        Effect.forEach(
          [storm(strategy, levels - 1, intensity, delay, started), quiet],
          (spec) => Effect.orDie(context.spawn(spec)),
          { discard: true }
        ),
      behavior: () => Effect.void
    }

/** What the root gives up is logged; here it is meant. */
const storms = Layer.mergeAll(TestSystem.layer(), Logger.layer([]))

const quiet: CellSpec<void, "boom", never, never> = {
  name: "quiet",
  init: () => Effect.void,
  behavior: () => Effect.void
}

describe("a storm", () => {
  for (const strategy of STRATEGIES) {
    it.effect(`above the intensity stops the tree within one period, through nested supervisors too: ${strategy}`, () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const time = yield* VirtualTime
        for (const levels of [1, 2, 3]) {
          for (const intensity of [0, 1, 3]) {
            for (const delay of [0, 1, 15]) {
              let starts = 0
              const from = time.now()
              const failed = (yield* system.failed).length
              let stopped = Infinity
              const ref = yield* system.spawn(storm(strategy, levels, intensity, delay, () => void starts++))
              const forget = system.tap.subscribe((event) => {
                if (event._tag === "Stopped" && event.path === ref.path) stopped = event.at
              })
              yield* advance(10 * PERIOD)
              forget()
              const crashes = (AT_THE_ROOT + 1) * (intensity + 1) ** levels
              const label = `${levels} levels, intensity ${intensity}, every ${delay} ms`
              assert.strictEqual(starts, crashes, label)
              assert.strictEqual(stopped - from, crashes * delay, label)
              assert.isAtMost(stopped - from, PERIOD, label)
              assert.strictEqual((yield* system.failed).length, failed + 1, label)
              assert.deepStrictEqual(system.snapshotTree().children, [], label)
            }
          }
        }
      }).pipe(Effect.provide(storms)))
  }

  it.effect("at the intensity is lived through, and one millisecond faster is not", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const intensity = 4
      const every = PERIOD / intensity
      const restarts = () => system.snapshotTree().children.map(({ restarts }) => restarts)
      const ref = yield* system.spawn(storm("one_for_one", 1, intensity, every, () => {}))
      yield* advance(10 * PERIOD)
      assert.deepStrictEqual(restarts(), [0])
      yield* ref.stop()
      yield* system.spawn(storm("one_for_one", 1, intensity, every - 1, () => {}))
      yield* advance((intensity + 1) * (every - 1) - 1)
      assert.deepStrictEqual(restarts(), [0])
      yield* advance(1)
      assert.deepStrictEqual(restarts(), [1])
    }).pipe(Effect.provide(storms)))
})
