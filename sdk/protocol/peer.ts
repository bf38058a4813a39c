/**
 * A symmetric JSON-RPC 2.0 peer: both sides call, notify and answer over one transport.
 *
 * Calls have ids and typed failures. Requests are handled in the order they arrive; their answers go out when they are
 * ready. A connection ends once, for one reason: this side closed it, the other side did, or the other side broke the
 * protocol. Then every pending call fails with {@link PeerClosed} and handlers still at work are interrupted. What a
 * peer keeps in memory is bounded by its {@link ByteBudget}.
 */
import { Effect, type Exit, type Scope } from "effect"
import type { ByteBudget } from "./budget.ts"
import type { DocumentTooLarge, PeerClosed, PeerEnd, RpcError } from "./errors.ts"
import { PeerState } from "./state.ts"
import type { CallName, Handlers, MethodTable, NotificationName, ParamsOf, ResultOf } from "./table.ts"
import type { Transport } from "./transport.ts"

type CallError = RpcError | PeerClosed | DocumentTooLarge

/** What a peer is made of. */
export interface PeerOptions<Serves extends MethodTable, Uses extends MethodTable> {
  readonly transport: Transport
  /** What this side serves. */
  readonly serves: Serves
  readonly handlers: Handlers<Serves>
  /** What the other side serves. */
  readonly uses: Uses
  /** Answer to a request for a method that is not served; without it, or if it gives nothing: method not found. */
  readonly unknownMethod?: (method: string) => RpcError | undefined
  /** Bytes a document may have, in both directions. Default {@link DOCUMENT_LIMIT}. */
  readonly documentLimit?: number
  /** Counts what the connection keeps. Default: one of its own, of 8 MiB. */
  readonly budget?: ByteBudget
  /** Called for every document that arrives, before it is handled. Must not throw. */
  readonly onDocument?: () => void
  /** Called once, when the connection is over, before its pending calls fail. Must not throw. */
  readonly onEnd?: (end: PeerEnd) => void
}

/** One side of a live connection; `Uses` is what the other side serves. */
export interface Peer<Uses extends MethodTable> {
  /**
   * Calls a method of the other side and waits for its answer; waits for room first if much is queued. Interruption
   * forgets the call: the other side is not told, and its answer is ignored.
   */
  readonly call: <Name extends CallName<Uses>>(
    method: Name,
    params: ParamsOf<Uses, Name>
  ) => Effect.Effect<ResultOf<Uses, Name>, RpcError | PeerClosed | DocumentTooLarge>
  /**
   * As {@link Peer.call}, for whoever is not in an Effect: `ended` is called once, unless the function that is given
   * back was called before, which is what interruption does. It must not throw.
   */
  readonly callUnsafe: <Name extends CallName<Uses>>(
    method: Name,
    params: ParamsOf<Uses, Name>,
    ended: (exit: Exit.Exit<ResultOf<Uses, Name>, RpcError | PeerClosed | DocumentTooLarge>) => void
  ) => () => void
  /** Calls a method and does not wait for the answer, whatever it is; waits for room only. */
  readonly post: <Name extends CallName<Uses>>(
    method: Name,
    params: ParamsOf<Uses, Name>
  ) => Effect.Effect<void, PeerClosed | DocumentTooLarge>
  /** Sends a notification; waits for room only. */
  readonly notify: <Name extends NotificationName<Uses>>(
    method: Name,
    params: ParamsOf<Uses, Name>
  ) => Effect.Effect<void, PeerClosed | DocumentTooLarge>
  /**
   * Sends a notification without waiting. False if the connection is over or the document would be too large. If it
   * does not fit into the budget, the other side has stopped reading: that ends the connection as a violation.
   */
  readonly notifyUnsafe: <Name extends NotificationName<Uses>>(method: Name, params: ParamsOf<Uses, Name>) => boolean
  /** Writes what is queued, then closes the outgoing half; what comes in is still handled. */
  readonly end: Effect.Effect<void>
  /** Awaits the end of the connection. */
  readonly ended: Effect.Effect<PeerEnd>
  /** Ends the connection because the other side broke a rule that this layer does not know. */
  readonly violate: (reason: string) => void
}

/**
 * Starts to speak over a transport. The connection lives as long as the Scope: closing it drops what is queued and
 * destroys the transport, so end with {@link Peer.end} if the other side should still get the last words.
 */
export const makePeer = <const Serves extends MethodTable, const Uses extends MethodTable>(
  options: PeerOptions<Serves, Uses>
): Effect.Effect<Peer<Uses>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const services = yield* Effect.context<never>()
    // Handlers of known methods are handlers of any method once the table has decoded their params.
    const state = new PeerState(options as unknown as PeerOptions<MethodTable, MethodTable>, services)
    yield* Effect.addFinalizer(() => Effect.sync(() => state.finish({ reason: "closed" })))
    state.start()
    return {
      // The table's Schemas check what the types promise; the machinery does not know the types.
      call: (method, params) =>
        Effect.callback((resume) => {
          const forget = state.request(method, params, (exit) => resume(exit as Exit.Exit<never, CallError>))
          return Effect.sync(forget)
        }),
      callUnsafe: (method, params, ended) =>
        state.request(method, params, (exit) => ended(exit as Exit.Exit<never, CallError>)),
      post: (method, params) => state.send("call", method, params),
      notify: (method, params) => state.send("notification", method, params),
      notifyUnsafe: (method, params) => state.notifyUnsafe(method, params),
      end: state.endOutput,
      ended: state.ended,
      violate: (reason) => state.violate(reason)
    }
  })
