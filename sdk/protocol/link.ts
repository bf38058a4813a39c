/**
 * The host's side of the member protocol: makes a {@link MemberConnection} of a transport. Bridges whose members speak
 * the protocol, over whatever, stand on it.
 */
import { Effect, Schema, type Scope } from "effect"
import {
  type BindRequest,
  type BridgeEvent,
  type Delivery,
  DeliveryRefused,
  type Known,
  type MemberConnection,
  type OutcomeKeeping
} from "../bridge.ts"
import { InputId } from "../ids.ts"
import type { ByteBudget } from "./budget.ts"
import { ErrorCode, PeerClosed, type PeerEnd, RpcError } from "./errors.ts"
import { hostToMember, isReserved, MEMBER_PROTOCOL, memberToHost, toOutcome } from "./member.ts"
import { makePeer } from "./peer.ts"
import type { ParamsOf } from "./table.ts"
import type { Transport } from "./transport.ts"

/** Settled inputs are remembered up to this number, so that a late report of one is told from a foreign id. */
const SETTLED_REMEMBERED = 4096

/** The member did not take up the protocol, or not one that we speak. */
export class HandshakeFailed extends Schema.TaggedError<HandshakeFailed>()("HandshakeFailed", {
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "HANDSHAKE_FAILED"
  override get message() {
    return `the handshake failed: ${this.reason}`
  }
}

/** What a link is made of. */
export interface MemberLinkOptions {
  readonly transport: Transport
  readonly request: BindRequest
  /** Gets every event but `exited`, which is for whoever owns the process or socket. */
  readonly emit: (event: BridgeEvent) => void
  readonly budget: ByteBudget
  readonly documentLimit: number
  /** Called at each sign of life. Must not throw. */
  readonly onSign: () => void
  /** Called once, when the connection is over. Must not throw. */
  readonly onEnd: (end: PeerEnd) => void
}

/** A member that has taken up the protocol. */
export interface MemberLink extends Omit<MemberConnection, "process"> {
  /** Inputs handed over and not ended. */
  readonly inFlight: () => number
  /** Asks the member to end and closes the outgoing half; completes when both are on their way. */
  readonly shutdown: Effect.Effect<void>
}

/**
 * Shakes hands over a transport. Fails with {@link HandshakeFailed} if the member answers wrongly, with
 * {@link PeerClosed} if the connection ends first; it does not time out by itself. The link lives as long as the Scope.
 */
export const linkMember = (
  options: MemberLinkOptions
): Effect.Effect<MemberLink, HandshakeFailed | PeerClosed, Scope.Scope> =>
  Effect.gen(function*() {
    const { emit, request } = options
    const inputs = new Map<string, "running" | "ended">()
    const settled = new Set<string>()
    let running = 0

    const turnEnded = (params: ParamsOf<typeof memberToHost, "turn/ended">) => {
      const state = inputs.get(params.inputId)
      if (state === undefined) {
        if (!settled.has(params.inputId)) {
          peer.violate(`it reported the end of ${params.inputId}, which it was not given`)
        }
        return
      }
      if (params.fence !== undefined && params.fence !== request.fence) {
        const line =
          `the end of ${params.inputId} under fence ${params.fence} is ignored; the fence is ${request.fence}`
        return emit({ type: "log", line })
      }
      if (state === "running") running -= 1
      inputs.set(params.inputId, "ended")
      emit({ type: "turn_ended", input: InputId.make(params.inputId), outcome: toOutcome(params) })
    }

    const inTurn = (inputId: string): boolean => inputs.get(inputId) === "running"

    const peer = yield* makePeer({
      transport: options.transport,
      serves: memberToHost,
      uses: hostToMember,
      documentLimit: options.documentLimit,
      budget: options.budget,
      onDocument: options.onSign,
      onEnd: options.onEnd,
      unknownMethod: (method) =>
        isReserved(method)
          ? new RpcError({ method, rpc_code: ErrorCode.notGranted, reason: `${method} is not granted to this member` })
          : undefined,
      handlers: {
        "turn/ended": turnEnded,
        "turn/progress": ({ inputId, note }) => {
          if (inTurn(inputId)) emit({ type: "turn_progress", input: InputId.make(inputId), note: note ?? "" })
        },
        "turn/output": ({ inputId, text }) => {
          if (inTurn(inputId)) emit({ type: "turn_output", input: InputId.make(inputId), text })
        },
        usage: ({ inputId, usage }) => {
          const input = inputId === undefined ? undefined : InputId.make(inputId)
          emit({ type: "usage", input, usage })
        },
        log: ({ line }) => emit({ type: "log", line })
      }
    })

    const answer = yield* Effect.mapError(
      peer.call("initialize", {
        protocol: [MEMBER_PROTOCOL],
        member: {
          mob: request.mob,
          identity: request.identity,
          role: request.role,
          generation: request.generation,
          fence: request.fence,
          labels: request.labels
        }
      }),
      (error) => error instanceof PeerClosed ? error : new HandshakeFailed({ reason: error.message })
    )
    if (answer.protocol !== MEMBER_PROTOCOL) {
      const reason = `it speaks protocol ${answer.protocol}, this host speaks ${MEMBER_PROTOCOL}`
      return yield* new HandshakeFailed({ reason })
    }
    const outcomes: OutcomeKeeping = answer.capabilities?.outcomes ?? "none"

    const observed: Array<Known> = []
    if (outcomes === "durable") {
      const known = yield* Effect.mapError(
        peer.call("observe", {}),
        (error) => error instanceof PeerClosed ? error : new HandshakeFailed({ reason: error.message })
      )
      for (const item of known.inputs) {
        const input = InputId.make(item.inputId)
        inputs.set(input, item.state)
        if (item.state === "running") {
          running += 1
          observed.push({ input, state: "running" })
        } else observed.push({ input, state: "ended", outcome: toOutcome(item.outcome) })
      }
    }

    // What a dead connection cannot do any more is undone by `exited`, which its owner emits.
    const whileOpen = { PeerClosed: () => Effect.void, DocumentTooLarge: () => Effect.void }

    const deliver = (delivery: Delivery): Effect.Effect<"accepted" | "deduplicated", DeliveryRefused> =>
      Effect.suspend(() => {
        const { input } = delivery
        const before = inputs.get(input)
        if (before === undefined) {
          inputs.set(input, "running")
          running += 1
        }
        settled.delete(input)
        const refused = (reason: string) => {
          if (before === undefined && inputs.get(input) === "running") {
            inputs.delete(input)
            running -= 1
          }
          return Effect.fail(new DeliveryRefused({ identity: request.identity, input, reason }))
        }
        return peer.call("deliver", deliverParams(delivery)).pipe(
          Effect.map(({ outcome }) => outcome),
          Effect.catchTags({
            PeerClosed: () => Effect.succeed("accepted" as const),
            RpcError: (error) => refused(`${error.reason} (${error.rpc_code})`),
            DocumentTooLarge: (error) => refused(error.message)
          })
        )
      })

    return {
      outcomes,
      observed,
      deliver,
      settled: (input) =>
        Effect.suspend(() => {
          if (inputs.get(input) === "running") running -= 1
          inputs.delete(input)
          settled.add(input)
          if (settled.size > SETTLED_REMEMBERED) {
            for (const oldest of settled) {
              settled.delete(oldest)
              break
            }
          }
          return Effect.catchTags(peer.notify("settled", { inputId: input }), whileOpen)
        }),
      interrupt: (input) => Effect.catchTags(peer.post("interrupt", { inputId: input }), whileOpen),
      cancel: (input) => Effect.catchTags(peer.post("cancel", { inputId: input }), whileOpen),
      retire: Effect.catchTags(peer.post("retire", {}), whileOpen),
      inFlight: () => running,
      shutdown: Effect.andThen(Effect.catchTags(peer.post("shutdown", {}), whileOpen), peer.end)
    }
  })

const deliverParams = (delivery: Delivery): ParamsOf<typeof hostToMember, "deliver"> => {
  const { content, deadline, fence, input, memos, overlay } = delivery
  return {
    inputId: input,
    fence,
    content,
    memos,
    ...(deadline === undefined ? {} : { deadline }),
    ...(overlay === undefined ? {} : {
      overlay: {
        ...(overlay.allowed === undefined ? {} : { allowed: overlay.allowed }),
        ...(overlay.blocked === undefined ? {} : { blocked: overlay.blocked })
      }
    })
  }
}
