import { describe, expect, it } from "vitest"
import {
  decideInbox,
  decodeInbox,
  decodeInboxFact,
  encodeInbox,
  evolveInbox,
  type InboxCommand,
  type InboxFact,
  inboxInitial,
  type InboxReply,
  type InboxState,
  nextDeadline,
  projectInbox,
  workOutcome
} from "../../../core/machine/inbox/index.ts"
import { type Send, type ToDoor, type ToOwner, workInput } from "../../../core/machine/protocol.ts"
import { Identity } from "../../../sdk/ids.ts"
import type { JsonObject } from "../../../sdk/json.ts"

const w1 = Identity.make("w-1")
const outcome = { status: "completed", output: "done" } as const

/** An inbox that commits each decision at once. */
class Inbox {
  state: InboxState = inboxInitial(w1)
  readonly facts: Array<InboxFact> = []
  readonly events: Array<JsonObject> = []
  sends: ReadonlyArray<Send> = []

  do(command: InboxCommand): InboxReply {
    const decision = decideInbox(this.state, command)
    if (decision.refused) throw new Error(decision.code)
    for (const fact of decision.facts) {
      this.events.push(...projectInbox(this.state, fact))
      this.state = evolveInbox(this.state, fact)
    }
    this.facts.push(...decision.facts)
    this.sends = decision.sends
    return decision.reply
  }

  submit(work_ref: string, options: Partial<Extract<InboxCommand, { type: "submit" }>> = {}): InboxReply {
    return this.do(submit(work_ref, options))
  }

  hears(message: ToOwner): void {
    this.do({ type: "message", message })
  }

  get told(): ReadonlyArray<ToDoor> {
    return this.sends.flatMap((send) => (send.to === "door" ? [send.message] : []))
  }

  get toldTypes(): ReadonlyArray<string> {
    return this.told.map((message) => message.type)
  }
}

const submit = (
  work_ref: string,
  options: Partial<Extract<InboxCommand, { type: "submit" }>> = {}
): Extract<InboxCommand, { type: "submit" }> => ({
  type: "submit",
  work_ref,
  key: undefined,
  content: `do ${work_ref}`,
  deadline: undefined,
  generation: 1,
  fence: 2,
  ...options
})

const input = (work_ref: string) => workInput(w1, work_ref)

describe("submitted work", () => {
  it("is dispatched under the fence of the acceptance", () => {
    const inbox = new Inbox()
    expect(inbox.submit("a", { deadline: 900 })).toEqual({ type: "accepted", work_ref: "a", existing: false })
    expect(inbox.told).toEqual([{
      type: "dispatch",
      owner: "inbox/w-1",
      dispatch: { input: "inbox/w-1/a", fence: 2, content: "do a", deadline: 900, overlay: undefined, memos: {} }
    }])
    expect(workOutcome(inbox.state, "a")).toBe("pending")
  })

  it("R12 under a known key answers what is recorded, also after its end", () => {
    const inbox = new Inbox()
    inbox.submit("a", { key: "k" })
    expect(inbox.submit("b", { key: "k" })).toEqual({ type: "accepted", work_ref: "a", existing: true })
    inbox.hears({ type: "outcome", input: input("a"), fence: 2, outcome })
    inbox.do({ type: "close", generation: 1 })
    expect(inbox.submit("c", { key: "k" })).toEqual({ type: "accepted", work_ref: "a", existing: true })
    expect(inbox.submit("a")).toEqual({ type: "accepted", work_ref: "a", existing: true })
    expect(inbox.facts.filter((fact) => fact.type === "work_accepted")).toHaveLength(1)
  })

  it("has its outcome when the member gives it, and settles it", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.hears({ type: "outcome", input: input("a"), fence: 2, outcome })
    expect(inbox.told).toEqual([{ type: "settled", input: input("a") }])
    expect(workOutcome(inbox.state, "a")).toEqual(outcome)
    inbox.hears({ type: "outcome", input: input("a"), fence: 2, outcome })
    expect(inbox.toldTypes).toEqual(["settled"])
    expect(inbox.facts.filter((fact) => fact.type === "work_completed")).toHaveLength(1)
  })

  it("is redelivered to a new incarnation; an outcome under the old fence is stale, not settled", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.hears({ type: "reincarnated", input: input("a"), fence: 3, known: { state: "nothing" } })
    expect(inbox.told).toMatchObject([{ type: "dispatch", dispatch: { fence: 3 } }])
    inbox.hears({ type: "outcome", input: input("a"), fence: 2, outcome })
    expect(inbox.told).toEqual([{ type: "stale", input: input("a"), fence: 2, current: 3 }])
    expect(workOutcome(inbox.state, "a")).toBe("pending")
  })

  it("3 is redelivered five times; the sixth crash fails it", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    for (let fence = 3; fence <= 8; fence++) {
      inbox.hears({ type: "reincarnated", input: input("a"), fence, known: { state: "nothing" } })
    }
    expect(workOutcome(inbox.state, "a")).toMatchObject({ status: "failed", code: "redelivery_limit" })
  })

  it("R5 takes an outcome that the member kept across a crash as redelivered and completed in one turn", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.hears({ type: "reincarnated", input: input("a"), fence: 3, known: { state: "outcome", outcome } })
    expect(inbox.facts.map((fact) => fact.type)).toEqual(["work_accepted", "work_redelivered", "work_completed"])
  })

  it("R1 is told again at a start, in the order of acceptance, before the door says again what it holds", () => {
    const inbox = new Inbox()
    for (const ref of ["c", "a", "b"]) inbox.submit(ref, { deadline: ref === "b" ? 5 : undefined })
    inbox.do({ type: "tick", at: 5 })
    inbox.do({ type: "started" })
    expect(inbox.told.map((it) => (it.type === "dispatch" ? it.dispatch.input : it.type)))
      .toEqual([input("c"), input("a"), "detach", "owner_started"])
  })

  it("R4 is dispatched again when the door asks", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.hears({ type: "who", identity: w1 })
    expect(inbox.told).toMatchObject([{ type: "dispatch", dispatch: { fence: 2 } }])
  })
})

describe("a deadline", () => {
  it("R10 leaves the turn behind: the work fails, the door is told, a late outcome changes nothing", () => {
    const inbox = new Inbox()
    inbox.submit("a", { deadline: 100 })
    inbox.submit("b", { deadline: 50 })
    expect(nextDeadline(inbox.state)).toBe(50)
    inbox.do({ type: "tick", at: 99 })
    expect(inbox.told).toEqual([{ type: "detach", owner: "inbox/w-1", input: input("b") }])
    expect(workOutcome(inbox.state, "b")).toMatchObject({ status: "failed", code: "timeout" })
    expect(nextDeadline(inbox.state)).toBe(100)
    inbox.hears({ type: "outcome", input: input("b"), fence: 2, outcome })
    expect(inbox.toldTypes).toEqual(["settled"])
    expect(inbox.facts.at(-1)?.type).toBe("work_ended")
    expect(workOutcome(inbox.state, "b")).toMatchObject({ status: "failed" })
  })

  it("that nobody gave is not there", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    expect(nextDeadline(inbox.state)).toBeUndefined()
    inbox.do({ type: "tick", at: Number.MAX_SAFE_INTEGER })
    expect(inbox.facts).toHaveLength(1)
  })
})

describe("an inbox whose member retires", () => {
  it("R8 fails what is unfinished, settles it, says how many, and takes nothing more", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.submit("b")
    inbox.do({ type: "close", generation: 1 })
    expect(inbox.told).toEqual([
      { type: "settled", input: input("a") },
      { type: "settled", input: input("b") },
      { type: "inbox_closed", abandoned: 2 }
    ])
    expect(workOutcome(inbox.state, "a")).toMatchObject({ status: "failed", code: "member_retired" })
    expect(decideInbox(inbox.state, submit("c"))).toMatchObject({ refused: true, code: "member_retiring" })
  })

  it("R8 says so again when it is asked again, and commits nothing", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.do({ type: "close", generation: 1 })
    const before = inbox.facts.length
    inbox.do({ type: "close", generation: 1 })
    expect(inbox.told).toEqual([{ type: "inbox_closed", abandoned: 1 }])
    expect(inbox.facts).toHaveLength(before)
  })

  it("takes work again for the next generation of its member", () => {
    const inbox = new Inbox()
    inbox.do({ type: "close", generation: 1 })
    expect(inbox.submit("a", { generation: 2, fence: 9 })).toMatchObject({ existing: false })
    inbox.do({ type: "close", generation: 2 })
    expect(inbox.told.at(-1)).toEqual({ type: "inbox_closed", abandoned: 1 })
  })

  it("a broken member's work fails with that", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.hears({ type: "retiring", input: input("a"), code: "member_broken", reason: "no file" })
    expect(workOutcome(inbox.state, "a")).toEqual({ status: "failed", code: "member_broken", reason: "no file" })
  })
})

describe("the memory of an inbox", () => {
  it("holds the last 10,000 outcomes with their keys, and no more", () => {
    const inbox = new Inbox()
    for (let index = 0; index <= 10_000; index++) {
      inbox.submit(`a-${index}`, { key: `k-${index}` })
      inbox.hears({ type: "outcome", input: input(`a-${index}`), fence: 2, outcome })
    }
    expect(workOutcome(inbox.state, "a-0")).toBeUndefined()
    expect(workOutcome(inbox.state, "a-1")).toEqual(outcome)
    expect(inbox.state.keys.size).toBe(10_000)
  })

  it("stands in its head; facts and head are read as they were written", () => {
    const inbox = new Inbox()
    inbox.submit("a", { key: "k", deadline: 5 })
    inbox.submit("b", { content: [{ type: "text", text: "hi" }, { type: "image", url: "x" }] })
    inbox.submit("c")
    inbox.do({ type: "tick", at: 5 })
    inbox.hears({ type: "reincarnated", input: input("b"), fence: 4, known: { state: "nothing" } })
    inbox.hears({ type: "outcome", input: input("c"), fence: 2, outcome: { status: "canceled", reason: "no" } })
    const written = JSON.parse(JSON.stringify(encodeInbox(inbox.state)))
    const read = decodeInbox(written)
    expect(encodeInbox(read)).toEqual(written)
    expect(new Map(read.open)).toEqual(new Map(inbox.state.open))
    expect(new Map(read.keys)).toEqual(new Map(inbox.state.keys))
    const facts = inbox.facts.map((fact) => decodeInboxFact(JSON.parse(JSON.stringify(fact))))
    expect(encodeInbox(facts.reduce(evolveInbox, inboxInitial(w1)))).toEqual(written)
    expect(() => decodeInbox({ ...written, v: 3 })).toThrow()
  })

  it("becomes public events, without contents and outcomes", () => {
    const inbox = new Inbox()
    inbox.submit("a")
    inbox.submit("b", { deadline: 5 })
    inbox.submit("c")
    inbox.hears({ type: "reincarnated", input: input("a"), fence: 3, known: { state: "nothing" } })
    inbox.hears({ type: "outcome", input: input("a"), fence: 3, outcome })
    inbox.do({ type: "tick", at: 5 })
    inbox.do({ type: "close", generation: 1 })
    expect(inbox.events).toEqual([
      { type: "work_accepted", identity: "w-1", work_ref: "a" },
      { type: "work_accepted", identity: "w-1", work_ref: "b" },
      { type: "work_accepted", identity: "w-1", work_ref: "c" },
      { type: "work_redelivered", identity: "w-1", work_ref: "a", fence_token: 3 },
      { type: "work_completed", identity: "w-1", work_ref: "a" },
      {
        type: "work_failed",
        identity: "w-1",
        work_ref: "b",
        code: "timeout",
        reason: "the work was not done before its deadline"
      },
      {
        type: "work_failed",
        identity: "w-1",
        work_ref: "c",
        code: "member_retired",
        reason: "the member retired before it was done"
      }
    ])
  })
})
