import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { BindRequest, BridgeEvent, Delivery } from "../../../sdk/bridge.ts"
import { Identity, InputId, MobId } from "../../../sdk/ids.ts"
import { ByteBudget, DOCUMENT_LIMIT, linkMember, type PeerEnd } from "../../../sdk/protocol/index.ts"
import { raw } from "./pipe.ts"

const request: BindRequest = {
  mob: MobId.make("m"),
  identity: Identity.make("a"),
  role: "worker",
  generation: 2,
  fence: 7,
  labels: { team: "red" },
  config: undefined,
  base: "/"
}

const delivery = (id: string): Delivery => ({
  input: InputId.make(id),
  fence: 7,
  content: "hello",
  deadline: 99,
  overlay: { allowed: ["read"], blocked: undefined },
  memos: {}
})

/** A link whose member is the test: what the host wrote last, and a way to answer it. */
const linking = Effect.gen(function*() {
  const { send, transport } = raw()
  const events: Array<BridgeEvent> = []
  const ends: Array<PeerEnd> = []
  const link = yield* Effect.forkChild(
    linkMember({
      transport,
      request,
      emit: (event) => events.push(event),
      budget: new ByteBudget(),
      documentLimit: DOCUMENT_LIMIT,
      onSign: () => {},
      onEnd: (end) => ends.push(end)
    }),
    { startImmediately: true }
  )
  yield* settle
  const documents = () => transport.written().trim().split("\n").map((line) => JSON.parse(line))
  const say = (document: object) => send(`${JSON.stringify({ jsonrpc: "2.0", ...document })}\n`)
  return { link, events, ends, documents, say }
})

const linked = (capabilities: object) =>
  Effect.gen(function*() {
    const { documents, ends, events, link: fiber, say } = yield* linking
    say({ id: 1, result: { protocol: 1, capabilities } })
    return { documents, ends, events, say, link: yield* Fiber.join(fiber) }
  })

const settle = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))

describe("the handshake", () => {
  it.effect("tells the member who it is", () =>
    Effect.gen(function*() {
      const { documents } = yield* linking
      const member = { mob: "m", identity: "a", role: "worker", generation: 2, fence: 7, labels: { team: "red" } }
      expect(documents()).toEqual([
        { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocol: [1], member } }
      ])
    }).pipe(Effect.scoped))

  it.effect("fails if the member speaks another protocol, or refuses", () =>
    Effect.gen(function*() {
      const first = yield* linking
      first.say({ id: 1, result: { protocol: 2, capabilities: {} } })
      expect(yield* Effect.flip(Fiber.join(first.link))).toMatchObject({
        _tag: "HandshakeFailed",
        reason: "it speaks protocol 2, this host speaks 1"
      })
      const second = yield* linking
      second.say({ id: 1, error: { code: -32000, message: "not today" } })
      expect((yield* Effect.flip(Fiber.join(second.link))).message).toContain("not today")
    }).pipe(Effect.scoped))

  it.effect("asks a member that keeps outcomes durably what it knows, and takes its reports of that", () =>
    Effect.gen(function*() {
      const { events, link: fiber, say } = yield* linking
      say({ id: 1, result: { protocol: 1, capabilities: { outcomes: "durable", more: true } } })
      yield* settle
      const ended = { inputId: "r/2", state: "ended", outcome: { status: "completed", structured: { a: 1 } } }
      say({ id: 2, result: { inputs: [{ inputId: "r/1", state: "running" }, ended] } })
      const link = yield* Fiber.join(fiber)
      expect(link.outcomes).toBe("durable")
      expect(link.inFlight()).toBe(1)
      expect(link.observed).toEqual([
        { input: "r/1", state: "running" },
        { input: "r/2", state: "ended", outcome: { status: "completed", output: `{"a":1}`, structured: { a: 1 } } }
      ])
      say({ method: "turn/ended", params: { inputId: "r/1", status: "canceled" } })
      expect(events).toEqual([
        { type: "turn_ended", input: "r/1", outcome: { status: "canceled", reason: "the member gave no reason" } }
      ])
      expect(link.inFlight()).toBe(0)
    }).pipe(Effect.scoped))
})

describe("a delivery", () => {
  it.effect("is a document with what is known, and is in flight until the turn ends", () =>
    Effect.gen(function*() {
      const { documents, events, link, say } = yield* linked({})
      const delivering = yield* Effect.forkChild(link.deliver(delivery("r/1")), { startImmediately: true })
      yield* settle
      expect(documents()[1]).toEqual({
        jsonrpc: "2.0",
        id: 2,
        method: "deliver",
        params: { inputId: "r/1", fence: 7, content: "hello", deadline: 99, overlay: { allowed: ["read"] }, memos: {} }
      })
      say({ id: 2, result: { outcome: "accepted" } })
      expect(yield* Fiber.join(delivering)).toBe("accepted")
      expect(link.inFlight()).toBe(1)
      say({ method: "turn/progress", params: { inputId: "r/1", note: "half" } })
      say({ method: "turn/output", params: { inputId: "r/1", text: "He" } })
      say({ method: "usage", params: { usage: { tokens: 7 } } })
      say({ method: "log", params: { line: "hm" } })
      say({ method: "turn/ended", params: { inputId: "r/1", status: "failed", code: "no", reason: "because" } })
      expect(link.inFlight()).toBe(0)
      expect(events).toEqual([
        { type: "turn_progress", input: "r/1", note: "half" },
        { type: "turn_output", input: "r/1", text: "He" },
        { type: "usage", input: undefined, usage: { tokens: 7 } },
        { type: "log", line: "hm" },
        { type: "turn_ended", input: "r/1", outcome: { status: "failed", code: "no", reason: "because" } }
      ])
    }).pipe(Effect.scoped))

  it.effect("that the member refuses fails with its reason", () =>
    Effect.gen(function*() {
      const { link, say } = yield* linked({})
      const delivering = yield* Effect.forkChild(Effect.flip(link.deliver(delivery("r/1"))), { startImmediately: true })
      yield* settle
      say({ id: 2, error: { code: -32000, message: "too hard" } })
      expect(yield* Fiber.join(delivering)).toMatchObject({ identity: "a", input: "r/1", reason: "too hard (-32000)" })
      expect(link.inFlight()).toBe(0)
    }).pipe(Effect.scoped))

  it.effect("that would be longer than a document may be is refused", () =>
    Effect.gen(function*() {
      const { ends, link } = yield* linked({})
      const content = "x".repeat(DOCUMENT_LIMIT)
      const error = yield* Effect.flip(link.deliver({ ...delivery("r/1"), content }))
      expect(error.reason).toContain("more than the 4194304")
      expect(ends).toEqual([])
    }).pipe(Effect.scoped))
})

describe("an outcome", () => {
  const withInput = Effect.gen(function*() {
    const side = yield* linked({ outcomes: "memory" })
    yield* Effect.forkChild(side.link.deliver(delivery("r/1")), { startImmediately: true })
    yield* settle
    side.say({ id: 2, result: { outcome: "accepted" } })
    const end = (inputId: string, fence?: number) =>
      side.say({ method: "turn/ended", params: { inputId, fence, status: "completed", output: "x" } })
    return { ...side, end }
  })

  it.effect("is told each time until it is settled, and not after", () =>
    Effect.gen(function*() {
      const { documents, end, ends, events, link } = yield* withInput
      end("r/1")
      end("r/1", 7)
      expect(events).toHaveLength(2)
      yield* link.settled(InputId.make("r/1"))
      yield* settle
      expect(documents().at(-1)).toEqual({ jsonrpc: "2.0", method: "settled", params: { inputId: "r/1" } })
      end("r/1")
      expect(events).toHaveLength(2)
      expect(ends).toEqual([])
    }).pipe(Effect.scoped))

  it.effect("under another fence is ignored, with a line in the log", () =>
    Effect.gen(function*() {
      const { end, ends, events, link } = yield* withInput
      end("r/1", 6)
      expect(events).toEqual([{ type: "log", line: "the end of r/1 under fence 6 is ignored; the fence is 7" }])
      expect(link.inFlight()).toBe(1)
      expect(ends).toEqual([])
    }).pipe(Effect.scoped))

  it.effect("with an id that is no id is a violation", () =>
    Effect.gen(function*() {
      const { end, ends, events } = yield* withInput
      end("")
      expect(events).toEqual([])
      expect(ends[0]).toMatchObject({ violation: { reason: expect.stringContaining("turn/ended is not as agreed") } })
    }).pipe(Effect.scoped))

  it.effect("and what else is said of an input counts only while that input is this member's", () =>
    Effect.gen(function*() {
      const { ends, events, say } = yield* withInput
      say({ method: "usage", params: { inputId: "r/2", usage: 1 } })
      say({ method: "turn/progress", params: { inputId: "r/2", note: "mine?" } })
      say({ method: "turn/output", params: { inputId: "r/2", text: "mine?" } })
      say({ method: "usage", params: { inputId: "r/1", usage: 1 } })
      expect(events).toEqual([{ type: "usage", input: "r/1", usage: 1 }])
      expect(ends).toEqual([])
    }).pipe(Effect.scoped))

  it.effect("of an input that was not given to this member is a violation", () =>
    Effect.gen(function*() {
      const { end, ends, events } = yield* withInput
      end("r/2")
      expect(events).toEqual([])
      expect(ends[0]).toMatchObject({ reason: "violation", violation: { reason: expect.stringContaining("r/2") } })
    }).pipe(Effect.scoped))
})

it.effect("a member may not ask for what is not granted", () =>
  Effect.gen(function*() {
    const { documents, ends, say } = yield* linked({})
    say({ id: "x", method: "peer/send", params: {} })
    say({ id: "y", method: "mob/spawn", params: {} })
    say({ id: "z", method: "lunch", params: {} })
    yield* settle
    expect(documents().slice(1).map(({ error, id }) => [id, error.code])).toEqual([
      ["x", -32001],
      ["y", -32001],
      ["z", -32601]
    ])
    expect(ends).toEqual([])
  }).pipe(Effect.scoped))

it.effect("interrupt, cancel, retire and shutdown do not wait for the member", () =>
  Effect.gen(function*() {
    const { documents, link } = yield* linked({})
    yield* link.interrupt(InputId.make("r/1"))
    yield* link.cancel(InputId.make("r/1"))
    yield* link.retire
    yield* link.shutdown
    expect(documents().slice(1).map(({ method }) => method)).toEqual(["interrupt", "cancel", "retire", "shutdown"])
  }).pipe(Effect.scoped))
