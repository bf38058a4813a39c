import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { type ActorRef, ActorSystem, type CellContext, type Reply } from "../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../core/testing/index.ts"
import { everySystem, notes, type Order, recorder, seeds } from "./fixtures.ts"

const keep = (reply: Reply<string>): Order => ({ type: "keep", reply })

/** The tag of what an ask failed with. */
const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string =>
  Exit.isSuccess(exit) ? "answered" : (Cause.squash(exit.cause) as { readonly _tag: string })._tag // asks fail with tagged errors

const spawnAsked = (options: Parameters<typeof recorder>[2] = {}) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const log: Array<string> = []
    const contexts: Array<CellContext<Order>> = []
    const ref = yield* system.spawn(recorder("asked", log, {
      init: (context) => {
        contexts.push(context)
        return Effect.succeed({ texts: [], kept: [] })
      },
      ...options
    }))
    return { system, log, ref, contexts }
  })

for (const [systemName, layer] of everySystem) {
  describe(`ask, ${systemName}`, () => {
    it.effect("is answered by a reply turns later, once", () =>
      Effect.gen(function*() {
        const { ref } = yield* spawnAsked()
        const asking = yield* Effect.forkChild(ref.ask(keep, 1_000), { startImmediately: true })
        yield* settle
        ref.tellUnsafe({ type: "answerKept" })
        ref.tellUnsafe({ type: "fail", error: "boom" })
        assert.strictEqual(yield* Fiber.join(asking), "answered")
      }).pipe(Effect.provide(layer)))

    it.effect("passes on the failure that the reply carries", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn<void, Reply<never, "typed">, never, never>({
          name: "refuser",
          init: () => Effect.void,
          behavior: (_, reply) => {
            reply.done(Exit.fail("typed"))
            reply.done(Exit.die("late answers do nothing"))
            return Effect.void
          }
        })
        assert.strictEqual(yield* Effect.flip(ref.ask((reply: Reply<never, "typed">) => reply, 1_000)), "typed")
      }).pipe(Effect.provide(layer)))

    it.effect("ends with ActorCrashed for a message that the cell held, and waits on for one in the mailbox", () =>
      Effect.gen(function*() {
        const { ref } = yield* spawnAsked()
        const held = yield* Effect.forkChild(ref.ask(keep, 1_000), { startImmediately: true })
        yield* settle
        ref.tellUnsafe({ type: "die", defect: "boom" })
        const behind = yield* Effect.forkChild(ref.ask(notes, 1_000), { startImmediately: true })
        const exit = yield* Fiber.await(held)
        assert.strictEqual(tagOf(exit), "ActorCrashed")
        assert.deepStrictEqual(yield* Fiber.join(behind), [])
      }).pipe(Effect.provide(layer)))

    it.effect("ends with ActorStopped when the incarnation that held the message ended without a crash", () =>
      Effect.gen(function*() {
        const { ref, contexts } = yield* spawnAsked()
        const held = yield* Effect.forkChild(ref.ask(keep, 1_000), { startImmediately: true })
        yield* settle
        contexts[0]?.end()
        yield* settle
        assert.strictEqual(contexts.length, 2, "it was started again")
        const exit = held.pollUnsafe()
        assert.strictEqual(exit && tagOf(exit), "ActorStopped")
      }).pipe(Effect.provide(layer)))

    it.effect("ends with ActorStopped when the cell stops: held, in the mailbox, waiting for room, or too late", () =>
      Effect.gen(function*() {
        const { ref, contexts } = yield* spawnAsked({ mailbox: { capacity: 1, overflow: "backpressure" } })
        const held = yield* Effect.forkChild(ref.ask(keep, 1_000), { startImmediately: true })
        yield* settle
        contexts[0]?.suspend()
        const inside = yield* Effect.forkChild(ref.ask(notes, 1_000), { startImmediately: true })
        const waiting = yield* Effect.forkChild(ref.ask(notes, 1_000), { startImmediately: true })
        yield* settle
        yield* ref.stop()
        const late = yield* Effect.exit(ref.ask(notes, 1_000))
        const tags = [yield* Fiber.await(held), yield* Fiber.await(inside), yield* Fiber.await(waiting), late].map(
          tagOf
        )
        assert.deepStrictEqual(tags, ["ActorStopped", "ActorStopped", "ActorStopped", "ActorStopped"])
      }).pipe(Effect.provide(layer)))

    it.effect("ends with MailboxFull where the mailbox does not wait", () =>
      Effect.gen(function*() {
        for (const overflow of ["fail", "drop"] as const) {
          const { ref, contexts } = yield* spawnAsked({ mailbox: { capacity: 2, overflow } })
          contexts[0]?.suspend()
          yield* Effect.forkChild(ref.ask(notes, 1_000), { startImmediately: true })
          ref.tellUnsafe({ type: "end" })
          assert.strictEqual(tagOf(yield* Effect.exit(ref.ask(notes, 1_000))), "MailboxFull")
        }
      }).pipe(Effect.provide(layer)))

    it.effect("a chain of a thousand cells, each answering the one before, needs no deep stack", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        let next: ActorRef<Reply<number>> | undefined
        for (let cell = 0; cell < 1_000; cell++) {
          const target = next
          next = yield* system.spawn<void, Reply<number>, never, never>({
            name: "link",
            init: () => Effect.void,
            behavior: (_, reply) => {
              if (target === undefined) return Effect.sync(() => reply.done(Exit.succeed(1)))
              return target.ask((reply: Reply<number>) => reply, 60_000).pipe(
                Effect.orDie,
                Effect.map((count) => reply.done(Exit.succeed(count + 1)))
              )
            }
          })
        }
        assert.strictEqual(yield* next!.ask((reply: Reply<number>) => reply, 60_000), 1_000)
      }).pipe(Effect.provide(layer)))
  })
}

describe("ask in virtual time", () => {
  it.effect("ends with AskTimeout at its deadline, not before, and a later answer is dropped", () =>
    Effect.gen(function*() {
      const { ref } = yield* spawnAsked()
      const asking = yield* Effect.forkChild(Effect.exit(ref.ask(keep, 1_234)), { startImmediately: true })
      yield* advance(1_233)
      assert.isUndefined(asking.pollUnsafe())
      yield* advance(1)
      assert.strictEqual(tagOf(yield* Fiber.join(asking)), "AskTimeout")
      ref.tellUnsafe({ type: "answerKept" })
      yield* settle
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("an answer takes the deadline back: nobody wakes for it", () =>
    Effect.gen(function*() {
      const { ref } = yield* spawnAsked()
      yield* Effect.all([ref.ask(notes, 1_000), ref.ask(notes, 2_000)], { concurrency: "unbounded" })
      // The wheel was armed for the first; then it sees that nobody waits.
      yield* advance(1_000)
      assert.isUndefined((yield* VirtualTime).nextDue())
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("counts the time it waits for room, and takes its message back", () =>
    Effect.gen(function*() {
      const { ref, contexts, log } = yield* spawnAsked({ mailbox: { capacity: 1, overflow: "backpressure" } })
      contexts[0]?.suspend()
      ref.tellUnsafe({ type: "note", text: "1" })
      const asking = yield* Effect.forkChild(Effect.exit(ref.ask(notes, 100)), { startImmediately: true })
      yield* advance(100)
      assert.strictEqual(tagOf(yield* Fiber.join(asking)), "AskTimeout")
      contexts[0]?.resume()
      ref.tellUnsafe({ type: "note", text: "2" })
      yield* settle
      assert.deepStrictEqual(log, ["handled asked 1"], "the second note found the mailbox full")
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("an infinite timeout waits for ever, and an asker that leaves leaves nothing", () =>
    Effect.gen(function*() {
      const { ref } = yield* spawnAsked()
      const asking = yield* Effect.forkChild(ref.ask(keep, Infinity), { startImmediately: true })
      yield* advance("365 days")
      assert.isUndefined(asking.pollUnsafe())
      yield* Fiber.interrupt(asking)
      ref.tellUnsafe({ type: "answerKept" })
      yield* settle
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("whatever happens, every asker is answered exactly once", () =>
    Effect.forEach(seeds(30, 3_000), (seed) =>
      Effect.gen(function*() {
        const { ref, contexts } = yield* spawnAsked({
          mailbox: { capacity: 8, overflow: (["backpressure", "fail", "drop"] as const)[seed % 3]! }
        })
        let answers = 0
        const count = Effect.sync(() => void answers++)
        const orders: ReadonlyArray<Order> = [
          { type: "answerKept" },
          { type: "fail", error: "boom" },
          { type: "run", effect: Effect.sleep(300) },
          { type: "note", text: "x" }
        ]
        let asked = 0
        for (let round = 0; round < 40; round++) {
          asked++
          const timeout = 100 * (1 + (seed * 7 + round) % 9)
          const ask = (round + seed) % 2 === 0
            ? Effect.asVoid(ref.ask(keep, timeout))
            : Effect.asVoid(ref.ask(notes, timeout))
          yield* Effect.forkChild(Effect.andThen(Effect.exit(ask), count), { startImmediately: true })
          ref.tellUnsafe(orders[(seed * 13 + round * 5) % 4]!)
          if (round % 7 === seed % 7) yield* advance(150)
          if (round % 11 === seed % 11) contexts.at(-1)?.suspend()
          if (round % 5 === seed % 5) contexts.at(-1)?.resume()
        }
        if (seed % 2 === 0) yield* ref.stop()
        yield* advance(2_000)
        assert.strictEqual(answers, asked, `seed ${seed}`)
      }).pipe(Effect.provide(TestSystem.layer(seed)))))
})
