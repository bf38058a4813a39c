/**
 * The model can fail: without one rule of the protocol, or one clause of a machine, a search finds what breaks.
 */
import { describe, expect, it } from "vitest"
import { decideDoor, type DoorDecision, type DoorState } from "../../core/machine/door/index.ts"
import { decideMob } from "../../core/machine/mob/index.ts"
import type { Send, ToDoor } from "../../core/machine/protocol.ts"
import { DURABLE_REMOTE, NONE, step, work } from "./configurations.ts"
import { modelOf } from "./model.ts"
import { smallRuns } from "./run-owner.ts"
import { search } from "./search.ts"
import { RULES, type Rules } from "./system.ts"
import type { Config } from "./world.ts"

const LIMIT = 150_000

/** A door that leaves out messages, or does not hear some. */
const door = (change: {
  readonly hears?: (state: DoorState, message: ToDoor) => boolean
  readonly says?: (send: Send) => Send | undefined
}): Rules["decideDoor"] =>
(state, message): DoorDecision => {
  if (change.hears?.(state, message) === false) return { state, sends: [], dead: false }
  const decision = decideDoor(state, message)
  const sends = decision.sends.flatMap((send) => (change.says === undefined ? send : change.says(send) ?? []))
  return { ...decision, sends }
}

const muteMob = (mute: (message: ToDoor) => boolean): Rules["decideMob"] => (state, command) => {
  const decision = decideMob(state, command)
  if (decision.refused || command.type !== "opened" || decision.facts.length > 0) return decision
  return { ...decision, sends: decision.sends.filter((send) => send.to !== "door" || !mute(send.message)) }
}

const unasked = (send: Send): Send | undefined => (send.to === "owners" ? undefined : send)

const without: ReadonlyArray<readonly [string, Partial<Rules>, ReadonlyArray<Config>]> = [
  ["R1 a cell that loads again does not tell again", { retells: false }, [step(NONE, { fail: 1 })]],
  ["R1 a cell loads without awaiting its own batch", { barrier: false }, [step(NONE, { runCell: 1 })]],
  ["R2 a turn without facts does not keep its place", { keepsPlace: false }, [
    step(NONE, { cancel: 2, crash: 1 }),
    work(DURABLE_REMOTE, { duplicate: 1, crash: 1 })
  ]],
  ["effects come before the commit", { commitsFirst: false }, [step(NONE, { crash: 1 })]],
  ["R3 messages overtake each other", { inOrder: false }, [step(NONE, { member: 1 }), step(NONE, { retire: 1 })]],
  ["R4 a dispatch under an older fence is dropped, owners are not asked", {
    decideDoor: door({
      hears: (state, message) => message.type !== "dispatch" || message.dispatch.fence >= state.fence,
      says: unasked
    })
  }, [step(NONE, { member: 1 })]],
  ["R4 a dispatch under a newer fence is dropped", {
    decideDoor: door({
      hears: (state, message) => message.type !== "dispatch" || state.up && message.dispatch.fence <= state.fence,
      says: unasked
    })
  }, [step(NONE, {}), step(NONE, { crash: 1 })]],
  ["R4 a door that starts or binds does not ask the owners", {
    decideDoor: door({ says: unasked }),
    startDoor: (state) => ({
      ...RULES.startDoor(state),
      sends: RULES.startDoor(state).sends.filter((it) => it.to !== "owners")
    })
  }, [step(NONE, { memberCell: 1 })]],
  ["R4 a door that follows another does not know what was bound", { knowsBound: false }, [
    step(NONE, { memberCell: 1 })
  ]],
  ["R4 a mob that loads again does not know whether it gave its fences in this process", {
    decideMob: (state, command) =>
      decideMob(
        state,
        command.type === "opened" && state !== undefined && state.next_fence > 2
          ? { ...command, epoch: state.epoch }
          : command
      )
  }, [step(NONE, { crash: 1, fail: 1 })]],
  ["R6 held outcomes are not said again to an owner that starts", {
    decideDoor: door({ hears: (_, message) => message.type !== "owner_started" })
  }, [step(NONE, { fail: 1 })]],
  ["R7 an owner that has not started counts as gone", { awaitsOwners: false }, [step(DURABLE_REMOTE, { crash: 1 })]],
  ["R8 a member that is gone does not answer dispatches", {
    decideDoor: door({ hears: (state, message) => message.type !== "dispatch" || state.phase !== "retired" })
  }, [step(NONE, { retire: 1 })]],
  ["R8 a retire is not driven again when the mob starts", {
    decideMob: muteMob((message) => message.type === "retire" || message.type === "retired")
  }, [step(NONE, { retire: 1, fail: 1 })]],
  ["R9 stop asks the tip of a run", { committedPhases: false }, [
    step(NONE, { stop: 1, fail: 1 }),
    step(NONE, { stop: 1, crash: 1 })
  ]],
  ["R10 a run that is over takes no end of a detached turn", {
    run: {
      ...smallRuns,
      decide: (plans, index, state, command, roster) => {
        const decision = smallRuns.decide(plans, index, state, command, roster)
        const over = smallRuns.view(state).phase !== "running"
        return { ...decision, facts: decision.facts.filter((fact) => fact.type !== "ended" || !over) }
      }
    }
  }, [step(NONE, { timeout: 1 })]],
  ["a mob speaks to the door of an earlier generation", {
    decideDoor: (state, message) =>
      decideDoor(
        state,
        "generation" in message ? { ...message, generation: Math.max(message.generation, state.generation) } : message
      )
  }, [step(NONE, { retire: 1, spawn: 1 })]],
  ["a resume is not told again", {
    decideMob: muteMob((message) => message.type === "resume")
  }, [work(NONE, { stop: 1, resume: 1, fail: 1 })]]
]

describe("without one of its rules the protocol breaks", () => {
  it.each(without)("%s", (_, change, configs) => {
    const found = configs.map((config) => search(modelOf(config, { ...RULES, ...change }), LIMIT).violation?.what)
    expect(found.find((what) => what !== undefined)).toMatch(/^(I\d+|R4) /)
  })
})
