/**
 * `npm start`: a mob audits a source tree. Without a folder it audits this repository. `arguments.ts` has the options.
 *
 * An audit that was interrupted, by Ctrl-C or by a crash of this process, goes on when it is asked for again.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Effect, Exit } from "effect"
import { loadDefinition, runtime } from "mobwright"
import { localBridge } from "mobwright/plugins/local"
import { subprocessBridge } from "mobwright/plugins/subprocess"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArguments, type Request, UsageError } from "./arguments.ts"
import { audit } from "./audit.ts"
import { display, escapeBytes } from "./bytes.ts"
import { chaotic } from "./chaos.ts"
import { withoutPython } from "./variants.ts"

const here = fileURLToPath(new URL(".", import.meta.url))
const repository = fileURLToPath(new URL("../..", import.meta.url))

/** Whether python3 is there and new enough for the seats. Takes a blink: it is asked before anything runs. */
const hasPython = (): boolean =>
  spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0

/** Ends a process group. One that is gone already is no matter. */
const killGroup = (pgid: number): void => {
  try {
    process.kill(-pgid, "SIGKILL")
  } catch {
    // ESRCH: it ended by itself meanwhile.
  }
}

const run = Effect.fnUntraced(function*(request: Request) {
  const loaded = yield* loadDefinition(`${here}mob.toml`)
  const python = hasPython()
  yield* Console.log(`auditing ${display(escapeBytes(Buffer.from(request.folder)))}`)
  if (!python) yield* Console.log("python3 is not on PATH: four Node seats, every file is measured once")
  const seats = subprocessBridge()
  const bridges = [
    localBridge(),
    request.chaos ? chaotic(seats, { seed: request.seed, kill: killGroup }) : seats
  ] as const
  return yield* audit(request, python ? loaded : yield* withoutPython(loaded)).pipe(
    Effect.scoped,
    Effect.provide(runtime({ dir: request.data, bridges }))
  )
})

const main = Effect.gen(function*() {
  // npm starts scripts in the package's folder and tells where it was called.
  const called = process.env["npm_lifecycle_event"] === "start" ? process.env["INIT_CWD"] : undefined
  const from = called ?? process.cwd()
  const request = parseArguments(process.argv.slice(2), { from, folder: repository })
  if (request instanceof UsageError) return yield* request
  for (const line of yield* run(request)) yield* Console.log(line)
})

NodeRuntime.runMain(
  Effect.onExit(main, (exit) => {
    if (Exit.isSuccess(exit)) return Effect.void
    if (Cause.hasInterruptsOnly(exit.cause)) {
      return Console.error("interrupted; the same command goes on with the audit")
    }
    const error = Cause.squash(exit.cause)
    return Console.error(error instanceof Error ? error.message : String(error))
  }),
  { disableErrorReporting: true }
)
