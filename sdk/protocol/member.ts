/**
 * The methods of the member protocol, number 1: what a host asks of a member and what a member tells its host.
 */
import { Schema } from "effect"
import { OutcomeKeeping } from "../bridge.ts"
import { Content } from "../content.ts"
import { InputId } from "../ids.ts"
import type { Json } from "../json.ts"
import type { Outcome } from "../outcome.ts"
import { call, NoParams, notification } from "./table.ts"

/** The number of the member protocol that this package speaks. */
export const MEMBER_PROTOCOL = 1

const { Array, Int, Literals, Record, String, Struct, Union, Null, optionalKey } = Schema

// A document is JSON when it gets here and its depth was checked, so a user's own values are passed on unwalked.
const OpaqueJson = Schema.Unknown as unknown as Schema.Codec<Json>

const completed = {
  status: Schema.Literal("completed"),
  /** The text; when absent, the JSON text of `structured`, or nothing. */
  output: optionalKey(String),
  structured: optionalKey(OpaqueJson)
}

const failed = {
  status: Schema.Literal("failed"),
  /** Stable code; `failed` when absent. */
  code: optionalKey(String),
  /** A sentence for people. */
  reason: optionalKey(String)
}

const canceled = { status: Schema.Literal("canceled"), reason: optionalKey(String) }

/** How a turn ended, as it stands in the answer to `observe`; `turn/ended` has the same fields beside the input's id. */
export const WireOutcome = Union([Struct(completed), Struct(failed), Struct(canceled)])
export type WireOutcome = typeof WireOutcome.Type

/** An outcome from the wire, with what was left out. */
export const toOutcome = (wire: WireOutcome): Outcome => {
  switch (wire.status) {
    case "completed": {
      const { structured } = wire
      const output = wire.output ?? (structured === undefined ? "" : JSON.stringify(structured))
      return structured === undefined
        ? { status: "completed", output }
        : { status: "completed", output, structured }
    }
    case "failed":
      return { status: "failed", code: wire.code ?? "failed", reason: wire.reason ?? "the member gave no reason" }
    case "canceled":
      return { status: "canceled", reason: wire.reason ?? "the member gave no reason" }
  }
}

const ended = { inputId: InputId, fence: optionalKey(Int) }
const OneInput = Struct({ inputId: InputId })
const Peer = Struct({ peer: String })

/** What a member serves. Unknown fields, `traceparent` among them, are ignored. */
export const hostToMember = {
  initialize: call(
    Struct({
      /** Numbers that the host speaks, best first. */
      protocol: Array(Int),
      member: Struct({
        mob: String,
        identity: String,
        role: String,
        generation: Int,
        fence: Int,
        labels: Record(String, String)
      })
    }),
    Struct({
      protocol: Int,
      capabilities: optionalKey(Struct({ outcomes: optionalKey(OutcomeKeeping) }))
    })
  ),
  deliver: call(
    Struct({
      inputId: InputId,
      fence: Int,
      content: Content,
      /** Milliseconds since the Unix epoch. */
      deadline: optionalKey(Int),
      overlay: optionalKey(Struct({ allowed: optionalKey(Array(String)), blocked: optionalKey(Array(String)) })),
      memos: Record(String, OpaqueJson)
    }),
    Struct({ outcome: Literals(["accepted", "deduplicated"]) })
  ),
  observe: call(
    NoParams,
    Struct({
      inputs: Array(Union([
        Struct({ inputId: InputId, state: Schema.Literal("running") }),
        Struct({ inputId: InputId, state: Schema.Literal("ended"), outcome: WireOutcome })
      ]))
    })
  ),
  interrupt: call(OneInput, Null),
  cancel: call(OneInput, Null),
  wire: call(Peer, Null),
  unwire: call(Peer, Null),
  retire: call(NoParams, Null),
  shutdown: call(NoParams, Null),
  settled: notification(OneInput)
} as const

/** What a host serves. */
export const memberToHost = {
  "turn/ended": notification(
    Union([Struct({ ...ended, ...completed }), Struct({ ...ended, ...failed }), Struct({ ...ended, ...canceled })])
  ),
  "turn/progress": notification(Struct({ inputId: InputId, note: optionalKey(String) })),
  "turn/output": notification(Struct({ inputId: InputId, text: String })),
  usage: notification(Struct({ inputId: optionalKey(InputId), usage: OpaqueJson })),
  log: notification(Struct({ line: String }))
} as const

/** Requests whose names are kept for what members may ask of their mob; answered "not granted" until they may. */
export const isReserved = (method: string): boolean => method === "peer/send" || method.startsWith("mob/")
