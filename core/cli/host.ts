/**
 * Being the host of a data directory: the runtime over it, and its control socket. One process at a time.
 */
import { Effect, Scope } from "effect"
import type { StoreShape } from "../../sdk/store.ts"
import type { TreeNode } from "../actor/index.ts"
import { loadDefinition } from "../definition/index.ts"
import { backup } from "../journal/copy/index.ts"
import type { MobHandle, MobsShape } from "../mob/index.ts"
import type { HostClient } from "./control/client.ts"
import { socketPath } from "./control/path.ts"
import { serveControl } from "./control/server.ts"
import { type Coded, type CommandFailed, failed } from "./failure.ts"
import { liveHost } from "./live.ts"

/** What opening a data directory gives; all of it ends with the Scope. */
interface Runtime {
  readonly mobs: MobsShape
  readonly tree: Effect.Effect<TreeNode>
  readonly journal: StoreShape
}

/** Opens a data directory, made if need be, and takes its lock. */
export type OpenRuntime = (dataDir: string, socket: string) => Effect.Effect<Runtime, Coded, Scope.Scope>

/** A process that holds a data directory and answers on its socket. */
export interface Host {
  /** Opens the definition's mob, or creates it, or finds it open. It lives as long as the host. */
  readonly openFile: (file: string) => Effect.Effect<MobHandle, CommandFailed>
  readonly socket: string
}

/** Becomes the host of a data directory until the Scope closes; then its mobs are closed and their runs suspended. */
export const becomeHost = (dataDir: string, open: OpenRuntime): Effect.Effect<Host, CommandFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const socket = yield* Effect.try({
      try: () => socketPath(dataDir),
      catch: (error) =>
        failed(error instanceof Error && "code" in error ? error as Error & Coded : unusable(dataDir, error))
    })
    const { journal, mobs, tree } = yield* Effect.mapError(open(dataDir, socket), failed)
    const openFile = (file: string) =>
      loadDefinition(file).pipe(
        Effect.flatMap((loaded) => mobs.openOrCreate(loaded)),
        Scope.provide(scope),
        Effect.mapError(failed)
      )
    yield* Effect.mapError(
      serveControl(socket, {
        mobs,
        stored: journal.mobs,
        tree,
        openFile,
        backup: (file, options) => backup(journal, file, options)
      }),
      failed
    )
    return { openFile, socket }
  })

/** Joins the process that holds a data directory, or becomes it; two that start at once do not get in each other's way. */
export const joinOrHost = (
  dataDir: string,
  open: OpenRuntime
): Effect.Effect<{ readonly joined: HostClient } | { readonly host: Host }, CommandFailed, Scope.Scope> => {
  const join = Effect.map(liveHost(dataDir), (joined) => joined && { joined })
  const host = Effect.map(becomeHost(dataDir, open), (host) => ({ host }))
  return Effect.flatMap(join, (joined) =>
    joined !== undefined ? Effect.succeed(joined) : Effect.catch(host, (error) =>
      // Somebody was faster between the look and the lock.
      error.code === "STORE_LOCKED"
        ? Effect.flatMap(join, (joined) => joined === undefined ? Effect.fail(error) : Effect.succeed(joined))
        : Effect.fail(error)))
}

const unusable = (dataDir: string, error: unknown): Coded => ({
  code: "DATA_FOLDER_UNUSABLE",
  message: `no control socket can be made for ${dataDir}: ${String(error)}`
})
