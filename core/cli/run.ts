/**
 * `mob run FILE`: runs one flow to its end, in this process or in the one that holds the data directory already.
 */
import { Effect, Fiber, Stream } from "effect"
import { resolve } from "node:path"
import type { JsonObject } from "../../sdk/json.ts"
import type { StoredEvent } from "../../sdk/store.ts"
import { loadDefinition } from "../definition/index.ts"
import type { RunRecord } from "../mob/index.ts"
import { type CommandFailed, CommandFailed as Failed, ExitCode, failed } from "./failure.ts"
import { joinOrHost, type OpenRuntime } from "./host.ts"
import { continueCommand, dataDirOf, flowOf, paramsOf, quoted, type RunOptions } from "./params.ts"
import { eventLine, findingLine, progress, result, resultJson, runText } from "./print.ts"
import { Signals } from "./signals.ts"

/** A run under way, wherever it is. */
interface Going {
  readonly mob: string
  readonly runId: string
  readonly existing: boolean
  readonly events: Stream.Stream<StoredEvent, CommandFailed>
  readonly wait: Effect.Effect<RunRecord, CommandFailed>
  readonly record: Effect.Effect<RunRecord, CommandFailed>
}

/** Milliseconds that the last lines may lag behind the end of their run. */
const LAST_LINES_MILLIS = 1_000

/** Fails with exit code 1 if the run failed or was canceled, 130 if a signal came first. */
export const run = Effect.fnUntraced(function*(options: RunOptions, open: OpenRuntime) {
  const loaded = yield* Effect.mapError(loadDefinition(options.file), failed)
  for (const it of loaded.warnings) yield* progress(findingLine(it))
  const flow = flowOf(loaded.definition, options.flow)
  if (typeof flow !== "string") return yield* flow
  const params = paramsOf(options)
  if (params instanceof Failed) return yield* params
  const dataDir = dataDirOf(options.file, options.data)
  const key = options.key === undefined ? {} : { key: options.key }

  const ended = yield* Effect.scoped(Effect.gen(function*() {
    const found = yield* joinOrHost(dataDir, open)
    if ("joined" in found) {
      const host = found.joined
      const { cursor, existing, mob, runId } = yield* host.runFlow({
        file: resolve(options.file),
        flow,
        params,
        ...key
      })
      yield* progress(`process ${host.pid} holds ${dataDir} and runs it`)
      return yield* follow(
        {
          mob,
          runId,
          existing,
          events: host.follow(mob, cursor),
          wait: host.awaitRun(mob, runId),
          record: host.run(mob, runId)
        },
        options,
        undefined,
        `the run goes on in process ${host.pid}; look with: mob status ${runId} --data ${quoted(dataDir)}`
      )
    }
    const mob = yield* found.host.openFile(options.file)
    const before = yield* Effect.mapError(mob.status, failed)
    const { existing, run_id } = yield* Effect.mapError(mob.runFlow(flow, params, key), failed)
    const others = before.active_runs.filter((it) => it !== run_id)
    if (others.length > 0) {
      yield* progress(
        `run ${others.join(", run ")} was interrupted and goes on too; it suspends when this command ends`
      )
    }
    return yield* follow(
      {
        mob: mob.id,
        runId: run_id,
        existing,
        events: Stream.mapError(mob.events(before.latest_cursor), failed),
        wait: Effect.mapError(mob.awaitRun(run_id), failed),
        record: Effect.mapError(mob.run(run_id), failed)
      },
      options,
      "suspending; a second signal stops at once",
      `suspended; continue with: ${continueCommand(options, flow, params)}`
    )
  }))

  if (ended.type === "interrupted") {
    return yield* new Failed({ code: "INTERRUPTED", text: ended.text, exit: ExitCode.interrupted })
  }
  const { record } = ended
  if (record.status !== "completed") {
    const what = record.status === "canceled" ? "was canceled" : "failed"
    return yield* new Failed({
      code: record.status === "canceled" ? "RUN_CANCELED" : "RUN_FAILED",
      text: `run ${record.run_id} of flow ${record.flow_id} ${what}; its steps: mob status ${record.run_id} --data ${
        quoted(dataDir)
      }`,
      exit: ExitCode.failed
    })
  }
})

type Ended =
  | { readonly type: "ended"; readonly record: RunRecord }
  | { readonly type: "interrupted"; readonly text: string }

/**
 * Tells of the run until it ends or a signal comes; prints its result at once, before anything is closed. `atSignal` is
 * said when the signal comes, `afterwards` when all is closed.
 */
const follow = Effect.fnUntraced(function*(
  going: Going,
  options: RunOptions,
  atSignal: string | undefined,
  afterwards: string
) {
  const signals = yield* Signals
  const first = going.existing ? yield* going.record : undefined
  if (first !== undefined && first.status !== "running") {
    yield* progress(`run ${going.runId} of mob ${going.mob} ended before; this is its result`)
    yield* show(first, options)
    return ended(first)
  }
  const how = going.existing ? "attached to run" : "started run"
  yield* progress(`${how} ${going.runId} of mob ${going.mob}`)
  const lines = yield* Effect.forkScoped(told(going))
  const record = yield* Effect.raceFirst(
    Effect.map(going.wait, ended),
    Effect.map(signals.first, (): Ended => ({ type: "interrupted", text: afterwards }))
  )
  if (record.type === "interrupted") {
    yield* Fiber.interrupt(lines)
    if (atSignal !== undefined) yield* progress(atSignal)
    return record
  }
  yield* Effect.timeoutOption(Fiber.await(lines), LAST_LINES_MILLIS)
  yield* show(record.record, options)
  return record
})

const ended = (record: RunRecord): Ended => ({ type: "ended", record })

const terminal = new Set(["flow_completed", "flow_failed", "flow_canceled"])

/** A line per step as it happens, up to the run's last event. Losing the lines is not losing the run. */
const told = ({ events, runId }: Going) =>
  events.pipe(
    Stream.filter(({ event }) => event["run_id"] === runId || about(event)),
    Stream.tap(({ event }) => event["type"] === "flow_started" ? Effect.void : progress(eventLine(event))),
    Stream.takeUntil(({ event }) => terminal.has(String(event["type"])) && event["run_id"] === runId),
    Stream.runDrain,
    Effect.catch((error) => progress(`no more lines: ${error.text}`))
  )

/** Members in trouble explain what a run waits for. */
const about = (event: JsonObject) => event["type"] === "member_crashed" || event["type"] === "member_broken"

const show = (record: RunRecord, { json }: RunOptions) => {
  if (json) return resultJson(record)
  return record.status === "completed"
    ? Effect.andThen(progress(runText(record)), result(JSON.stringify(record.output, null, 2)))
    : progress(runText(record))
}
