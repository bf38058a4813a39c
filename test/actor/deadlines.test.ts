import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import fc from "fast-check"
import { Deadline, Deadlines } from "../../core/actor/deadlines.ts"
import { advance, TestSystem, VirtualTime } from "../../core/testing/index.ts"
import { effort } from "./fixtures.ts"

class Noted extends Deadline {
  private readonly note: () => void

  constructor(note: () => void) {
    super()
    this.note = note
  }

  override due(): void {
    this.note()
  }
}

const makeWheel = Effect.gen(function*() {
  return new Deadlines(yield* Clock.Clock, Effect.runForkWith(yield* Effect.context<never>()))
})

const step = fc.oneof(
  fc.record({ type: fc.constant("add" as const), millis: fc.oneof(fc.nat(50), fc.nat(10_000)) }),
  fc.record({ type: fc.constant("remove" as const), index: fc.nat(100) }),
  fc.record({ type: fc.constant("advance" as const), millis: fc.nat(500) })
)

describe("the wheel", () => {
  it.effect("is due when a list of deadlines is, in order of time and then of adding, and never early", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), (steps) =>
          Effect.runPromise(
            Effect.gen(function*() {
              const time = yield* VirtualTime
              const wheel = yield* makeWheel
              const fired: Array<string> = []
              const model: Array<{ readonly name: number; readonly due: number; readonly deadline: Deadline }> = []
              const expected: Array<string> = []
              for (const [name, it] of steps.entries()) {
                if (it.type === "add") {
                  const deadline = new Noted(() => fired.push(`${name} at ${time.now()}`))
                  model.push({ name, due: time.now() + it.millis, deadline })
                  wheel.add(deadline, it.millis)
                } else if (it.type === "remove") {
                  const [removed] = model.splice(it.index % Math.max(1, model.length), 1)
                  if (removed !== undefined) wheel.remove(removed.deadline)
                } else {
                  yield* advance(it.millis)
                  const due = model.filter((one) => one.due <= time.now()).toSorted((left, right) =>
                    left.due - right.due
                  )
                  for (const one of due) {
                    expected.push(`${one.name} at ${one.due}`)
                    model.splice(model.indexOf(one), 1)
                  }
                  assert.deepStrictEqual(fired, expected)
                }
              }
              for (const { deadline } of model) wheel.remove(deadline)
              yield* advance("1 hour")
              assert.deepStrictEqual(fired, expected)
              assert.isUndefined(time.nextDue(), "nobody sleeps for an empty wheel")
            }).pipe(Effect.provide(TestSystem.layerTime()))
          )),
        { numRuns: effort(100, 3_000) }
      )
    ))

  it.effect("sleeps once for the earliest, however many wait", () =>
    Effect.gen(function*() {
      const time = yield* VirtualTime
      let sleeps = 0
      const clock = yield* Clock.Clock
      const counting = Object.assign(Object.create(clock) as typeof clock, { // the clock's own methods, but for one
        sleep: (duration: Parameters<typeof clock.sleep>[0]) => {
          sleeps++
          return clock.sleep(duration)
        }
      })
      const wheel = new Deadlines(counting, Effect.runForkWith(yield* Effect.context<never>()))
      let due = 0
      for (let index = 0; index < 10_000; index++) wheel.add(new Noted(() => due++), 5_000 + index % 100)
      assert.strictEqual(sleeps, 1)
      yield* advance(6_000)
      assert.strictEqual(due, 10_000)
      assert.strictEqual(sleeps, 100)
      assert.isUndefined(time.nextDue())
    }).pipe(Effect.provide(TestSystem.layerTime())))

  it.effect("forgets what was removed, a million times over", () =>
    Effect.gen(function*() {
      const time = yield* VirtualTime
      const wheel = yield* makeWheel
      const deadline = new Noted(() => assert.fail("removed"))
      let last = 0
      wheel.add(new Noted(() => void (last = time.now())), 20_000)
      for (let index = 0; index < effort(100_000, 1_000_000); index++) {
        wheel.add(deadline, 30_000 + index % 50_000)
        wheel.remove(deadline)
      }
      yield* advance(100_000)
      assert.strictEqual(last, 20_000)
    }).pipe(Effect.provide(TestSystem.layerTime())))
})
