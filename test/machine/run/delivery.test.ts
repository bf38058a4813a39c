import { describe, expect, it } from "vitest"
import { REDELIVERY_LIMIT } from "../../../core/machine/delivery.ts"
import type { KnownFate } from "../../../core/machine/protocol.ts"
import { decodeRun, encodeRun, RunUnreadable, unfinished } from "../../../core/machine/run/index.ts"
import type { Json } from "../../../sdk/json.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { SchemaUnsupported } from "../../../sdk/store.ts"
import { Driver, member, RUN, single, step } from "./driver.ts"

const done: Outcome = { status: "completed", output: "done" }
const reborn = (run: Driver, fence: number, known: KnownFate = { state: "nothing" }) =>
  run.send({ type: "reincarnated", input: run.turn().dispatch.input, fence, known })

describe("fences", () => {
  it("an outcome under an older fence is stale: no fact, and never settled", () => {
    const run = new Driver({ steps: { a: step() } }).start()
    reborn(run, 3)
    run.sends = []
    run.outcome(run.turn(), done, 2)
    expect(run.last).toEqual([])
    expect(run.sends).toEqual([{
      to: "door",
      identity: "w-1",
      message: { type: "stale", input: `${RUN}/a/0/w-1/1`, fence: 2, current: 3 }
    }])
    expect(run.outcome(run.turn(), done, 3).status).toBe("completed")
  })

  it("R5 an outcome under a newer fence is redelivered and completed in one decision", () => {
    const run = new Driver({ steps: { a: step() } }).start()
    run.outcome(run.turn(), done, 4)
    expect(run.last.map((it) => it.type)).toEqual(["redelivered", "completed", "step_completed", "run_completed"])
    expect(run.factsOf("completed")[0]?.fence).toBe(4)
  })

  it("a reincarnated member gets the same input again, with a fresh deadline", () => {
    const run = new Driver({ steps: { a: step({ timeout_ms: 100 }) } }).start()
    const first = run.turn().dispatch
    run.now += 90
    reborn(run, 2)
    expect(run.last).toEqual([
      { v: 1, type: "redelivered", input: first.input, target: "w-1", fence: 2, deadline: 1_190, at: 1_090 }
    ])
    expect(run.turn().dispatch).toEqual({ ...first, fence: 2, deadline: 1_190 })
    expect(run.events.at(-1)).toEqual({
      type: "step_redelivered",
      run_id: RUN,
      step_id: "a",
      target: "w-1",
      fence_token: 2
    })
    reborn(run, 2)
    expect(run.last).toEqual([])
    run.advance(99)
    expect(run.status).toBe("running")
  })

  it("what a new incarnation already has an outcome of is taken, whatever on_unknown says", () => {
    const run = new Driver({ steps: { a: step({ on_unknown: "fail" }) } }).start()
    reborn(run, 2, { state: "outcome", outcome: done })
    expect(run.status).toBe("completed")
    expect(run.held.size).toBe(0)
  })

  it("on_unknown = fail closes an input whose fate is unknown, without a retry", () => {
    const run = new Driver({ steps: { a: step({ on_unknown: "fail" }) }, limits: { max_step_retries: 3 } }).start()
    reborn(run, 2)
    expect(run.factsOf("failed")).toMatchObject([{ code: "outcome_unknown", final: true }])
    expect(run.status).toBe("failed")
    const still = new Driver({ steps: { a: step({ on_unknown: "fail" }) } }).start()
    expect(reborn(still, 2, { state: "running" }).status).toBe("running")
  })

  it("an input that was redelivered too often counts as a failed attempt", () => {
    const run = new Driver({ steps: { a: step() }, limits: { max_step_retries: 1 } }).start()
    for (let fence = 2; fence <= REDELIVERY_LIMIT + 1; fence++) reborn(run, fence)
    expect(run.factsOf("redelivered")).toHaveLength(REDELIVERY_LIMIT)
    run.roster = new Driver({ steps: {} }, [member("w-1", { fence: 7 })]).roster
    reborn(run, REDELIVERY_LIMIT + 2)
    expect(run.factsOf("failed")).toMatchObject([{ code: "redelivery_limit", final: false }])
    expect(run.turn().dispatch.input).toBe(`${RUN}/a/0/w-1/2`)
  })

  it.each(["member_retired", "member_broken", "member_unknown"] as const)("%s fails the input at once", (code) => {
    const run = new Driver({ steps: { a: step() }, limits: { max_step_retries: 3 } }).start()
    run.send({ type: "retiring", input: run.turn().dispatch.input, code, reason: "it is gone" })
    expect(run.factsOf("failed")).toMatchObject([{ code, final: true, reason: "it is gone" }])
    expect(run.status).toBe("failed")
    expect(run.held.size).toBe(0)
  })

  it("a member's own failure code is no word of its door", () => {
    const limits = { max_step_retries: 1 }
    const run = new Driver({ steps: { a: step() }, limits }).start()
    run.outcome(run.turn(), { status: "failed", code: "member_broken", reason: "so it says" })
    expect(run.factsOf("failed")).toMatchObject([{ final: false }])
  })

  it("a duplicate outcome is settled and does nothing", () => {
    const run = new Driver({ steps: { a: step(), b: step() } }).start()
    const held = run.turn("a")
    run.outcome(held, done).sends = []
    run.outcome(held, done)
    expect(run.last).toEqual([])
    expect(run.sends).toEqual([{
      to: "door",
      identity: "w-1",
      message: { type: "settled", input: held.dispatch.input }
    }])
  })

  it("a message about an input that is no input of the run does nothing", () => {
    const run = new Driver({ steps: { a: step() } }).start()
    const strange = { ...run.turn(), dispatch: { ...run.turn().dispatch, input: "elsewhere" as never } }
    run.sends = []
    run.outcome(strange, done)
    expect([run.last, run.sends]).toEqual([[], []])
  })

  it("a deadline that passes while the member has a newer incarnation gives the redelivery its time", () => {
    const run = new Driver({ steps: { a: step({ timeout_ms: 100 }) } }).start()
    run.members(member("w-1", { fence: 2 }))
    run.advance(100)
    expect(run.last).toEqual([{ v: 1, type: "deferred", input: `${RUN}/a/0/w-1/1`, deadline: 1_200, at: 1_100 }])
    reborn(run, 2)
    expect(run.advance(99).status).toBe("running")
    expect(run.advance(1).status).toBe("failed")
  })
})

describe("starting again", () => {
  it("R1 tells every unfinished dispatch with its recorded fence, every detached turn, and asks for what doors hold", () => {
    const steps = { a: step({ timeout_ms: 20 }), b: step(), c: step({ depends_on: ["b"] }) }
    const run = new Driver({ steps }).start()
    reborn(run, 5)
    run.advance(20).complete("b", "x")
    const before = run.turns().map((it) => it.dispatch)
    run.sends = []
    run.reload()
    expect(run.last).toEqual([])
    expect(run.sends).toEqual([
      { to: "door", identity: "w-1", message: { type: "owner_started", owner: `run/${RUN}` } },
      { to: "door", identity: "w-1", message: { type: "detach", owner: `run/${RUN}`, input: `${RUN}/a/0/w-1/1` } },
      ...before.map((dispatch) => ({
        to: "door",
        identity: "w-1",
        message: { type: "dispatch", owner: `run/${RUN}`, dispatch }
      }))
    ])
  })

  it("tells in the order of dispatch, from the head as from the facts", () => {
    const names = Array.from({ length: 30 }, (_, index) => `w-${index}`)
    const run = new Driver({ steps: { a: step(), b: step() } }, names).start()
    const before = run.turns().map((it) => it.dispatch.input)
    run.reload()
    expect(run.turns().map((it) => it.dispatch.input)).toEqual(before)
    expect(unfinished(run.run).map((it) => it.input)).toEqual(before)
  })

  it("a run that ended tells its mob again", () => {
    const run = new Driver({ steps: { a: step() } }).start().complete("a", "x")
    run.sends = []
    run.reload()
    expect(run.sends.at(-1)).toEqual({ to: "mob", message: { type: "run_ended", run: RUN, status: "completed" } })
  })

  it("what is due at a start waits for the tick after it, so that members answer first", () => {
    const run = new Driver({ steps: { a: step({ timeout_ms: 20 }) } }).start()
    run.now += 1_000
    run.reload()
    expect(run.last).toEqual([])
    reborn(run, 2)
    expect(run.advance(19).status).toBe("running")
  })

  it("an item that waited for a member whose detached turn is gone starts at once", () => {
    const each = step({
      dispatch_mode: "each",
      items: "{{ params.l }}",
      timeout_ms: 20,
      collection_policy: { type: "any" }
    })
    const run = new Driver({ steps: { a: each } }).start({ l: [1, 2] }).advance(20)
    run.roster = new Driver({ steps: {} }, [member("w-1", { fence: 2 })]).roster
    run.reload()
    expect(run.turns().map((it) => it.dispatch.input)).toEqual([`${RUN}/a/0/1/1`])
  })

  it("R4 who: a door hears of its own inputs alone", () => {
    const run = new Driver({ steps: { a: step() } }, ["w-1", "w-2"]).start()
    run.sends = []
    run.send({ type: "who", identity: run.turn("a", "w-2").target as never })
    expect(run.last).toEqual([])
    expect(run.sends.map((it) => it.to === "door" && it.identity)).toEqual(["w-2"])
  })

  it("flows/128 a completed run starts nothing again", () => {
    const run = new Driver({ steps: { a: single() } }).start().complete("a", 1).reload()
    expect(run.turns()).toEqual([])
    expect(run.record.output).toEqual({ steps: { a: 1 } })
  })
})

describe("stored state", () => {
  const stored = () => {
    const run = new Driver({ steps: { a: step(), b: step() }, limits: { max_active_nodes: 1 } }).start()
    // A head is a JSON object; the test changes parts of it.
    return JSON.parse(JSON.stringify(encodeRun(run.run))) as { [key: string]: Json } & {
      frames: Array<{ ready: Array<number>; nodes: Array<{ status: string }> }>
    }
  }

  it("another version is refused", () => {
    expect(() => decodeRun({ ...stored(), v: 2 })).toThrow(SchemaUnsupported)
    expect(decodeRun(stored()).phase).toBe("running")
  })

  it("flows/120 a ready node that is missing from its queue is refused, and one that should not be there", () => {
    const missing = stored()
    missing.frames[0]!.ready = []
    expect(() => decodeRun(missing)).toThrow(`frame ${RUN}-root`)
    const extra = stored()
    extra.frames[0]!.nodes[1]!.status = "pending"
    expect(() => decodeRun(extra)).toThrow(RunUnreadable)
  })

  it("flows/118 a fact that cannot follow throws", () => {
    const run = new Driver({ steps: { a: step() } }).start().complete("a", "x")
    for (const fact of run.facts) expect(() => run.apply(fact), fact.type).toThrow(RunUnreadable)
  })
})
