/**
 * A behaviour as a member that speaks the member protocol over a transport.
 */
import { Effect, Exit, type Scope } from "effect"
import type { Behavior } from "../behavior.ts"
import type { Known } from "../bridge.ts"
import type { Fence } from "../ids.ts"
import type { Outcome } from "../outcome.ts"
import {
  ErrorCode,
  hostToMember,
  makePeer,
  MEMBER_PROTOCOL,
  memberToHost,
  type Peer,
  type PeerEnd,
  RpcError,
  type Transport,
  type WireOutcome
} from "../protocol/index.ts"
import { MemberRuntime, type TurnEvent } from "./runtime.ts"

const nothing = Exit.succeed(null)

const wireKnown = (known: Known) =>
  known.state === "running"
    ? { inputId: known.input, state: known.state }
    : { inputId: known.input, state: known.state, outcome: wireOutcome(known.outcome) }

const wireOutcome = (outcome: Outcome): WireOutcome => outcome

/**
 * Serves a behaviour until its host says `shutdown` or the connection ends, and tells which. Running work is
 * interrupted then, and its finalizers awaited.
 */
export const serveMember = <R>(
  behavior: Behavior<R>,
  transport: Transport
): Effect.Effect<PeerEnd | "shutdown", never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const services = yield* Effect.context<R>()
    let fence: Fence = 0
    let shutDown = () => {}
    const shutdown = Effect.callback<"shutdown">((resume) => {
      shutDown = () => resume(Effect.succeed("shutdown"))
    })
    const tell = (event: TurnEvent) => report(peer, fence, event)
    const runtime = new MemberRuntime(behavior, services, tell)
    const peer: Peer<typeof memberToHost> = yield* makePeer({
      transport,
      serves: hostToMember,
      uses: memberToHost,
      handlers: {
        initialize: ({ member, protocol }) => {
          if (!protocol.includes(MEMBER_PROTOCOL)) {
            const reason = `this member speaks protocol ${MEMBER_PROTOCOL}, the host ${protocol.join(", ")}`
            return Exit.fail(new RpcError({ method: "initialize", rpc_code: ErrorCode.refused, reason }))
          }
          fence = member.fence
          return Exit.succeed({ protocol: MEMBER_PROTOCOL, capabilities: { outcomes: "memory" } })
        },
        deliver: (params) => {
          const { allowed, blocked } = params.overlay ?? {}
          fence = params.fence
          const outcome = runtime.deliver({
            input: params.inputId,
            fence: params.fence,
            content: params.content,
            deadline: params.deadline,
            overlay: params.overlay === undefined ? undefined : { allowed, blocked },
            memos: params.memos
          })
          return Exit.succeed({ outcome })
        },
        observe: () => Exit.succeed({ inputs: runtime.observe().map(wireKnown) }),
        interrupt: ({ inputId }) => {
          runtime.interrupt(inputId)
          return nothing
        },
        cancel: ({ inputId }) => {
          runtime.cancel(inputId)
          return nothing
        },
        // Whom a member is wired to concerns those that call their peers by name; behaviours cannot, so far.
        wire: () => nothing,
        unwire: () => nothing,
        retire: () => nothing,
        shutdown: () => {
          shutDown()
          return nothing
        },
        settled: ({ inputId }) => runtime.settled(inputId)
      }
    })
    yield* Effect.addFinalizer(() => runtime.close)
    const end = yield* Effect.raceFirst(shutdown, peer.ended)
    yield* runtime.close
    if (end === "shutdown") yield* peer.end
    return end
  })

const report = (peer: Peer<typeof memberToHost>, fence: Fence, event: TurnEvent): void => {
  if (event.type === "turn_progress") {
    peer.notifyUnsafe("turn/progress", { inputId: event.input, note: event.note })
    return
  }
  const { input, outcome } = event
  if (peer.notifyUnsafe("turn/ended", { inputId: input, fence, ...outcome })) return
  peer.notifyUnsafe("turn/ended", {
    inputId: input,
    fence,
    status: "failed",
    code: "output_too_large",
    reason: "the outcome does not fit into one document; give back a reference instead"
  })
}
