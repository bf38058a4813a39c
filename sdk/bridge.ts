/**
 * The bridge contract: how the runtime reaches a member, whatever a member is.
 *
 * A bridge is plain data plus functions. It binds one *incarnation* of a member at a time: `bind` starts or connects
 * it and gives a connection that lives as long as the Scope it was made in; closing that Scope takes the incarnation
 * down (a child process goes through its stop ladder). What the incarnation does comes back through `emit`, which
 * never blocks and never throws.
 *
 * The runtime guarantees: one live connection a member; `deliver` only after the dispatch is durable; the same input
 * is delivered again after a crash, under a new fence. The bridge guarantees: a repeated `deliver` of an input that
 * the incarnation runs or keeps is answered `deduplicated` and runs nothing; an outcome is emitted until `settled`
 * is called for it, at least once a binding.
 */
import type { Effect, Schema, Scope } from "effect"
import { Schema as S } from "effect"
import type { Content } from "./content.ts"
import type { Fence, Generation, Identity, InputId, Millis, MobId } from "./ids.ts"
import type { Json } from "./json.ts"
import type { Outcome } from "./outcome.ts"

/**
 * How long a member keeps the outcome of an input that is not settled.
 * - `none`: it reports once and forgets; a turn may run again after a crash of host, member or member cell.
 * - `memory`: until its process ends.
 * - `durable`: across its own restarts. The outcome is recorded atomically with the effect (or the effect is
 *   idempotent by input id), and fences below the highest in its store are refused; otherwise declare `memory`.
 */
export const OutcomeKeeping = S.Literals(["none", "memory", "durable"])
export type OutcomeKeeping = typeof OutcomeKeeping.Type

/** What identifies a child process beyond doubt, also after its pid was used again. Linux only. */
export const ProcessRecord = S.Struct({
  /** Process id of the child. */
  pid: S.Int,
  /** Its process group; the child leads it. */
  pgid: S.Int,
  /** Start time in clock ticks since boot, field 22 of `/proc/<pid>/stat`. */
  start_ticks: S.Int,
  /** `/proc/sys/kernel/random/boot_id` at that time. */
  boot_id: S.String
})
export type ProcessRecord = typeof ProcessRecord.Type

/** One input as it goes to a member. */
export interface Delivery {
  readonly input: InputId
  readonly fence: Fence
  readonly content: Content
  /** Absolute time by which the turn should have ended; the runtime, not the member, enforces it. */
  readonly deadline: Millis | undefined
  /** Restricts the tools of this turn alone. */
  readonly overlay: {
    readonly allowed: ReadonlyArray<string> | undefined
    readonly blocked: ReadonlyArray<string> | undefined
  } | undefined
  /** What `turn.once` remembered for this input in earlier deliveries. */
  readonly memos: { readonly [key: string]: Json }
}

/** An input that an incarnation knows, as it answers to `observe`. */
export type Known =
  | { readonly input: InputId; readonly state: "running" }
  | { readonly input: InputId; readonly state: "ended"; readonly outcome: Outcome }

/** Why an incarnation is no more. `code` is stable (`member_exited`, `protocol_violation`, ...). */
export interface BridgeExit {
  readonly code: string
  readonly message: string
  /** Last lines the member wrote to its log, newest last, at most 20. */
  readonly log: ReadonlyArray<string>
}

/** What an incarnation says of itself. Events after `exited` are ignored. */
export type BridgeEvent =
  | { readonly type: "turn_ended"; readonly input: InputId; readonly outcome: Outcome }
  | { readonly type: "turn_progress"; readonly input: InputId; readonly note: string }
  | { readonly type: "turn_output"; readonly input: InputId; readonly text: string }
  | { readonly type: "usage"; readonly input: InputId | undefined; readonly usage: Json }
  | { readonly type: "log"; readonly line: string }
  | { readonly type: "exited"; readonly exit: BridgeExit }

/** What `bind` is told. */
export interface BindRequest<Config = unknown> {
  readonly mob: MobId
  readonly identity: Identity
  readonly role: string
  readonly generation: Generation
  readonly fence: Fence
  readonly labels: { readonly [key: string]: string }
  /** The profile's `bridge` table without `use`, decoded by the bridge's own Schema. */
  readonly config: Config
  /** Absolute folder of the definition; relative paths and commands are meant from here. */
  readonly base: string
}

/** A live incarnation. All calls but `deliver` and `observe` are idempotent and may come in any order. */
export interface MemberConnection {
  readonly outcomes: OutcomeKeeping
  /** The child process behind it; the runtime records it durably before the first `deliver`. */
  readonly process: ProcessRecord | undefined
  /** Inputs that the incarnation knew when it was bound; empty for a fresh process without a store. */
  readonly observed: ReadonlyArray<Known>
  /** Hands an input over. Fails only if the incarnation refuses it for good; a dead incarnation emits `exited`. */
  readonly deliver: (delivery: Delivery) => Effect.Effect<"accepted" | "deduplicated", DeliveryRefused>
  /** The owner has committed the outcome; the member may forget it. */
  readonly settled: (input: InputId) => Effect.Effect<void>
  /** Asks to stop a turn at its next boundary. The turn still ends with an outcome. */
  readonly interrupt: (input: InputId) => Effect.Effect<void>
  /** Asks to stop a turn now. The turn still ends with an outcome. */
  readonly cancel: (input: InputId) => Effect.Effect<void>
  /** Last call before the Scope closes because the member leaves for good. */
  readonly retire: Effect.Effect<void>
}

/** The member refused an input for good: the input fails with this code and reason, the member lives on. */
export class DeliveryRefused extends S.TaggedError<DeliveryRefused>()("DeliveryRefused", {
  identity: S.String,
  input: S.String,
  reason: S.String
}) {
  /** Stable code of this error. */
  readonly code = "DELIVERY_REFUSED"
  override get message() {
    return `member ${this.identity} refused input ${this.input}: ${this.reason}`
  }
}

/** An incarnation could not be started or connected. It counts as a crash of the member. */
export class BindFailed extends S.TaggedError<BindFailed>()("BindFailed", {
  identity: S.String,
  /** Stable code of what went wrong: `behavior_missing`, `command_not_found`, `handshake_failed`, ... */
  cause_code: S.String,
  reason: S.String,
  /** Last lines of the member's log, newest last. */
  log: S.Array(S.String)
}) {
  /** Stable code of this error. */
  readonly code = "BIND_FAILED"
  override get message() {
    return `member ${this.identity} could not be started (${this.cause_code}): ${this.reason}`
      + (this.log.length > 0 ? `\nits last log lines:\n  ${this.log.join("\n  ")}` : "")
  }
}

/** A recorded child process would not die. */
export class ReapFailed extends S.TaggedError<ReapFailed>()("ReapFailed", {
  pid: S.Int,
  reason: S.String
}) {
  /** Stable code of this error. */
  readonly code = "REAP_FAILED"
  override get message() {
    return `process ${this.pid} of an earlier incarnation is still there: ${this.reason}; end it by hand and open again`
  }
}

/** A way to reach members. First-party bridges are `local` and `subprocess`; yours is made the same way. */
export interface MemberBridge<Config = unknown> {
  /** Name by which a profile's `bridge.use` finds it. */
  readonly id: string
  /** Schema of the rest of the profile's `bridge` table. */
  readonly config: Schema.Codec<Config, Json>
  /**
   * `host`: an incarnation cannot outlive the host process, so opening a mob starts a new one under a new fence.
   * `remote`: it lives elsewhere and is connected to again.
   */
  readonly lifetime: "host" | "remote"
  /** Starts or connects one incarnation; see the module's text. Interruption takes down what was begun. */
  readonly bind: (
    request: BindRequest<Config>,
    emit: (event: BridgeEvent) => void
  ) => Effect.Effect<MemberConnection, BindFailed, Scope.Scope>
  /** Ends a recorded process of an earlier incarnation, if it is still the same one, and awaits its end (5 s). */
  readonly reap?: (process: ProcessRecord) => Effect.Effect<void, ReapFailed>
}
