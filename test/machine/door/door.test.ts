import { describe, expect, it } from "vitest"
import {
  decideDoor,
  type DoorDecision,
  doorInitial,
  type DoorState,
  startDoor
} from "../../../core/machine/door/index.ts"
import { type Dispatch, type Owner, type Send, type ToDoor, workInput } from "../../../core/machine/protocol.ts"
import type { Known } from "../../../sdk/bridge.ts"
import { Identity, InputId } from "../../../sdk/ids.ts"

const w1 = Identity.make("w-1")
const owner: Owner = "run/r-1"
const ask = InputId.make("r-1/ask/0/w-1/1")
const check = InputId.make("r-1/check/0/w-1/1")
const outcome = { status: "completed", output: "done" } as const
const exit = { code: "member_exited", message: "", log: [] }

/** A door that says at once what it decides. */
class Door {
  state: DoorState
  sends: ReadonlyArray<Send> = []
  dead = 0

  constructor(fence = 0, phase: DoorState["phase"] = "active") {
    this.state = doorInitial({ identity: w1, phase, generation: 1, fence })
  }

  hears(message: ToDoor): this {
    return this.after(decideDoor(this.state, message))
  }

  starts(): this {
    return this.after(startDoor(this.state))
  }

  after({ dead, sends, state }: DoorDecision): this {
    this.state = state
    this.sends = sends
    if (dead) this.dead += 1
    return this
  }

  /** Its incarnation under this fence is up. */
  bound(fence: number, observed: ReadonlyArray<Known> = []): this {
    this.hears({ type: "incarnate", generation: fence, fence })
    return this.hears({ type: "connected", fence, observed })
  }

  dispatched(fence: number, input = ask, from = owner): this {
    return this.hears({ type: "dispatch", owner: from, dispatch: dispatch(fence, input) })
  }

  ended(fence: number, input = ask): this {
    return this.hears({ type: "turn_ended", fence, input, outcome })
  }

  /** What it said, in short. */
  get said(): ReadonlyArray<string> {
    return this.sends.map((send) => {
      if (send.to === "owner" && send.message.type === "reincarnated") {
        return `owner: reincarnated ${send.message.fence} ${send.message.known.state}`
      }
      if (send.to === "owner" && send.message.type === "outcome") return `owner: outcome ${send.message.fence}`
      if (send.to === "owner" && send.message.type === "retiring") return `owner: ${send.message.code}`
      if (send.to === "connection" && send.message.type === "deliver") return `deliver ${send.message.dispatch.fence}`
      if (send.to === "mob" && send.message.type === "incarnation_lost") return `mob: lost ${send.message.fence}`
      return `${send.to}: ${send.message.type}`
    })
  }
}

const dispatch = (fence: number, input: InputId): Dispatch => ({
  input,
  fence,
  content: "work",
  deadline: undefined,
  overlay: undefined,
  memos: {}
})

describe("a dispatch", () => {
  it("under the live fence is delivered, once a fence however often it is told", () => {
    const door = new Door().bound(2)
    expect(door.dispatched(2).said).toEqual(["deliver 2"])
    expect(door.dispatched(2).said).toEqual([])
    expect(door.bound(3).said).toEqual(["owner: reincarnated 3 nothing", "owners: who"])
    expect(door.dispatched(3).said).toEqual(["deliver 3"])
    expect(door.dispatched(3).said).toEqual([])
  })

  it("R4 waits while no incarnation is up, and while it is sent to a newer one than is known", () => {
    const door = new Door()
    expect(door.dispatched(2).said).toEqual([])
    door.hears({ type: "incarnate", generation: 1, fence: 2 })
    expect(door.dispatched(2, check).said).toEqual([])
    expect(door.hears({ type: "connected", fence: 2, observed: [] }).said).toEqual([
      "deliver 2",
      "deliver 2",
      "owners: who"
    ])
    expect(new Door().bound(2).dispatched(3).said).toEqual([])
  })

  it("18 waits in the order it was dispatched", () => {
    const door = new Door().dispatched(2, check).dispatched(2, ask)
    door.bound(2)
    expect(
      door.sends.flatMap((
        send
      ) => (send.to === "connection" && send.message.type === "deliver" ? send.message.dispatch.input : []))
    )
      .toEqual([check, ask])
  })

  it("28 under a stale roster view is answered reincarnated, neither dropped nor delivered", () => {
    const door = new Door().bound(3)
    expect(door.dispatched(2).said).toEqual(["owner: reincarnated 3 nothing"])
    expect(door.dispatched(3).said).toEqual(["deliver 3"])
  })

  it("an old one that arrives after its redelivery is not delivered again", () => {
    const door = new Door().bound(3).dispatched(3)
    expect(door.dispatched(2).said).toEqual(["owner: reincarnated 3 running"])
    expect(door.dispatched(3).said).toEqual([])
  })

  it("that an incarnation runs already is delivered under the new fence, for the bridge to deduplicate", () => {
    const door = new Door().bound(3, [{ input: ask, state: "running" }])
    expect(door.said).toEqual(["owner: reincarnated 3 running", "owners: who"])
    expect(door.dispatched(3).said).toEqual(["deliver 3"])
  })
})

describe("an outcome", () => {
  it("R6 is held until it is settled, and said again to an owner that starts", () => {
    const door = new Door().bound(2).dispatched(2)
    expect(door.ended(2).said).toEqual(["owner: outcome 2"])
    expect(door.hears({ type: "owner_started", owner }).said).toEqual(["owner: outcome 2"])
    expect(door.hears({ type: "settled", input: ask }).said).toEqual(["connection: settled"])
    expect(door.hears({ type: "owner_started", owner }).said).toEqual([])
  })

  it("28 that is said twice is one outcome", () => {
    const door = new Door().bound(2).dispatched(2).ended(2)
    expect(door.ended(2).said).toEqual([])
    expect(door.dead).toBe(1)
  })

  it("28 survives a crash of the member between outcome and settled", () => {
    const door = new Door().bound(2).dispatched(2).ended(2)
    expect(door.hears({ type: "exited", fence: 2, exit }).said).toEqual(["mob: lost 2"])
    expect(door.bound(3).said).toEqual(["owner: reincarnated 3 outcome", "owners: who"])
    expect(door.dispatched(3).said).toEqual(["owner: outcome 3"])
  })

  it("R5 of an earlier connection is a dead letter", () => {
    const door = new Door().bound(2).dispatched(2)
    door.hears({ type: "exited", fence: 2, exit })
    door.bound(3)
    expect(door.ended(2).said).toEqual([])
    expect(door.dead).toBe(1)
  })

  it("R5 that the last incarnation gave before it was seen to go still counts", () => {
    const door = new Door().bound(2).dispatched(2)
    door.hears({ type: "exited", fence: 2, exit })
    expect(door.ended(2).said).toEqual(["owner: outcome 2"])
  })

  it("R5 that the member keeps is reported under the new fence at a binding", () => {
    const door = new Door().bound(3, [{ input: ask, state: "ended", outcome }])
    expect(door.said).toEqual(["owner: reincarnated 3 outcome", "owners: who"])
    expect(door.dispatched(3).said).toEqual(["owner: outcome 3"])
  })

  it("R7 that is stale is forgotten, and never settled with the member", () => {
    const door = new Door().bound(2).dispatched(2).ended(2)
    expect(door.hears({ type: "stale", input: ask, fence: 2, current: 3 }).said).toEqual([])
    expect(door.hears({ type: "owner_started", owner }).said).toEqual([])
  })

  it("goes to the owner that its input names, if nobody dispatched it to this door", () => {
    const door = new Door().bound(2)
    door.ended(2, workInput(w1, "a"))
    expect(door.sends).toMatchObject([{ to: "owner", owner: "inbox/w-1" }])
    door.ended(2, ask)
    expect(door.sends).toMatchObject([{ to: "owner", owner: "run/r-1" }])
  })
})

describe("a detached turn", () => {
  const detach = { type: "detach", owner, input: ask } as const

  it("R10 that was never delivered leaves the queue and is ended", () => {
    const door = new Door().dispatched(2)
    expect(door.hears(detach).said).toEqual(["owner: ended"])
    expect(door.bound(2).said).toEqual(["owners: who"])
  })

  it("R10 that runs goes on; its outcome goes to the owner, who records its end", () => {
    const door = new Door().bound(2).dispatched(2)
    expect(door.hears(detach).said).toEqual([])
    expect(door.ended(2).said).toEqual(["owner: outcome 2"])
  })

  it("R10 that has an outcome, or is unknown, is answered at once", () => {
    expect(new Door().bound(2).dispatched(2).ended(2).hears(detach).said).toEqual(["owner: outcome 2"])
    expect(new Door().hears(detach).said).toEqual(["owner: ended"])
  })
})

describe("an incarnation", () => {
  it("R4 is bound once a fence, and never under an older one", () => {
    const door = new Door(4)
    expect(door.hears({ type: "incarnate", generation: 4, fence: 4 }).said).toEqual([])
    expect(door.hears({ type: "incarnate", generation: 5, fence: 5 }).said).toEqual(["connection: bind"])
    expect(door.hears({ type: "incarnate", generation: 5, fence: 5 }).said).toEqual([])
  })

  it("that goes is told to the mob, and told again when the mob starts again", () => {
    const door = new Door().bound(2)
    expect(door.hears({ type: "mob_started" }).said).toEqual([])
    door.hears({ type: "exited", fence: 2, exit })
    expect(door.sends).toEqual([
      { to: "mob", message: { type: "incarnation_lost", identity: "w-1", fence: 2, exit } }
    ])
    expect(door.hears({ type: "mob_started" }).said).toEqual(["mob: lost 2"])
  })

  it("that could not be started is one that goes", () => {
    const door = new Door().hears({ type: "incarnate", generation: 1, fence: 2 })
    expect(door.hears({ type: "exited", fence: 2, exit }).said).toEqual(["mob: lost 2"])
  })

  it("that went long ago is a dead letter", () => {
    const door = new Door().bound(2).bound(3)
    expect(door.hears({ type: "exited", fence: 2, exit }).said).toEqual([])
    expect(door.hears({ type: "connected", fence: 2, observed: [] }).said).toEqual([])
    expect(door.dead).toBe(2)
  })
})

describe("a door that starts", () => {
  it("R4 asks all owners; after another door it also asks the mob, for the old incarnation went with that", () => {
    expect(new Door(0).starts().said).toEqual(["owners: who"])
    expect(new Door(4).starts().said).toEqual(["owners: who", "mob: lost 4"])
  })

  it("R8 in a retiring member goes on with that", () => {
    const door = new Door(4, "retiring").starts()
    expect(door.said).toEqual(["owners: who", "inbox: close"])
    expect(door.hears({ type: "inbox_closed", abandoned: 0 }).said).toEqual(["mob: drained"])
  })
})

describe("retire", () => {
  const retire = { type: "retire", generation: 2 } as const

  it("R8 answers queued, running and later dispatches, and is drained when owners and inbox are done", () => {
    const door = new Door().bound(2).dispatched(2, ask).dispatched(3, check)
    expect(door.hears(retire).said).toEqual([
      "owner: member_retired",
      "owner: member_retired",
      "owners: who",
      "inbox: close"
    ])
    const later = InputId.make("r-2/ask/0/w-1/1")
    expect(door.dispatched(2, later, "run/r-2").said).toEqual(["owner: member_retired"])
    expect(door.hears({ type: "inbox_closed", abandoned: 4 }).said).toEqual([])
    for (const input of [ask, check]) door.hears({ type: "settled", input })
    expect(door.hears({ type: "settled", input: later }).said).toEqual(["connection: settled", "connection: close"])
    door.hears({ type: "exited", fence: 2, exit })
    expect(door.sends).toEqual([
      { to: "mob", message: { type: "drained", identity: "w-1", generation: 2, abandoned: 4 } }
    ])
  })

  it("R8 is drained once, and again when the mob asks again", () => {
    const door = new Door().hears(retire).hears({ type: "inbox_closed", abandoned: 0 })
    expect(door.said).toEqual(["mob: drained"])
    expect(door.hears({ type: "settled", input: ask }).said).toEqual([])
    expect(door.hears(retire).said).toEqual(["owners: who", "inbox: close", "mob: drained"])
    expect(door.hears({ type: "mob_started" }).said).toEqual(["mob: drained"])
  })

  it("starts no incarnation, and takes down one that comes up late", () => {
    const door = new Door().hears({ type: "incarnate", generation: 2, fence: 2 }).hears(retire)
    expect(door.hears({ type: "inbox_closed", abandoned: 0 }).said).toEqual(["connection: close"])
    expect(door.hears({ type: "connected", fence: 2, observed: [] }).said).toEqual(["connection: close"])
    expect(door.hears({ type: "incarnate", generation: 3, fence: 3 }).said).toEqual([])
  })

  it("R8 a member that is gone answers every dispatch retired, every detached turn ended", () => {
    const door = new Door().hears({ type: "retired", generation: 1 })
    expect(door.dispatched(9).said).toEqual(["owner: member_retired"])
    expect(door.hears({ type: "detach", owner, input: ask }).said).toEqual(["owner: ended"])
    expect(door.state.entries.size).toBe(0)
  })

  it("says again that it retires to an owner that starts, after the outcome it holds", () => {
    const door = new Door().bound(2).dispatched(2).ended(2).hears(retire)
    expect(door.hears({ type: "owner_started", owner }).said).toEqual(["owner: outcome 2", "owner: member_retired"])
  })

  it("hears nothing that was meant for an earlier generation of its name", () => {
    const door = new Door()
    door.state = doorInitial({ identity: w1, phase: "active", generation: 3, fence: 0 })
    for (
      const message of [retire, { type: "retired", generation: 2 }, {
        type: "broken",
        generation: 2,
        reason: ""
      }] as const
    ) {
      expect(door.hears(message).said).toEqual([])
    }
    expect(door.hears({ type: "incarnate", generation: 2, fence: 2 }).said).toEqual([])
    expect(door.state.phase).toBe("active")
  })
})

describe("a broken member", () => {
  it("fails what it has and what comes, with the cause", () => {
    const door = new Door().dispatched(2).hears({ type: "broken", generation: 1, reason: "no file" })
    expect(door.sends).toMatchObject([{ message: { code: "member_broken", reason: "member w-1 is broken: no file" } }])
    expect(door.dispatched(2, check).said).toEqual(["owner: member_broken"])
    expect(door.hears({ type: "incarnate", generation: 3, fence: 3 }).said).toEqual([])
  })

  it("that still has a connection loses it, and can retire", () => {
    const door = new Door().bound(2).hears({ type: "broken", generation: 2, reason: "no file" })
    expect(door.said).toEqual(["connection: close"])
    expect(door.hears({ type: "exited", fence: 2, exit }).said).toEqual([])
    door.hears({ type: "retire", generation: 2 })
    expect(door.hears({ type: "inbox_closed", abandoned: 0 }).said).toEqual(["mob: drained"])
  })
})

describe("a stopped mob (R17)", () => {
  const work = workInput(w1, "a")

  it("delivers nothing more from the inbox; running turns end and their outcomes count", () => {
    const door = new Door().bound(2).dispatched(2, work, "inbox/w-1").hears({ type: "pause" })
    expect(door.dispatched(2, workInput(w1, "b"), "inbox/w-1").said).toEqual([])
    expect(door.ended(2, work).said).toEqual(["owner: outcome 2"])
  })

  it("delivers what waits at resume, in order, once", () => {
    const door = new Door().hears({ type: "pause" }).bound(2)
    for (const ref of ["b", "a"]) door.dispatched(2, workInput(w1, ref), "inbox/w-1")
    expect(door.hears({ type: "resume" }).said).toEqual(["deliver 2", "deliver 2"])
    expect(door.hears({ type: "resume" }).said).toEqual([])
  })

  it("holds inbox work across a new incarnation too", () => {
    const door = new Door().hears({ type: "pause" }).dispatched(2, work, "inbox/w-1")
    expect(door.bound(2).said).toEqual(["owners: who"])
    expect(door.hears({ type: "resume" }).said).toEqual(["deliver 2"])
  })
})
