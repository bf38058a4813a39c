/**
 * One test under many interleavings.
 */
import { Cause, Effect, Schema, type Scope } from "effect"
import type { ActorSystem, Dispatcher } from "../actor/index.ts"
import { TestSystem } from "./test-system.ts"
import type { VirtualTime } from "./virtual-time.ts"

const { Int, Unknown } = Schema

/**
 * The test failed under this seed, and those before it passed. The message says how to run it alone.
 *
 * @example
 * ```ts
 * import { Cause, Effect } from "effect"
 * import { type SeedFailed, underSeeds } from "mobwright/testing"
 * import { match, strictEqual } from "node:assert"
 *
 * const failed: SeedFailed = await Effect.runPromise(Effect.flip(underSeeds([7, 8], Effect.fail("out of paper"))))
 * strictEqual(failed.seed, 7)
 * match(failed.message, /out of paper[^]*underSeeds\(\[7\], \.\.\.\)/)
 * strictEqual(Cause.squash(failed.cause), "out of paper")
 * ```
 */
export class SeedFailed extends Schema.TaggedError<SeedFailed>()("SeedFailed", {
  seed: Int,
  /** How many seeds before it passed. */
  passed: Int,
  /** What the test failed with. */
  cause: Schema.Cause(Unknown, Unknown)
}) {
  /** Stable code of this error. */
  readonly code = "SEED_FAILED"
  override get message() {
    const [first] = Cause.prettyErrors(this.cause)
    return `seed ${this.seed} failed, after ${this.passed} that passed: ${first?.message ?? "it was interrupted"}\n`
      + `run it alone: underSeeds([${this.seed}], ...)`
  }
}

/** What a test under seeds is given for each of them. */
export type SeededServices = ActorSystem | Dispatcher | VirtualTime | Scope.Scope

/**
 * Runs `test` once for each seed, one after the other, each time in a `TestSystem` and a Scope of its own, and gives
 * what each run gave. `seeds` is a list, or a number n for 1 to n. Stops at the first seed that fails: by an error, a
 * defect, or an interruption of its own.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ActorSystem } from "mobwright"
 * import { makeProbe, settle, underSeeds } from "mobwright/testing"
 * import { deepStrictEqual, strictEqual } from "node:assert"
 *
 * const orders = await Effect.runPromise(underSeeds(50, Effect.gen(function*() {
 *   const system = yield* ActorSystem
 *   const probe = yield* makeProbe<string>()
 *   const relay = (name: string) =>
 *     system.spawn<void, number, never, never>({
 *       name,
 *       init: () => Effect.void,
 *       behavior: (_, number) => Effect.sync(() => void probe.ref.tellUnsafe(`${name}${number}`))
 *     })
 *   const a = yield* relay("a")
 *   const b = yield* relay("b")
 *   for (const number of [1, 2]) {
 *     a.tellUnsafe(number)
 *     b.tellUnsafe(number)
 *   }
 *   yield* settle
 *   const received = probe.received()
 *   deepStrictEqual(received.filter((it) => it.startsWith("a")), ["a1", "a2"])
 *   deepStrictEqual(received.filter((it) => it.startsWith("b")), ["b1", "b2"])
 *   return received.join(" ")
 * })))
 *
 * strictEqual(orders.length, 50)
 * strictEqual(new Set(orders).size > 1, true)
 * ```
 */
export const underSeeds = <A, E, R>(
  seeds: number | ReadonlyArray<number>,
  test: Effect.Effect<A, E, R>
): Effect.Effect<ReadonlyArray<A>, SeedFailed, Exclude<R, SeededServices>> => {
  const all = typeof seeds === "number" ? Array.from({ length: seeds }, (_, index) => index + 1) : seeds
  // A test that runs nothing would pass.
  if (all.length === 0) return Effect.die(new RangeError("underSeeds needs at least one seed"))
  return Effect.forEach(all, (seed, passed) =>
    test.pipe(
      Effect.scoped,
      // A system of its own also where a layer around this one has made another.
      Effect.provide(TestSystem.layer(seed), { local: true }),
      Effect.catchCause((cause) => Effect.fail(new SeedFailed({ seed, passed, cause })))
    )) as Effect.Effect<ReadonlyArray<A>, SeedFailed, Exclude<R, SeededServices>> // TypeScript does not see that excluding one after the other is excluding all
}
