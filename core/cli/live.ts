/** Who holds a data directory, and whether it answers. */
import { Clock, Effect, type Scope } from "effect"
import { lives, readOwner } from "../journal/index.ts"
import { connectHost, type HostClient } from "./control/client.ts"
import { CommandFailed, ExitCode } from "./failure.ts"

/** Milliseconds a process that holds the directory may take until it answers: it may just have started. */
const PATIENCE_MILLIS = 3_000

/**
 * The process that holds a data directory, connected; undefined if no process does. Fails with exit code 3 if one does
 * and does not answer. The connection ends with the Scope.
 */
export const liveHost = (dataDir: string): Effect.Effect<HostClient | undefined, CommandFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const until = (yield* Clock.currentTimeMillis) + PATIENCE_MILLIS
    for (;;) {
      const owner = readOwner(dataDir)
      if (owner === undefined || !lives(owner)) return undefined
      const host = owner.socket === undefined ? undefined : yield* connectHost(owner.socket)
      if (host !== undefined) return host
      if ((yield* Clock.currentTimeMillis) >= until) {
        const text =
          `process ${owner.pid} holds ${dataDir} and does not answer on its control socket; end it, or wait for its end`
        return yield* new CommandFailed({ code: "STORE_LOCKED", text, exit: ExitCode.store })
      }
      yield* Effect.sleep(100)
    }
  })
