/**
 * Who is where in one mob, in this process: the cells of its members and runs, and its committed roster. Routes what
 * machines send. A message to a cell that is not there is answered for it, as the protocol says: a door that is gone
 * answers `retiring`, a run that has no cell is woken.
 */
import { Cause, Exit } from "effect"
import type { Identity, RunId } from "../../sdk/ids.ts"
import type { ActorRef } from "../actor/index.ts"
import type { RunMessage } from "../flow/index.ts"
import type { Owner, RefusalCode, RosterView, Send, ToDoor, ToMob, ToOwner } from "../machine/protocol.ts"
import type { MemberMessage } from "../member/index.ts"

/** What the directory asks of its mob. */
interface DirectoryCalls {
  readonly toMob: (message: ToMob) => void
  /** Starts the cell of a run that has none; then `runBorn` or `runGone` is called. */
  readonly wake: (run: RunId) => void
  /** Makes the door of a member of the roster that has none; then `doorBorn` is called. */
  readonly join: (identity: Identity) => void
  /** The member is retired, and its door was told so: take the cell down. */
  readonly leave: (identity: Identity, door: ActorRef<MemberMessage>) => void
}

/** The switchboard of one mob. Not durable: rebuilt at every open. */
export class Directory {
  /** Replaced after each sync that changes it. */
  roster: RosterView = { version: 0, members: new Map() }
  /** Protocol messages that reached nobody. */
  deadLetters = 0
  readonly doors = new Map<Identity, ActorRef<MemberMessage>>()
  readonly runs = new Map<RunId, ActorRef<RunMessage>>()
  private readonly waking = new Map<RunId, Array<RunMessage>>()
  private readonly joining = new Map<Identity, Array<MemberMessage>>()
  private readonly calls: DirectoryCalls

  constructor(calls: DirectoryCalls) {
    this.calls = calls
  }

  readonly send = (send: Send): void => {
    switch (send.to) {
      case "mob":
        return this.calls.toMob(send.message)
      case "door":
        return this.toDoor(send.identity, send.message)
      case "owner":
        return this.toOwner(send.owner, send.message)
      case "inbox":
        return this.toMember(send.identity, { type: "inbox", message: send.message })
      case "run":
        if (send.message.type === "cancel") return this.toRun(send.run, { type: "cancel" })
        return this.startRun(send.run)
      case "owners": {
        for (const run of this.runs.values()) run.tellUnsafe({ type: "owner", message: send.message })
        if (send.message.type === "who") {
          this.doors.get(send.message.identity)?.tellUnsafe({ type: "owner", message: send.message })
        }
        return
      }
      case "connection":
        // A door's connection hangs at its own cell; nothing else may speak to it.
        this.deadLetters += 1
    }
  }

  private toDoor(identity: Identity, message: ToDoor) {
    const phase = this.roster.members.get(identity)?.phase
    if (phase !== undefined && phase !== "retired") return this.toMember(identity, { type: "door", message })
    const door = this.doors.get(identity)
    if (door !== undefined) {
      door.tellUnsafe({ type: "door", message })
      if (message.type === "retired") {
        this.doors.delete(identity)
        this.calls.leave(identity, door)
      }
    } else if (message.type === "dispatch") {
      const code: RefusalCode = phase === undefined ? "member_unknown" : "member_retired"
      const reason = phase === undefined ? `there is no member ${identity}` : `member ${identity} is retired`
      this.toOwner(message.owner, { type: "retiring", input: message.dispatch.input, code, reason })
    } else if (message.type === "detach") {
      this.toOwner(message.owner, { type: "ended", input: message.input })
    }
    // Anything else to a member that is gone says again what is done already.
  }

  /** Tells a member's cell something; a member without a cell joins first and hears it then. */
  toMember(identity: Identity, message: MemberMessage): void {
    const door = this.doors.get(identity)
    if (door !== undefined) {
      door.tellUnsafe(message)
      return
    }
    const queue = this.joining.get(identity)
    if (queue !== undefined) {
      queue.push(message)
      return
    }
    if (!this.roster.members.has(identity)) {
      this.deadLetters += 1
      return
    }
    this.joining.set(identity, [message])
    this.calls.join(identity)
  }

  /** The cell of a member exists. */
  doorBorn(identity: Identity, door: ActorRef<MemberMessage>): void {
    this.doors.set(identity, door)
    const queue = this.joining.get(identity)
    this.joining.delete(identity)
    for (const message of queue ?? []) door.tellUnsafe(message)
  }

  /** A member's cell could not be started: what waits for it is answered in its place; what comes next tries again. */
  doorGone(identity: Identity, reason: string): void {
    const queue = this.joining.get(identity)
    this.joining.delete(identity)
    this.doors.delete(identity)
    for (const message of queue ?? []) {
      this.deadLetters += 1
      this.answerFor(identity, message, reason)
    }
  }

  private answerFor(identity: Identity, message: MemberMessage, reason: string) {
    if (message.type === "submit" || message.type === "outcome") {
      const cause = Cause.die(new Error(reason))
      const lost = { _tag: "Lost", abandoned: { _tag: "CellStopped", reason: { _tag: "Crashed", cause } } } as const
      message.reply.done(Exit.fail(lost))
    } else if (message.type === "door") {
      const told = message.message
      if (told.type === "dispatch") {
        const { input } = told.dispatch
        this.toOwner(told.owner, { type: "retiring", input, code: "member_broken", reason })
      } else if (told.type === "detach") this.toOwner(told.owner, { type: "ended", input: told.input })
      else if (told.type === "retire") {
        // It has no incarnation, and what stands in its inbox cannot be counted.
        this.calls.toMob({ type: "drained", identity, generation: told.generation, abandoned: 0 })
      }
    }
  }

  private toOwner(owner: Owner, message: ToOwner) {
    const [kind, ...rest] = owner.split("/")
    const name = rest.join("/")
    if (kind === "inbox") {
      // An inbox's address is made from an identity; see inboxAggregate.
      return this.toMember(name as Identity, { type: "owner", message })
    }
    // A run's address is made from a run id; see runAggregate.
    this.toRun(name as RunId, { type: "owner", message })
  }

  /** Tells a run something; a run without a cell is woken first and hears it then. */
  toRun(run: RunId, message: RunMessage): void {
    const cell = this.runs.get(run)
    if (cell !== undefined) {
      cell.tellUnsafe(message)
      return
    }
    const queue = this.waking.get(run)
    if (queue !== undefined) {
      queue.push(message)
      return
    }
    this.waking.set(run, [message])
    this.calls.wake(run)
  }

  /** Makes the cell of an admitted run; one that is there tells the mob again what it may have missed. */
  private startRun(run: RunId) {
    const cell = this.runs.get(run)
    if (cell !== undefined) {
      cell.tellUnsafe({ type: "mob_started" })
      return
    }
    if (this.waking.has(run)) return
    this.waking.set(run, [])
    this.calls.wake(run)
  }

  /** A cell for this run is being started already: what comes for it waits. */
  runExpected(run: RunId): void {
    if (!this.runs.has(run) && !this.waking.has(run)) this.waking.set(run, [])
  }

  /** The cell of a run exists. */
  runBorn(run: RunId, cell: ActorRef<RunMessage>): void {
    this.runs.set(run, cell)
    const queue = this.waking.get(run)
    this.waking.delete(run)
    for (const message of queue ?? []) cell.tellUnsafe(message)
  }

  /** The run is in no log: whatever it was sent is settled (R7), its askers hear of it through `gone`. */
  runGone(run: RunId, gone: (message: RunMessage) => void): void {
    const queue = this.waking.get(run)
    this.waking.delete(run)
    for (const message of queue ?? []) {
      this.deadLetters += 1
      gone(message)
    }
  }

  /** The cell of a run stops by itself; the next message wakes a new one. */
  runIdle(run: RunId, cell: ActorRef<RunMessage>): void {
    if (this.runs.get(run) === cell) this.runs.delete(run)
  }
}
