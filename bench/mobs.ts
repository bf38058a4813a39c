/**
 * Mobs for the benches: definitions made in code, local members that answer at once, the LevelDB store.
 */
import { Effect, Layer } from "effect"
import {
  Behavior,
  type Definition,
  digestOf,
  type LoadedDefinition,
  type MobHandle,
  Mobs,
  runtime
} from "../core/index.ts"
import { CommitSeam } from "../core/journal/index.ts"
import { localBridge } from "../plugins/local/index.ts"
import type { Recorder } from "./disk.ts"

type Flow = Definition["flows"][number][1]
type FlowStep = Flow["steps"][number][1]

/** Steps of the sequential flow. */
export const STEPS = 10

/** Members of the fan-out. */
export const WIDTH = 100

const step = (role: string, more: Partial<FlowStep> = {}): FlowStep => ({
  role,
  message: "go",
  depends_on: [],
  depends_on_mode: "all",
  dispatch_mode: "one_to_one",
  collection_policy: { type: "any" },
  failure_policy: "escalate",
  on_unknown: "redeliver",
  ...more
})

const flow = (steps: ReadonlyArray<readonly [string, FlowStep]>): Flow => ({
  steps,
  root: {
    nodes: steps.map(([id, { depends_on, depends_on_mode, failure_policy }]) => [
      id,
      { kind: "step", step_id: id, depends_on, depends_on_mode, failure_policy }
    ])
  }
})

/** Ten steps, each after the one before; each member is of its own role. */
const sequence = flow(Array.from({ length: STEPS }, (_, index) => [
  `s${index}`,
  step(`worker${index}`, { depends_on: index === 0 ? [] : [`s${index - 1}`], message: "{{ params.text }}" })
]))

const fan = flow([["all", step("crowd", { dispatch_mode: "fan_out", collection_policy: { type: "all" } })]])

const member = (identity: string, profile: string) => ({ identity, profile, labels: {} })

const definition: Definition = {
  id: "bench",
  profiles: [
    ...Array.from({ length: STEPS }, (_, index) => [`worker${index}`, echo()] as const),
    ["crowd", echo()]
  ],
  members: [
    ...Array.from({ length: STEPS }, (_, index) => member(`w${index}`, `worker${index}`)),
    ...Array.from({ length: WIDTH }, (_, index) => member(`c${index}`, "crowd"))
  ],
  flows: [["sequence", sequence], ["fan", fan]],
  limits: {},
  on_resume: "continue",
  extra: {}
}

function echo() {
  return { bridge: { use: "local", behavior: "echo" } }
}

/** The definition, as it is loaded from a file. */
export const loaded: Effect.Effect<LoadedDefinition> = Effect.map(
  digestOf(definition),
  (digest) => ({ definition, base: "/", digest, warnings: [] })
)

/** A runtime whose batches are seen by the recorder. */
export const host = (dir: string, recorder: Recorder) =>
  runtime({
    dir,
    bridges: [localBridge({
      behaviors: { echo: Behavior.make("echo", { run: (text) => Effect.succeed(`answer to ${text}`) }) }
    })]
  }).pipe(Layer.provide(Layer.succeed(CommitSeam, recorder.seam)))

/** Opens the mob. */
export const openMob = Effect.gen(function*() {
  return yield* (yield* Mobs).openOrCreate(yield* loaded)
})

let number = 0

/** One run from its start to its end; fails the bench if it did not complete. */
export const oneRun = (mob: MobHandle, name: "sequence" | "fan") =>
  Effect.gen(function*() {
    // Other params, so another key: the same one would attach to the run that is there.
    const { run_id } = yield* mob.runFlow(name, { text: `question ${number++}` })
    const { status } = yield* mob.awaitRun(run_id)
    if (status !== "completed") return yield* Effect.die(new Error(`run ${run_id} is ${status}`))
  })

/** Runs, so many of them in flight. */
export const manyRuns = (mob: MobHandle, name: "sequence" | "fan", count: number, inFlight: number) =>
  Effect.forEach(Array.from({ length: count }), () => oneRun(mob, name), { concurrency: inFlight, discard: true })

/** Waits until every run is released: nothing is written any more. */
export const released = (mob: MobHandle): Effect.Effect<void> =>
  Effect.orDie(Effect.repeat(Effect.yieldNow.pipe(Effect.andThen(mob.status)), {
    until: (status) => status.active_runs.length === 0
  })).pipe(Effect.asVoid)
