/**
 * Pruning among random turns and failed commits.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import type { StoreError } from "../../sdk/store.ts"
import { count, entry, firstCursor, soak, submit, team } from "./logs.ts"
import { headOf, memory, open, range } from "./pruning.ts"

describe("under random turns, prunes and failed commits", () => {
  it.effect("what is read is what was acknowledged, from the floor on", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(move, { minLength: 5, maxLength: 60 }),
          (moves) => Effect.runPromise(Effect.scoped(Effect.provide(play(moves), TestClock.layer())))
        ),
        { numRuns: soak ? 2000 : 100 }
      )
    ))
})

type Move =
  | { readonly type: "turn"; readonly who: number; readonly ends: boolean; readonly events: number }
  | { readonly type: "head"; readonly who: number }
  | { readonly type: "prune"; readonly back: number; readonly forget: ReadonlyArray<number> }
  | { readonly type: "fail"; readonly written: boolean }
  | { readonly type: "acquire" }

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("turn" as const),
      who: fc.nat(4),
      ends: fc.constantFrom(false, false, false, true),
      events: fc.nat(2)
    })
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("head" as const), who: fc.nat(4) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("prune" as const),
      back: fc.nat(6),
      forget: fc.array(fc.nat(4), { maxLength: 3 })
    })
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("fail" as const), written: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("acquire" as const) }) }
)

/** Plays moves against the store and a plain record of what was acknowledged. */
const play = (moves: ReadonlyArray<Move>) =>
  Effect.gen(function*() {
    const medium = yield* memory
    let fault: "none" | "lost" | "written" = "none"
    const store = yield* open(medium, (commit) => (operations, done) => {
      const now = fault
      fault = "none"
      if (now === "none") commit(operations, done)
      else if (now === "lost") queueMicrotask(() => done(new Error("the disk is gone")))
      else commit(operations, () => done(new Error("the disk is gone")))
    })
    let log = yield* store.acquire(team)
    // What is known for sure of each aggregate; undefined while only the disk knows.
    const known = new Map<string, { revision: number; ended: boolean } | undefined>()
    const learn = Effect.fnUntraced(function*(name: string) {
      const loaded = yield* log.load(name)
      const state = { revision: count(loaded), ended: loaded?.head?.terminal === true }
      known.set(name, state)
      return state
    })
    const acked: Array<{ readonly cursor: number; readonly events: number; readonly mark: string }> = []
    let floor = 1
    let turns = 0
    const recover = (_: StoreError) =>
      Effect.gen(function*() {
        known.clear()
        yield* TestClock.adjust(100)
      })
    for (const item of moves) {
      switch (item.type) {
        case "fail":
          fault = item.written ? "written" : "lost"
          break
        case "acquire": {
          fault = "none"
          log = yield* store.acquire(team)
          break
        }
        case "head": {
          const name = `run/${item.who}`
          const { ended, revision } = known.get(name) ?? (yield* learn(name))
          if (revision === 0 || ended) break
          yield* Effect.catch(Effect.asVoid(submit(log, [], headOf(name, revision))), recover)
          break
        }
        case "turn": {
          const name = `run/${item.who}`
          const before = known.get(name) ?? (yield* learn(name))
          const mark = `turn ${++turns}`
          const written = submit(log, [
            entry(name, before.revision + 1, {
              terminal: item.ends || before.ended,
              events: Array.from({ length: item.events }, () => ({ type: "e", mark }))
            })
          ])
          yield* Effect.matchEffect(written, {
            onFailure: recover,
            onSuccess: ({ cursor }) =>
              Effect.sync(() => {
                acked.push({ cursor, events: item.events, mark })
                known.set(name, { revision: before.revision + 1, ended: item.ends || before.ended })
              })
          })
          break
        }
        case "prune": {
          const forget = item.forget.map((who) => `run/${who}`)
          const pruned = yield* Effect.result(log.prune({ events: log.latestCursor() - item.back, forget }))
          known.clear()
          if (pruned._tag === "Failure") yield* recover(pruned.failure)
          else {expect(pruned.success.firstCursor).toBeLessThanOrEqual(
              Math.max(1, log.latestCursor() - item.back, floor)
            )}
        }
      }
      yield* look()
    }
    fault = "none"
    log = yield* (yield* open(medium)).acquire(team)
    yield* look()

    function* looking() {
      const first = yield* firstCursor(log)
      expect(first).toBeGreaterThanOrEqual(floor)
      floor = first
      const events = yield* log.events(first - 1, 100_000)
      expect(events.map((event) => event.cursor)).toEqual(range(first, log.latestCursor()))
      for (const { cursor, events: length, mark } of acked) {
        for (let at = cursor; at < cursor + length; at++) {
          if (at >= first) expect(events[at - first]?.event["mark"]).toBe(mark)
        }
      }
      for (const [name, state] of known) {
        if (state !== undefined) expect([name, count(yield* log.load(name))]).toEqual([name, state.revision])
      }
    }
    function look() {
      return Effect.gen(looking)
    }
  })
