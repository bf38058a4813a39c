import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Random } from "effect"
import { ActorSystem, Dispatcher } from "../../core/actor/index.ts"
import {
  advance,
  makeProbe,
  SeedFailed,
  settle,
  TestSystem,
  underSeeds,
  VirtualTime
} from "../../core/testing/index.ts"
import { recorder } from "../actor/fixtures.ts"

/** Which of two cells is first; that differs from seed to seed. */
const race = Effect.gen(function*() {
  const system = yield* ActorSystem
  const probe = yield* makeProbe<string>()
  for (const name of ["a", "b"]) {
    const racer = yield* system.spawn<void, string, never, never>({
      name,
      init: () => Effect.void,
      behavior: (_, message) => Effect.sync(() => void probe.ref.tellUnsafe(message))
    })
    racer.tellUnsafe(name)
  }
  yield* settle
  return probe.received().join("")
})

/** Fails where `b` is first. */
const racy = Effect.flatMap(race, (order) => order === "ab" ? Effect.succeed(order) : Effect.fail(order))

describe("under seeds", () => {
  it.effect("a test runs once for each seed, in a system of its own that begins at 0 and ends before the next", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const first = yield* underSeeds(
        3,
        Effect.gen(function*() {
          const system = yield* ActorSystem
          log.push(`at ${(yield* VirtualTime).now()} with ${system.snapshotTree().children.length} cells`)
          yield* system.spawn(recorder("cell", log))
          yield* Effect.addFinalizer(() => Effect.sync(() => void log.push("scope closed")))
          yield* advance("1 hour")
          return yield* Random.nextInt
        })
      )
      const round = ["at 0 with 0 cells", "start cell", "scope closed", "stop cell shutdown"]
      assert.deepStrictEqual(log, [...round, ...round, ...round])
      assert.strictEqual(new Set(first).size, 3)
    }))

  it.effect("a seed is the interleaving that TestSystem has under it, whatever the others are", () =>
    Effect.gen(function*() {
      const all = yield* underSeeds(20, race)
      assert.sameMembers([...new Set(all)], ["ab", "ba"])
      assert.deepStrictEqual<unknown>(yield* underSeeds([20, 3, 1], race), [all[19], all[2], all[0]])
      for (const seed of [1, 2, 3]) {
        assert.strictEqual(yield* Effect.provide(race, TestSystem.layer(seed)), all[seed - 1])
      }
    }))

  it.effect("the first seed that fails is named, with its cause, and fails alone as well", () =>
    Effect.gen(function*() {
      const all = yield* underSeeds(50, race)
      const first = all.indexOf("ba") + 1
      const failed = yield* Effect.flip(underSeeds(50, racy))
      assert.instanceOf(failed, SeedFailed)
      assert.deepStrictEqual([failed.seed, failed.passed, failed.code], [first, first - 1, "SEED_FAILED"])
      assert.deepStrictEqual(failed.cause, Cause.fail("ba"))
      assert.strictEqual(
        failed.message,
        `seed ${first} failed, after ${first - 1} that passed: ba\nrun it alone: underSeeds([${first}], ...)`
      )
      assert.deepStrictEqual(
        yield* Effect.flip(underSeeds([first], racy)),
        new SeedFailed({ seed: first, passed: 0, cause: failed.cause })
      )
    }))

  it.effect("no seed runs after one that failed", () =>
    Effect.gen(function*() {
      let runs = 0
      const { passed, seed } = yield* Effect.flip(
        underSeeds([5, 6, 7, 8], Effect.suspend(() => ++runs === 3 ? Effect.fail("third") : Effect.void))
      )
      assert.deepStrictEqual([runs, seed, passed], [3, 7, 2])
    }))

  it.effect("a defect and an interruption of its own are failures, kept as they are", () =>
    Effect.gen(function*() {
      const defect = new Error("boom")
      const died = yield* Effect.flip(underSeeds(1, Effect.die(defect)))
      assert.strictEqual(Cause.squash(died.cause), defect)
      assert.include(died.message, "seed 1 failed, after 0 that passed: boom\n")
      const interrupted = yield* Effect.flip(underSeeds(1, Effect.interrupt))
      assert.isTrue(Cause.hasInterruptsOnly(interrupted.cause))
      assert.include(interrupted.message, "interrupt")
    }))

  it.effect("an interruption from outside is one, and ends the system", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const test = Effect.flatMap(ActorSystem, (system) =>
        Effect.andThen(system.spawn(recorder("cell", log)), Effect.never))
      const running = yield* Effect.forkChild(underSeeds(3, test), { startImmediately: true })
      assert.deepStrictEqual(log, ["start cell"])
      yield* Fiber.interrupt(running)
      const exit = yield* Fiber.await(running)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.deepStrictEqual(log, ["start cell", "stop cell shutdown"])
    }))

  it.effect("inside another system a test has its own", () =>
    Effect.gen(function*() {
      const outer = { dispatcher: yield* Dispatcher, system: yield* ActorSystem, time: yield* VirtualTime }
      yield* outer.system.spawn(recorder("outer", []))
      yield* advance("1 hour")
      yield* underSeeds(
        2,
        Effect.gen(function*() {
          assert.notStrictEqual(yield* ActorSystem, outer.system)
          assert.notStrictEqual(yield* Dispatcher, outer.dispatcher)
          assert.notStrictEqual(yield* VirtualTime, outer.time)
          assert.strictEqual((yield* VirtualTime).now(), 0)
          yield* advance("1 minute")
        })
      )
      assert.strictEqual(outer.time.now(), 3_600_000)
    }).pipe(Effect.provide(TestSystem.layer(1))))

  it.effect("services that it does not bring come from around it", () => {
    class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* underSeeds(2, Greeting), ["hello", "hello"])
    }).pipe(Effect.provideService(Greeting, "hello"))
  })
})

describe("the production run queue in virtual time", () => {
  /** Lengths of the bursts in which a cell handles twenty messages. */
  const bursts = Effect.gen(function*() {
    const system = yield* ActorSystem
    const lengths: Array<number> = []
    let handled = 0
    const cell = yield* system.spawn<void, number, never, never>({
      name: "cell",
      init: () => Effect.void,
      behavior: () => {
        handled++
        return Effect.void
      },
      afterTurn: () => {
        lengths.push(handled)
        handled = 0
      }
    })
    for (let message = 0; message < 20; message++) cell.tellUnsafe(message)
    yield* settle
    return lengths
  })

  it.effect("handles a burst as a whole, which seeds cut", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.provide(bursts, TestSystem.layerProduction()), [20])
      const seeded = yield* underSeeds(10, bursts)
      assert.isTrue(seeded.some((it) => it.length > 1))
      for (const lengths of seeded) assert.strictEqual(lengths.reduce((sum, it) => sum + it), 20)
    }))

  it.effect("has virtual time, and randomness by its seed", () =>
    Effect.gen(function*() {
      const run = Effect.gen(function*() {
        yield* advance("1 day")
        return [(yield* VirtualTime).now(), yield* Random.nextInt]
      })
      const one = yield* Effect.provide(run, TestSystem.layerProduction(1))
      assert.strictEqual(one[0], 86_400_000)
      assert.deepStrictEqual(yield* Effect.provide(run, TestSystem.layerProduction(1)), one)
      assert.notDeepEqual(yield* Effect.provide(run, TestSystem.layerProduction(2)), one)
    }))
})
