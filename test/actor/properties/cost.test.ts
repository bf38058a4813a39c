/**
 * What a crash costs, as work counted and not as time: it does not depend on how many siblings a child has.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { Session } from "node:inspector"
import {
  ActorSystem,
  type CellContext,
  type CellSpec,
  Dispatcher,
  type DispatcherShape,
  type SpawnFailed,
  type Strategy
} from "../../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../../core/testing/index.ts"
import { effort } from "../fixtures.ts"

/** What was done, by kind. */
interface Work {
  /** Turns of the run queue, of cells and of supervisors. */
  readonly turns: number
  /** Blocks of code that ran, in the actor layer and in nact: each round of a loop is one. */
  readonly blocks: number
  /** Elements that sets and maps handed out: where a loop is not ours. */
  readonly elements: number
}

/** Counts the turns that go through it. */
const counted = (dispatcher: DispatcherShape) => {
  const count = { turns: 0 }
  return {
    count,
    dispatcher: {
      ...dispatcher,
      enqueue: (runnable) =>
        dispatcher.enqueue({
          turn: (limit) => {
            count.turns++
            return runnable.turn(limit)
          }
        })
    } satisfies DispatcherShape
  }
}

const post = <A>(session: Session, method: string, params: object = {}): A => {
  let answer: unknown
  session.post(method, params, (error, result) => {
    if (error !== null) throw error
    answer = result
  })
  return answer as A // the protocol's answer to that method, at once within one thread
}

interface Coverage {
  readonly result: ReadonlyArray<{
    readonly url: string
    readonly functions: ReadonlyArray<{ readonly ranges: ReadonlyArray<{ readonly count: number }> }>
  }>
}

const OURS = /core\/actor\/|node_modules\/nact\//

/** Counts the blocks that run in our code while `effect` does. */
const countBlocks = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const session = new Session()
      session.connect()
      post(session, "Profiler.enable")
      post(session, "Profiler.startPreciseCoverage", { callCount: true, detailed: true })
      return session
    }),
    (session) =>
      Effect.map(effect, () => {
        const { result } = post<Coverage>(session, "Profiler.takePreciseCoverage")
        const ranges = result.filter(({ url }) => OURS.test(url)).flatMap(({ functions }) =>
          functions.flatMap(({ ranges }) => ranges)
        )
        return ranges.reduce((sum, { count }) => sum + count, 0)
      }),
    (session) => Effect.sync(() => session.disconnect())
  )

/** Counts what iterators of sets and maps hand out while `effect` runs; a spread takes the same way then. */
const countElements = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<{ readonly elements: number; readonly gives: A }, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const count = { elements: 0 }
      const restored = [new Set<never>().values(), new Map<never, never>().entries()].map((iterator) => {
        const prototype: { next: () => unknown } = Object.getPrototypeOf(iterator)
        const { next } = prototype
        prototype.next = function() {
          count.elements++
          return next.call(this)
        }
        return () => {
          prototype.next = next
        }
      })
      return { count, restored }
    }),
    ({ count }) => Effect.map(effect, (gives) => ({ elements: count.elements, gives })),
    ({ restored }) => Effect.sync(() => restored.forEach((restore) => restore()))
  )

/** Ways to come back: at once, in a fiber because a farewell takes one, after a back-off. */
const WAYS = ["at once", "after a farewell", "after a back-off"] as const
type Way = typeof WAYS[number]

const BACKOFF = { initial: 10, max: 10, jitter: 0, reset: 1 }

/** A parent with one child and its siblings. */
const family = (
  strategy: Strategy,
  siblings: number,
  way: Way,
  up: (context: CellContext<never>) => void
): CellSpec<void, never, SpawnFailed, never> => {
  const child: CellSpec<void, never, never, never> = {
    name: "child",
    init: (context) => Effect.sync(() => up(context)),
    behavior: () => Effect.void,
    ...(way === "after a farewell" ? { onStop: () => Effect.yieldNow } : {})
  }
  return {
    name: "parent",
    supervision: {
      strategy,
      intensity: Infinity,
      period: 1_000,
      ...(way === "after a back-off" ? { backoff: BACKOFF } : {})
    },
    init: (context) => Effect.repeat(context.spawn(child), { times: siblings }).pipe(Effect.asVoid),
    behavior: () => Effect.void
  }
}

/** The work of crashing one child in the middle of `siblings`, until it is back and all is quiet. */
const crashAmong = (strategy: Strategy, siblings: number, way: Way = "at once"): Effect.Effect<Work, SpawnFailed> =>
  Effect.gen(function*() {
    const { count, dispatcher } = counted(yield* Dispatcher)
    const contexts: Array<CellContext<never>> = []
    return yield* Effect.gen(function*() {
      const system = yield* ActorSystem
      yield* system.spawn(family(strategy, siblings, way, (context) => contexts.push(context)))
      yield* settle
      let middle = contexts[siblings >> 1]
      const { path } = middle!.self // there is one child at least
      const crash = Effect.andThen(Effect.sync(() => middle?.crash(Cause.die("boom"))), advance(BACKOFF.initial))
      // The first crash makes what is made once.
      yield* crash
      middle = contexts.findLast(({ self }) => self.path === path)
      const lives = contexts.length
      count.turns = 0
      const { elements, gives: blocks } = yield* countElements(countBlocks(crash))
      assert.isAbove(contexts.length, lives)
      return { turns: count.turns, blocks, elements }
    }).pipe(Effect.provide(ActorSystem.layer), Effect.provideService(Dispatcher, dispatcher))
  }).pipe(Effect.provide(TestSystem.layerTime()))

const MANY = effort(1_000, 10_000)
/** The run queue draws how long turns are, and some sets are those of Effect and of the test runner. */
const A_FEW = 50

describe("a crash of one child", () => {
  for (const strategy of ["one_for_one", "simple_one_for_one"] as const) {
    for (const way of WAYS) {
      it.effect(
        `takes the same work among none, 100 and ${MANY} siblings: ${strategy}, ${way}`,
        () =>
          Effect.gen(function*() {
            const alone = yield* crashAmong(strategy, 0, way)
            assert.isAbove(alone.turns, 0)
            assert.isAbove(alone.blocks, 0)
            for (const siblings of [100, MANY]) {
              const { blocks, elements, turns } = yield* crashAmong(strategy, siblings, way)
              assert.strictEqual(turns, alone.turns)
              assert.isBelow(blocks, alone.blocks + A_FEW)
              assert.isBelow(elements, alone.elements + A_FEW)
            }
          }),
        60_000
      )
    }
  }

  it.effect("takes more work the more it concerns, so that we know that work is counted", () =>
    Effect.gen(function*() {
      const few = yield* crashAmong("one_for_all", 10)
      const many = yield* crashAmong("one_for_all", 100)
      assert.isAbove(many.blocks, few.blocks + 90)
      assert.isAbove(many.elements, few.elements + 90)
    }))
})
