/**
 * What a host answers on its control socket: the commands' names as methods, after one `hello`. The wire is camelCase;
 * the records that people and scripts see are snake_case, and the Schemas here stand between.
 */
import { Schema } from "effect"
import { FlowId, Identity, MobId, RunId } from "../../../sdk/ids.ts"
import { Json, type JsonObject } from "../../../sdk/json.ts"
import { call, NoParams, notification } from "../../../sdk/protocol/index.ts"
import type { StoredEvent } from "../../../sdk/store.ts"
import type { TreeNode } from "../../actor/index.ts"
import type { BackupWritten } from "../../journal/copy/index.ts"
import type { MemberView, MobStatus, RunRecord } from "../../mob/index.ts"

/** Number of this set of methods. Client and host must agree. */
export const CONTROL_PROTOCOL = 3

const { Array, Boolean, Int, Literals, NullOr, Number, Record, String, Struct, optionalKey, suspend } = Schema

// Objects of JSON, as an event is; the wire has checked that it is JSON.
const Event: Schema.Codec<JsonObject> = Record(String, Json)

const Status: Schema.Codec<MobStatus, unknown> = Struct({
  mob_id: MobId,
  phase: Literals(["running", "stopped", "completed", "destroyed"]),
  members: Int,
  active_runs: Array(RunId),
  first_cursor: Int,
  latest_cursor: Int,
  orphaned_turns: Int
}).pipe(Schema.encodeKeys({
  mob_id: "mobId",
  active_runs: "activeRuns",
  first_cursor: "firstCursor",
  latest_cursor: "latestCursor",
  orphaned_turns: "orphanedTurns"
}))

const Member: Schema.Codec<MemberView, unknown> = Struct({
  identity: Identity,
  role: String,
  phase: Literals(["active", "broken", "retiring", "retired"]),
  generation: Int,
  fence_token: Int,
  labels: Record(String, String),
  restarts: Int,
  pid: optionalKey(Int),
  cause: optionalKey(String)
}).pipe(Schema.encodeKeys({ fence_token: "fenceToken" }))

const Run: Schema.Codec<RunRecord, unknown> = Struct({
  run_id: RunId,
  flow_id: FlowId,
  status: Literals(["running", "completed", "failed", "canceled"]),
  params: Json,
  steps: Record(
    String,
    Struct({
      status: Literals(["pending", "dispatched", "completed", "failed", "skipped", "canceled"]),
      output: optionalKey(Json),
      reason: optionalKey(String)
    })
  ),
  output: Json,
  started_at: Number,
  completed_at: NullOr(Number),
  reason: optionalKey(String)
}).pipe(Schema.encodeKeys({
  run_id: "runId",
  flow_id: "flowId",
  started_at: "startedAt",
  completed_at: "completedAt"
}))

const Stored: Schema.Codec<StoredEvent, unknown> = Struct({ cursor: Int, at: Number, event: Event })

const Tree: Schema.Codec<TreeNode> = Struct({
  name: String,
  path: String,
  status: Literals(["running", "suspended", "restarting", "stopping"]),
  mailbox: Int,
  processed: Int,
  restarts: Int,
  lastFailure: optionalKey(Struct({ at: Number, message: String })),
  children: Array(suspend((): Schema.Codec<TreeNode> => Tree))
})

const Backup: Schema.Codec<BackupWritten, unknown> = Struct({
  file: String,
  bytes: Int,
  mobs: Array(Struct({ mob: String, epoch: Int, position: Int, cursor: Int })),
  secrets: Array(String),
  entries: Int,
  heads: Int,
  blobs: Int,
  definitions: Int
})

const OneMob = Struct({ mob: String })
const OneRun = Struct({ mob: String, run: String })

/** What the host serves. Every failure is an error answer whose `data.code` is the error's stable code. */
export const hostMethods = {
  hello: call(Struct({ protocol: Int }), Struct({ protocol: Int, pid: Int, mobs: Array(String) })),
  /** Mobs that the directory holds, open or not, by name. */
  stored: call(NoParams, Struct({ mobs: Array(String) })),
  ps: call(OneMob, Struct({ status: Status, members: Array(Member) })),
  tree: call(NoParams, Struct({ tree: Tree })),
  runs: call(OneMob, Struct({ runs: Array(Run) })),
  status: call(OneRun, Struct({ run: Run })),
  /** Answers when the run has ended. */
  wait: call(OneRun, Struct({ run: Run })),
  events: call(Struct({ mob: String, after: Int, limit: Int }), Struct({ events: Array(Stored) })),
  /** Sends `event` for each event after the cursor, until the client leaves. One at a time a connection. */
  follow: call(Struct({ mob: String, after: Int }), NoParams),
  cancel: call(OneRun, Struct({ run: Run })),
  /** Opens the definition's mob if it is not open, and starts or finds the run. `file` is absolute. */
  run: call(
    Struct({ file: String, flow: String, params: Record(String, Json), key: optionalKey(String) }),
    Struct({ mob: String, runId: String, existing: Boolean, cursor: Int })
  ),
  /** Writes a backup of the store, of one mob or of all, while it goes on. `file` is absolute. */
  backup: call(
    Struct({ file: String.check(Schema.isPattern(/^\//)), mob: optionalKey(String), secrets: Boolean }),
    Struct({ backup: Backup })
  )
} as const

/** What the client serves. */
export const clientMethods = {
  event: notification(Stored),
  /** The followed events are over: the mob closed, or their history was pruned. */
  followed: notification(Struct({ code: optionalKey(String), reason: optionalKey(String) }))
} as const
