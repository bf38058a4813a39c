import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema } from "effect"
import {
  ByteBudget,
  call,
  type Handlers,
  makePeer,
  NoParams,
  notification,
  type Peer,
  type PeerEnd,
  RpcError,
  type Transport
} from "../../../sdk/protocol/index.ts"
import { pipe, raw } from "./pipe.ts"

const table = {
  add: call(Schema.Struct({ a: Schema.Int, b: Schema.Int }), Schema.Int),
  fail: call(NoParams, Schema.Null),
  slow: call(Schema.Struct({ text: Schema.String }), Schema.String),
  say: notification(Schema.Struct({ text: Schema.String }))
} as const

interface Side {
  readonly peer: Peer<typeof table>
  readonly said: Array<string>
  readonly ends: Array<PeerEnd>
}

const side = (
  transport: Transport,
  options: Partial<Handlers<typeof table>> = {},
  more: { readonly budget?: ByteBudget; readonly documentLimit?: number } = {}
) =>
  Effect.gen(function*() {
    const said: Array<string> = []
    const ends: Array<PeerEnd> = []
    const peer = yield* makePeer({
      transport,
      serves: table,
      uses: table,
      unknownMethod: (method) =>
        method.startsWith("mob/") ? new RpcError({ method, rpc_code: -32001, reason: "not granted" }) : undefined,
      onEnd: (end) => ends.push(end),
      handlers: {
        add: ({ a, b }) => Effect.succeed(a + b),
        fail: () =>
          Effect.fail(new RpcError({ method: "fail", rpc_code: -32000, reason: "on purpose", data: { at: 1 } })),
        slow: ({ text }) => Effect.succeed(text),
        say: ({ text }) => {
          said.push(text)
        },
        ...options
      },
      ...more
    })
    const made: Side = { peer, said, ends }
    return made
  })

const both = Effect.gen(function*() {
  const [left, right] = pipe()
  return { left: yield* side(left), right: yield* side(right), wire: left }
})

const settle = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))

describe("a call", () => {
  it.effect("is answered, from either side", () =>
    Effect.gen(function*() {
      const { left, right } = yield* both
      expect(yield* left.peer.call("add", { a: 1, b: 2 })).toBe(3)
      expect(yield* right.peer.call("add", { a: 3, b: 4 })).toBe(7)
    }).pipe(Effect.scoped))

  it.effect("fails with the code, the reason and the data of the answer", () =>
    Effect.gen(function*() {
      const { left } = yield* both
      const error = yield* Effect.flip(left.peer.call("fail", {}))
      expect(error).toMatchObject({
        _tag: "RpcError",
        method: "fail",
        rpc_code: -32000,
        reason: "on purpose",
        data: { at: 1 }
      })
    }).pipe(Effect.scoped))

  it.effect("whose handler crashes is answered as an internal error, and the connection lives", () =>
    Effect.gen(function*() {
      const [a, b] = pipe()
      const left = yield* side(a)
      yield* side(b, {
        slow: () => Effect.die(new Error("boom")),
        fail: () => {
          throw new Error("bang")
        }
      })
      expect(yield* Effect.flip(left.peer.call("slow", { text: "" }))).toMatchObject({
        rpc_code: -32603,
        reason: "Error: boom"
      })
      expect(yield* Effect.flip(left.peer.call("fail", {}))).toMatchObject({ rpc_code: -32603, reason: "Error: bang" })
      expect(yield* left.peer.call("add", { a: 1, b: 1 })).toBe(2)
    }).pipe(Effect.scoped))

  it.effect("may be answered after a later one", () =>
    Effect.gen(function*() {
      const [a, b] = pipe()
      const open = yield* Deferred.make<void>()
      const left = yield* side(a)
      yield* side(b, { slow: ({ text }) => Effect.as(Deferred.await(open), text) })
      const slow = yield* Effect.forkChild(left.peer.call("slow", { text: "late" }), { startImmediately: true })
      expect(yield* left.peer.call("add", { a: 1, b: 1 })).toBe(2)
      yield* Deferred.succeed(open, undefined)
      expect(yield* Fiber.join(slow)).toBe("late")
    }).pipe(Effect.scoped))

  it.effect("that is interrupted is forgotten, and its late answer ignored", () =>
    Effect.gen(function*() {
      const [a, b] = pipe()
      const open = yield* Deferred.make<void>()
      const left = yield* side(a)
      yield* side(b, { slow: ({ text }) => Effect.as(Deferred.await(open), text) })
      const slow = yield* Effect.forkChild(left.peer.call("slow", { text: "late" }), { startImmediately: true })
      yield* settle
      yield* Fiber.interrupt(slow)
      yield* Deferred.succeed(open, undefined)
      expect(yield* left.peer.call("add", { a: 1, b: 1 })).toBe(2)
      expect(left.ends).toEqual([])
    }).pipe(Effect.scoped))

  it.effect("that is pending when the connection ends fails, and so does every later one", () =>
    Effect.gen(function*() {
      const { close, transport } = raw()
      const { ends, peer } = yield* side(transport)
      const pending = yield* Effect.forkChild(Effect.flip(peer.call("add", { a: 1, b: 1 })), { startImmediately: true })
      close()
      expect(yield* Fiber.join(pending)).toMatchObject({ _tag: "PeerClosed", reason: "the other side closed it" })
      expect(yield* Effect.flip(peer.call("add", { a: 1, b: 1 }))).toMatchObject({ _tag: "PeerClosed" })
      expect(peer.notifyUnsafe("say", { text: "" })).toBe(false)
      expect(ends).toEqual([{ reason: "ended", cause: undefined }])
      expect(yield* peer.ended).toEqual(ends[0])
    }).pipe(Effect.scoped))

  it.effect("still handled when the connection ends is interrupted", () =>
    Effect.gen(function*() {
      const { close, send, transport } = raw()
      const interrupted = yield* Deferred.make<void>()
      yield* side(transport, {
        slow: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      })
      send(`{"jsonrpc":"2.0","id":1,"method":"slow","params":{"text":""}}\n`)
      close()
      yield* Deferred.await(interrupted)
    }).pipe(Effect.scoped))
})

describe("what is sent", () => {
  it.effect("arrives in the order sent, whatever its kind", () =>
    Effect.gen(function*() {
      const { left, right } = yield* both
      for (let n = 0; n < 100; n++) yield* left.peer.notify("say", { text: `${n}` })
      left.peer.notifyUnsafe("say", { text: "100" })
      yield* left.peer.call("add", { a: 0, b: 0 })
      expect(right.said).toEqual(Array.from({ length: 101 }, (_, n) => `${n}`))
    }).pipe(Effect.scoped))

  it.effect("waits for room when the other side does not read, in order, and goes out when it does", () =>
    Effect.gen(function*() {
      const [a, b] = pipe()
      const budget = new ByteBudget()
      const left = yield* side(a, {}, { budget })
      const right = yield* side(b)
      a.hold()
      const text = "x".repeat(100_000)
      const sending = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 200 }, (_, n) => n),
          (n) => left.peer.notify("say", { text: `${n} ${text}` })
        ),
        { startImmediately: true }
      )
      yield* settle
      expect(sending.pollUnsafe()).toBeUndefined()
      expect(budget.used).toBeLessThan(600_000)
      a.release()
      yield* Fiber.join(sending)
      yield* left.peer.call("add", { a: 0, b: 0 })
      expect(right.said.map((line) => parseInt(line))).toEqual(Array.from({ length: 200 }, (_, n) => n))
      expect(budget.used).toBe(0)
      expect(budget.peak).toBeLessThan(600_000)
    }).pipe(Effect.scoped))

  it.effect("without waiting ends the connection when the other side has stopped reading for good", () =>
    Effect.gen(function*() {
      const [a] = pipe()
      const budget = new ByteBudget(1000)
      const { ends, peer } = yield* side(a, {}, { budget })
      a.hold()
      let sent = 0
      while (peer.notifyUnsafe("say", { text: "x".repeat(50) })) sent += 1
      expect(sent).toBeGreaterThan(5)
      expect(ends[0]).toMatchObject({
        reason: "violation",
        violation: { reason: "it does not read what is sent to it" }
      })
      expect(budget.peak).toBeLessThanOrEqual(1000)
      expect(budget.used).toBe(0)
    }).pipe(Effect.scoped))

  it.effect("while something waits is dropped, and told, when the connection ends", () =>
    Effect.gen(function*() {
      const [a] = pipe()
      const { peer } = yield* side(a)
      a.hold()
      const send = (text: string) =>
        Effect.forkChild(Effect.exit(peer.notify("say", { text })), { startImmediately: true })
      yield* send("x".repeat(300_000))
      const waiting = yield* send("y")
      peer.violate("for the test")
      expect(yield* Fiber.join(waiting)).toMatchObject(Exit.fail({ _tag: "PeerClosed" }))
    }).pipe(Effect.scoped))

  it.effect("that would be too long fails its sender alone", () =>
    Effect.gen(function*() {
      const [a, b] = pipe()
      const left = yield* side(a, {}, { documentLimit: 200 })
      yield* side(b, { slow: () => Effect.succeed("y".repeat(300)) }, { documentLimit: 200 })
      const text = "x".repeat(300)
      expect(yield* Effect.flip(left.peer.notify("say", { text }))).toMatchObject({
        _tag: "DocumentTooLarge",
        limit: 200
      })
      expect(left.peer.notifyUnsafe("say", { text })).toBe(false)
      expect(yield* Effect.flip(left.peer.call("slow", { text: "" }))).toMatchObject({
        _tag: "RpcError",
        rpc_code: -32603
      })
      expect(yield* left.peer.call("add", { a: 1, b: 1 })).toBe(2)
    }).pipe(Effect.scoped))

  it.effect("before the outgoing half is closed is written first", () =>
    Effect.gen(function*() {
      const { left, right } = yield* both
      for (let n = 0; n < 10; n++) yield* left.peer.notify("say", { text: `${n}` })
      yield* left.peer.end
      expect(yield* right.peer.ended).toEqual({ reason: "ended", cause: undefined })
      expect(right.said).toHaveLength(10)
    }).pipe(Effect.scoped))
})

describe("what arrives", () => {
  const answers = (text: string) =>
    Effect.gen(function*() {
      const { send, transport } = raw()
      const { ends, said } = yield* side(transport)
      send(text)
      yield* settle
      return { answers: transport.written(), ends: [...ends], said }
    }).pipe(Effect.scoped)

  it.effect("as a request for an unknown method is answered -32601, for a reserved one as the owner says", () =>
    Effect.gen(function*() {
      const seen = yield* answers(
        `{"jsonrpc":"2.0","id":"a","method":"nothing"}\n{"jsonrpc":"2.0","id":2,"method":"mob/spawn"}\n`
      )
      expect(seen.answers.trim().split("\n").map((line) => JSON.parse(line))).toEqual([
        { jsonrpc: "2.0", id: "a", error: { code: -32601, message: "there is no method nothing" } },
        { jsonrpc: "2.0", id: 2, error: { code: -32001, message: "not granted" } }
      ])
      expect(seen.ends).toEqual([])
    }))

  it.effect("as a request with wrong params is answered -32602", () =>
    Effect.gen(function*() {
      const seen = yield* answers(`{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1}}\n`)
      expect(JSON.parse(seen.answers)).toMatchObject({ id: 1, error: { code: -32602 } })
      expect(seen.ends).toEqual([])
    }))

  it.effect("as an unknown notification, and unknown fields, are ignored", () =>
    Effect.gen(function*() {
      const seen = yield* answers(
        `{"jsonrpc":"2.0","method":"weather"}\n{"jsonrpc":"2.0","method":"say","params":{"text":"a","traceparent":"b"},"x":1}\n`
      )
      expect(seen).toEqual({ answers: "", ends: [], said: ["a"] })
    }))

  const violations: ReadonlyArray<readonly [what: string, text: string, reason: string]> = [
    ["garbage", "hello\n", "is not JSON"],
    ["a batch", "[]\n", "not a JSON object"],
    ["an empty line", "\n", "is not JSON"],
    [
      "a notification that is not as agreed",
      `{"jsonrpc":"2.0","method":"say","params":{"text":7}}\n`,
      "its say is not as agreed"
    ],
    ["an answer to nothing", `{"jsonrpc":"2.0","id":7,"result":null}\n`, "it answered 7, which was not asked"],
    [
      "an error without an id",
      `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}\n`,
      "could not read a document"
    ],
    ["a line longer than the limit", "x".repeat(4 * 1024 * 1024 + 1), "longer than 4194304 bytes"]
  ]
  it.effect.each(violations)("as %s ends that connection as a violation", ([, text, reason]) =>
    Effect.gen(function*() {
      const { ends } = yield* answers(text)
      expect(ends).toHaveLength(1)
      expect(ends[0]).toMatchObject({ reason: "violation", violation: { reason: expect.stringContaining(reason) } })
    }))

  it.effect("as an answer that is not as agreed ends the connection and fails the call", () =>
    Effect.gen(function*() {
      const { send, transport } = raw()
      const { ends, peer } = yield* side(transport)
      const pending = yield* Effect.forkChild(Effect.flip(peer.call("add", { a: 1, b: 1 })), { startImmediately: true })
      send(`{"jsonrpc":"2.0","id":1,"result":"two"}\n`)
      expect(yield* Fiber.join(pending)).toMatchObject({ _tag: "PeerClosed" })
      expect(ends[0]).toMatchObject({ reason: "violation" })
    }).pipe(Effect.scoped))

  it.effect("after a violation, in the same bytes, is not handled", () =>
    Effect.gen(function*() {
      const seen = yield* answers(`garbage\n{"jsonrpc":"2.0","method":"say","params":{"text":"a"}}\n`)
      expect(seen.said).toEqual([])
    }))

  it.effect("as requests without end is bounded by the budget", () =>
    Effect.gen(function*() {
      const { send, transport } = raw()
      const budget = new ByteBudget()
      const { ends } = yield* side(transport, { slow: () => Effect.never }, { budget })
      for (let id = 0; id < 2000; id++) send(`{"jsonrpc":"2.0","id":${id},"method":"slow","params":{"text":""}}\n`)
      expect(ends[0]).toMatchObject({ violation: { reason: "it asks more at once than may be kept" } })
      expect(budget.peak).toBeLessThanOrEqual(8 * 1024 * 1024)
      yield* settle
      expect(budget.used).toBe(0)
    }).pipe(Effect.scoped))
})
