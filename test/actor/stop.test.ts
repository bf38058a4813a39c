import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Scope } from "effect"
import {
  type ActorRef,
  ActorSystem,
  type CellContext,
  type CellSpec,
  Dispatcher,
  type SpawnFailed
} from "../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../core/testing/index.ts"
import { everySystem, type Order, recorder } from "./fixtures.ts"

/** A cell that starts `children` and writes down its end. */
const branch = (
  name: string,
  log: Array<string>,
  children: ReadonlyArray<CellSpec<void, never, SpawnFailed, never>> = [],
  options: Partial<CellSpec<void, never, SpawnFailed, never>> = {}
): CellSpec<void, never, SpawnFailed, never> => ({
  name,
  init: (context) => Effect.forEach(children, (child) => context.spawn(child), { discard: true }),
  behavior: () => Effect.void,
  onStop: (_, reason) => Effect.andThen(Effect.yieldNow, Effect.sync(() => void log.push(`${name} ${reason._tag}`))),
  ...options
})

for (const [systemName, layer] of everySystem) {
  describe(`stop, ${systemName}`, () => {
    it.effect("stops children before their parent, in reverse order of their start, each awaited", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const tree = branch("root", log, [
          branch("a", log, [branch("a1", log), branch("a2", log)]),
          branch("b", log)
        ])
        const ref = yield* system.spawn(tree)
        yield* ref.stop()
        assert.deepStrictEqual(log, ["b Shutdown", "a2 Shutdown", "a1 Shutdown", "a Shutdown", "root Normal"])
        assert.deepStrictEqual(system.snapshotTree().children, [])
        yield* ref.stop()
        assert.strictEqual(log.length, 5)
      }).pipe(Effect.provide(layer)))

    it.effect("all who stop a cell at once wait for its one end", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(branch("once", log))
        yield* Effect.all([ref.stop(), ref.stop({ drain: true }), ref.stop()], { concurrency: "unbounded" })
        assert.deepStrictEqual(log, ["once Normal"])
      }).pipe(Effect.provide(layer)))

    it.effect("interrupts a turn that waits, and awaits its finalizers", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("busy", log))
        const turn: Order = {
          type: "run",
          effect: Effect.onInterrupt(Effect.never, () =>
            Effect.andThen(Effect.yieldNow, Effect.sync(() => void log.push("turn interrupted"))))
        }
        const behind: Order = { type: "note", text: "never" }
        ref.tellUnsafe(turn)
        ref.tellUnsafe(behind)
        yield* settle
        yield* ref.stop()
        assert.deepStrictEqual(log, ["start busy", "turn interrupted", "stop busy normal"])
        // What was interrupted, and what was behind it.
        assert.deepStrictEqual(system.deadLetters.last().map((it) => [it.reason, it.message]), [
          ["stopped", turn],
          ["stopped", behind]
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("interrupts a turn of a cell that has nothing else to end", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        let interrupted = false
        const ref = yield* system.spawn<void, void, never, never>({
          name: "plain",
          init: () => Effect.void,
          behavior: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
        })
        ref.tellUnsafe()
        yield* settle
        yield* ref.stop()
        assert.isTrue(interrupted)
      }).pipe(Effect.provide(layer)))

    it.effect("with drain, handles what is in the mailbox and takes no more", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("drained", log))
        for (let text = 0; text < 200; text++) {
          ref.tellUnsafe(
            text % 5 === 0 ? { type: "run", effect: Effect.yieldNow } : { type: "note", text: String(text) }
          )
        }
        const stopping = yield* Effect.forkChild(ref.stop({ drain: true }), { startImmediately: true })
        assert.isFalse(ref.tellUnsafe({ type: "note", text: "late" }))
        yield* Fiber.join(stopping)
        assert.strictEqual(log.filter((it) => it.startsWith("handled")).length, 160)
        assert.strictEqual(log.at(-1), "stop drained normal")
        assert.strictEqual(system.deadLetters.count(), 1)
      }).pipe(Effect.provide(layer)))

    it.effect("drains what crashes on the way no further", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn(recorder("drained", log))
        ref.tellUnsafe({ type: "note", text: "1" })
        ref.tellUnsafe({ type: "fail", error: "boom" })
        ref.tellUnsafe({ type: "note", text: "2" })
        yield* ref.stop({ drain: true })
        assert.deepStrictEqual(log.slice(1), ["handled drained 1", "stop drained crashed"])
        assert.deepStrictEqual(system.deadLetters.last().map((it) => it.reason), ["crashed", "stopped"])
      }).pipe(Effect.provide(layer)))

    it.effect("a cell may stop itself from its own turn, and an asker may stop it from its answer", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref: ActorRef<Order> = yield* system.spawn(recorder("self", log))
        ref.tellUnsafe({ type: "run", effect: Effect.suspend(() => ref.stop()) })
        yield* settle
        assert.deepStrictEqual(log, ["start self", "stop self normal"])
        const draining: ActorRef<Order> = yield* system.spawn(recorder("draining", log))
        draining.tellUnsafe({ type: "run", effect: Effect.suspend(() => draining.stop({ drain: true })) })
        draining.tellUnsafe({ type: "note", text: "behind" })
        yield* settle
        assert.deepStrictEqual(log.slice(2), ["start draining", "handled draining behind", "stop draining normal"])
        let last: number | undefined
        const other = yield* system.spawn<number, (exit: Exit.Exit<void>) => void, never, never>({
          name: "other",
          init: () => Effect.succeed(1),
          behavior: (state, done) => {
            // The asker goes on at once, within this call.
            done(Exit.void)
            return Effect.succeed(state + 1)
          },
          onStop: (state) => Effect.sync(() => void (last = state))
        })
        yield* Effect.andThen(other.ask<void, never>((reply) => (exit) => reply.done(exit), 1_000), other.stop())
        assert.strictEqual(last, 2, "onStop sees the state after the message that was being handled")
      }).pipe(Effect.provide(layer)))

    it.effect("closing the system stops all, in reverse, and a spawn afterwards fails", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(Layer.fresh(ActorSystem.layer), scope)
        const system = (yield* Effect.provide(ActorSystem, context)) as typeof ActorSystem.Service
        const contexts: Array<CellContext<never>> = []
        for (const name of ["a", "b"]) {
          yield* system.spawn(branch(name, log, [branch(`${name}1`, log)], {
            init: (context) => {
              contexts.push(context)
              return Effect.asVoid(context.spawn(branch(`${name}1`, log)))
            }
          }))
        }
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(log, ["b1 Shutdown", "b Shutdown", "a1 Shutdown", "a Shutdown"])
        assert.strictEqual((yield* Effect.flip(system.spawn(branch("late", log))))._tag, "SpawnFailed")
        assert.strictEqual((yield* Effect.flip(contexts[0]!.spawn(branch("late", log))))._tag, "SpawnFailed")
      }).pipe(Effect.provide(layer)))
  })
}

describe("stop in virtual time", () => {
  const hangs = Effect.uninterruptible(Effect.sleep("1 hour"))

  it.effect("a deadline a child: what is not over by then is abandoned", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const time = yield* VirtualTime
      const log: Array<string> = []
      const slow = (name: string, shutdown: number): CellSpec<void, never, SpawnFailed, never> =>
        branch(name, log, [], { shutdown, onStop: () => hangs })
      const ref = yield* system.spawn(branch("parent", log, [slow("a", 200), slow("b", 1_000), branch("c", log)]))
      const stopping = yield* Effect.forkChild(ref.stop(), { startImmediately: true })
      yield* advance(1_199)
      assert.isUndefined(stopping.pollUnsafe())
      assert.deepStrictEqual(log, ["c Shutdown"])
      yield* advance(1)
      assert.isDefined(stopping.pollUnsafe())
      assert.strictEqual(time.now(), 1_200)
      assert.deepStrictEqual(log, ["c Shutdown", "parent Normal"])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("the deadline holds for turn, forks, onStop and Scope together", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const third = Effect.uninterruptible(Effect.sleep(400))
      const log: Array<string> = []
      const ref = yield* system.spawn(recorder("thirds", log, {
        shutdown: 1_000,
        init: (context) =>
          Effect.as(
            Effect.provideService(
              Effect.addFinalizer(() => Effect.andThen(third, Effect.sync(() => void log.push("released")))),
              Scope.Scope,
              context.scope
            ),
            { texts: [], kept: [] }
          ),
        onStop: () => Effect.andThen(third, Effect.sync(() => void log.push("onStop")))
      }))
      ref.tellUnsafe({ type: "run", effect: third })
      yield* settle
      const stopping = yield* Effect.forkChild(ref.stop(), { startImmediately: true })
      yield* advance(999)
      assert.isUndefined(stopping.pollUnsafe())
      yield* advance(1)
      assert.isDefined(stopping.pollUnsafe())
      assert.deepStrictEqual(log, ["onStop"])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("brutal: no time and no onStop; infinity: all the time it takes", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const time = yield* VirtualTime
      const log: Array<string> = []
      const brutal = yield* system.spawn(recorder("brutal", log, { shutdown: "brutal" }))
      brutal.tellUnsafe({ type: "run", effect: hangs })
      yield* settle
      yield* brutal.stop()
      assert.strictEqual(time.now(), 0)
      assert.deepStrictEqual(log, ["start brutal"])
      const patient = yield* system.spawn(recorder("patient", log, { shutdown: "infinity", onStop: () => hangs }))
      const stopping = yield* Effect.forkChild(patient.stop(), { startImmediately: true })
      yield* advance("59 minutes")
      assert.isUndefined(stopping.pollUnsafe())
      yield* advance("1 minute")
      assert.isDefined(stopping.pollUnsafe())
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("draining ends at the deadline, or when somebody stops it without", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      const slow: Order = { type: "run", effect: Effect.sleep(400) }
      const first = yield* system.spawn(recorder("first", log, { shutdown: 1_000 }))
      for (let message = 0; message < 10; message++) first.tellUnsafe(slow)
      const stopping = yield* Effect.forkChild(first.stop({ drain: true }), { startImmediately: true })
      yield* advance(999)
      assert.isUndefined(stopping.pollUnsafe())
      yield* advance(1)
      assert.isDefined(stopping.pollUnsafe())
      // The third was cut short.
      assert.strictEqual(system.deadLetters.count(), 8)
      const second = yield* system.spawn(recorder("second", log))
      for (let message = 0; message < 10; message++) second.tellUnsafe(slow)
      const draining = yield* Effect.forkChild(second.stop({ drain: true }), { startImmediately: true })
      yield* advance(500)
      yield* second.stop()
      assert.isDefined(draining.pollUnsafe())
      assert.deepStrictEqual(log.filter((it) => it.startsWith("stop")), ["stop first normal", "stop second normal"])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("a turn abandoned by a restart does not touch the next incarnation", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      const contexts: Array<CellContext<Order>> = []
      const ref = yield* system.spawn(recorder("abandoned", log, {
        shutdown: 100,
        init: (context) => {
          contexts.push(context)
          return Effect.succeed({ texts: [], kept: [] })
        }
      }))
      ref.tellUnsafe({ type: "run", effect: hangs })
      ref.tellUnsafe({ type: "note", text: "next" })
      yield* settle
      contexts[0]?.crash(Cause.fail("boom"))
      yield* advance(100)
      assert.strictEqual(contexts.length, 2)
      assert.include(log, "handled abandoned next")
      // The next incarnation is amid a turn when the abandoned one is over: two incarnations, one mailbox.
      ref.tellUnsafe({ type: "run", effect: Effect.sleep("2 hours") })
      ref.tellUnsafe({ type: "note", text: "last" })
      yield* advance("90 minutes")
      assert.notInclude(log, "handled abandoned last")
      yield* advance("1 hour")
      assert.deepStrictEqual(log.filter((it) => it.startsWith("handled")), [
        "handled abandoned next",
        "handled abandoned last"
      ])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("a child whose start ends after its parent has begun to stop is not up for a moment", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const log: Array<string> = []
      const contexts: Array<CellContext<Order>> = []
      let starts = 0
      const child = recorder("child", log, {
        init: (context) => {
          contexts.push(context)
          const state = { texts: [], kept: [] }
          return ++starts === 1 ? Effect.succeed(state) : Effect.as(Effect.sleep(500), state)
        }
      })
      const parent = yield* system.spawn(recorder("parent", log, {
        init: (context) => Effect.as(context.spawn(child), { texts: [], kept: [] })
      }))
      parent.tellUnsafe({ type: "run", effect: Effect.uninterruptible(Effect.sleep(1_000)) })
      yield* settle
      contexts[0]?.crash(Cause.fail("boom"))
      yield* advance(100)
      const stopping = yield* Effect.forkChild(parent.stop(), { startImmediately: true })
      yield* advance(2_000)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(log, ["stop child crashed", "stop parent normal"])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("a start that hangs fails after 30 seconds, unless its spec says how long it may take", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const hung = yield* Effect.forkChild(
        Effect.flip(system.spawn(recorder("hung", [], { init: () => Effect.never }))),
        {
          startImmediately: true
        }
      )
      yield* advance(29_999)
      assert.isUndefined(hung.pollUnsafe())
      yield* advance(1)
      const error = yield* Fiber.join(hung)
      assert.deepInclude(Cause.squash(error.cause), { _tag: "StartTimeout", timeout: 30_000 })
      assert.deepStrictEqual(system.snapshotTree().children, [])
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("a chain of 1,500 cells stops whole, from below, one within the other", () =>
    Effect.gen(function*() {
      const system = yield* ActorSystem
      const stopped: Array<number> = []
      const contexts: Array<CellContext<never>> = []
      const link = (level: number): CellSpec<void, never, never, never> => ({
        name: String(level),
        init: (context) => Effect.sync(() => void contexts.push(context)),
        behavior: () => Effect.void,
        onStop: () => Effect.sync(() => void stopped.push(level))
      })
      const top = yield* system.spawn(link(0))
      for (let level = 1; level < 1_500; level++) yield* contexts[level - 1]!.spawn(link(level))
      yield* top.stop()
      assert.deepStrictEqual(stopped, Array.from({ length: 1_500 }, (_, index) => 1_499 - index))
    }).pipe(Effect.provide(TestSystem.layer())))

  it.effect("nothing is left: no sleep, no task, no token, no cell", () =>
    Effect.gen(function*() {
      const time = yield* VirtualTime
      const dispatcher = yield* Dispatcher
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.fresh(ActorSystem.layer), scope)
      const system = (yield* Effect.provide(ActorSystem, context)) as typeof ActorSystem.Service
      const log: Array<string> = []
      const ref = yield* system.spawn(recorder("last", log, {
        init: (context) => {
          context.setTimer("far", 1e9, { type: "end" })
          context.fork(Effect.never)
          return Effect.succeed({ texts: [], kept: [] })
        }
      }))
      yield* Effect.forkChild(
        ref.ask((reply: { readonly done: (exit: Exit.Exit<string>) => void }) => ({ type: "keep", reply }), 1e9)
      )
      ref.tellUnsafe({ type: "run", effect: Effect.sleep(1e9) })
      yield* settle
      assert.isDefined(time.nextDue())
      yield* Scope.close(scope, Exit.void)
      yield* settle
      assert.isUndefined(time.nextDue())
      assert.isTrue(dispatcher.quiet())
      assert.strictEqual(time.pendingTasks(), 0)
    }).pipe(Effect.provide(TestSystem.layerTime())))
})
