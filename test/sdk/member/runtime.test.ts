import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { Delivery } from "../../../sdk/bridge.ts"
import { InputId } from "../../../sdk/ids.ts"
import { Behavior, MemberRuntime, type Turn, type TurnEvent } from "../../../sdk/member/index.ts"

const id = (text: string) => InputId.make(text)

const delivery = (input: string, content = input, memos: Delivery["memos"] = {}): Delivery => ({
  input: id(input),
  fence: 1,
  content,
  deadline: undefined,
  overlay: undefined,
  memos
})

/** A runtime under this test's clock, and what it told, in short. */
const member = (run: (text: string, turn: Turn) => Effect.Effect<string, string>) =>
  Effect.gen(function*() {
    const told: Array<string> = []
    const services = yield* Effect.context<never>()
    const runtime = new MemberRuntime(Behavior.make("test", { run }), services, (event) => told.push(brief(event)))
    return { runtime, told }
  })

const brief = (event: TurnEvent): string => {
  if (event.type === "turn_progress") return `${event.input}: ${event.note}`
  const { outcome } = event
  switch (outcome.status) {
    case "completed":
      return `${event.input} = ${outcome.output}`
    case "failed":
      return `${event.input} failed ${outcome.code}: ${outcome.reason}`
    case "canceled":
      return `${event.input} canceled: ${outcome.reason}`
  }
}

const slow = (text: string) => Effect.as(Effect.sleep(1000), text.toUpperCase())

describe("the queue", () => {
  it.effect("runs one turn at a time, in the order of delivery", () =>
    Effect.gen(function*() {
      const { runtime, told } = yield* member(slow)
      for (const input of ["a", "b", "c"]) expect(runtime.deliver(delivery(input))).toBe("accepted")
      expect(runtime.observe().map(({ state }) => state)).toEqual(["running", "running", "running"])
      yield* TestClock.adjust(1000)
      expect(told).toEqual(["a = A"])
      yield* TestClock.adjust(2000)
      expect(told).toEqual(["a = A", "b = B", "c = C"])
    }))

  it.effect("runs turns that need no waiting before deliver returns, however many wait", () =>
    Effect.gen(function*() {
      const { runtime, told } = yield* member((text) => text === "first" ? slow(text) : Effect.succeed(text))
      runtime.deliver(delivery("first"))
      for (let n = 0; n < 20_000; n++) runtime.deliver(delivery(`${n}`))
      expect(told).toEqual([])
      yield* TestClock.adjust(1000)
      expect(told).toHaveLength(20_001)
      expect(told.at(-1)).toBe("19999 = 19999")
      runtime.deliver(delivery("now"))
      expect(told.at(-1)).toBe("now = now")
    }))

  it.effect("goes on behind a turn that fails or crashes", () =>
    Effect.gen(function*() {
      const { runtime, told } = yield* member((text) => {
        if (text === "throw") throw new Error("thrown")
        if (text === "die") return Effect.andThen(Effect.sleep(10), Effect.die(new Error("died")))
        return text === "fail" ? Effect.fail("failed") : Effect.succeed(text)
      })
      for (const input of ["throw", "die", "fail", "ok"]) runtime.deliver(delivery(input))
      yield* TestClock.adjust(10)
      expect(told).toEqual([
        "throw failed behavior_crashed: thrown",
        "die failed behavior_crashed: died",
        "fail failed behavior_failed: failed",
        "ok = ok"
      ])
    }))
})

describe("a second delivery", () => {
  it.effect("of an input that waits, runs or has ended runs nothing; of one that has ended tells the outcome again", () =>
    Effect.gen(function*() {
      let runs = 0
      const { runtime, told } = yield* member((text) => Effect.suspend(() => (runs += 1, slow(text))))
      for (const input of ["a", "b", "a", "b"]) runtime.deliver(delivery(input))
      expect(runtime.deliver(delivery("b"))).toBe("deduplicated")
      yield* TestClock.adjust(2000)
      expect(runtime.deliver(delivery("a"))).toBe("deduplicated")
      expect(told).toEqual(["a = A", "b = B", "a = A"])
      expect(runs).toBe(2)
    }))

  it.effect("after the outcome was settled is a new input", () =>
    Effect.gen(function*() {
      const { runtime, told } = yield* member(slow)
      runtime.deliver(delivery("a"))
      runtime.settled(id("a"))
      expect(runtime.deliver(delivery("a"))).toBe("deduplicated")
      yield* TestClock.adjust(1000)
      expect(runtime.observe()).toEqual([{ input: "a", state: "ended", outcome: { status: "completed", output: "A" } }])
      runtime.settled(id("a"))
      expect(runtime.observe()).toEqual([])
      expect(runtime.deliver(delivery("a"))).toBe("accepted")
      yield* TestClock.adjust(1000)
      expect(told).toEqual(["a = A", "a = A"])
    }))
})

describe("stopping a turn", () => {
  it.effect("with cancel interrupts it, and it ends when its finalizers have run", () =>
    Effect.gen(function*() {
      const { runtime, told } = yield* member((text) => Effect.ensuring(slow(text), Effect.sleep(50)))
      for (const input of ["a", "b", "c"]) runtime.deliver(delivery(input))
      runtime.cancel(id("b"))
      expect(told).toEqual(["b canceled: canceled on request"])
      runtime.cancel(id("a"))
      expect(told).toHaveLength(1)
      yield* TestClock.adjust(50)
      expect(told[1]).toBe("a canceled: canceled on request")
      yield* TestClock.adjust(1050)
      expect(told[2]).toBe("c = C")
    }))

  it.effect("with interrupt lets it go on to its next boundary", () =>
    Effect.gen(function*() {
      const { runtime, told } = yield* member((text, turn) =>
        Effect.gen(function*() {
          for (let step = 1; step <= 3; step++) {
            yield* Effect.sleep(100)
            yield* turn.progress(`${step}`)
          }
          return text
        })
      )
      for (const input of ["a", "b"]) runtime.deliver(delivery(input))
      runtime.interrupt(id("b"))
      yield* TestClock.adjust(150)
      runtime.interrupt(id("a"))
      expect(told).toEqual(["b canceled: stopped at a boundary on request", "a: 1"])
      yield* TestClock.adjust(50)
      expect(told[2]).toBe("a canceled: stopped at a boundary on request")
    }))

  it.effect("that has no boundary with interrupt changes nothing; a turn that interrupts itself is canceled", () =>
    Effect.gen(function*() {
      const { runtime, told } = yield* member((text) => text === "self" ? Effect.interrupt : slow(text))
      runtime.deliver(delivery("a"))
      runtime.interrupt(id("a"))
      runtime.interrupt(id("unknown"))
      runtime.cancel(id("unknown"))
      yield* TestClock.adjust(1000)
      runtime.deliver(delivery("self"))
      expect(told).toEqual(["a = A", "self canceled: the behaviour interrupted itself"])
    }))

  it.effect("by closing awaits its finalizers and tells nothing more", () =>
    Effect.gen(function*() {
      let released = false
      const release = Effect.andThen(Effect.sleep(50), Effect.sync(() => released = true))
      const { runtime, told } = yield* member((text) => Effect.ensuring(slow(text), release))
      for (const input of ["a", "b"]) runtime.deliver(delivery(input))
      const closing = yield* Effect.forkChild(runtime.close, { startImmediately: true })
      yield* TestClock.adjust(49)
      expect(closing.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      yield* Fiber.join(closing)
      expect(released).toBe(true)
      yield* TestClock.adjust(5000)
      expect(told).toEqual([])
      yield* runtime.close
    }))
})

describe("a turn", () => {
  it.effect("knows its input, and gives what was remembered instead of doing it again", () =>
    Effect.gen(function*() {
      let paid = 0
      const { runtime, told } = yield* member((_text, { content, fence, inputId, memos, once }) =>
        Effect.gen(function*() {
          const receipt = yield* once("pay", Effect.sync(() => `paid ${++paid}`))
          return `${inputId} ${fence} ${content} ${Object.keys(memos).length} ${receipt}`
        })
      )
      runtime.deliver(delivery("a", "x"))
      runtime.deliver(delivery("b", "y", { pay: "paid before" }))
      expect(told).toEqual(["a = a 1 x 0 paid 1", "b = b 1 y 1 paid before"])
      expect(paid).toBe(1)
    }))

  it.effect("has services", () =>
    Effect.sync(() => {
      class Greeting extends Context.Service<Greeting, { readonly word: string }>()("test/Greeting") {}
      const greet = Behavior.make("greet", { run: (name) => Effect.map(Greeting, ({ word }) => `${word} ${name}`) })
      const told: Array<string> = []
      const services = Context.make(Greeting, { word: "hello" })
      new MemberRuntime(greet, services, (event) => told.push(brief(event))).deliver(delivery("a", "you"))
      expect(told).toEqual(["a = hello you"])
    }))
})

it("an idle member costs less than 500 bytes", () => {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  collect()
  const before = process.memoryUsage().heapUsed
  const behavior = Behavior.make("idle", { run: () => Effect.void })
  const members = Array.from({ length: 10_000 }, () => new MemberRuntime(behavior, Context.empty(), () => {}))
  collect()
  expect(members).toHaveLength(10_000)
  expect((process.memoryUsage().heapUsed - before) / members.length).toBeLessThan(500)
})
