/**
 * The cell of a member: the door to its bridge, and the only writer of its inbox. The door's state is in memory alone
 * and made anew with the cell; the inbox is durable. It decides nothing itself: the door machine and the inbox machine
 * do.
 */
import { type Cause, Effect, Exit } from "effect"
import type { ProcessRecord } from "../../sdk/bridge.ts"
import type { Content } from "../../sdk/content.ts"
import type { Fence, Generation, Identity, Millis } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import type { Outcome } from "../../sdk/outcome.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import type { ActorRef, Reply } from "../actor/index.ts"
import type { Aggregate } from "../journal/aggregate.ts"
import { type Abandoned, durable, type DurableContext, type Release, type Step } from "../journal/durable.ts"
import { decideDoor, type DoorDecision, doorInitial, type DoorState, startDoor } from "../machine/door/index.ts"
import {
  decideInbox,
  decodeInbox,
  decodeInboxFact,
  encodeInbox,
  evolveInbox,
  type InboxCommand,
  type InboxFact,
  inboxInitial,
  type InboxState,
  nextDeadline,
  projectInbox,
  workOutcome
} from "../machine/inbox/index.ts"
import type { MemberState } from "../machine/mob/index.ts"
import {
  inboxAggregate,
  type Refusal,
  type Send,
  type ToDoor,
  type ToInbox,
  type ToOwner
} from "../machine/protocol.ts"
import type { AnyBridge } from "../plugin/index.ts"
import { Connection } from "./connection.ts"

/** Work as its acceptance answers it. */
export interface Accepted {
  readonly work_ref: string
  readonly existing: boolean
}

/** Why a member's cell has no answer to trust. */
export type MemberFailed =
  | { readonly _tag: "Refused"; readonly refusal: Refusal }
  | { readonly _tag: "Lost"; readonly abandoned: Abandoned }

/** To the cell of a member. */
export type MemberMessage =
  | { readonly type: "door"; readonly message: ToDoor }
  | { readonly type: "owner"; readonly message: ToOwner }
  | { readonly type: "inbox"; readonly message: ToInbox }
  | {
    readonly type: "submit"
    readonly work_ref: string
    readonly key: string | undefined
    readonly content: Content
    readonly timeout: number | undefined
    readonly generation: Generation
    readonly fence: Fence
    readonly reply: Reply<Accepted, MemberFailed>
  }
  /** Answered when the work has its outcome; with undefined if no such work is known. */
  | { readonly type: "outcome"; readonly work_ref: string; readonly reply: Reply<Outcome | undefined, MemberFailed> }
  /** Whoever asked for that outcome waits no more. */
  | { readonly type: "forget"; readonly work_ref: string; readonly reply: Reply<Outcome | undefined, MemberFailed> }
  | { readonly type: "deadline" }
  | { readonly type: "bind_overdue" }

/** What surrounds a member. */
export interface MemberSurroundings {
  readonly log: MobLog
  readonly identity: Identity
  /** As it stands in the committed roster now. */
  readonly member: () => MemberState
  readonly base: string
  /** Undefined if its profile names no bridge that is there: the member cannot be started. */
  readonly connector: { readonly bridge: AnyBridge; readonly config: Json } | undefined
  readonly send: (send: Send) => void
  /** Asks the mob to record a child process; `refused` means that the incarnation does not count any more. */
  readonly recordProcess: (
    fence: Fence,
    process: ProcessRecord,
    done: (came: "committed" | "refused" | "unknown") => void
  ) => void
  readonly born: (self: ActorRef<MemberMessage>) => void
  readonly deadLetter: () => void
  /** The cell crashed, or could not be started. */
  readonly crashed: (cause: Cause.Cause<unknown>) => void
  readonly closed: (error: StoreError) => void
}

/** The inbox machine as an aggregate of the log. */
export const inboxAggregateOf = (identity: Identity): Aggregate<InboxState, InboxFact> => ({
  name: inboxAggregate(identity),
  evolve: (state, fact) => evolveInbox(state ?? inboxInitial(identity), fact),
  project: (before, fact) => projectInbox(before ?? inboxInitial(identity), fact),
  encode: encodeInbox,
  decode: decodeInbox,
  decodeFact: decodeInboxFact,
  // A member that went needs none of its history any more; one that comes back goes on from the head.
  isTerminal: (state) => state.over
})

/** Makes the cell of one member. */
export const memberCell = (around: MemberSurroundings) => {
  let first = true
  return durable<InboxState, InboxFact, MemberMessage>({
    log: around.log,
    aggregate: inboxAggregateOf(around.identity),
    closed: around.closed,
    crashed: around.crashed,
    behavior: (context) => {
      // The first door since the mob was opened has bound nothing; one that follows a crashed one must not bind again.
      const { fence, ...member } = around.member()
      const door = doorInitial({ ...member, fence: first ? 0 : fence })
      first = false
      return behavior(around, context, door)
    },
    cell: {
      name: `member ${around.identity}`,
      restart: "permanent",
      mailbox: { capacity: Number.MAX_SAFE_INTEGER, overflow: "fail" },
      replyOf: (message) =>
        "reply" in message && message.type !== "forget"
          ? { done: () => message.reply.done(Exit.fail(stopped)) }
          : undefined
    }
  })
}

/** The cell went, or crashed on the very message: its asker cannot know what came of it. */
const stopped: MemberFailed = { _tag: "Lost", abandoned: { _tag: "CellStopped", reason: { _tag: "Shutdown" } } }

const behavior = (
  around: MemberSurroundings,
  { cell }: DurableContext<MemberMessage>,
  firstDoor: DoorState
) => {
  const { identity } = around
  const initial = inboxInitial(identity)
  const waiting = new Map<string, Set<Reply<Outcome | undefined, MemberFailed>>>()
  const connection = new Connection(around, cell)
  let door = firstDoor
  let committed = initial
  let armed: Millis | undefined
  around.born(cell.self)

  const nothing: Step<InboxFact> = { facts: [], releases: [] }

  const release = (send: Send): Release => ({ release: () => around.send(send) })

  /** A door has nothing to commit: what it says is said at once. */
  const byDoor = ({ dead, sends, state }: DoorDecision): Step<InboxFact> => {
    door = state
    if (dead) around.deadLetter()
    for (const send of sends) {
      if (send.to === "connection") connection.tell(send.message)
      else around.send(send)
    }
    return nothing
  }

  const toInbox = (state: InboxState | undefined, command: InboxCommand): Step<InboxFact> => {
    const decided = decideInbox(state ?? initial, command)
    // A submit alone can be refused, and answers for itself.
    if (decided.refused) return nothing
    const releases = decided.sends.map(release)
    // Who waits by then is not known yet: a question may be behind a turn that is in flight.
    for (const fact of decided.facts) {
      if (fact.type === "work_completed" || fact.type === "work_timed_out") {
        releases.push({ release: () => tellWaiting(fact.work_ref) })
      } else if (fact.type === "inbox_closed") releases.push({ release: tellAll })
    }
    return { facts: decided.facts, releases }
  }

  /** Answers those who wait for this work, if its end is committed. */
  const tellWaiting = (work_ref: string) => {
    const replies = waiting.get(work_ref)
    if (replies === undefined) return
    const found = workOutcome(committed, work_ref)
    if (found === "pending") return
    waiting.delete(work_ref)
    for (const reply of replies) reply.done(Exit.succeed(found))
  }

  const tellAll = () => {
    for (const work_ref of waiting.keys()) tellWaiting(work_ref)
  }

  const arm = (due: Millis | undefined, now: Millis) => {
    if (due === armed) return
    armed = due
    if (due === undefined) cell.cancelTimer("deadline")
    else cell.setTimer("deadline", Math.max(0, due - now), { type: "deadline" })
  }

  const lost = (reply: Reply<never, MemberFailed>) => (abandoned: Abandoned) =>
    reply.done(Exit.fail({ _tag: "Lost", abandoned }))

  const submit = (
    state: InboxState | undefined,
    message: Extract<MemberMessage, { type: "submit" }>,
    now: Millis
  ): Step<InboxFact> => {
    const { content, fence, generation, key, reply, timeout, work_ref } = message
    const deadline = timeout === undefined ? undefined : now + timeout
    const decided = decideInbox(state ?? initial, {
      type: "submit",
      work_ref,
      key,
      content,
      deadline,
      generation,
      fence
    })
    const abandon = lost(reply)
    if (decided.refused) {
      const refusal = { ...decided, facts: { mob: around.log.mob, ...decided.facts } }
      return { facts: [], releases: [{ release: () => reply.done(Exit.fail({ _tag: "Refused", refusal })), abandon }] }
    }
    const answer = decided.reply
    if (deadline !== undefined && decided.facts.length > 0 && (armed === undefined || deadline < armed)) {
      arm(deadline, now)
    }
    return {
      facts: decided.facts,
      releases: [
        ...decided.sends.map(release),
        {
          release: () => {
            if (answer.type === "accepted") {
              reply.done(Exit.succeed({ work_ref: answer.work_ref, existing: answer.existing }))
            }
          },
          abandon
        }
      ]
    }
  }

  const outcome = (work_ref: string, reply: Reply<Outcome | undefined, MemberFailed>): Release => ({
    release: () => {
      const found = workOutcome(committed, work_ref)
      if (found !== "pending") reply.done(Exit.succeed(found))
      else waiting.set(work_ref, (waiting.get(work_ref) ?? new Set()).add(reply))
    },
    abandon: lost(reply)
  })

  return {
    started: (state: InboxState | undefined, now: Millis): Step<InboxFact> => {
      arm(state === undefined ? undefined : nextDeadline(state), now)
      byDoor(startDoor(door))
      // After a failed commit an end may be on disk all the same.
      tellAll()
      return toInbox(state, { type: "started" })
    },
    handle: (state: InboxState | undefined, message: MemberMessage, now: Millis): Step<InboxFact> => {
      switch (message.type) {
        case "door":
          return byDoor(decideDoor(door, message.message))
        case "owner":
          return toInbox(state, { type: "message", message: message.message })
        case "inbox":
          return toInbox(state, message.message)
        case "submit":
          return submit(state, message, now)
        case "outcome":
          return { facts: [], releases: [outcome(message.work_ref, message.reply)] }
        case "forget": {
          const replies = waiting.get(message.work_ref)
          if (replies?.delete(message.reply) === true && replies.size === 0) waiting.delete(message.work_ref)
          return nothing
        }
        case "bind_overdue":
          connection.overdue()
          return nothing
        case "deadline": {
          armed = undefined
          const step = toInbox(state, { type: "tick", at: now })
          // What was late is not unfinished any more once the facts below are folded.
          const after = step.facts.reduce((it: InboxState, fact) => evolveInbox(it, fact), state ?? initial)
          arm(nextDeadline(after), now)
          return step
        }
      }
    },
    committed: (state: InboxState) => {
      committed = state
    },
    stopped: () =>
      Effect.sync(() => {
        for (const replies of waiting.values()) {
          for (const reply of replies) reply.done(Exit.fail(stopped))
        }
      })
  }
}
