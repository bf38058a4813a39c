import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, References } from "effect"
import { dispatch, Nobody, spawn, start, stop } from "nact"
import {
  type ActorRef,
  ActorSystem,
  Behavior,
  type CellContext,
  child,
  type NactContext,
  type NactRef,
  nactRef
} from "../../core/actor/index.ts"
import { Behavior as AnyBehavior } from "../../core/index.ts"
import { makeProbe, settle } from "../../core/testing/index.ts"
import { Behavior as MemberBehavior } from "../../sdk/index.ts"
import { everySystem } from "./fixtures.ts"
import {
  add,
  count,
  dispatchFrom,
  fail,
  gated,
  get,
  makeGates,
  type Order,
  ported,
  queryOf,
  settleNact,
  tagOf
} from "./nact-fixtures.ts"

for (const [systemName, layer] of everySystem) {
  describe(`a nact function as a behaviour, ${systemName}`, () => {
    it.effect("takes state and message, and gives the next state", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn(ported("counter", 39, count))
        yield* ref.tell(add(1))
        dispatch(nactRef(ref), add(2))
        yield* settleNact
        assert.strictEqual(yield* ref.ask(get, 1_000), 42)
      }).pipe(Effect.provide(layer)))

    it.effect("its promise holds the mailbox up, and resolves to the next state", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const gates = makeGates()
        const ref = yield* system.spawn(ported("slow", "", gated(log, gates.pass), {
          onStop: (state) => Effect.sync(() => void log.push(`state ${state}`))
        }))
        for (const name of ["a", "b", "c"]) ref.tellUnsafe(name)
        yield* gates.open("b")
        assert.deepStrictEqual(log, ["begin a"])
        yield* gates.open("a")
        assert.deepStrictEqual(log.slice(1), ["end a", "begin b", "end b", "begin c"])
        yield* gates.open("c")
        yield* ref.stop()
        assert.deepStrictEqual(log.slice(5), ["end c", "state abc"])
      }).pipe(Effect.provide(layer)))

    for (const how of ["throws", "rejects with"] as const) {
      it.effect(`what it ${how} crashes the cell: askers hear of it, supervision starts it again`, () =>
        Effect.gen(function*() {
          const system = yield* ActorSystem
          const rejects = async (sum: number, order: Order) => count(sum, order)
          const ref = yield* system.spawn(ported("counter", 40, how === "throws" ? count : rejects))
          yield* ref.tell(add(5))
          const failing = yield* Effect.forkChild(Effect.exit(ref.ask(fail, 1_000)), { startImmediately: true })
          yield* ref.tell(add(2))
          yield* settle
          const exit = failing.pollUnsafe()
          assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && tagOf(exit.value) === "ActorCrashed")
          // What was behind it met the first state of a new incarnation.
          assert.strictEqual(yield* ref.ask(get, 1_000), 42)
          assert.deepStrictEqual(system.deadLetters.last().map((it) => it.reason), ["crashed"])
          const [node] = system.snapshotTree().children
          assert.strictEqual(node?.restarts, 1)
          assert.strictEqual(node?.lastFailure?.message, "boom")
        }).pipe(Effect.provide(layer)))
    }

    it.effect("a function without state keeps none, and what it throws is not swallowed", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const ref = yield* system.spawn({
          name: "stateless",
          init: () => Effect.void,
          behavior: Behavior.fromNactStateless((text: string, context) => {
            if (text === "bad") throw new Error("bad")
            log.push(`${context.name} ${text}`)
          })
        })
        for (const text of ["one", "bad", "two"]) ref.tellUnsafe(text)
        yield* settle
        assert.deepStrictEqual(log, ["stateless one", "stateless two"])
        assert.strictEqual(system.snapshotTree().children[0]?.lastFailure?.message, "bad")
      }).pipe(Effect.provide(layer)))

    it.effect("its context is its `this`: self, parent without the silent node, path, the name of the spec", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const seen: Array<NactContext<ActorRef<never>>> = []
        type Look = ActorRef<never>
        const look = function(this: NactContext<Look>, _: undefined, me: Look, context: NactContext<Look>) {
          assert.strictEqual(this, context)
          assert.strictEqual(context.self, nactRef(me))
          seen.push(context)
          return undefined
        }
        const below = child(ported<undefined, Look>("a child / with % odd ✓ name", undefined, look))
        const top = yield* system.spawn<void, string, never, never>({
          name: "top",
          children: [below],
          init: (context) => Effect.sync(() => void context.child(below).tellUnsafe(context.child(below))),
          behavior: () => Effect.void
        })
        const root = yield* system.spawn(ported<undefined, Look>("root", undefined, look))
        root.tellUnsafe(root)
        yield* settle
        const [first, second] = seen.toSorted((left, right) => left.name.localeCompare(right.name))
        assert.strictEqual(first?.name, "a child / with % odd ✓ name")
        assert.strictEqual(first?.parent, nactRef(top))
        assert.deepStrictEqual(first?.path.parts, ["c1", "k", "c2"])
        assert.strictEqual(second?.name, "root")
        assert.strictEqual(Reflect.get(second?.parent ?? {}, "type"), "system")
        assert.strictEqual(system.snapshotTree().children.flatMap((it) => it.restarts).join(), "0,0")
      }).pipe(Effect.provide(layer)))

    it.effect("its children are the cells below and what nact's spawn made, each by its name", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const seen: Array<ReadonlyArray<string>> = []
        const heard: Array<string> = []
        const inner = child(ported<number, string>("inner cell", 0, (sum, text) => {
          heard.push(`cell ${text}`)
          return sum + 1
        }))
        const family = (_: undefined, name: string, { children, self }: NactContext<string>) => {
          seen.push([...children.keys()])
          if (!children.has(name)) {
            spawn(self, (_: undefined, text: string) => {
              heard.push(`${name} ${text}`)
              return undefined
            }, name)
          }
          for (const child of children.values()) dispatch(child, name)
          return undefined
        }
        const ref = yield* system.spawn(ported<undefined, string>("family", undefined, family, { children: [inner] }))
        for (const name of ["ada", "grace", "ada"]) {
          ref.tellUnsafe(name)
          yield* settleNact
        }
        assert.deepStrictEqual(seen, [["inner cell"], ["inner cell", "ada"], ["inner cell", "ada", "grace"]])
        assert.strictEqual(heard.toSorted().join(), "ada ada,ada grace,cell ada,cell ada,cell grace,grace ada")
      }).pipe(Effect.provide(layer)))

    it.effect("knows the sender of what nact dispatched, and of nothing else", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const nact = start()
        const heard: Array<string> = []
        const friend = spawn(nact, (_: undefined, text: string) => {
          heard.push(text)
          return undefined
        }, "friend")
        const senders: Array<unknown> = []
        let context: CellContext<string> | undefined
        const greet = (_: undefined, name: string, { sender }: NactContext<string>) => {
          senders.push(sender)
          dispatch(sender, `hello ${name}`)
          return undefined
        }
        const ref = yield* system.spawn(ported<undefined, string>("greeter", undefined, greet, {
          init: (it) => Effect.sync(() => void (context = it))
        }))
        const plain = yield* makeProbe<string>()
        dispatchFrom(nactRef(ref), "ada", friend)
        dispatchFrom(nactRef(plain.ref), "ada", friend)
        yield* settleNact
        ref.tellUnsafe("nobody")
        context?.setTimer("now", 0, "nobody either")
        dispatch(nactRef(ref), "anonymous")
        yield* settleNact
        dispatchFrom(nactRef(ref), "grace", friend)
        yield* settleNact
        assert.deepStrictEqual(heard, ["hello ada", "hello grace"])
        assert.strictEqual(senders.length, 5)
        assert.strictEqual(senders.filter((it) => it === friend).length, 2)
        assert.strictEqual(senders.filter((it) => it instanceof Nobody).length, 3)
        stop(nact)
      }).pipe(Effect.provide(layer)))

    it.effect("answers a query by its sender, or by the reference in the message", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        type Task = { readonly n: number; readonly from?: NactRef<number> }
        const double = (_: undefined, { from, n }: Task, { sender }: NactContext<Task>) => {
          dispatch(from ?? sender, n * 2)
          return undefined
        }
        const ref = yield* system.spawn(ported<undefined, Task>("doubler", undefined, double))
        const answers = yield* Effect.all([
          queryOf<Task, number>(ref, () => ({ n: 1 })),
          queryOf<Task, number>(ref, (from) => ({ n: 2, from })),
          queryOf<Task, number>(ref, () => ({ n: 3 }))
        ], { concurrency: "unbounded" })
        assert.deepStrictEqual(answers, [Exit.succeed(2), Exit.succeed(4), Exit.succeed(6)])
      }).pipe(Effect.provide(layer)))

    it.effect("an answer stands, though the function throws after it", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const ref = yield* system.spawn(
          ported<undefined, string>("hasty", undefined, (_, text, { sender }) => {
            dispatch(sender, text)
            throw new Error("boom")
          })
        )
        // What the query would have been rejected with must not be an unhandled rejection, with which vitest fails.
        assert.deepStrictEqual(yield* queryOf<string, string>(ref, () => "answer"), Exit.succeed("answer"))
        yield* settle
        assert.strictEqual(system.snapshotTree().children[0]?.restarts, 1)
      }).pipe(Effect.provide(layer)))

    it.effect("dispatches keep to the mailbox's bound; a query that goes unanswered is rejected with the reason", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const log: Array<string> = []
        const gates = makeGates()
        const ref = yield* system.spawn(
          ported("busy", "", gated([], gates.pass), { mailbox: { capacity: 1, overflow: "fail" } })
        )
        const ask = (name: string) =>
          queryOf<string, never>(ref, () => name).pipe(
            Effect.map((exit) => void log.push(`${name} ${String(tagOf(exit))}`)),
            Effect.forkChild({ startImmediately: true }),
            Effect.andThen(settleNact)
          )
        yield* ask("handled")
        yield* ask("waits")
        yield* ask("too many")
        dispatch(nactRef(ref), "too many, too")
        yield* settleNact
        assert.deepStrictEqual(log, ["too many MailboxFull"])
        yield* gates.fail("handled", new Error("boom"))
        yield* ask("behind")
        const stopping = yield* Effect.forkChild(ref.stop(), { startImmediately: true })
        yield* gates.open("waits")
        assert.isDefined(stopping.pollUnsafe())
        assert.deepStrictEqual(log.slice(1), ["handled ActorCrashed", "behind ActorStopped"])
        assert.deepStrictEqual(system.deadLetters.last().map((it) => `${String(it.message)}: ${it.reason}`), [
          "too many: full",
          "too many, too: full",
          "handled: crashed",
          "behind: stopped"
        ])
      }).pipe(Effect.provide(layer)))

    it.effect("its log is Effect's, with the cell's name, in the services that the cell was started with", () =>
      Effect.gen(function*() {
        const lines: Array<string> = []
        const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
          const { actor, path } = fiber.getRef(References.CurrentLogAnnotations)
          lines.push(`${logLevel} ${String(actor)} ${String(path)} ${String(message)}`)
        })
        const system = yield* ActorSystem
        const spoken = (_: undefined, _text: string, { log }: NactContext<string>) => {
          log.trace("hidden by the level")
          log.debug("a")
          log.info("b")
          log.warn("c")
          log.error("d")
          log.critical("e")
          log.event("f", 1)
          log.metric("g", 2)
          log.exception(new Error("h"))
          return undefined
        }
        const ref = yield* system.spawn(ported<undefined, string>("speaker", undefined, spoken)).pipe(
          Effect.provide(Logger.layer([logger])),
          Effect.provideService(References.MinimumLogLevel, "Debug")
        )
        ref.tellUnsafe("speak")
        yield* settle
        const told = ["Debug a", "Info b", "Warn c", "Error d", "Fatal e", "Info f,1", "Info g,2", "Error Error: h"]
        assert.deepStrictEqual(lines, told.map((it) => it.replace(" ", " speaker /c1 ")))
      }).pipe(Effect.provide(layer)))
  })
}

describe("Behavior", () => {
  it("is one in the runtime's face: the SDK's, and what makes cells' behaviours", () => {
    assert.deepStrictEqual({ ...AnyBehavior }, { ...MemberBehavior, ...Behavior })
    assert.deepStrictEqual(Object.keys(AnyBehavior).toSorted(), ["fromNact", "fromNactStateless", "isBehavior", "make"])
  })
})
