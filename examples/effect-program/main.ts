/**
 * A mob inside an Effect program: it is opened (or created), grows by a member, gets work, runs a flow, and a typed
 * error is handled. Run it again: the mob is still there.
 *
 *     node --conditions=mobwright-source examples/effect-program/main.ts [DATA]
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { loadDefinition, Mobs, runtime } from "mobwright"
import { localBridge } from "mobwright/plugins/local"
import { fileURLToPath } from "node:url"
import { edit, write } from "./behaviors.ts"

const here = fileURLToPath(new URL(".", import.meta.url))
const dir = process.argv[2] ?? `${here}.mob`

const program = Effect.gen(function*() {
  const mobs = yield* Mobs
  const mob = yield* mobs.openOrCreate(yield* loadDefinition(`${here}mob.toml`))

  // A second writer joins; on the next start of this program it is there already.
  yield* mob.spawn({ identity: "grace", profile: "writer" }).pipe(
    Effect.catchTag("MemberExists", (error) => Console.log(error.message))
  )
  for (const member of yield* mob.members) {
    yield* Console.log(`${member.identity} (${member.role}), generation ${member.generation}`)
  }

  // Work for one member. Accepted means durable; the key makes asking again safe.
  const work = yield* mob.submit("ada", "actors", { key: "first words" })
  const outcome = yield* mob.outcome("ada", work.work_ref)
  if (outcome.status === "completed") yield* Console.log(outcome.output)

  // A failure of a member is an outcome with a code, not an exception.
  const empty = yield* mob.submit("grace", " ")
  const failure = yield* mob.outcome("grace", empty.work_ref)
  if (failure.status === "failed") yield* Console.log(`grace: ${failure.code}: ${failure.reason}`)

  // A flow spreads its items over the writers and joins what they give.
  const started = yield* mob.runFlow("article", { topics: ["supervision", "fences", "journals"] })
  const run = yield* mob.awaitRun(started.run_id)
  yield* Console.log(`${run.flow_id} ${run.status}\n${String(run.steps["edit"]?.output)}`)

  // What a call can fail with stands in its type.
  yield* mob.runFlow("obituary").pipe(
    Effect.catchTag("FlowNotFound", (error) => Console.log(`${error.code}: ${error.message}`))
  )
})

NodeRuntime.runMain(
  program.pipe(
    Effect.scoped,
    Effect.provide(runtime({ dir, bridges: [localBridge({ behaviors: { write, edit } })] }))
  )
)
