/**
 * What the coordinator of a mob, its durable cell, can be told.
 */
import type { FlowId, RunId } from "../../sdk/ids.ts"
import type { Json } from "../../sdk/json.ts"
import type { Submission } from "../../sdk/store.ts"
import type { Reply } from "../actor/index.ts"
import type { Abandoned } from "../journal/durable.ts"
import type { MobCommand, MobReply, MobState } from "../machine/mob/index.ts"
import type { Refusal, ToMob } from "../machine/protocol.ts"
import type { FlowPlan } from "../machine/run/index.ts"

/** Why a command got no decision that can be trusted. */
export type CommandFailed =
  | { readonly _tag: "Refused"; readonly refusal: Refusal }
  | { readonly _tag: "Lost"; readonly abandoned: Abandoned }

/** A run as its admission answers it. */
export interface Admitted {
  readonly run_id: RunId
  readonly existing: boolean
}

/** What a message came to: committed, too late to count, or nobody knows: say it again. */
export type CameTo = "committed" | "refused" | "unknown"

/** To the coordinator. */
export type MobMessage =
  /** From a cell of this mob. `done`: called after the sync of what it came to. */
  | { readonly type: "protocol"; readonly message: ToMob; readonly done?: (came: CameTo) => void }
  | {
    readonly type: "command"
    readonly command: (now: number) => MobCommand
    readonly pins?: Submission["pins"]
    readonly reply: Reply<MobReply, CommandFailed>
  }
  /** Two aggregates in one submission: the mob admits the run, the run has its first entry (R11). */
  | {
    readonly type: "run_flow"
    readonly run_id: RunId
    readonly flow_id: FlowId
    readonly plan: FlowPlan
    readonly digest: string
    readonly params: Json
    readonly key: string
    readonly explicit: boolean
    readonly reply: Reply<Admitted, CommandFailed>
  }
  /** The earliest restart of a crashed member is due. */
  | { readonly type: "restart_due" }
  | { readonly type: "read"; readonly reply: Reply<MobState, CommandFailed> }
