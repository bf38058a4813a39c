import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import plugin, { localBridge, LocalConfig } from "../../plugins/local/index.ts"
import type { BindRequest, BridgeEvent, Delivery } from "../../sdk/bridge.ts"
import { Identity, InputId, MobId } from "../../sdk/ids.ts"
import { Behavior } from "../../sdk/member/index.ts"

const request = (behavior: string, base = "/"): BindRequest<LocalConfig> => ({
  mob: MobId.make("m"),
  identity: Identity.make("a"),
  role: "r",
  generation: 1,
  fence: 1,
  labels: {},
  config: { behavior },
  base
})

const delivery = (input: string): Delivery => ({
  input: InputId.make(input),
  fence: 1,
  content: input,
  deadline: undefined,
  overlay: undefined,
  memos: {}
})

const shout = Behavior.make("shout", { run: (text) => Effect.succeed(text.toUpperCase()) })
const slow = Behavior.make("slow", { run: (text) => Effect.as(Effect.sleep(1000), text) })
const failure = (behavior: string, base?: string) => Effect.flip(localBridge().bind(request(behavior, base), () => {}))

describe("a local member", () => {
  it.effect("runs a registered behaviour, in this test's time", () =>
    Effect.gen(function*() {
      const events: Array<BridgeEvent> = []
      const bridge = localBridge({ behaviors: { slow } })
      const connection = yield* bridge.bind(request("slow"), (event) => events.push(event))
      expect(connection).toMatchObject({ outcomes: "memory", process: undefined, observed: [] })
      expect(yield* connection.deliver(delivery("x"))).toBe("accepted")
      expect(yield* connection.deliver(delivery("x"))).toBe("deduplicated")
      yield* TestClock.adjust(999)
      expect(events).toEqual([])
      yield* TestClock.adjust(1)
      expect(events).toEqual([{ type: "turn_ended", input: "x", outcome: { status: "completed", output: "x" } }])
      yield* connection.settled(InputId.make("x"))
      expect(yield* connection.deliver(delivery("x"))).toBe("accepted")
    }).pipe(Effect.scoped))

  it.effect("can be stopped, and ends with its Scope: finalizers are awaited, nothing more is told", () =>
    Effect.gen(function*() {
      const events: Array<BridgeEvent> = []
      let released = false
      const careful = Behavior.make("careful", {
        run: () => Effect.ensuring(Effect.never, Effect.sync(() => released = true))
      })
      const scope = yield* Scope.make()
      const bound = localBridge({ behaviors: { careful } }).bind(request("careful"), (event) => events.push(event))
      const connection = yield* Effect.provideService(bound, Scope.Scope, scope)
      yield* connection.deliver(delivery("a"))
      yield* connection.deliver(delivery("b"))
      yield* connection.interrupt(InputId.make("b"))
      yield* connection.retire
      expect(events).toMatchObject([{ input: "b", outcome: { status: "canceled" } }])
      yield* Scope.close(scope, Exit.void)
      expect(released).toBe(true)
      expect(events).toHaveLength(1)
    }))

  it.effect("has the services that its bridge was made with", () =>
    Effect.gen(function*() {
      class Rate extends Context.Service<Rate, { readonly value: number }>()("test/Rate") {}
      const convert = Behavior.make("convert", {
        input: Schema.NumberFromString,
        run: (amount) => Effect.map(Rate, ({ value }) => amount * value)
      })
      const events: Array<BridgeEvent> = []
      const bridge = localBridge({ behaviors: { convert }, services: Context.make(Rate, { value: 3 }) })
      const connection = yield* bridge.bind(request("convert"), (event) => events.push(event))
      yield* connection.deliver(delivery("7"))
      expect(events).toMatchObject([{ outcome: { status: "completed", structured: 21 } }])
    }).pipe(Effect.scoped))
})

describe("a behaviour by path", () => {
  const members = resolve(import.meta.dirname, "members")

  it.effect("is the module's default export or its export named behavior, relative to the definition", () =>
    Effect.gen(function*() {
      const said: Array<BridgeEvent> = []
      for (const path of ["./behavior-default.ts", "behavior-named.ts", join(members, "behavior-named.ts")]) {
        const connection = yield* localBridge().bind(request(path, members), (event) => said.push(event))
        yield* connection.deliver(delivery("x"))
      }
      expect(said.map((event) => event.type === "turn_ended" && event.outcome)).toEqual([
        { status: "completed", output: "default x" },
        { status: "completed", output: "named x" },
        { status: "completed", output: "named x" }
      ])
    }).pipe(Effect.scoped))

  it.effect("that is not there is behavior_missing, with what is there instead", () =>
    Effect.gen(function*() {
      expect(yield* failure("./nowhere.ts", members)).toMatchObject({ cause_code: "behavior_missing", identity: "a" })
      expect(yield* failure("nobody")).toMatchObject({ cause_code: "behavior_missing" })
      const bridge = localBridge({ behaviors: { shout, slow } })
      const error = yield* Effect.flip(bridge.bind(request("nobody"), () => {}))
      expect(error.reason).toContain("registered are shout, slow")
    }).pipe(Effect.scoped))

  it.effect("that is none, or does not load, is behavior_invalid", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "mob-behavior-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      writeFileSync(join(folder, "none.mjs"), "export default () => 7")
      writeFileSync(join(folder, "broken.mjs"), "export default {")
      writeFileSync(join(folder, "lacks.mjs"), `import "./nowhere.mjs"`)
      for (const name of ["none", "broken", "lacks"]) {
        expect(yield* failure(`./${name}.mjs`, folder)).toMatchObject({ cause_code: "behavior_invalid" })
      }
    }).pipe(Effect.scoped))
})

it("is a plugin, and its configuration is checked", () => {
  expect(plugin.contributes.bridges.map(({ id, lifetime }) => [id, lifetime])).toEqual([["local", "host"]])
  expect(Schema.is(LocalConfig)({ behavior: "a" })).toBe(true)
  expect(Schema.is(LocalConfig)({})).toBe(false)
})
