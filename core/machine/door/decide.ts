/**
 * What a member's door does with a message. It compares fences, hands each input to the connection at most once a
 * fence, holds outcomes until their owners have them, and says what became of an input when its member was born again.
 */
import type { Known } from "../../../sdk/bridge.ts"
import type { Fence, Generation, InputId } from "../../../sdk/ids.ts"
import type { Outcome } from "../../../sdk/outcome.ts"
import { Buckets } from "../buckets.ts"
import {
  type Dispatch,
  inboxAggregate,
  type KnownFate,
  type Owner,
  ownerOf,
  type Send,
  type ToConnection,
  type ToDoor,
  type ToMob,
  type ToOwner
} from "../protocol.ts"
import type { DoorEntry, DoorState } from "./state.ts"

/** A door after a message. Its sends are released at once; the door has nothing to commit. */
export interface DoorDecision {
  readonly state: DoorState
  readonly sends: ReadonlyArray<Send>
  /** The message came too late (an event of an earlier connection); count it. */
  readonly dead: boolean
}

type MessageOf<Type extends ToDoor["type"]> = Extract<ToDoor, { readonly type: Type }>

/** Decides one message. */
export const decideDoor = (state: DoorState, message: ToDoor): DoorDecision => {
  switch (message.type) {
    case "dispatch":
      return dispatched(state, message)
    case "turn_ended":
      return turnEnded(state, message)
    case "settled":
      return settled(state, message.input)
    case "stale":
      return staled(state, message)
    case "detach":
      return detached(state, message)
    case "owner_started":
      return decision(state, inOrder(state).filter(({ owner }) => owner === message.owner).flatMap(heldFor(state)))
    case "incarnate":
      return incarnate(state, message)
    case "connected":
      return connected(state, message)
    case "exited":
      return exited(state, message)
    case "mob_started":
      return lastWord({ ...state, drained: false }, lost(state))
    case "broken":
      return stale(state, message) ? decision(state) : broken(state, message.reason)
    case "retire":
      return stale(state, message) ? decision(state) : retire({ ...state, generation: message.generation })
    case "retired":
      if (stale(state, message)) return decision(state)
      return decision({ ...state, phase: "retired", entries: Buckets.empty(), claims: 0, up: false, fence: 0 })
    case "inbox_closed":
      return lastWord({ ...state, abandoned: message.abandoned })
    case "pause":
      return decision(state.paused ? state : { ...state, paused: true })
    case "resume":
      return resume(state)
  }
}

/**
 * What a door says when its cell starts: it asks the owners (R4), and a door that follows another one asks the mob
 * for an incarnation, because the one before went down with it. The first door of a mob's opening is told by the mob.
 */
export const startDoor = (state: DoorState): DoorDecision => {
  if (state.phase === "retired") return decision(state)
  if (state.phase === "retiring") return retire(state)
  return decision(state, state.last === 0 ? [who(state)] : [who(state), ...lost(state)])
}

/** Whether the mob said it of an earlier generation of this identity, to a door that is no more. */
const stale = (state: DoorState, message: { readonly generation: Generation }): boolean =>
  message.generation < state.generation

const decision = (state: DoorState, sends: ReadonlyArray<Send> = [], dead = false): DoorDecision => ({
  state,
  sends,
  dead
})

const toOwner = (owner: Owner, message: ToOwner): Send => ({ to: "owner", owner, message })
const toMob = (message: ToMob): Send => ({ to: "mob", message })
const toConnection = (state: DoorState, message: ToConnection): Send => ({
  to: "connection",
  identity: state.identity,
  message
})
const who = (state: DoorState): Send => ({ to: "owners", message: { type: "who", identity: state.identity } })

const inOrder = (state: DoorState): ReadonlyArray<DoorEntry> =>
  [...state.entries.values()].sort((a, b) => a.order - b.order)

/** What stands in `entries` under `input`, or a new entry for it. */
const entryOf = (state: DoorState, input: InputId, owner?: Owner): DoorEntry =>
  state.entries.get(input) ?? {
    input,
    owner: owner ?? ownerOf(state.identity, input),
    order: state.next_order,
    dispatch: undefined,
    delivered: 0,
    observed: 0,
    outcome: undefined
  }

/** With this entry; counts its claim. */
const withEntry = (state: DoorState, entry: DoorEntry): DoorState => {
  const before = state.entries.get(entry.input)
  const claimed = (entry.dispatch === undefined ? 0 : 1) - (before?.dispatch === undefined ? 0 : 1)
  return {
    ...state,
    entries: state.entries.set(entry.input, entry),
    next_order: before === undefined ? state.next_order + 1 : state.next_order,
    claims: state.claims + claimed
  }
}

const without = (state: DoorState, input: InputId): DoorState => {
  const before = state.entries.get(input)
  if (before === undefined) return state
  const claims = before.dispatch === undefined ? state.claims : state.claims - 1
  return { ...state, entries: state.entries.delete(input), claims }
}

/** Whether the live incarnation runs it, for all we know. */
const runs = (state: DoorState, entry: DoorEntry): boolean =>
  state.up && (entry.delivered === state.fence || entry.observed === state.fence)

const fateOf = (state: DoorState, entry: DoorEntry): KnownFate => {
  if (entry.outcome !== undefined) return { state: "outcome", outcome: entry.outcome.outcome }
  return { state: runs(state, entry) ? "running" : "nothing" }
}

const outcomeOf = (entry: DoorEntry, held: { readonly fence: Fence; readonly outcome: Outcome }): Send =>
  toOwner(entry.owner, { type: "outcome", input: entry.input, fence: held.fence, outcome: held.outcome })

const reincarnated = (state: DoorState, entry: DoorEntry): Send =>
  toOwner(entry.owner, {
    type: "reincarnated",
    input: entry.input,
    fence: state.fence,
    known: fateOf(state, entry)
  })

const refused = (state: DoorState, entry: DoorEntry): Send => {
  const { input } = entry
  const message: ToOwner = state.phase === "broken"
    ? { type: "retiring", input, code: "member_broken", reason: `member ${state.identity} is broken: ${state.reason}` }
    : { type: "retiring", input, code: "member_retired", reason: `member ${state.identity} retires` }
  return toOwner(entry.owner, message)
}

const dispatched = (state: DoorState, { owner, dispatch }: MessageOf<"dispatch">): DoorDecision => {
  const { input, fence } = dispatch
  const entry = entryOf(state, input, owner)
  if (state.phase === "retired") return decision(state, [refused(state, entry)])
  const claimed = { ...entry, owner, dispatch: entry.dispatch ?? dispatch }
  if (state.phase !== "active") return decision(withEntry(state, claimed), [refused(state, claimed)])
  const newer = entry.dispatch === undefined || fence >= entry.dispatch.fence ? { ...claimed, dispatch } : claimed
  // Without a live incarnation it waits.
  if (!state.up) return decision(withEntry(state, newer))
  // Its owner has not heard of this incarnation: it decides before anything is delivered.
  if (fence < state.fence) return decision(withEntry(state, newer), [reincarnated(state, newer)])
  return handOver(withEntry(state, newer), newer)
}

/**
 * An entry whose dispatch has the live fence: an outcome we hold answers it, else it is delivered, once. One that was
 * sent to a newer incarnation than we know waits for that.
 */
const handOver = (state: DoorState, entry: DoorEntry): DoorDecision => {
  const { dispatch } = entry
  if (dispatch?.fence !== state.fence || entry.delivered === state.fence) return decision(state)
  if (entry.outcome !== undefined) {
    const held = { ...entry.outcome, fence: state.fence }
    return decision(withEntry(state, { ...entry, delivered: state.fence, outcome: held }), [outcomeOf(entry, held)])
  }
  if (state.paused && entry.owner === inboxAggregate(state.identity)) return decision(state)
  return decision(withEntry(state, { ...entry, delivered: state.fence }), [deliver(state, dispatch)])
}

const deliver = (state: DoorState, dispatch: Dispatch): Send => toConnection(state, { type: "deliver", dispatch })

const turnEnded = (state: DoorState, { fence, input, outcome }: MessageOf<"turn_ended">): DoorDecision => {
  const entry = entryOf(state, input)
  const late = fence !== (state.fence === 0 ? state.last : state.fence)
  if (late || state.phase === "retired" || entry.outcome !== undefined && entry.outcome.fence >= fence) {
    return decision(state, [], true)
  }
  const held = { fence, outcome }
  return decision(withEntry(state, { ...entry, outcome: held }), [outcomeOf(entry, held)])
}

const settled = (state: DoorState, input: InputId): DoorDecision => {
  const sends = state.up ? [toConnection(state, { type: "settled", input })] : []
  return lastWord(without(state, input), sends)
}

const staled = (state: DoorState, { input, fence }: MessageOf<"stale">): DoorDecision => {
  const entry = state.entries.get(input)
  if (entry?.outcome?.fence !== fence) return decision(state)
  const kept = { ...entry, outcome: undefined }
  return decision(kept.dispatch === undefined ? without(state, input) : withEntry(state, kept))
}

const detached = (state: DoorState, { owner, input }: MessageOf<"detach">): DoorDecision => {
  const ended = toOwner(owner, { type: "ended", input })
  const entry = state.entries.get(input)
  if (entry === undefined) return decision(state, [ended])
  if (entry.outcome !== undefined) return decision(state, [outcomeOf(entry, entry.outcome)])
  if (runs(state, entry)) return decision(state)
  return lastWord(without(state, input), [ended])
}

/** What a door says again to an owner that started (R6). */
const heldFor = (state: DoorState) => (entry: DoorEntry): ReadonlyArray<Send> => {
  const { dispatch, outcome } = entry
  const sends: Array<Send> = []
  if (outcome !== undefined) {
    if (state.up && state.fence > outcome.fence) sends.push(reincarnated(state, entry))
    sends.push(outcomeOf(entry, outcome))
  } else if (state.up && dispatch !== undefined && dispatch.fence < state.fence) {
    sends.push(reincarnated(state, entry))
  }
  if (dispatch !== undefined && state.phase !== "active") sends.push(refused(state, entry))
  return sends
}

const incarnate = (state: DoorState, { generation, fence }: MessageOf<"incarnate">): DoorDecision => {
  if (state.phase !== "active" || fence <= state.last || generation < state.generation) return decision(state)
  const binding = { ...state, generation, fence, last: fence, up: false }
  return decision(binding, [toConnection(state, { type: "bind", generation, fence })])
}

const connected = (state: DoorState, { fence, observed }: MessageOf<"connected">): DoorDecision => {
  if (fence === 0 || fence !== state.fence) return decision(state, [], true)
  const up = { ...state, up: true }
  if (state.phase !== "active") return lastWord(up)
  const known = observed.reduce(observe, up)
  let next = known
  const sends: Array<Send> = []
  for (const entry of inOrder(known)) {
    if (entry.dispatch?.fence === fence) {
      const handed = handOver(next, entry)
      next = handed.state
      sends.push(...handed.sends)
    } else {
      sends.push(reincarnated(known, entry))
    }
  }
  return decision(next, [...sends, who(state)])
}

const observe = (state: DoorState, known: Known): DoorState => {
  const entry = entryOf(state, known.input)
  return withEntry(
    state,
    known.state === "running"
      ? { ...entry, observed: state.fence }
      : { ...entry, outcome: { fence: state.fence, outcome: known.outcome } }
  )
}

const exited = (state: DoorState, { fence, exit }: MessageOf<"exited">): DoorDecision => {
  if (fence === 0 || fence !== state.fence) return decision(state, [], true)
  const down = { ...state, fence: 0, up: false, exit }
  return lastWord(down, lost(down))
}

/** What a door without an incarnation asks of the mob. */
const lost = (state: DoorState): ReadonlyArray<Send> => {
  if (state.phase !== "active" || state.fence !== 0) return []
  return [toMob({ type: "incarnation_lost", identity: state.identity, fence: state.last, exit: state.exit })]
}

const close = (state: DoorState): ReadonlyArray<Send> =>
  state.fence === 0 ? [] : [toConnection(state, { type: "close" })]

const refuseAll = (state: DoorState): ReadonlyArray<Send> =>
  inOrder(state).filter(({ dispatch }) => dispatch !== undefined).map((entry) => refused(state, entry))

const broken = (state: DoorState, reason: string): DoorDecision => {
  if (state.phase !== "active" && state.phase !== "broken") return decision(state)
  const next: DoorState = { ...state, phase: "broken", reason }
  return decision(next, [...refuseAll(next), ...(state.phase === "active" ? close(next) : [])])
}

/** Also driven again by each `retire` (R8): all of it may be said any number of times. */
const retire = (state: DoorState): DoorDecision => {
  if (state.phase === "retired") return decision(state)
  const next: DoorState = { ...state, phase: "retiring", drained: false }
  const { identity, generation } = state
  return lastWord(next, [
    ...refuseAll(next),
    who(next),
    { to: "inbox", identity, message: { type: "close", generation } }
  ])
}

/**
 * A retiring door that holds nothing takes its connection down, and when that is gone it says `drained`. `sends` are
 * those of the message that led here.
 */
const lastWord = (state: DoorState, sends: ReadonlyArray<Send> = []): DoorDecision => {
  const { abandoned, generation, identity } = state
  if (state.phase !== "retiring" || state.claims > 0 || abandoned === undefined) return decision(state, sends)
  if (state.fence !== 0) return decision(state, [...sends, ...close(state)])
  if (state.drained) return decision(state, sends)
  const drained = toMob({ type: "drained", identity, generation, abandoned })
  return decision({ ...state, drained: true }, [...sends, drained])
}

const resume = (state: DoorState): DoorDecision => {
  if (!state.paused) return decision(state)
  let next: DoorState = { ...state, paused: false }
  const sends: Array<Send> = []
  if (state.up && state.phase === "active") {
    for (const entry of inOrder(state)) {
      if (entry.dispatch?.fence !== state.fence) continue
      const handed = handOver(next, entry)
      next = handed.state
      sends.push(...handed.sends)
    }
  }
  return decision(next, sends)
}
