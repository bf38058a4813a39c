/**
 * The incarnations of a member, one at a time: the next is begun only when the one before is gone.
 */
import { Deferred, Effect } from "effect"
import type { BridgeEvent, MemberConnection } from "../../sdk/bridge.ts"
import type { Fence, Generation } from "../../sdk/ids.ts"
import type { ActorRef, CellContext } from "../actor/index.ts"
import type { ToConnection, ToDoor } from "../machine/protocol.ts"
import type { MemberMessage, MemberSurroundings } from "./cell.ts"
import { incarnationCell, type IncarnationMessage } from "./incarnation.ts"

/** Milliseconds a member may take to say goodbye before its connection is closed all the same. */
const RETIRE_MILLIS = 5_000

/** What holds a member's connection. What an earlier incarnation still says carries its own fence; the door drops it. */
export class Connection {
  private current: ActorRef<IncarnationMessage> | undefined
  /** Fence that is being bound or is up; 0 for none. */
  private fence: Fence = 0
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
        return this.then(Effect.sync(() => this.door({ type: "exited", fence, exit })))
      }
    }
  }

  private door(message: ToDoor) {
    this.cell.self.tellUnsafe({ type: "door", message })
  }

  /** Begins an effect when everything before it is over. */
  private then(effect: Effect.Effect<void>) {
    const before = this.idle
    const over = Deferred.makeUnsafe<void>()
    this.idle = Deferred.await(over)
    this.cell.fork(before.pipe(Effect.andThen(effect), Effect.ensuring(Deferred.succeed(over, undefined))))
  }

  /** Lets the current incarnation go; its Scope is closed, a process goes down its stop ladder. */
  private close(retire: boolean) {
    const leaving = this.current
    this.current = undefined
    this.fence = 0
    if (leaving === undefined) return
    const goodbye = Effect.callback<void>((resume) => {
      if (!leaving.tellUnsafe({ type: "retire", done: () => resume(Effect.void) })) resume(Effect.void)
    })
    const said = retire ? Effect.ignore(Effect.timeout(goodbye, RETIRE_MILLIS)) : Effect.void
    this.then(Effect.andThen(said, leaving.stop()))
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
    const spec = incarnationCell({
      bridge,
      request: { mob: log.mob, identity, role, generation, fence, labels, config, base },
      up: (connection) => stands = connection,
      event: (event) => this.heard(fence, event)
    })
    this.then(
      Effect.suspend(() => {
        // A newer incarnation was asked for meanwhile: this one is not begun at all.
        if (this.fence !== fence) return Effect.void
        return Effect.flatMap(this.cell.spawn(spec), (ref) => {
          if (this.fence !== fence) return ref.stop()
          this.current = ref
          // Not before `current` is set: what the door then delivers must find it.
          if (stands !== undefined) this.up(fence, stands)
          return Effect.void
        })
      }).pipe(
        // A bind that failed was told as `exited`; a spawn itself fails only when this cell is going.
        Effect.ignore
      )
    )
  }

  private up(fence: Fence, connection: MemberConnection) {
    const connected = () => this.door({ type: "connected", fence, observed: connection.observed })
    const { process } = connection
    if (process === undefined) return connected()
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
        return this.door({ type: "turn_ended", fence, input: event.input, outcome: event.outcome })
      case "exited":
        if (this.fence === fence) this.close(false)
        return this.door({ type: "exited", fence, exit: event.exit })
      case "turn_progress":
      case "turn_output":
      case "usage":
      case "log":
        // Live news of a turn; who may listen comes with the events issue.
        return
    }
  }
}
