/**
 * The cell of one incarnation: it holds a bridge connection for as long as it lives. Its mailbox is the order in which
 * the member hears things. It is temporary: what follows its end is decided by the mob, under a new fence.
 */
import { Cause, Effect, Exit, type Fiber, Scope } from "effect"
import {
  BindFailed,
  type BindRequest,
  type BridgeEvent,
  type BridgeExit,
  type MemberConnection
} from "../../sdk/bridge.ts"
import type { InputId } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import type { CellContext, CellSpec } from "../actor/index.ts"
import type { Dispatch } from "../machine/protocol.ts"
import type { AnyBridge } from "../plugin/index.ts"

/** To an incarnation. */
export type IncarnationMessage =
  | { readonly type: "deliver"; readonly dispatch: Dispatch }
  | { readonly type: "settled"; readonly input: InputId }
  | { readonly type: "retire"; readonly done: () => void }

/** What an incarnation is made of, and whom it tells. */
interface IncarnationOptions {
  readonly bridge: AnyBridge
  readonly request: BindRequest<Json>
  /** The bridge is about to bind, in this fiber. */
  readonly begun: (fiber: Pick<Fiber.Fiber<unknown, unknown>, "interruptUnsafe">) => void
  /** The connection stands; deliver only after this was answered for by the mob, if there is a process. */
  readonly up: (connection: MemberConnection) => void
  readonly event: (event: BridgeEvent) => void
}

/** Milliseconds an incarnation may take to go; a bridge's own stop ladder ends well before. */
export const STOP_MILLIS = 30_000

/** An exit as the mob records it, for a bind that failed or a call that died. */
const exitOf = (cause: Cause.Cause<unknown>): BridgeExit => {
  const error = Cause.squash(cause)
  return error instanceof BindFailed
    ? { code: error.cause_code, message: error.reason, log: error.log }
    : { code: "bridge_crashed", message: error instanceof Error ? error.message : String(error), log: [] }
}

/**
 * The incarnation of one fence as a cell. A failed bind is told as `exited`, never as a crash; a bridge whose call dies
 * has crashed, which is told as `exited` too.
 */
export const incarnationCell = (
  options: IncarnationOptions
): CellSpec<MemberConnection | undefined, IncarnationMessage, never, never> => {
  const { bridge, event, request } = options
  return {
    name: `incarnation ${request.generation}`,
    restart: "temporary",
    shutdown: STOP_MILLIS,
    mailbox: { capacity: Number.MAX_SAFE_INTEGER, overflow: "fail" },
    init: (context) =>
      Effect.withFiber((fiber) => {
        options.begun(fiber)
        return bridge.bind(request, event).pipe(
          Effect.provideService(Scope.Scope, context.scope),
          Effect.matchCause({
            // Not called when this fiber is interrupted; a bridge that interrupts itself has failed like any other.
            onFailure: (cause) => {
              event({ type: "exited", exit: exitOf(cause) })
              return undefined
            },
            onSuccess: (connection) => {
              options.up(connection)
              return connection
            }
          })
        )
      }),
    behavior: (connection, message, context) => {
      if (connection !== undefined) handle(connection, message, context, event)
      else if (message.type === "retire") message.done()
      return Exit.succeed(connection)
    },
    onStop: (_, reason) =>
      reason._tag === "Crashed"
        ? Effect.sync(() => event({ type: "exited", exit: exitOf(reason.cause) }))
        : Effect.void
  }
}

/** Each call is begun in mailbox order and waits outside the mailbox, so a silent member holds nothing up. */
const handle = (
  connection: MemberConnection,
  message: IncarnationMessage,
  context: CellContext<IncarnationMessage>,
  event: (event: BridgeEvent) => void
) => {
  switch (message.type) {
    case "deliver": {
      const { dispatch } = message
      const { input } = dispatch
      return context.fork(
        connection.deliver(dispatch).pipe(
          Effect.match({
            // `accepted` and `deduplicated` are recorded nowhere: the outcome comes either way.
            onSuccess: () => {},
            onFailure: (refused) =>
              event({
                type: "turn_ended",
                input,
                outcome: { status: "failed", code: "delivery_refused", reason: refused.reason }
              })
          }),
          // A bridge that interrupts itself would be silent about the input for ever.
          Effect.catchCause((cause) => Effect.sync(() => context.crash(cause)))
        )
      )
    }
    case "settled":
      return context.fork(connection.settled(message.input))
    case "retire":
      return context.fork(Effect.ensuring(connection.retire, Effect.sync(message.done)))
  }
}
