/**
 * The cells of a mob's members in this process: how they are made, and what becomes of one that crashes on and on.
 */
import { type Clock, Effect } from "effect"
import { BindFailed } from "../../sdk/bridge.ts"
import type { Identity } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import { causeText, unreadOf } from "../journal/aggregate.ts"
import type { MobCommand, MobState } from "../machine/mob/index.ts"
import { memberCell } from "../member/index.ts"
import type { Bridges } from "../plugin/index.ts"
import { bridgeOf } from "./checks.ts"
import type { Directory } from "./directory.ts"
import type { MobMessage } from "./messages.ts"
import type { Plans } from "./plans.ts"
import { recently, type Slot } from "./slot.ts"

/** Crashes of a member's cell within the period that break the member. */
const MEMBER_CRASHES = 5
const MEMBER_CRASH_PERIOD = 60_000

/** A member that may not be started, because a process of it is still there, and why. */
export type Stuck = ReadonlyMap<Identity, { readonly code: string; readonly message: string }>

/** What surrounds the members' cells. */
interface MembersSurroundings {
  readonly log: MobLog
  readonly bridges: Bridges["Service"]
  readonly plans: Plans
  readonly directory: Directory
  readonly clock: Clock.Clock
  readonly stuck: Stuck
  /** Where their cells hang; undefined before the tree stands. */
  readonly slot: () => Slot | undefined
  readonly state: () => MobState | undefined
  readonly tell: (message: MobMessage) => void
  readonly command: (command: (now: number) => MobCommand) => void
  readonly closed: (error: StoreError) => void
}

/** See the module's text. */
export class LiveMembers {
  /** Emptied when these members are recorded as broken: whoever mended one may spawn it again. */
  readonly stuck: Map<Identity, { readonly code: string; readonly message: string }>
  private readonly around: MembersSurroundings
  private readonly crashes = new Map<Identity, ReadonlyArray<number>>()

  constructor(around: MembersSurroundings) {
    this.around = around
    this.stuck = new Map(around.stuck)
  }

  /** Starts the cell of a member of the committed roster. */
  join(identity: Identity) {
    const member = this.around.state()?.members.get(identity)
    const slot = this.around.slot()
    if (member === undefined || slot === undefined) return
    const { closed, command, directory, log, plans, tell } = this.around
    const spec = memberCell({
      log,
      identity,
      member: () => this.around.state()?.members.get(identity) ?? member,
      base: plans.inForce.base,
      connector: this.connectorOf(identity, member.role),
      send: directory.send,
      recordProcess: (fence, process, done) =>
        tell({
          type: "protocol",
          message: { type: "process_started", identity, fence, process },
          done
        }),
      born: (self) => directory.doorBorn(identity, self),
      deadLetter: () => directory.deadLetters += 1,
      crashed: (cause) => this.crashed(identity, causeText(cause)),
      closed
    })
    slot.fork(
      slot.spawn(spec).pipe(
        Effect.catch((failed) =>
          Effect.sync(() => {
            const unread = unreadOf(failed.cause)
            if (unread?.type === "unsupported") closed(unread.error)
            if (unread?.type !== "unreadable") return
            const cause = { code: "inbox_unreadable", message: unread.message, log: [] }
            command((at) => ({ type: "break_member", identity, at, cause }))
            directory.doorGone(identity, cause.message)
          })
        ),
        Effect.asVoid
      )
    )
  }

  private connectorOf(identity: Identity, role: string) {
    const found = bridgeOf(this.around.plans.inForce.definition, this.around.bridges, role)
    const stuck = this.stuck.get(identity)
    if (found === undefined || stuck === undefined) return found
    const failed = new BindFailed({ identity, cause_code: stuck.code, reason: stuck.message, log: [] })
    return { ...found, bridge: { ...found.bridge, bind: () => Effect.fail(failed) } }
  }

  /** A member whose cell crashes on and on takes no more work; its cell goes on with what it can (design 4). */
  private crashed(identity: Identity, message: string) {
    const now = this.around.clock.currentTimeMillisUnsafe()
    const recent = recently(this.crashes.get(identity), now, MEMBER_CRASH_PERIOD)
    this.crashes.set(identity, recent)
    if (recent.length <= MEMBER_CRASHES) return
    this.crashes.delete(identity)
    const cause = { code: "member_cell_crashed", message, log: [] }
    this.around.command((at) => ({ type: "break_member", identity, at, cause }))
  }
}
