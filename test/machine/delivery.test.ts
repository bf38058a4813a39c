import { describe, expect, it } from "vitest"
import { type InputRecord, judge, REDELIVERY_LIMIT } from "../../core/machine/delivery.ts"
import type { KnownFate } from "../../core/machine/protocol.ts"
import { Identity, InputId } from "../../sdk/ids.ts"

const input = InputId.make("r-1/ask/0/w-1/1")
const outcome = { status: "completed", output: "done" } as const
const record = (given: Partial<InputRecord> = {}): InputRecord => ({
  status: "dispatched",
  target: Identity.make("w-1"),
  fence: 2,
  redeliveries: 0,
  on_unknown: "redeliver",
  ...given
})
const ended = (fence: number) => ({ type: "outcome", input, fence, outcome }) as const
const nothing = { state: "nothing" } as const
const born = (fence: number, known: KnownFate = nothing) => ({ type: "reincarnated", input, fence, known }) as const

describe("an outcome", () => {
  it("under the recorded fence is taken", () => {
    expect(judge(record(), ended(2))).toEqual({ verdict: "outcome", fence: 2, redelivered: false, outcome })
  })

  it("28 under an old fence after a redelivery is stale, never settled", () => {
    expect(judge(record({ fence: 3, redeliveries: 1 }), ended(2))).toEqual({ verdict: "stale", current: 3 })
  })

  it("R5 under a newer fence is a redelivery and its outcome in one turn", () => {
    expect(judge(record(), ended(4))).toEqual({ verdict: "outcome", fence: 4, redelivered: true, outcome })
  })

  it("28 that is a duplicate is settled and changes nothing", () => {
    expect(judge(record({ status: "closed" }), ended(2))).toEqual({ verdict: "settle" })
    expect(judge(record({ status: "closed" }), ended(1))).toEqual({ verdict: "settle" })
  })

  it("R7 of an input that nobody remembers is settled", () => {
    expect(judge(undefined, ended(2))).toEqual({ verdict: "settle" })
  })

  it("R10 of a detached turn is its end", () => {
    expect(judge(record({ status: "detached" }), ended(2))).toEqual({ verdict: "ended" })
  })
})

describe("a member that was born again", () => {
  it("R5 with a known outcome gives it, before on_unknown is asked", () => {
    expect(judge(record({ on_unknown: "fail" }), born(3, { state: "outcome", outcome })))
      .toEqual({ verdict: "outcome", fence: 3, redelivered: true, outcome })
  })

  it("R5 with the turn still running is redelivered, also when an unknown outcome would fail", () => {
    expect(judge(record({ on_unknown: "fail" }), born(3, { state: "running" }))).toEqual({
      verdict: "redeliver",
      fence: 3
    })
  })

  it("that knows nothing is redelivered, or fails the input, as the step says", () => {
    expect(judge(record(), born(3))).toEqual({ verdict: "redeliver", fence: 3 })
    expect(judge(record({ on_unknown: "fail" }), born(3))).toMatchObject({ verdict: "fail", code: "outcome_unknown" })
  })

  it("3 is redelivered five times, and not a sixth", () => {
    expect(judge(record({ redeliveries: REDELIVERY_LIMIT - 1 }), born(3))).toMatchObject({ verdict: "redeliver" })
    expect(judge(record({ redeliveries: REDELIVERY_LIMIT }), born(3))).toMatchObject({
      verdict: "fail",
      code: "redelivery_limit"
    })
    expect(judge(record({ redeliveries: REDELIVERY_LIMIT }), born(3, { state: "outcome", outcome })))
      .toMatchObject({ verdict: "outcome" })
  })

  it("is old news under a fence that is recorded already", () => {
    expect(judge(record(), born(2))).toEqual({ verdict: "ignore" })
    expect(judge(record(), born(1))).toEqual({ verdict: "ignore" })
  })

  it("R10 ends a detached turn, unless it still runs", () => {
    expect(judge(record({ status: "detached" }), born(3))).toEqual({ verdict: "ended" })
    expect(judge(record({ status: "detached" }), born(3, { state: "running" }))).toEqual({ verdict: "ignore" })
  })
})

describe("a member that goes", () => {
  const goes = { type: "retiring", input, code: "member_retired", reason: "it retires" } as const

  it("R8 fails its input with the reason", () => {
    expect(judge(record(), goes)).toEqual({ verdict: "fail", code: "member_retired", reason: "it retires" })
  })

  it("R8 settles what is closed, and ends what is detached", () => {
    expect(judge(record({ status: "closed" }), goes)).toEqual({ verdict: "settle" })
    expect(judge(record({ status: "detached" }), goes)).toEqual({ verdict: "ended" })
  })
})

describe("the end of a detached turn", () => {
  it("R10 is taken once", () => {
    const over = { type: "ended", input } as const
    expect(judge(record({ status: "detached" }), over)).toEqual({ verdict: "ended" })
    expect(judge(record({ status: "closed" }), over)).toEqual({ verdict: "ignore" })
    expect(judge(record(), over)).toEqual({ verdict: "ignore" })
  })
})
