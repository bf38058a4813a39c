import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { nextRestart, rosterView } from "../../../core/machine/mob/index.ts"
import { backoff } from "../../../core/machine/mob/restart.ts"
import { exit, id, type Mob, mob, spawn } from "./fixtures.ts"

const restart = (audit: Mob) => {
  const due = audit.state === undefined ? undefined : nextRestart(audit.state)
  if (due === undefined) throw new Error("no restart is due")
  audit.do({ type: "restart_due", ...due })
  return due.at
}

describe("spawn", () => {
  it("gives generation 1 and the next fence, and starts the incarnation", () => {
    const audit = mob("w-1")
    expect(audit.do(spawn("w-2")).reply).toEqual({ type: "member", identity: "w-2", generation: 1, fence: 2 })
    expect(audit.sends).toEqual([
      { to: "door", identity: "w-2", message: { type: "incarnate", generation: 1, fence: 2 } }
    ])
  })

  it("members/32 refuses an identity that is there, retiring or broken", () => {
    const audit = mob("w-1", "w-2", "w-3")
    audit.do({ type: "retire", identity: id("w-2") })
    audit.do({ type: "break_member", at: 0, identity: id("w-3"), cause: exit })
    expect(["w-1", "w-2", "w-3"].map((name) => audit.refusal(spawn(name)))).toEqual(Array(3).fill("member_exists"))
  })

  it("members/33 refuses the runtime's own prefix", () => {
    expect(mob().refusal(spawn("__flow_system_x"))).toBe("identity_reserved")
  })

  it("counts the generations of an identity on when it is spawned again, with a fence never given before", () => {
    const audit = mob("w-1")
    audit.do({ type: "retire", identity: id("w-1") })
    audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 0 })
    audit.do(spawn("w-1"))
    expect(audit.member("w-1")).toMatchObject({ phase: "active", generation: 2, fence: 2 })
  })
})

describe("opening", () => {
  it("18 gives each active host member a new generation and all of them new fences, in one fact", () => {
    const audit = mob("w-1", "w-2", "w-3")
    audit.do({ ...spawn("far"), lifetime: "remote" })
    audit.do({ type: "retire", identity: id("w-3") })
    const { facts } = audit.do({ type: "opened", at: 5, epoch: 2 })
    expect(facts).toEqual([{
      v: 1,
      type: "mob_opened",
      at: 5,
      epoch: 2,
      members: [
        { identity: "far", generation: 1, fence: 5 },
        { identity: "w-1", generation: 2, fence: 6 },
        { identity: "w-2", generation: 2, fence: 7 }
      ]
    }])
    expect(audit.told("w-1")).toEqual(["resume", "incarnate", "mob_started"])
    expect(audit.told("w-3")).toEqual(["retire"])
  })

  it("R1 has no facts when its cell starts again in the same process, and tells everything again", () => {
    const audit = mob("w-1")
    audit.do({ type: "opened", at: 5, epoch: 2 })
    expect(audit.do({ type: "opened", at: 6, epoch: 2 }).facts).toEqual([])
    expect(audit.told("w-1")).toEqual(["resume", "incarnate", "mob_started"])
  })

  it("28 tells of a run that was admitted but never spawned", () => {
    const audit = mob("w-1")
    audit.admit("r-1")
    audit.do({ type: "opened", at: 5, epoch: 2 })
    expect(audit.sends).toContainEqual({ to: "run", run: "r-1", message: { type: "start" } })
  })

  it("keeps a recorded process until the next incarnation is recorded, so that it can be ended first", () => {
    const audit = mob("w-1")
    const process = { pid: 42, pgid: 42, start_ticks: 7, boot_id: "b" }
    audit.do({ type: "process_started", identity: id("w-1"), fence: 1, process })
    audit.crash("w-1", 1_000)
    expect(audit.member("w-1").process).toEqual({ fence: 1, record: process })
    restart(audit)
    expect(audit.member("w-1").process).toBeUndefined()
  })

  it("refuses the process of an incarnation that was replaced", () => {
    const audit = mob("w-1")
    audit.do({ type: "opened", at: 5, epoch: 2 })
    const process = { pid: 42, pgid: 42, start_ticks: 7, boot_id: "b" }
    expect(audit.refusal({ type: "process_started", identity: id("w-1"), fence: 1, process })).toBe("stale_fence")
  })
})

describe("restarts", () => {
  it("back off 100 ms x 2 up to 30 s, give or take 20 %", () => {
    expect([1, 2, 3, 4].map((streak) => backoff(streak, 0.5))).toEqual([100, 200, 400, 800])
    expect(backoff(20, 0.5)).toBe(30_000)
    expect([backoff(1, 0), backoff(1, 1)]).toEqual([80, 120])
  })

  it("stay within the jitter, and never shrink with the streak", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (streak, random) => {
        const delay = Math.min(30_000, 100 * 2 ** (streak - 1))
        expect(Math.abs(backoff(streak, random) - delay)).toBeLessThanOrEqual(delay * 0.2 + 1)
        expect(backoff(streak + 1, random)).toBeGreaterThanOrEqual(backoff(streak, random))
      })
    )
  })

  it("a crash is recorded with its cause; the next incarnation comes when its back-off is over, not before", () => {
    const audit = mob("w-1")
    expect(audit.crash("w-1", 1_000).facts).toEqual([{
      v: 1,
      type: "member_crashed",
      at: 1_000,
      identity: "w-1",
      generation: 1,
      fence: 1,
      cause: exit,
      restart_at: 1_100
    }])
    expect(audit.do({ type: "restart_due", identity: id("w-1"), at: 1_099 }).facts).toEqual([])
    expect(audit.do({ type: "restart_due", identity: id("w-1"), at: 1_100 }).facts).toEqual([{
      v: 1,
      type: "member_incarnated",
      at: 1_100,
      identity: "w-1",
      generation: 2,
      fence: 2,
      after: "crash"
    }])
    expect(audit.told("w-1")).toEqual(["incarnate"])
    expect(audit.member("w-1").restarts).toBe(1)
  })

  it("the sixth crash within 60 s breaks the member, and its door is told", () => {
    const audit = mob("w-1")
    let at = 0
    for (let crash = 1; crash <= 5; crash++) {
      audit.crash("w-1", at)
      at = restart(audit)
    }
    expect(audit.crash("w-1", at).facts.map((fact) => fact.type)).toEqual(["member_broken"])
    expect(audit.told("w-1")).toEqual(["broken"])
    expect(audit.refusal({ type: "check_submit", identity: id("w-1") })).toBe("member_broken")
    expect(audit.state === undefined ? undefined : nextRestart(audit.state)).toBeUndefined()
  })

  it("five crashes in every 60 s are granted for ever", () => {
    const audit = mob("w-1")
    for (let crash = 1; crash <= 50; crash++) {
      audit.crash("w-1", crash * 12_001 + 100_000 * crash)
      restart(audit)
    }
    expect(audit.member("w-1")).toMatchObject({ phase: "active", restarts: 50 })
  })

  it("60 s of life set the back-off to its start", () => {
    const audit = mob("w-1")
    audit.crash("w-1", 0)
    audit.crash("w-1", restart(audit))
    const at = restart(audit)
    audit.crash("w-1", at + 59_999)
    expect(audit.member("w-1").streak).toBe(3)
    const again = restart(audit)
    audit.crash("w-1", again + 60_000)
    expect(audit.member("w-1")).toMatchObject({ streak: 1, restart_at: again + 60_100 })
  })

  it("R4 a door that starts again gets a new fence at once, and it is no crash", () => {
    const audit = mob("w-1")
    const { facts } = audit.do({
      type: "incarnation_lost",
      identity: id("w-1"),
      fence: 1,
      exit: undefined,
      at: 0,
      random: 0
    })
    expect(facts).toMatchObject([{ type: "member_incarnated", fence: 2, after: "door_start" }])
    expect(audit.member("w-1")).toMatchObject({ restarts: 0, crashes: [] })
  })

  it("R4 a door that lost an older incarnation is told of the current one, under the fence that nobody has bound", () => {
    const audit = mob("w-1")
    audit.do({ type: "opened", at: 0, epoch: 2 })
    const lost = { type: "incarnation_lost", identity: id("w-1"), exit: undefined, at: 0, random: 0 } as const
    expect(audit.do({ ...lost, fence: 0 }).facts).toEqual([])
    expect(audit.sends).toEqual([
      { to: "door", identity: "w-1", message: { type: "incarnate", generation: 2, fence: 2 } }
    ])
  })

  it("R4 a fence with a recorded process was bound, whatever its door remembers", () => {
    const audit = mob("w-1")
    const process = { pid: 42, pgid: 42, start_ticks: 7, boot_id: "b" }
    audit.do({ type: "process_started", identity: id("w-1"), fence: 1, process })
    const lost = { type: "incarnation_lost", identity: id("w-1"), exit: undefined, at: 0, random: 0, fence: 0 } as const
    expect(audit.do(lost).facts).toMatchObject([{ type: "member_incarnated", fence: 2 }])
  })

  it("a loss that is told twice is one crash", () => {
    const audit = mob("w-1")
    audit.crash("w-1", 0)
    expect(audit.crash("w-1", 1).facts).toEqual([])
  })
})

describe("retire", () => {
  it("R8 commits retiring, tells the door, and ends when the door is drained", () => {
    const audit = mob("w-1")
    audit.do({ type: "retire", identity: id("w-1") })
    expect(audit.sends).toEqual([{ to: "door", identity: "w-1", message: { type: "retire", generation: 1 } }])
    expect(audit.refusal({ type: "check_submit", identity: id("w-1") })).toBe("member_retiring")
    const { facts } = audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 3 })
    expect(facts).toEqual([{ v: 1, type: "member_retired", identity: "w-1", generation: 1, abandoned: 3 }])
    expect(audit.told("w-1")).toEqual(["retired"])
    expect(audit.refusal({ type: "check_submit", identity: id("w-1") })).toBe("member_not_found")
  })

  it("R8 is idempotent, and drives itself on each time it is asked", () => {
    const audit = mob("w-1")
    audit.do({ type: "retire", identity: id("w-1") })
    expect(audit.do({ type: "retire", identity: id("w-1") }).facts).toEqual([])
    expect(audit.told("w-1")).toEqual(["retire"])
    audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 0 })
    expect(audit.do({ type: "retire", identity: id("w-1") }).facts).toEqual([])
    expect(audit.refusal({ type: "retire", identity: id("nobody") })).toBe("member_not_found")
  })

  it("ends the wait of a member that crashed, and starts it no more", () => {
    const audit = mob("w-1")
    audit.crash("w-1", 0)
    audit.do({ type: "retire", identity: id("w-1") })
    expect(audit.do({ type: "restart_due", identity: id("w-1"), at: 1_000 }).facts).toEqual([])
    expect(audit.crash("w-1", 0).facts).toEqual([])
    expect(audit.told("w-1")).toEqual(["retire"])
  })

  it("hears nothing from the door of an earlier generation", () => {
    const audit = mob("w-1")
    audit.do({ type: "retire", identity: id("w-1") })
    audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 0 })
    audit.do(spawn("w-1"))
    audit.do({ type: "retire", identity: id("w-1") })
    expect(audit.do({ type: "drained", identity: id("w-1"), generation: 1, abandoned: 0 }).facts).toEqual([])
  })

  it("remembers the last 10,000 that went, and no more; one that came back is no memory", () => {
    const audit = mob("back")
    audit.do({ type: "retire", identity: id("back") })
    audit.do({ type: "drained", identity: id("back"), generation: 1, abandoned: 0 })
    audit.do(spawn("back"))
    for (let index = 0; index < 10_005; index++) {
      audit.do(spawn(`w-${index}`))
      audit.do({ type: "retire", identity: id(`w-${index}`) })
      audit.do({ type: "drained", identity: id(`w-${index}`), generation: 1, abandoned: 0 })
    }
    expect(audit.member("back")).toMatchObject({ phase: "active", generation: 2 })
    expect(audit.state?.members.size).toBe(10_001)
    expect(audit.state?.members.has(id("w-4"))).toBe(false)
    expect(audit.state?.members.has(id("w-5"))).toBe(true)
  })
})

describe("the roster", () => {
  it("has a new version after each change of a member, and the same after anything else", () => {
    const audit = mob("w-1")
    const version = () => (audit.state === undefined ? -1 : rosterView(audit.state).version)
    const before = version()
    audit.admit("r-1")
    expect(version()).toBe(before)
    audit.crash("w-1", 0)
    expect(version()).toBeGreaterThan(before)
  })

  it("holds ten thousand members that were spawned one by one", () => {
    const audit = mob()
    for (let index = 0; index < 10_000; index++) audit.do(spawn(`w-${index}`))
    expect(audit.state?.members.size).toBe(10_000)
    expect(audit.state?.members.get(id("w-9999"))?.fence).toBe(10_000)
  })
})
