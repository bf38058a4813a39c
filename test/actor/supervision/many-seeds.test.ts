/**
 * Supervision under chance: walks that the oracle follows step by step, and storms of which the end is known.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random, Scope } from "effect"
import { ActorSystem, type CellContext, type Restart } from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { effort, type Order, seeds } from "../fixtures.ts"
import { Family, trio } from "./family.ts"
import { household } from "./household.ts"
import { type End, NAMES, type Strategy } from "./oracle.ts"

const STRATEGIES: ReadonlyArray<Strategy> = ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
const RESTARTS: ReadonlyArray<Restart> = ["permanent", "permanent", "transient", "temporary"]
const ENDS: ReadonlyArray<End> = ["normal", "shutdown", "failure", "defect"]

/** Draws from Effect's Random, which the test's seed determines. */
const draws = Effect.map(Random.Random, (random) => {
  const below = (count: number) => Math.floor(random.nextDoubleUnsafe() * count)
  const of = <A>(items: readonly [A, ...ReadonlyArray<A>] | ReadonlyArray<A>): A => items[below(items.length)]! // in range
  return { below, of }
})

describe("supervision under many seeds", () => {
  it.effect("a walk of ends, one after the other, is what the oracle says at each step", () =>
    Effect.forEach(seeds(60, 1_500), (seed) =>
      Effect.gen(function*() {
        const { below, of } = yield* draws
        const house = yield* household({
          strategy: of(STRATEGIES),
          restarts: { a: of(RESTARTS), b: of(RESTARTS), c: of(RESTARTS) },
          intensity: below(6),
          counted: 0,
          up: NAMES
        })
        for (let step = 0; step < 12 && house.state().up.length > 0; step++) {
          const bad = below(3) > 0 ? {} : { badStart: { member: of(NAMES), how: of(["fails", "hangs"] as const) } }
          yield* house.happens({ member: of(house.state().up), end: of(ENDS), ...bad })
        }
      }).pipe(Effect.provide(TestSystem.layer(seed))), { discard: true }))

  it.effect("whatever crashes when, all are up in the end, and notes behind crashes are handled once and in order", () =>
    Effect.forEach(seeds(20, 2_000), (seed) =>
      Effect.gen(function*() {
        for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
          const { family } = yield* trio(strategy, { intensity: 1_000 })
          const refs = ["a", "b", "c"].map((name) => family.ref(name))
          for (let round = 0; round < 10; round++) {
            for (const ref of refs) {
              ref.tellUnsafe({ type: "note", text: `${round}` })
              if ((round + seed) % 3 === 0) {
                ref.tellUnsafe({ type: round % 2 === 0 ? "die" : "fail", error: "boom", defect: "boom" })
              }
            }
          }
          yield* settle
          const log = family.take()
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

  it.effect("in a storm of ends, stops, slow and failing starts, lives of one child never overlap, and who must be up is", () =>
    Effect.forEach(seeds(150, 2_000), (seed) => Effect.provide(storm(seed), TestSystem.layer(seed)), { discard: true }))
})

const storm = (seed: number) =>
  Effect.gen(function*() {
    const { below, of } = yield* draws
    const system = yield* ActorSystem
    const family = new Family()
    let over = false
    const slow = () => over ? Effect.void : of([Effect.void, Effect.void, Effect.yieldNow, Effect.sleep(1 + below(40))])
    /** Lives of each name that have begun and whose Scope is not closed. */
    const living = new Map<string, number>()
    const twice: Array<string> = []
    const lives = (name: string, context: CellContext<Order>) =>
      Effect.gen(function*() {
        const now = (living.get(name) ?? 0) + 1
        under.set(name, family.attempts("parent"))
        // Thrown here it would be one more crash.
        if (now > 1) twice.push(name)
        living.set(name, now)
        yield* Scope.addFinalizer(
          context.scope,
          Effect.andThen(Effect.suspend(slow), Effect.sync(() => living.set(name, 0)))
        )
        yield* slow()
        if (!over && below(5) === 0) return yield* Effect.fail("no start")
      })
    const restarts = { a: of(RESTARTS), b: of(RESTARTS), c: of(RESTARTS) }
    /** Whom somebody stopped, and under which incarnation of the parent that one lived. */
    const stopped = new Map<string, number>()
    const under = new Map<string, number>()
    const backoff = below(2) === 0 ? {} : { backoff: { initial: below(20), max: 50, jitter: 0.5, reset: 100 } }
    const kids = NAMES.map((name) =>
      family.member(name, {
        restart: restarts[name],
        starts: (_, context) => lives(name, context),
        stops: slow
      })
    )
    const rules = { strategy: of(STRATEGIES), intensity: of([Infinity, 3]), period: 100, ...backoff }
    const parent = family.member("parent", { kids, supervision: rules, starts: slow, stops: slow })
    // A first start must succeed: the storm begins afterwards.
    over = true
    const top = yield* system.spawn(family.member("top", {
      kids: [parent],
      supervision: { strategy: "one_for_one", intensity: Infinity, period: 1 }
    }))
    over = false
    for (let step = 0; step < effort(30, 60); step++) {
      const name = of(NAMES)
      const ref = family.ref(name)
      switch (below(10)) {
        case 0:
          family.context(name).end(of(["normal", "shutdown"] as const))
          break
        case 1:
          if (below(4) > 0) break
          stopped.set(name, under.get(name) ?? 0)
          yield* Effect.forkChild(ref.stop({ drain: below(2) === 0 }))
          break
        case 2:
          ref.tellUnsafe({ type: "run", effect: slow() })
          break
        case 3:
          ref.tellUnsafe({ type: of(["fail", "die", "throw"] as const), error: "boom", defect: "boom" })
          break
        case 4:
          if (below(4) > 0) break
          family.crash("parent")
          break
        default:
          family.crash(name)
      }
      if (below(2) === 0) yield* advance(below(30))
    }
    over = true
    yield* advance(10_000)
    assert.deepStrictEqual(twice, [], `seed ${seed}`)
    const [node] = system.snapshotTree().children[0]?.children ?? []
    const up = node?.children.map((it) => it.name) ?? []
    assert.strictEqual(node?.status, "running", `seed ${seed}`)
    assert.isTrue(node?.children.every((it) => it.status === "running"), `seed ${seed}: ${JSON.stringify(node)}`)
    for (const name of NAMES) {
      if (stopped.get(name) === family.attempts("parent")) assert.notInclude(up, name, `seed ${seed}`)
      else if (restarts[name] === "permanent") assert.include(up, name, `seed ${seed}`)
      assert.strictEqual(living.get(name), up.includes(name) ? 1 : 0, `seed ${seed}: ${name}`)
    }
    assert.deepStrictEqual(up, up.toSorted())
    yield* top.stop()
    for (const name of NAMES) assert.strictEqual(living.get(name), 0, `seed ${seed}: ${name} is left`)
  })
