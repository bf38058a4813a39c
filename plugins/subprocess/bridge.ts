/**
 * The `subprocess` bridge: members that are child processes and speak the member protocol on their standard input and
 * output. Their standard error is their log.
 *
 * An incarnation is a process group. However it ends (it exits, breaks the protocol, falls silent in a turn, or its
 * Scope closes), nobody of its group is left alive when the end is told. An end that the runtime asked for by closing
 * the Scope is not told as `exited`. Linux is what is claimed.
 */
import { Effect, type Scope } from "effect"
import {
  BindFailed,
  type BindRequest,
  type BridgeEvent,
  type MemberBridge,
  type MemberConnection
} from "../../sdk/bridge.ts"
import type { Identity } from "../../sdk/ids.ts"
import {
  ByteBudget,
  DOCUMENT_LIMIT,
  HandshakeFailed,
  linkMember,
  type PeerClosed,
  type PeerEnd
} from "../../sdk/protocol/index.ts"
import { type Child, startChild } from "./child.ts"
import { SubprocessConfig } from "./config.ts"
import { IdleWatch } from "./idle.ts"
import { howItEnded, Incarnation } from "./incarnation.ts"
import { reap } from "./reap.ts"

const STARTUP_TIMEOUT = 10_000
const STOP_TIMEOUT = 2000
/** Milliseconds that a child whose output has ended may take to end by itself. */
const EXIT_WAIT = 1000

/** What a subprocess bridge is made with. */
export interface SubprocessBridgeOptions {
  /** Counts the bytes that a member's connection keeps. Default: a budget of 8 MiB for each incarnation. */
  readonly budget?: (identity: Identity) => ByteBudget
}

const after = (millis: number): Effect.Effect<"timeout"> =>
  Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.succeed("timeout")), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

const refuseHandshake = (
  request: BindRequest<SubprocessConfig>,
  child: Child,
  incarnation: Incarnation,
  failure: HandshakeFailed | PeerClosed | "timeout"
): Effect.Effect<never, BindFailed> =>
  Effect.gen(function*() {
    const { config, identity } = request
    let cause: { readonly cause_code: string; readonly reason: string }
    if (failure === "timeout") {
      const millis = config.startup_timeout_ms ?? STARTUP_TIMEOUT
      cause = { cause_code: "handshake_timeout", reason: `it did not answer initialize within ${millis} ms` }
    } else if (failure instanceof HandshakeFailed) {
      cause = { cause_code: "handshake_failed", reason: failure.reason }
    } else if (incarnation.verdict !== undefined) {
      cause = { cause_code: incarnation.verdict.code, reason: incarnation.verdict.message }
    } else {
      const gone = yield* Effect.promise(() => child.goneWithin(EXIT_WAIT))
      const how = gone ? howItEnded(yield* Effect.promise(() => child.gone)) : "it closed its output"
      cause = { cause_code: "member_exited", reason: `${how} before it had answered initialize` }
    }
    // Its last lines are in when it is gone.
    yield* Effect.promise(() => child.kill())
    return yield* new BindFailed({ identity, ...cause, log: incarnation.log.last })
  })

const bind = (
  request: BindRequest<SubprocessConfig>,
  emit: (event: BridgeEvent) => void,
  budget: ByteBudget
): Effect.Effect<MemberConnection, BindFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const { config, identity } = request
    const incarnation = new Incarnation(emit)
    let inFlight = () => 0

    const child = yield* Effect.acquireRelease(
      Effect.mapError(
        startChild(config, request.base, incarnation.log),
        (cause) => new BindFailed({ identity, ...cause, log: [] })
      ),
      (child) => Effect.promise(() => child.kill())
    )
    const idle = new IdleWatch(config.idle_timeout_ms, () => inFlight(), (limit) => {
      const message = `it gave no sign of life for ${limit} ms with a turn in flight`
      incarnation.condemn(child, { code: "member_idle", message })
    })
    void child.gone.then((exit) => {
      idle.stop()
      incarnation.gone(exit)
    })

    const linking = linkMember({
      transport: child.transport,
      request,
      emit: (event) => incarnation.tell(event),
      budget,
      documentLimit: config.max_document_bytes ?? DOCUMENT_LIMIT,
      onSign: () => idle.sign(),
      onEnd: (end: PeerEnd) => {
        if (end.reason === "violation") {
          incarnation.condemn(child, { code: "protocol_violation", message: end.violation.message })
        } else if (end.reason === "ended") {
          // Its output is closed: it is ending, or of no use any more.
          void child.goneWithin(EXIT_WAIT).then((gone) => {
            if (!gone) {
              incarnation.condemn(child, { code: "member_exited", message: "it closed its output and lived on" })
            }
          })
        }
      }
    })
    const link = yield* Effect.catch(
      Effect.raceFirst(linking, after(config.startup_timeout_ms ?? STARTUP_TIMEOUT)),
      (failure) => refuseHandshake(request, child, incarnation, failure)
    )
    if (link === "timeout") return yield* refuseHandshake(request, child, incarnation, link)
    inFlight = link.inFlight

    const { shutdown, ...connection } = link
    yield* Effect.addFinalizer(() => {
      incarnation.closing()
      idle.stop()
      return stop(child, shutdown, config.stop_timeout_ms ?? STOP_TIMEOUT)
    })
    incarnation.bound()
    return {
      ...connection,
      process: child.record,
      deliver: (delivery) =>
        Effect.suspend(() => {
          idle.watch()
          return link.deliver(delivery)
        })
    }
  })

/**
 * The stop ladder: asked, then SIGTERM to the whole group. Its last rung, SIGKILL, is how a child is let go of in any
 * case.
 */
const stop = (child: Child, shutdown: Effect.Effect<void>, millis: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const asked = Effect.andThen(shutdown, Effect.never)
    if (yield* Effect.raceFirst(asked, Effect.promise(() => child.goneWithin(millis)))) return
    child.signal("SIGTERM")
    yield* Effect.promise(() => child.goneWithin(millis))
  })

/** Makes a subprocess bridge. */
export const subprocessBridge = (options: SubprocessBridgeOptions = {}): MemberBridge<SubprocessConfig> => ({
  id: "subprocess",
  config: SubprocessConfig,
  lifetime: "host",
  bind: (request, emit) => bind(request, emit, options.budget?.(request.identity) ?? new ByteBudget()),
  reap
})
