/**
 * Looking at a data directory, whether a process holds it or not: the same questions, asked over the control socket or
 * answered from disk.
 */
import { Effect, type Scope, type Stream } from "effect"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import type { StoredEvent } from "../../sdk/store.ts"
import type { TreeNode } from "../actor/index.ts"
import type { MemberView, MobStatus, RunRecord } from "../mob/index.ts"
import { type CommandFailed, usage } from "./failure.ts"
import { liveHost } from "./live.ts"

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

/** Where and what to look at. */
export interface ViewOptions {
  /** Data directory; `.mob` in the working directory when undefined. */
  readonly data: string | undefined
  readonly mob: string | undefined
}

/** Finds the data directory and who can answer for it. The view ends with the Scope. */
export const openView = (options: ViewOptions): Effect.Effect<View, CommandFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const dataDir = resolve(options.data ?? ".mob")
    if (statSync(dataDir, { throwIfNoEntry: false })?.isDirectory() !== true) {
      const hint = options.data === undefined ? "go to where the mob runs, or say --data DIR" : "check --data"
      return yield* usage("DATA_NOT_FOUND", `there is no data directory ${dataDir}; ${hint}`)
    }
    const host = yield* liveHost(dataDir)
    if (host !== undefined) return host
    // Reading from disk needs the runtime's machines; talking to a host does not.
    const { offlineView } = yield* Effect.promise(() => import("./offline.ts"))
    return yield* Effect.catch(offlineView(dataDir), (error) =>
      // A host took the lock between the two looks.
      error.code === "STORE_LOCKED"
        ? Effect.flatMap(liveHost(dataDir), (host) => host === undefined ? Effect.fail(error) : Effect.succeed(host))
        : Effect.fail(error))
  })

/** The mob asked for, else the only one. */
export const mobOf = (view: View, asked: string | undefined): Effect.Effect<string, CommandFailed> => {
  const { mobs } = view
  const list = mobs.length === 0 ? "there are none" : `there are ${mobs.join(", ")}`
  const where = view.pid === undefined ? "" : ` open in process ${view.pid}`
  if (asked !== undefined) {
    return mobs.includes(asked)
      ? Effect.succeed(asked)
      : Effect.fail(usage("MOB_NOT_FOUND", `no mob ${asked}${where}; ${list}`))
  }
  const [only] = mobs
  return only !== undefined && mobs.length === 1
    ? Effect.succeed(only)
    : Effect.fail(
      usage("MOB_AMBIGUOUS", mobs.length === 0 ? `no mob here${where}` : `which mob? Say --mob ID; ${list}`)
    )
}
