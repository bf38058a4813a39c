import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import fc from "fast-check"
import { ActorSystem, type CellContext, type Overflow } from "../../core/actor/index.ts"
import { Ring } from "../../core/actor/mailbox.ts"
import { settle } from "../../core/testing/index.ts"
import { effort, everySystem, type Order, recorder } from "./fixtures.ts"

const spawnFull = (overflow: Overflow, capacity = 3) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const log: Array<string> = []
    let context: CellContext<Order> | undefined
    const ref = yield* system.spawn(recorder("small", log, {
      mailbox: { capacity, overflow },
      init: (it) => {
        context = it
        it.suspend()
        return Effect.succeed({ texts: [], kept: [] })
      }
    }))
    for (let text = 1; text <= capacity; text++) assert.isTrue(ref.tellUnsafe(note(text)))
    return { system, log, ref, resume: () => context?.resume() }
  })

const note = (text: number): Order => ({ type: "note", text: String(text) })
const handled = (count: number) => Array.from({ length: count }, (_, index) => `handled small ${index + 1}`)

for (const [systemName, layer] of everySystem) {
  describe(`a full mailbox, ${systemName}`, () => {
    it.effect("fail: the sender gets MailboxFull with the capacity, the message is a dead letter", () =>
      Effect.gen(function*() {
        const { system, log, ref, resume } = yield* spawnFull("fail")
        const error = yield* Effect.flip(ref.tell(note(4)))
        assert.deepInclude(error, { _tag: "MailboxFull", capacity: 3, actor: "small" })
        assert.isFalse(ref.tellUnsafe(note(5)))
        assert.deepStrictEqual(system.deadLetters.last().map((it) => [it.to, it.reason, it.message]), [
          [ref.path, "full", note(4)],
          [ref.path, "full", note(5)]
        ])
        resume()
        yield* settle
        assert.deepStrictEqual(log, handled(3))
        yield* ref.tell(note(6))
      }).pipe(Effect.provide(layer)))

    it.effect("drop: the sender sees success, the newest message is a dead letter", () =>
      Effect.gen(function*() {
        const { system, log, ref, resume } = yield* spawnFull("drop")
        yield* ref.tell(note(4))
        assert.deepStrictEqual(system.deadLetters.last().map((it) => it.reason), ["full"])
        resume()
        yield* settle
        assert.deepStrictEqual(log, handled(3))
      }).pipe(Effect.provide(layer)))

    it.effect("backpressure: senders wait for room and get in in order; one that is interrupted does not", () =>
      Effect.gen(function*() {
        const { system, log, ref, resume } = yield* spawnFull("backpressure")
        const senders = yield* Effect.forEach(
          [4, 5, 6, 7, 8],
          (text) => Effect.forkChild(ref.tell(note(text)), { startImmediately: true })
        )
        assert.isTrue(senders.every((it) => it.pollUnsafe() === undefined))
        yield* Fiber.interrupt(senders[2]!)
        assert.isFalse(ref.tellUnsafe(note(9)), "who cannot wait is refused")
        resume()
        yield* settle
        assert.isTrue(senders.every((it) => it.pollUnsafe() !== undefined))
        assert.deepStrictEqual(log, handled(8).toSpliced(5, 1))
        assert.strictEqual(system.deadLetters.count(), 1)
      }).pipe(Effect.provide(layer)))

    it.effect("backpressure: many producers through a mailbox of eight lose nothing and keep each its order", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const seen: Array<readonly [number, number]> = []
        const ref = yield* system.spawn<void, readonly [number, number], never, never>({
          name: "funnel",
          mailbox: { capacity: 8, overflow: "backpressure" },
          init: () => Effect.void,
          behavior: (_, message) => {
            seen.push(message)
            return message[1] % 10 === 0 ? Effect.yieldNow : Effect.void
          }
        })
        yield* Effect.forEach(
          Array.from({ length: 20 }, (_, producer) => producer),
          (producer) =>
            Effect.forEach(Array.from({ length: 50 }, (_, index) => index), (index) => ref.tell([producer, index])),
          {
            concurrency: "unbounded",
            discard: true
          }
        )
        yield* settle
        assert.strictEqual(seen.length, 1_000)
        for (let producer = 0; producer < 20; producer++) {
          const own = seen.filter((it) => it[0] === producer).map((it) => it[1])
          assert.deepStrictEqual(own, Array.from({ length: 50 }, (_, index) => index))
        }
      }).pipe(Effect.provide(layer)))

    it.effect("a sender that waits does not get in while the cell drains", () =>
      Effect.gen(function*() {
        const { log, ref, resume } = yield* spawnFull("backpressure")
        const sender = yield* Effect.forkChild(Effect.flip(ref.tell(note(4))), { startImmediately: true })
        resume()
        yield* ref.stop({ drain: true })
        assert.strictEqual((yield* Fiber.join(sender))._tag, "ActorStopped")
        assert.deepStrictEqual(log.filter((it) => it.startsWith("handled")), handled(3))
      }).pipe(Effect.provide(layer)))

    it.effect("a sender that waits gets ActorStopped when the cell stops", () =>
      Effect.gen(function*() {
        const { system, ref } = yield* spawnFull("backpressure")
        const sender = yield* Effect.forkChild(Effect.flip(ref.tell(note(4))), { startImmediately: true })
        yield* ref.stop()
        assert.strictEqual((yield* Fiber.join(sender))._tag, "ActorStopped")
        assert.strictEqual((yield* Effect.flip(ref.tell(note(5))))._tag, "ActorStopped")
        assert.strictEqual(system.deadLetters.count(), 5)
      }).pipe(Effect.provide(layer)))
  })
}

describe("dead letters", () => {
  const [, layer] = everySystem[0]!

  it.effect("are counted, the last thousand are kept in order, listeners hear each", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const ref = yield* system.spawn(recorder("gone", []))
      yield* ref.stop()
      const heard: Array<unknown> = []
      system.deadLetters.subscribe(() => {
        throw new Error("a listener that throws disturbs nobody")
      })
      const end = system.deadLetters.subscribe((letter) => heard.push(letter.message))
      for (let text = 0; text < 2_500; text++) ref.tellUnsafe(note(text))
      end()
      ref.tellUnsafe(note(2_500))
      assert.strictEqual(system.deadLetters.count(), 2_501)
      assert.deepStrictEqual(
        system.deadLetters.last().map((it) => it.message),
        Array.from({ length: 1_000 }, (_, index) => note(1_501 + index))
      )
      assert.deepStrictEqual(heard, Array.from({ length: 2_500 }, (_, index) => note(index)))
    }).pipe(Effect.provide(layer)))

  it.effect("a message that carries a reply of its own is answered when the cell stops or crashes with it", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const answers: Array<string> = []
      interface Own {
        readonly text: string
        readonly done: (exit: Exit.Exit<never, { readonly _tag: string }>) => void
      }
      const own = (text: string): Own => ({
        text,
        done: (exit) => answers.push(`${text} ${Exit.isFailure(exit) ? String(exit.cause) : ""}`.replace(/\(.*/s, ""))
      })
      let context: CellContext<Own> | undefined
      const ref = yield* system.spawn<void, Own, string, never>({
        name: "own",
        replyOf: (message) => message,
        init: (it) => {
          context = it
          return Effect.void
        },
        behavior: (_, { text }) => text === "crashes" ? Effect.fail("boom") : Effect.void
      })
      ref.tellUnsafe(own("crashes"))
      yield* settle
      context?.suspend()
      ref.tellUnsafe(own("stops"))
      yield* ref.stop()
      assert.deepStrictEqual(answers.map((it) => it.split(" ")[0]), ["crashes", "stops"])
    }).pipe(Effect.provide(layer)))
})

describe("the ring", () => {
  it("is an array with push and shift", () => {
    // Not an assert for each of so many: that alone took minutes.
    const same = (left: number, right: number | undefined) => {
      if (left !== right) assert.fail(`${left} where the array has ${right}`)
    }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -200, max: 600 }), { maxLength: 20 }), (steps) => {
        const ring = new Ring<number>()
        const array: Array<number> = []
        let next = 0
        for (const step of steps) {
          for (let count = 0; count < step; count++) {
            ring.push(next)
            array.push(next++)
          }
          for (let count = 0; count < -step && array.length > 0; count++) {
            assert.strictEqual(ring.shift(), array.shift())
          }
          assert.strictEqual(ring.size, array.length)
        }
        while (array.length > 0) same(ring.shift(), array.shift())
      }),
      { numRuns: effort(200, 5_000) }
    )
  })
})
