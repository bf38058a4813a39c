/**
 * A mob whose members are reached over a bridge of its own: worker threads. One of them is made to crash; the mob
 * brings it back and gives it its work again.
 *
 *     node --conditions=mobwright-source examples/bridge-plugin/main.ts [DATA]
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { loadDefinition, Mobs, runtime } from "mobwright"
import { fileURLToPath } from "node:url"
import plugin from "./worker-bridge.ts"

const here = fileURLToPath(new URL(".", import.meta.url))
const dir = process.argv[2] ?? `${here}.mob`

const program = Effect.gen(function*() {
  const mob = yield* (yield* Mobs).openOrCreate(yield* loadDefinition(`${here}mob.toml`))

  const started = yield* mob.runFlow("main", { numbers: [12, 97, 1001, 600851475143] })
  const run = yield* mob.awaitRun(started.run_id)
  for (const line of [run.steps["factor"]?.output].flat()) yield* Console.log(String(line))

  // The worker ends in the middle of this turn. It is delivered again to its successor, which refuses it.
  const work = yield* mob.submit("f-1", "crash")
  const outcome = yield* mob.outcome("f-1", work.work_ref)
  yield* Console.log(outcome.status === "failed" ? `f-1: ${outcome.code}: ${outcome.reason}` : outcome.status)
  const [first] = yield* mob.members
  yield* Console.log(`${first?.identity} is in its generation ${first?.generation}, restarts: ${first?.restarts}`)
})

NodeRuntime.runMain(
  program.pipe(Effect.scoped, Effect.provide(runtime({ dir, bridges: plugin.contributes.bridges })))
)
