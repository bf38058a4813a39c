/**
 * The host's side of the member protocol: makes a {@link MemberConnection} of a transport. Bridges whose members speak
 * the protocol, over whatever, stand on it.
 */
import { Cause, Effect, Exit, Schema, type Scope } from "effect"
import {
  type BindRequest,
  type BridgeEvent,
  type Delivery,
  DeliveryRefused,
  type Known,
  type MemberConnection,
  type OutcomeKeeping
} from "../bridge.ts"
import type { InputId } from "../ids.ts"
import type { ByteBudget } from "./budget.ts"
import { DocumentTooLarge, ErrorCode, PeerClosed, type PeerEnd, RpcError } from "./errors.ts"
import { GivenInputs } from "./inputs.ts"
import { hostToMember, isReserved, MEMBER_PROTOCOL, memberToHost, toOutcome } from "./member.ts"
import { makePeer, type Peer } from "./peer.ts"
import type { Handlers, ParamsOf } from "./table.ts"
import type { Transport } from "./transport.ts"

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

type Host = Peer<typeof hostToMember>
type Accepted = "accepted" | "deduplicated"

/** What the member says, as events. */
const handlers = (
  { emit, request }: MemberLinkOptions,
  inputs: GivenInputs,
  violate: (reason: string) => void
): Handlers<typeof memberToHost> => ({
  "turn/ended": (params) => {
    const { fence, inputId: input } = params
    if (fence !== undefined && fence !== request.fence && inputs.has(input)) {
      const line = `the end of ${input} under fence ${fence} is ignored; the fence is ${request.fence}`
      return emit({ type: "log", line })
    }
    switch (inputs.ended(input)) {
      case "own":
        return emit({ type: "turn_ended", input, outcome: toOutcome(params) })
      case "late":
        return
      case "foreign":
        return violate(`it reported the end of ${input}, which it was not given`)
    }
  },
  "turn/progress": ({ inputId: input, note }) => {
    if (inputs.isRunning(input)) emit({ type: "turn_progress", input, note: note ?? "" })
  },
  "turn/output": ({ inputId: input, text }) => {
    if (inputs.isRunning(input)) emit({ type: "turn_output", input, text })
  },
  usage: ({ inputId: input, usage }) => {
    if (input === undefined || inputs.has(input)) emit({ type: "usage", input, usage })
  },
  log: ({ line }) => emit({ type: "log", line })
})

/** Shakes hands; gives how the member keeps outcomes, and what it knows if it keeps them across restarts. */
const shakeHands = (
  peer: Host,
  { fence, generation, identity, labels, mob, role }: BindRequest,
  inputs: GivenInputs
): Effect.Effect<Pick<MemberLink, "outcomes" | "observed">, HandshakeFailed | PeerClosed> =>
  Effect.gen(function*() {
    const member = { mob, identity, role, generation, fence, labels }
    const answer = yield* peer.call("initialize", { protocol: [MEMBER_PROTOCOL], member })
    if (answer.protocol !== MEMBER_PROTOCOL) {
      const reason = `it speaks protocol ${answer.protocol}, this host speaks ${MEMBER_PROTOCOL}`
      return yield* new HandshakeFailed({ reason })
    }
    const outcomes: OutcomeKeeping = answer.capabilities?.outcomes ?? "none"
    const observed: Array<Known> = []
    if (outcomes === "durable") {
      const known = yield* peer.call("observe", {})
      for (const item of known.inputs) {
        const input = item.inputId
        inputs.give(input)
        if (item.state === "running") observed.push({ input, state: "running" })
        else {
          inputs.ended(input)
          observed.push({ input, state: "ended", outcome: toOutcome(item.outcome) })
        }
      }
    }
    return { outcomes, observed }
  }).pipe(
    Effect.mapError((error) =>
      error instanceof HandshakeFailed || error instanceof PeerClosed
        ? error
        : new HandshakeFailed({ reason: error.message })
    )
  )

/**
 * Shakes hands over a transport. Fails with {@link HandshakeFailed} if the member answers wrongly, with
 * {@link PeerClosed} if the connection ends first; it does not time out by itself. The link lives as long as the Scope.
 */
export const linkMember = (
  options: MemberLinkOptions
): Effect.Effect<MemberLink, HandshakeFailed | PeerClosed, Scope.Scope> =>
  Effect.gen(function*() {
    const { request } = options
    const inputs = new GivenInputs()
    const peer: Host = yield* makePeer({
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
      handlers: handlers(options, inputs, (reason) => peer.violate(reason))
    })
    const hands = yield* shakeHands(peer, request, inputs)

    const concluded = (
      input: InputId,
      isNew: boolean,
      exit: Exit.Exit<{ readonly outcome: Accepted }, RpcError | PeerClosed | DocumentTooLarge>
    ): Exit.Exit<Accepted, DeliveryRefused> => {
      if (Exit.isSuccess(exit)) return Exit.succeed(exit.value.outcome)
      const error = Cause.squash(exit.cause)
      // What was handed to a connection that is over by now is undone by `exited`, which its owner emits.
      if (error instanceof PeerClosed) return Exit.succeed("accepted")
      if (isNew) inputs.takeBack(input)
      const reason = error instanceof RpcError ? `${error.reason} (${error.rpc_code})` : reasonOf(error)
      return Exit.fail(new DeliveryRefused({ identity: request.identity, input, reason }))
    }

    const deliver = (delivery: Delivery): Effect.Effect<Accepted, DeliveryRefused> =>
      Effect.callback((resume) => {
        const isNew = inputs.give(delivery.input)
        const forget = peer.callUnsafe("deliver", deliverParams(delivery), (exit) => {
          resume(concluded(delivery.input, isNew, exit))
        })
        return Effect.sync(forget)
      })

    return {
      ...hands,
      deliver,
      settled: (input) =>
        Effect.suspend(() => {
          inputs.settle(input)
          return Effect.ignore(peer.notify("settled", { inputId: input }))
        }),
      interrupt: (input) => Effect.ignore(peer.post("interrupt", { inputId: input })),
      cancel: (input) => Effect.ignore(peer.post("cancel", { inputId: input })),
      retire: Effect.ignore(peer.post("retire", {})),
      inFlight: () => inputs.running,
      shutdown: Effect.andThen(Effect.ignore(peer.post("shutdown", {})), peer.end)
    }
  })

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const deliverParams = (delivery: Delivery): ParamsOf<typeof hostToMember, "deliver"> => {
  const { content, deadline, fence, input, memos, overlay } = delivery
  return {
    inputId: input,
    fence,
    content,
    memos,
    ...(deadline === undefined ? undefined : { deadline }),
    ...(overlay === undefined ? undefined : {
      overlay: {
        ...(overlay.allowed === undefined ? undefined : { allowed: overlay.allowed }),
        ...(overlay.blocked === undefined ? undefined : { blocked: overlay.blocked })
      }
    })
  }
}
