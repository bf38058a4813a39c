/**
 * A durable cell whose store is closed under it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { ActorSystem } from "mobwright"
import { settle, TestSystem } from "mobwright/testing"
import type { Aggregate } from "../../core/journal/aggregate.ts"
import { durable } from "../../core/journal/durable.ts"
import type { JsonObject } from "../../sdk/json.ts"
import { team, until } from "./logs.ts"
import { memory, open } from "./pruning.ts"

interface Added extends JsonObject {
  readonly add: number
}

const sum: Aggregate<number, Added> = {
  name: "run/sum",
  evolve: (state, { add }) => (state ?? 0) + add,
  project: () => [],
  encode: (state) => state,
  decode: Number,
  decodeFact: (fact) => ({ add: Number(fact["add"]) }),
  isTerminal: () => false
}

describe("a durable cell", () => {
  it.live("whose submission comes while its store closes hears that it is closed, and does not crash", () =>
    Effect.gen(function*() {
      const said: Array<string> = []
      const lifetime = yield* Scope.make()
      let held: (() => void) | undefined
      let holding = false
      const store = yield* Scope.provide(
        open(yield* memory, (commit) => (operations, done) => {
          if (!holding) return commit(operations, done)
          held = () => commit(operations, done)
        }),
        lifetime
      )
      const log = yield* store.acquire(team)
      const ref = yield* (yield* ActorSystem).spawn(durable<number, Added, number>({
        log,
        aggregate: sum,
        closed: (error) => said.push(`closed ${error._tag}`),
        crashed: (cause) => said.push(`crashed ${String(cause)}`),
        behavior: () => ({
          started: (state) => {
            said.push(`started ${state}`)
            return { facts: [], releases: [] }
          },
          handle: (_, add) => ({
            facts: [{ add }],
            releases: [{
              release: () => said.push(`added ${add}`),
              abandon: (why) => said.push(`not added ${add} ${why._tag === "StoreFailed" ? why.error._tag : why._tag}`)
            }]
          })
        }),
        cell: { name: "sum" }
      }))
      holding = true
      yield* ref.tell(1)
      yield* until(() => held !== undefined)
      const closing = yield* Effect.forkChild(Scope.close(lifetime, Exit.void), { startImmediately: true })
      yield* ref.tell(2)
      yield* settle
      holding = false
      held?.()
      yield* Fiber.join(closing)
      yield* settle
      assert.deepStrictEqual(said, ["started undefined", "added 1", "not added 2 StoreClosed", "closed StoreClosed"])
    }).pipe(Effect.provide(TestSystem.layer(1))))
})
