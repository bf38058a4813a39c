/**
 * A bridge as a stranger would write it: members are Node worker threads. It imports the published SDK alone.
 *
 * A worker's module posts `{ input, output }` or `{ input, error }` for each `{ input, text }` it is sent. A worker that
 * dies is reported as `exited`; the mob starts the next one under a new fence and delivers again what was unfinished.
 */
import { Effect, Schema } from "effect"
import {
  BindFailed,
  type BindRequest,
  type BridgeEvent,
  definePlugin,
  type Delivery,
  type InputId,
  type MemberBridge,
  type Outcome,
  PLUGIN_API_VERSION,
  textOf
} from "mobwright/sdk"
import { resolve } from "node:path"
import { SHARE_ENV, Worker } from "node:worker_threads"

/** The rest of a profile's `bridge` table. */
const WorkerConfig = Schema.Struct({
  /** Module the worker runs, relative to the definition. */
  module: Schema.String
})
type WorkerConfig = typeof WorkerConfig.Type

/** What a worker posts. Anything else is ignored. */
const decodeAnswer = Schema.decodeUnknownOption(Schema.Union([
  Schema.Struct({ input: Schema.String, output: Schema.String }),
  Schema.Struct({ input: Schema.String, error: Schema.String })
]))

/** Starts the thread; a module that cannot be loaded fails here and not later. */
const startWorker = (request: BindRequest<WorkerConfig>) =>
  Effect.callback<Worker, BindFailed>((resume) => {
    const worker = new Worker(resolve(request.base, request.config.module), { env: SHARE_ENV })
    worker.once("online", () => resume(Effect.succeed(worker)))
    worker.once("error", (error) =>
      resume(Effect.fail(
        new BindFailed({
          identity: request.identity,
          cause_code: "worker_failed",
          reason: error instanceof Error ? error.message : String(error),
          log: []
        })
      )))
  })

/** Members as worker threads. */
const workerBridge: MemberBridge<WorkerConfig> = {
  id: "worker",
  config: WorkerConfig,
  // A thread cannot outlive its process: a new host starts new ones.
  lifetime: "host",
  bind: (request, emit: (event: BridgeEvent) => void) =>
    Effect.gen(function*() {
      const worker = yield* Effect.acquireRelease(
        startWorker(request),
        (it) => Effect.promise(() => it.terminate())
      )
      // Outcomes are kept until the runtime has them: `memory`, as long as the connection lives.
      const running = new Map<string, InputId>()
      const kept = new Map<InputId, Outcome>()
      const end = (input: InputId, outcome: Outcome) => {
        kept.set(input, outcome)
        emit({ type: "turn_ended", input, outcome })
      }
      worker.on("message", (message: unknown) => {
        const answer = decodeAnswer(message)
        if (answer._tag === "None") return
        const input = running.get(answer.value.input)
        if (input === undefined) return
        running.delete(input)
        end(
          input,
          "output" in answer.value
            ? { status: "completed", output: answer.value.output }
            : { status: "failed", code: "worker_error", reason: answer.value.error }
        )
      })
      worker.on("error", () => {
        // `exit` follows, and says it once.
      })
      worker.once("exit", (code) =>
        emit({ type: "exited", exit: { code: "worker_exited", message: `the worker ended with ${code}`, log: [] } }))
      return {
        outcomes: "memory" as const,
        process: undefined,
        observed: [],
        deliver: (delivery: Delivery) =>
          Effect.sync(() => {
            const known = kept.get(delivery.input)
            if (known !== undefined) {
              emit({ type: "turn_ended", input: delivery.input, outcome: known })
            }
            if (known !== undefined || running.has(delivery.input)) {
              return "deduplicated" as const
            }
            running.set(delivery.input, delivery.input)
            worker.postMessage({ input: delivery.input, text: textOf(delivery.content) })
            return "accepted" as const
          }),
        settled: (input: InputId) =>
          Effect.sync(() =>
            void kept.delete(input)
          ),
        // A worker has no way to be asked to stop a turn; it ends it.
        interrupt: () => Effect.void,
        cancel: () => Effect.void,
        retire: Effect.void
      }
    })
}

/** What a package of its own would export. */
export default definePlugin({
  name: "worker-bridge",
  apiVersion: PLUGIN_API_VERSION,
  contributes: { bridges: [workerBridge] }
})
