import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import type { ActorRef, CellContext, CellSpec, Supervision } from "../../../core/actor/index.ts"
import { ActorSystem } from "../../../core/actor/index.ts"
import { settle } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { act, type Got, gotOf, makeGate, note, parentOf, PATIENT, scribe, spawnScribe, type Task } from "./fixtures.ts"

/** What the mailbox of a cell holds by default. */
const FULL = 65_536
const WAITERS = 3

type Numbered = number | (() => Effect.Effect<void, unknown>)

/**
 * A cell whose mailbox is full of numbers, with senders that wait for room. `turn`: in front of them is a message that is
 * being handled, and waits; `ready`: it is in the run queue.
 */
const spawnCrowded = (where: "turn" | "ready") =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const contexts: Array<CellContext<Numbered>> = []
    /** How many numbers each life has handled. */
    const handled: Array<number> = []
    const gate = makeGate()
    let last = 0
    const spec: CellSpec<number, Numbered, unknown, never> = {
      name: "crowded",
      mailbox: { capacity: FULL, overflow: "backpressure" },
      init: (context) => {
        handled.push(0)
        return Effect.succeed(contexts.push(context))
      },
      behavior: (life, message) => {
        if (typeof message !== "number") return Effect.as(message(), life)
        // Not an assert for each of so many.
        if (message !== ++last) assert.fail(`${message} where ${last} is next`)
        handled[life - 1]!++
        return Exit.succeed(life)
      }
    }
    const refs: Array<ActorRef<Numbered>> = []
    const parent = yield* system.spawn(
      parentOf(PATIENT, (context) => Effect.map(context.spawn(spec), (ref) => void refs.push(ref)))
    )
    const ref = refs[0]!
    if (where === "turn") {
      ref.tellUnsafe(() => gate.wait)
      yield* settle
    }
    for (let number = 1; number <= FULL; number++) if (!ref.tellUnsafe(number)) assert.fail(`no room for ${number}`)
    const senders: Array<Got> = []
    for (let number = FULL + 1; number <= FULL + WAITERS; number++) {
      const sender = yield* Effect.forkDetach(Effect.as(ref.tell(number), "told"), { startImmediately: true })
      senders.push(gotOf(sender))
    }
    return { system, ref, parent, contexts, handled, gate, senders: () => senders.map((got) => got()) }
  })

const all = (got: string) => Array.from({ length: WAITERS }, () => got)

for (const [systemName, layer] of everySystem) {
  describe(`signals before a full mailbox, ${systemName}`, () => {
    for (const where of ["turn", "ready"] as const) {
      const held = where === "turn" ? 1 : 0
      const when = where === "turn" ? "amid a turn" : "before its turn"

      for (const who of ["stop", "its parent's stop"] as const) {
        it.effect(`${who}, ${when}: not one more is handled, all are dead letters, and who waits for room is told`, () =>
          Effect.gen(function*() {
            const { handled, parent, ref, senders, system } = yield* spawnCrowded(where)
            yield* who === "stop" ? ref.stop() : parent.stop()
            assert.deepStrictEqual([handled, senders()], [[0], all("ActorStopped")])
            assert.strictEqual(system.deadLetters.count(), held + FULL + WAITERS)
          }).pipe(Effect.provide(layer)))
      }

      it.effect(`a crash, ${when}: this life handles not one more, the next one all`, () =>
        Effect.gen(function*() {
          const { contexts, handled, senders, system } = yield* spawnCrowded(where)
          contexts[0]!.crash(Cause.fail("boom"))
          yield* settle
          assert.deepStrictEqual([handled, senders()], [[0, FULL + WAITERS], all("told")])
          assert.strictEqual(system.deadLetters.count(), held)
        }).pipe(Effect.provide(layer)))

      it.effect(`an end, ${when}: this life handles not one more, the next one all`, () =>
        Effect.gen(function*() {
          const { contexts, gate, handled, senders, system } = yield* spawnCrowded(where)
          contexts[0]!.end()
          gate.open()
          yield* settle
          assert.deepStrictEqual([handled, senders()], [[0, FULL + WAITERS], all("told")])
          assert.strictEqual(system.deadLetters.count(), 0)
        }).pipe(Effect.provide(layer)))

      it.effect(`suspended, ${when}: not one more is handled; resumed: all`, () =>
        Effect.gen(function*() {
          const { contexts, gate, handled, senders } = yield* spawnCrowded(where)
          contexts[0]!.suspend()
          gate.open()
          yield* settle
          assert.deepStrictEqual([handled, senders()], [[0], all("waits")])
          contexts[0]!.resume()
          yield* settle
          assert.deepStrictEqual([handled, senders()], [[FULL + WAITERS], all("told")])
        }).pipe(Effect.provide(layer)))
    }

    for (
      const [what, signal, next] of [
        ["is suspended", ({ context }) => context.suspend(), []],
        ["ends", ({ context }) => context.end(), ["2 behind", "2 far behind"]],
        ["is crashed", ({ context }) => context.crash(Cause.fail("boom")), ["2 behind", "2 far behind"]]
      ] as ReadonlyArray<readonly [string, Parameters<typeof act>[1], ReadonlyArray<string>]>
    ) {
      it.effect(`a message by which its cell ${what} is the last one of that turn`, () =>
        Effect.gen(function*() {
          const { context, log, ref } = yield* spawnScribe()
          context().suspend()
          for (const task of [note("before"), act("signal", signal), note("behind"), note("far behind")]) {
            ref.tellUnsafe(task)
          }
          context().resume()
          yield* settle
          assert.deepStrictEqual(log, ["1 before", "1 signal", ...next])
        }).pipe(Effect.provide(layer)))
    }

    it.effect("a child is started again though its parent is amid a turn, and the parent's mailbox is full", () =>
      Effect.gen(function*() {
        const { children, crowd, gate, log } = yield* spawnFamily(PATIENT)
        children[0]!.crash(Cause.fail("boom"))
        yield* settle
        assert.deepStrictEqual([children.length, log], [2, []])
        gate.open()
        yield* settle
        assert.strictEqual(log.length, crowd + 1)
      }).pipe(Effect.provide(layer)))

    it.effect("a child that crashes too often crashes its parent at once, though its mailbox is full", () =>
      Effect.gen(function*() {
        const { children, contexts, crowd, log } = yield* spawnFamily({ ...PATIENT, intensity: 0 })
        children[0]!.crash(Cause.fail("boom"))
        yield* settle
        assert.deepStrictEqual([children.length, contexts.length], [2, 2])
        // What was being handled is lost, what was behind it is not.
        assert.deepStrictEqual([log.length, log.every((it) => it.startsWith("2 "))], [crowd, true])
      }).pipe(Effect.provide(layer)))
  })
}

/** A parent amid a turn, with a full mailbox, and a child. */
const spawnFamily = (supervision: Supervision) =>
  Effect.gen(function*() {
    const crowd = 100
    const log: Array<string> = []
    const contexts: Array<CellContext<Task>> = []
    const children: Array<CellContext<Task>> = []
    const { init, ...parent } = scribe(log, contexts, { supervision, mailbox: { capacity: crowd, overflow: "fail" } })
    const system = yield* ActorSystem
    const ref = yield* system.spawn({
      ...parent,
      init: (context) => Effect.andThen(context.spawn(scribe([], children)), init(context))
    })
    const gate = makeGate()
    ref.tellUnsafe({ text: "held", run: () => gate.wait })
    yield* settle
    for (let number = 0; number < crowd; number++) assert.isTrue(ref.tellUnsafe(note(String(number))))
    assert.isFalse(ref.tellUnsafe(note("too many")))
    return { children, contexts, crowd, gate, log }
  })
