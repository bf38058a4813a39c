/** `mob up FILE`: keeps a mob running in this process until a signal, and answers on the control socket. */
import { Effect, Stream } from "effect"
import { CommandFailed, ExitCode, failed } from "./failure.ts"
import { becomeHost, type OpenRuntime } from "./host.ts"
import { liveHost } from "./live.ts"
import { dataDirOf } from "./params.ts"
import { eventLine, progress, result, time } from "./print.ts"
import { Signals } from "./signals.ts"

/** What `mob up` was asked. */
interface UpOptions {
  readonly file: string
  readonly data: string | undefined
  readonly log: "pretty" | "json"
}

/** Ends well after a signal; fails with the mob's cause if the mob closes by itself. */
export const up = Effect.fnUntraced(function*(options: UpOptions, open: OpenRuntime) {
  const signals = yield* Signals
  const dataDir = dataDirOf(options.file, options.data)
  const json = options.log === "json"
  yield* Effect.scoped(Effect.gen(function*() {
    const other = yield* liveHost(dataDir)
    if (other !== undefined) {
      return yield* new CommandFailed({
        code: "STORE_LOCKED",
        text: `process ${other.pid} holds ${dataDir} already; end it first, or give another --data`,
        exit: ExitCode.store
      })
    }
    const host = yield* becomeHost(dataDir, open)
    const mob = yield* host.openFile(options.file)
    const { active_runs, latest_cursor, members, phase } = yield* Effect.mapError(mob.status, failed)
    const ready = {
      type: "ready",
      mob_id: mob.id,
      phase,
      pid: process.pid,
      members,
      active_runs,
      data: dataDir,
      socket: host.socket
    }
    yield* result(
      json
        ? JSON.stringify(ready)
        : `ready: mob ${mob.id} is ${phase} with ${members} members, data in ${dataDir}, pid ${process.pid}`
    )
    for (const run of active_runs) yield* note(json, { type: "run_continues", run_id: run }, `run ${run} goes on`)

    const log = mob.events(latest_cursor).pipe(
      Stream.runForEach(({ at, cursor, event }) =>
        progress(json ? JSON.stringify({ cursor, at, mob_id: mob.id, ...event }) : `${time(at)} ${eventLine(event)}`)
      ),
      Effect.mapError(failed),
      // The stream ends with the mob, and nothing in this process closes it but a signal.
      Effect.andThen(
        Effect.fail(
          new CommandFailed({
            code: "MOB_CLOSED",
            text: `mob ${mob.id} closed; run mob up again`,
            exit: ExitCode.failed
          })
        )
      )
    )
    const signal = yield* Effect.raceFirst(signals.first, log)
    yield* note(json, { type: "closing", signal }, `closing after ${signal}; a second signal stops at once`)
  }))
  yield* note(json, { type: "closed" }, "closed; runs that were going are suspended, the next mob up continues them")
})

const note = (json: boolean, fields: object, text: string) => progress(json ? JSON.stringify(fields) : text)
