/**
 * Looking at a data directory, whether a process holds it or not: the same questions, asked over the control socket or
 * answered from disk.
 */
import { Effect, type Scope } from "effect"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { type CommandFailed, usage } from "./failure.ts"
import { liveHost } from "./live.ts"
import type { View } from "./questions.ts"

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
