/**
 * What commands may ask of a data directory, whoever answers: the process that holds it, or the disk.
 */
import type { Effect, Stream } from "effect"
import type { StoredEvent } from "../../sdk/store.ts"
import type { TreeNode } from "../actor/index.ts"
import type { MemberView, MobStatus, RunRecord } from "../mob/index.ts"
import type { CommandFailed } from "./failure.ts"

/** A data directory, as commands without a definition see it. */
export interface View {
  /** Process that holds it, if one does. */
  readonly pid: number | undefined
  /** Its mobs; those that are open, if a process holds it. */
  readonly mobs: ReadonlyArray<string>
  readonly ps: (mob: string) => Effect.Effect<
    { readonly status: MobStatus; readonly members: ReadonlyArray<MemberView> },
    CommandFailed
  >
  /** Cells of the process that holds it; undefined if none does. */
  readonly tree: Effect.Effect<TreeNode | undefined, CommandFailed>
  /** Newest first. */
  readonly runs: (mob: string) => Effect.Effect<ReadonlyArray<RunRecord>, CommandFailed>
  readonly run: (mob: string, run: string) => Effect.Effect<RunRecord, CommandFailed>
  /** At most `limit` events after a cursor. */
  readonly events: (
    mob: string,
    after: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<StoredEvent>, CommandFailed>
  /** Events after a cursor and new ones as they come; undefined if no process holds it, so that none will come. */
  readonly follow: ((mob: string, after: number) => Stream.Stream<StoredEvent, CommandFailed>) | undefined
  /** Ends a run as canceled. */
  readonly cancel: (mob: string, run: string) => Effect.Effect<RunRecord, CommandFailed>
}
