import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { BridgeEvent, Delivery } from "../../../sdk/bridge.ts"
import { Identity, InputId, MobId } from "../../../sdk/ids.ts"
import { Behavior, serveMember, type Turn } from "../../../sdk/member/index.ts"
import { ByteBudget, DOCUMENT_LIMIT, linkMember } from "../../../sdk/protocol/index.ts"
import { pipe } from "../protocol/pipe.ts"

const delivery = (input: string, content = input): Delivery => ({
  input: InputId.make(input),
  fence: 3,
  content,
  deadline: undefined,
  overlay: undefined,
  memos: {}
})

/** A served behaviour and its host, joined in memory. */
const joined = (run: (text: string, turn: Turn) => Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    const [host, side] = pipe()
    const events: Array<BridgeEvent> = []
    const serving = yield* Effect.forkChild(Effect.scoped(serveMember(Behavior.make("served", { run }), side)), {
      startImmediately: true
    })
    const link = yield* linkMember({
      transport: host,
      request: {
        mob: MobId.make("m"),
        identity: Identity.make("a"),
        role: "r",
        generation: 1,
        fence: 3,
        labels: {},
        config: undefined,
        base: "/"
      },
      emit: (event) => events.push(event),
      budget: new ByteBudget(),
      documentLimit: DOCUMENT_LIMIT,
      onSign: () => {},
      onEnd: () => {}
    })
    return { link, events, serving, host }
  })

describe("a served behaviour", () => {
  it.effect("runs, deduplicates, reports and settles over the wire", () =>
    Effect.gen(function*() {
      const { events, link } = yield* joined((text, { progress }) => Effect.as(progress("on it"), { said: text }))
      expect(link.outcomes).toBe("memory")
      expect(yield* link.deliver(delivery("a"))).toBe("accepted")
      expect(yield* link.deliver(delivery("a"))).toBe("deduplicated")
      const ended = {
        type: "turn_ended",
        input: "a",
        outcome: { status: "completed", output: `{"said":"a"}`, structured: { said: "a" } }
      }
      expect(events).toEqual([{ type: "turn_progress", input: "a", note: "on it" }, ended, ended])
      yield* link.settled(InputId.make("a"))
      expect(yield* link.deliver(delivery("a"))).toBe("accepted")
    }).pipe(Effect.scoped))

  it.effect("can be canceled, also while it runs", () =>
    Effect.gen(function*() {
      const { events, link } = yield* joined(() => Effect.never)
      yield* link.deliver(delivery("a"))
      yield* link.deliver(delivery("b"))
      yield* link.cancel(InputId.make("b"))
      yield* link.cancel(InputId.make("a"))
      yield* link.deliver(delivery("a"))
      const outcome = { status: "canceled", reason: "canceled on request" }
      expect(events.slice(0, 2)).toEqual([
        { type: "turn_ended", input: "b", outcome },
        { type: "turn_ended", input: "a", outcome }
      ])
    }).pipe(Effect.scoped))

  it.effect("ends at shutdown, after its finalizers", () =>
    Effect.gen(function*() {
      const { host, link, serving } = yield* joined(() => Effect.ensuring(Effect.sleep(1_000_000), Effect.sleep(100)))
      yield* link.deliver(delivery("a"))
      yield* link.shutdown
      yield* TestClock.adjust(99)
      expect(serving.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(serving)).toBe("shutdown")
      expect(host.written()).toContain(`"shutdown"`)
    }).pipe(Effect.scoped))

  it.effect("ends when its host is gone", () =>
    Effect.gen(function*() {
      const { host, serving } = yield* joined(() => Effect.never)
      host.destroy()
      expect(yield* Fiber.join(serving)).toEqual({ reason: "ended", cause: undefined })
    }).pipe(Effect.scoped))

  it.effect("fails a turn whose outcome is longer than a document", () =>
    Effect.gen(function*() {
      const { events, link } = yield* joined(() => Effect.sync(() => "x".repeat(DOCUMENT_LIMIT)))
      yield* link.deliver(delivery("a"))
      expect(events).toMatchObject([{ outcome: { status: "failed", code: "output_too_large" } }])
    }).pipe(Effect.scoped))

  it.effect("refuses a host that speaks another protocol", () =>
    Effect.gen(function*() {
      const [host, side] = pipe()
      yield* Effect.forkChild(Effect.scoped(serveMember(Behavior.make("served", { run: () => Effect.void }), side)), {
        startImmediately: true
      })
      let answer = ""
      host.open({ bytes: (chunk) => answer += new TextDecoder().decode(chunk), end: () => {} })
      const member = { mob: "m", identity: "a", role: "r", generation: 1, fence: 1, labels: {} }
      const params = { protocol: [2, 3], member }
      const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })
      host.write(new TextEncoder().encode(`${text}\n`), () => {})
      yield* Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))
      expect(JSON.parse(answer)).toMatchObject({
        id: 1,
        error: { code: -32000, message: expect.stringContaining("2, 3") }
      })
    }))
})
