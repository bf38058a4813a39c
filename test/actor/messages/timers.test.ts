import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import type { CellContext } from "../../../core/actor/index.ts"
import { advance, settle, VirtualTime } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { act, asideOnce, note, PATIENT, spawnScribe, type Task } from "./fixtures.ts"

/** A scribe, and messages that write down when they are handled. */
const spawnTimed = (options: Parameters<typeof spawnScribe>[0] = {}) =>
  Effect.gen(function*() {
    const time = yield* VirtualTime
    const scribe = yield* spawnScribe(options)
    const seen: Array<string> = []
    const at = (text: string, run: Task["run"] = () => Exit.void): Task => ({
      text,
      run: (life) => {
        seen.push(`${text} at ${time.now()}`)
        return run(life)
      }
    })
    return { ...scribe, at, seen, time }
  })

const never = note("never")

/** Both kinds of timer are set and forgotten alike. */
const KINDS = [
  ["single", (context, key, millis, message) => context.setTimer(key, millis, message)],
  ["periodic", (context, key, millis, message) => context.setPeriodicTimer(key, millis, message)]
] as ReadonlyArray<
  readonly [string, (context: CellContext<Task>, key: string, millis: number, message: Task) => void]
>

for (const [systemName, layer] of everySystem) {
  describe(`timers, ${systemName}`, () => {
    it.effect("a single one sends once, at its time, and those of one instant in the order they were set", () =>
      Effect.gen(function*() {
        const { at, context, seen } = yield* spawnTimed()
        context().setTimer("c", 20, at("c"))
        for (const key of ["a", "b", "d"]) context().setTimer(key, 10, at(key))
        yield* advance(9)
        assert.deepStrictEqual(seen, [])
        yield* advance(1_000)
        assert.deepStrictEqual(seen, ["a at 10", "b at 10", "d at 10", "c at 20"])
      }).pipe(Effect.provide(layer)))

    it.effect("a periodic one sends at a fixed rate, the first time after one period, without drift", () =>
      Effect.gen(function*() {
        const { at, context, seen } = yield* spawnTimed()
        yield* advance(3)
        context().setPeriodicTimer("ten", 10, at("ten", () => Effect.sleep(4)))
        yield* advance(3_000)
        assert.deepStrictEqual(seen, Array.from({ length: 300 }, (_, tick) => `ten at ${13 + 10 * tick}`))
      }).pipe(Effect.provide(layer)))

    it.effect("a period that is no whole number of milliseconds adds up all the same", () =>
      Effect.gen(function*() {
        const { context, time } = yield* spawnTimed()
        const ticks: Array<number> = []
        context().setPeriodicTimer("third", 10 / 3, act("", () => void ticks.push(time.now())))
        yield* advance(2_001)
        assert.strictEqual(ticks.length, 600)
        // Never early; a wheel of milliseconds, and a sum of fractions, may each be one late.
        for (const [index, tick] of ticks.entries()) {
          const due = Math.floor((index + 1) * 10 / 3)
          assert.isTrue(tick >= due && tick <= due + 2, `tick ${index + 1} at ${tick}`)
        }
      }).pipe(Effect.provide(layer)))

    it.effect("a slow cell has one tick waiting at most, and is back on the grid after a long turn", () =>
      Effect.gen(function*() {
        const { at, context, node, ref, seen } = yield* spawnTimed()
        context().setPeriodicTimer("tick", 10, at("tick"))
        yield* advance(15)
        ref.tellUnsafe(at("long", () => Effect.sleep(110)))
        yield* advance(100)
        assert.strictEqual(node()?.mailbox, 1)
        // The long turn ends at 125, with the tick of 20 waiting.
        yield* advance(35)
        assert.deepStrictEqual(seen, [
          "tick at 10",
          "long at 15",
          "tick at 125",
          "tick at 130",
          "tick at 140",
          "tick at 150"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("a cell that takes longer than a period for each tick is always busy, and never behind", () =>
      Effect.gen(function*() {
        const { at, context, node, seen } = yield* spawnTimed()
        context().setPeriodicTimer("tick", 10, at("tick", () => Effect.sleep(25)))
        for (let waited = 0; waited < 100; waited += 5) {
          yield* advance(5)
          assert.isAtMost(node()?.mailbox ?? 0, 1)
        }
        assert.deepStrictEqual(seen, ["tick at 10", "tick at 35", "tick at 60", "tick at 85"])
      }).pipe(Effect.provide(layer)))

    it.effect("a suspended cell keeps one tick, and a full mailbox takes it", () =>
      Effect.gen(function*() {
        const { context, log, node, ref } = yield* spawnTimed({ mailbox: { capacity: 1, overflow: "fail" } })
        context().suspend()
        ref.tellUnsafe(note("full"))
        context().setPeriodicTimer("tick", 10, note("tick"))
        context().setTimer("once", 10, note("once"))
        yield* advance(1_005)
        assert.strictEqual(node()?.mailbox, 3)
        context().resume()
        yield* settle
        assert.deepStrictEqual(log, ["1 full", "1 tick", "1 once"])
      }).pipe(Effect.provide(layer)))

    for (const [kind, set] of KINDS) {
      it.effect(`a ${kind} one that is cancelled sends no more, nor what is in the mailbox already`, () =>
        Effect.gen(function*() {
          const { context, letters, log, node, time } = yield* spawnTimed()
          set(context(), "before", 10, never)
          context().cancelTimer("before")
          context().suspend()
          set(context(), "after", 10, never)
          yield* advance(10)
          assert.strictEqual(node()?.mailbox, 1)
          context().cancelTimer("after")
          context().cancelTimer("after")
          context().cancelTimer("none")
          context().resume()
          yield* advance(100)
          assert.deepStrictEqual([log, letters()], [[], []])
          assert.deepInclude(node(), { mailbox: 0, processed: 0 })
          assert.isUndefined(time.nextDue())
        }).pipe(Effect.provide(layer)))

      it.effect(`a ${kind} one that is replaced, by either kind, sends no more, nor what is in the mailbox already`, () =>
        Effect.gen(function*() {
          const { at, context, log, seen } = yield* spawnTimed()
          for (const [other, replace] of KINDS) {
            set(context(), other, 10, never)
            yield* advance(5)
            replace(context(), other, 10, at(other))
          }
          // The first one waits since 10 ms when it is replaced.
          context().suspend()
          set(context(), "waits", 4, never)
          yield* advance(4)
          context().setTimer("waits", 4, at("waits"))
          context().resume()
          yield* advance(6)
          context().cancelTimer("periodic")
          assert.deepStrictEqual(seen, ["waits at 18", "single at 15", "periodic at 20"].toSorted(byTime))
          assert.notInclude(log, "1 never")
        }).pipe(Effect.provide(layer)))

      it.effect(`a ${kind} one that is replaced is not due any more`, () =>
        Effect.gen(function*() {
          const { context, node, time } = yield* spawnTimed()
          context().suspend()
          set(context(), "key", 10, never)
          set(context(), "key", Infinity, never)
          yield* advance(100)
          assert.strictEqual(node()?.mailbox, 0)
          assert.isUndefined(time.nextDue())
        }).pipe(Effect.provide(layer)))

      it.effect(`a ${kind} one ends with its life, and with it what is in the mailbox already`, () =>
        Effect.gen(function*() {
          const { context, contexts, letters, log, time } = yield* spawnTimed()
          for (const end of [() => context().end(), () => context().crash(Cause.fail("boom"))]) {
            set(context(), "later", 10, never)
            context().suspend()
            set(context(), "waits", 1, never)
            yield* advance(1)
            end()
            yield* settle
            contexts[0]!.setTimer("too late", 1, never)
            contexts[0]!.setPeriodicTimer("too late", 1, never)
          }
          yield* advance(100)
          assert.deepStrictEqual([contexts.length, log, letters()], [3, [], []])
          assert.isUndefined(time.nextDue(), "nobody sleeps for them")
        }).pipe(Effect.provide(layer)))

      it.effect(`a ${kind} one of a sibling that is restarted with another ends with its life`, () =>
        Effect.gen(function*() {
          const { context, contexts, log, sibling } = yield* spawnScribe({}, { ...PATIENT, strategy: "one_for_all" })
          set(context(), "later", 10, never)
          sibling().crash(Cause.fail("boom"))
          yield* advance(100)
          assert.deepStrictEqual([contexts.length, log], [2, []])
        }).pipe(Effect.provide(layer)))

      it.effect(`a ${kind} one stops with its cell and leaves nothing asleep`, () =>
        Effect.gen(function*() {
          const { context, letters, log, ref, time } = yield* spawnTimed()
          set(context(), "far", 50, never)
          context().suspend()
          set(context(), "waits", 1, never)
          yield* advance(1)
          yield* ref.stop()
          yield* advance(50)
          assert.deepStrictEqual([log, letters()], [[], []])
          assert.isUndefined(time.nextDue())
        }).pipe(Effect.provide(layer)))

      it.effect(`a ${kind} one after Infinity, or after what is no number, never sends`, () =>
        Effect.gen(function*() {
          const { context, log, time } = yield* spawnTimed()
          set(context(), "infinity", Infinity, never)
          set(context(), "nan", NaN, never)
          yield* settle
          assert.isUndefined(time.nextDue())
          yield* advance("1000 days")
          assert.deepStrictEqual(log, [])
          // They are replaced and cancelled like others.
          context().cancelTimer("infinity")
          context().setTimer("nan", 1, note("1"))
          yield* advance(1)
          assert.deepStrictEqual(log, ["1 1"])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("what comes due while a cell drains is not taken any more", () =>
      Effect.gen(function*() {
        const { context, log, ref, time } = yield* spawnTimed()
        context().setPeriodicTimer("tick", 10, note("tick"))
        context().setTimer("once", 25, never)
        ref.tellUnsafe({ text: "long", run: () => Effect.sleep(40) })
        yield* advance(15)
        yield* Effect.forkChild(ref.stop({ drain: true }), { startImmediately: true })
        yield* advance(100)
        assert.deepStrictEqual(log, ["1 long", "1 tick"])
        assert.isUndefined(time.nextDue())
      }).pipe(Effect.provide(layer)))

    it.effect("a key may be used again by the message that it sent", () =>
      Effect.gen(function*() {
        const { at, context, seen } = yield* spawnTimed()
        const again: Task = at("again", ({ context }) => Exit.succeed(context.setTimer("key", 10, at("last"))))
        context().setTimer("key", 10, again)
        yield* advance(100)
        assert.deepStrictEqual(seen, ["again at 10", "last at 20"])
      }).pipe(Effect.provide(layer)))

    it.effect("keys are of one cell, and of one kind of timer or the other", () =>
      Effect.gen(function*() {
        const [one, two] = [yield* spawnTimed(), yield* spawnTimed()]
        one.context().setPeriodicTimer("key", 10, one.at("one"))
        two.context().setTimer("key", 10, two.at("two"))
        one.context().setTimer("key", 15, one.at("one"))
        yield* advance(100)
        assert.deepStrictEqual([one.seen, two.seen], [["one at 15"], ["two at 10"]])
      }).pipe(Effect.provide(layer)))

    it.effect("no time, or less, is now: behind what is in the mailbox", () =>
      Effect.gen(function*() {
        const { at, context, ref, seen } = yield* spawnTimed()
        yield* advance(5)
        context().suspend()
        ref.tellUnsafe(at("told"))
        for (const millis of [0, -0, -1, -1e9]) context().setTimer(String(millis), millis, at(`${millis}`))
        context().resume()
        yield* settle
        // Two keys are one: 0 and -0.
        assert.deepStrictEqual(seen, ["told at 5", "0 at 5", "-1 at 5", "-1000000000 at 5"])
      }).pipe(Effect.provide(layer)))

    it.effect("a period of no time, or less, is a millisecond", () =>
      Effect.gen(function*() {
        const { at, context, seen, time } = yield* spawnTimed()
        for (const period of [0, -5]) context().setPeriodicTimer(String(period), period, at(String(period)))
        yield* advance(3)
        assert.deepStrictEqual(seen, [1, 2, 3].flatMap((now) => [`0 at ${now}`, `-5 at ${now}`]))
        for (const period of [0, -5]) context().cancelTimer(String(period))
        yield* advance(1)
        assert.isUndefined(time.nextDue())
      }).pipe(Effect.provide(layer)))

    it.effect("a tick may cancel its own timer, and one that is cancelled amid its tick is over", () =>
      Effect.gen(function*() {
        const { context, log, time } = yield* spawnTimed()
        let ticks = 0
        context().setPeriodicTimer(
          "tick",
          10,
          act("tick", ({ context }) => {
            if (++ticks === 3) context.cancelTimer("tick")
          })
        )
        yield* advance(100)
        assert.deepStrictEqual(log, ["1 tick", "1 tick", "1 tick"])
        assert.isUndefined(time.nextDue())
      }).pipe(Effect.provide(layer)))

    it.effect("may be set in an init, and wait for the first turn", () =>
      Effect.gen(function*() {
        const { contexts, log } = yield* spawnTimed({
          afterTurn: (life, context) => context.setTimer("turn", 10, never)
        })
        contexts[0]!.setTimer("turn", 5, note("1"))
        yield* advance(14)
        assert.deepStrictEqual(log, ["1 1"])
        yield* advance(1)
        assert.deepStrictEqual(log, ["1 1", "1 never"])
      }).pipe(Effect.provide(layer)))

    it.effect("what one sent is a message like any other once it is put aside: nothing forgets it, and more may come", () =>
      Effect.gen(function*() {
        const { context, log, node } = yield* spawnTimed()
        context().setPeriodicTimer("tick", 10, asideOnce("tick"))
        yield* advance(10)
        assert.strictEqual(node()?.mailbox, 1)
        context().cancelTimer("tick")
        context().end()
        yield* settle
        assert.deepStrictEqual(log, ["2 tick"])
      }).pipe(Effect.provide(layer)))
  })
}

const byTime = (left: string, right: string): number => Number(left.split(" ").at(-1)) - Number(right.split(" ").at(-1))
