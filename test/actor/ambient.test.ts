import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dispatch } from "nact"
import { type ActorRef, ActorSystem, type CellContext, nactRef, type Reply } from "../../core/actor/index.ts"
import { advance, settle, TestSystem } from "../../core/testing/index.ts"
import { notes, type Order, recorder } from "./fixtures.ts"

/** Runs `effect` while the process's timers and its date throw. */
const withoutAmbientTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { setTimeout, setInterval } = globalThis
      const { now } = Date
      const refuse = (name: string) => () => {
        throw new Error(`${name} was called`)
      }
      globalThis.setTimeout = refuse("setTimeout") as unknown as typeof setTimeout // never returns
      globalThis.setInterval = refuse("setInterval") as unknown as typeof setInterval // never returns
      Date.now = refuse("Date.now")
      return { setTimeout, setInterval, now }
    }),
    () => effect,
    ({ setTimeout, setInterval, now }) =>
      Effect.sync(() => {
        Object.assign(globalThis, { setTimeout, setInterval })
        Date.now = now
      })
  )

describe("without the process's timers and date", () => {
  it.effect("everything runs in virtual time", () =>
    withoutAmbientTime(
      Effect.gen(function*() {
        assert.throws(() => Date.now())
        const system = yield* ActorSystem
        const log: Array<string> = []
        const contexts: Array<CellContext<Order>> = []
        const backoff = { initial: 1_000, max: 8_000, jitter: 0.2, reset: 60_000 }
        let child: ActorRef<Order> | undefined
        const ref = yield* system.spawn(recorder("parent", log, {
          supervision: { strategy: "one_for_all", intensity: 10, period: 60_000, backoff },
          init: (context) =>
            Effect.gen(function*() {
              contexts.push(context)
              child = yield* context.spawn(recorder("child", log))
              return { texts: [], kept: [] }
            })
        }))
        contexts[0]?.setTimer("tick", 10_000, { type: "note", text: "tick" })
        ref.tellUnsafe({ type: "run", effect: Effect.sleep(100) })
        child?.tellUnsafe({ type: "throw", defect: "boom" })
        dispatch(nactRef(ref), { type: "note", text: "by nact" })
        const keep = (reply: Reply<string>): Order => ({ type: "keep", reply })
        const timedOut = yield* Effect.forkChild(Effect.flip(ref.ask(keep, 5_000)))
        yield* advance("1 minute")
        assert.strictEqual(timedOut.pollUnsafe()?._tag, "Success")
        assert.includeMembers(log, ["handled parent by nact", "handled parent tick", "stop child crashed"])
        assert.strictEqual(log.filter((it) => it === "start child").length, 2)
        assert.deepStrictEqual(yield* child!.ask(notes, 1_000), [])
        yield* ref.stop({ drain: true })
        yield* settle
        assert.strictEqual(system.deadLetters.count(), 1)
      }).pipe(Effect.provide(TestSystem.layer()))
    ))
})
