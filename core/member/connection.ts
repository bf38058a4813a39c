/**
 * The incarnations of a member, one at a time: the next is begun only when the one before is gone. Of each fence the
 * door hears `exited` once, whatever its bridge does: it may die, hang, or say so twice.
 */
import { Deferred, Effect } from "effect"
import type { BridgeEvent, MemberConnection } from "../../sdk/bridge.ts"
import type { Fence, Generation } from "../../sdk/ids.ts"
import type { ActorRef, CellContext } from "../actor/index.ts"
import type { ToConnection, ToDoor } from "../machine/protocol.ts"
import type { MemberMessage, MemberSurroundings } from "./cell.ts"
import { incarnationCell, type IncarnationMessage, STOP_MILLIS } from "./incarnation.ts"
import { isProcessRecord, soundExit, soundKnown, soundOutcome } from "./sound.ts"

/** Milliseconds a member may take to say goodbye before its connection is closed all the same. */
const RETIRE_MILLIS = 5_000

/** Milliseconds a bridge may take to bind; a handshake's own deadline ends well before. */
const BIND_MILLIS = 60_000

/** What holds a member's connection. What an earlier incarnation still says carries its own fence; the door drops it. */
export class Connection {
  private current: ActorRef<IncarnationMessage> | undefined
  /** Fence that is being bound or is up; 0 for none. */
  private fence: Fence = 0
  /** Gives up the bind that is under way. */
  private giveUp: (() => void) | undefined
  /** Succeeds when all that was begun before is over. */
  private idle: Effect.Effect<void> = Effect.void
  private readonly around: MemberSurroundings
  private readonly cell: CellContext<MemberMessage>

  constructor(around: MemberSurroundings, cell: CellContext<MemberMessage>) {
    this.around = around
    this.cell = cell
  }

  readonly tell = (message: ToConnection): void => {
    switch (message.type) {
      case "bind":
        return this.bind(message.generation, message.fence)
      case "deliver":
        this.current?.tellUnsafe({ type: "deliver", dispatch: message.dispatch })
        return
      case "settled":
        this.current?.tellUnsafe({ type: "settled", input: message.input })
        return
      case "close": {
        const { fence } = this
        this.close(true)
        const exit = { code: "closed", message: "the connection was closed", log: [] }
        return this.queue(() => Effect.sync(() => this.door({ type: "exited", fence, exit })))
      }
    }
  }

  /** The time to bind is over. */
  overdue(): void {
    if (this.giveUp === undefined) return
    const message = `the bridge did not bind within ${BIND_MILLIS / 1_000} s`
    this.heard(this.fence, { type: "exited", exit: { code: "bind_timeout", message, log: [] } })
  }

  private door(message: ToDoor) {
    this.cell.self.tellUnsafe({ type: "door", message })
  }

  /** Begins an effect when everything before it is over; it is given what waits for its end no longer than so. */
  private queue(effect: (within: (millis: number) => void) => Effect.Effect<void>) {
    const before = this.idle
    const over = Deferred.makeUnsafe<void>()
    const end = Deferred.succeed(over, undefined)
    this.idle = Deferred.await(over)
    const within = (millis: number) =>
      this.cell.fork(Effect.andThen(Effect.raceFirst(Deferred.await(over), Effect.sleep(millis)), end))
    this.cell.fork(before.pipe(Effect.andThen(Effect.suspend(() => effect(within))), Effect.ensuring(end)))
  }

  /** Lets the current incarnation go; its Scope is closed, a process goes down its stop ladder. */
  private close(retire: boolean) {
    const leaving = this.current
    const { giveUp } = this
    this.current = undefined
    this.giveUp = undefined
    this.fence = 0
    giveUp?.()
    if (leaving === undefined) return
    const goodbye = Effect.callback<void>((resume) => {
      if (!leaving.tellUnsafe({ type: "retire", done: () => resume(Effect.void) })) resume(Effect.void)
    })
    const said = retire ? Effect.ignore(Effect.timeout(goodbye, RETIRE_MILLIS)) : Effect.void
    this.queue(() => Effect.andThen(said, leaving.stop()))
  }

  private bind(generation: Generation, fence: Fence) {
    this.close(false)
    this.fence = fence
    const { base, connector, identity, log } = this.around
    const { labels, role } = this.around.member()
    if (connector === undefined) {
      const message = `profile ${role} names no bridge that this runtime has`
      return this.heard(fence, { type: "exited", exit: { code: "bridge_unknown", message, log: [] } })
    }
    const { bridge, config } = connector
    let stands: MemberConnection | undefined
    let interrupt = () => {}
    const spec = incarnationCell({
      bridge,
      request: { mob: log.mob, identity, role, generation, fence, labels, config, base },
      begun: (fiber) => interrupt = () => fiber.interruptUnsafe(),
      up: (connection) => stands = connection,
      event: (event) => this.heard(fence, event)
    })
    this.queue((within) => {
      // A newer incarnation was asked for meanwhile: this one is not begun at all.
      if (this.fence !== fence) return Effect.void
      this.cell.setTimer("bind", BIND_MILLIS, { type: "bind_overdue" })
      this.giveUp = () => {
        this.cell.cancelTimer("bind")
        interrupt()
        // A bind that cannot be interrupted is not waited for any longer than an incarnation that does not stop.
        within(STOP_MILLIS)
      }
      return Effect.matchEffect(this.cell.spawn(spec), {
        // A bind that failed was told as `exited`; a spawn itself fails only when it was given up, or this cell is going.
        onFailure: () => Effect.void,
        onSuccess: (ref) => {
          if (this.fence !== fence) return ref.stop()
          this.giveUp = undefined
          this.cell.cancelTimer("bind")
          this.current = ref
          // Not before `current` is set: what the door then delivers must find it.
          if (stands !== undefined) this.up(fence, stands)
          return Effect.void
        }
      })
    })
  }

  private up(fence: Fence, connection: MemberConnection) {
    const observed = soundKnown(connection.observed ?? [])
    const connected = () => this.door({ type: "connected", fence, observed })
    const { process } = connection
    if (process === undefined) return connected()
    if (!isProcessRecord(process)) {
      const message = "the bridge gave a process that cannot be recorded"
      return this.heard(fence, { type: "exited", exit: { code: "process_invalid", message, log: [] } })
    }
    const record = () =>
      this.around.recordProcess(fence, process, (came) => {
        if (this.fence !== fence) return
        if (came === "committed") connected()
        else if (came === "refused") this.tell({ type: "close" })
        // The mob's cell is starting again: what is told now waits in its mailbox until it has.
        else record()
      })
    record()
  }

  private heard(fence: Fence, event: BridgeEvent) {
    switch (event.type) {
      case "turn_ended":
        if (typeof event.input !== "string") return this.around.deadLetter()
        return this.door({ type: "turn_ended", fence, input: event.input, outcome: soundOutcome(event.outcome) })
      case "exited":
        // Whoever let it go before tells the door when it is gone.
        if (this.fence !== fence) return
        this.close(false)
        return this.door({ type: "exited", fence, exit: soundExit(event.exit) })
      case "turn_progress":
      case "turn_output":
      case "usage":
      case "log":
        // Live news of a turn; who may listen comes with the events issue.
        return
    }
  }
}
