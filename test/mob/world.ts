/** A whole runtime on virtual time: one seed is one run. */
import { Effect, Exit, Layer, Scope } from "effect"
import type { Definition, LoadedDefinition, MobHandle } from "mobwright"
import { Bridges, digestOf, JournalMemory, Mobs, mobsLayer } from "mobwright"
import { settle, TestSystem } from "mobwright/testing"
import { type Commit, CommitSeam } from "../../core/journal/index.ts"
import { journalTasks } from "../../core/runtime.ts"
import type { FakeMembers } from "./fake-members.ts"
import { Saboteur } from "./saboteur.ts"

/** What the next commits come to. */
export interface Disk {
  /** `lost`: the write fails and nothing is there; `landed`: it fails and all of it is there. */
  next: Array<"ok" | "lost" | "landed">
  /** Called before each commit, with its number from 1. */
  before: (commit: number) => void
  commits: number
  /** Commits wait until this is called, when set. */
  hold: boolean
  readonly held: Array<() => void>
}

export const makeDisk = (): Disk => ({ next: [], before: () => {}, commits: 0, hold: false, held: [] })

const seam = (disk: Disk) => (commit: Commit): Commit => (operations, done) => {
  disk.commits += 1
  disk.before(disk.commits)
  const go = () => {
    const fate = disk.next.shift() ?? "ok"
    if (fate === "ok") commit(operations, done)
    else if (fate === "landed") commit(operations, () => done(new Error("the test's disk failed after writing")))
    else done(new Error("the test's disk failed before writing"))
  }
  if (disk.hold) disk.held.push(go)
  else go()
}

/** The runtime with these members, on this disk. */
export const world = (members: FakeMembers, disk: Disk = makeDisk(), seed = 1, saboteur = new Saboteur()) =>
  mobsLayer.pipe(
    Layer.provideMerge(Layer.mergeAll(
      saboteur.journal.pipe(
        Layer.provide(JournalMemory.layer),
        Layer.provide(journalTasks),
        Layer.provide(Layer.succeed(CommitSeam, seam(disk)))
      ),
      Bridges.layer([members.bridge])
    )),
    Layer.provideMerge(saboteur.layer),
    Layer.provideMerge(TestSystem.layer(seed))
  )

type Step = Definition["flows"][number][1]["steps"][number][1]

/** A step with the defaults written out. */
export const step = (role: string, more: Partial<Step> = {}): Step => ({
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

/** A flat flow. */
export const flow = (steps: ReadonlyArray<readonly [string, Step]>): Definition["flows"][number][1] => ({
  steps,
  root: {
    nodes: steps.map(([id, it]) => [id, {
      kind: "step",
      step_id: id,
      depends_on: it.depends_on,
      depends_on_mode: it.depends_on_mode,
      failure_policy: it.failure_policy,
      ...(it.branch === undefined ? {} : { branch: it.branch })
    }])
  }
})

/** Steps `s1` to `sN` of one role, each after the one before. */
export const chain = (length: number, role = "worker", more: Partial<Step> = {}) =>
  flow(
    Array.from({ length }, (_, index) =>
      [`s${index + 1}`, step(role, { depends_on: index === 0 ? [] : [`s${index}`], ...more })] as const)
  )

/** A mob of fake members, all of role `worker` unless said. */
export const define = (options: {
  readonly members: ReadonlyArray<string | { readonly identity: string; readonly profile: string }>
  readonly flows?: ReadonlyArray<readonly [string, Definition["flows"][number][1]]>
  readonly limits?: Definition["limits"]
  readonly more?: Partial<Definition>
}): Effect.Effect<LoadedDefinition> => {
  const members = options.members.map((it) =>
    typeof it === "string" ? { identity: it, profile: "worker", labels: {} } : { ...it, labels: {} }
  )
  const roles = [...new Set(["worker", ...members.map((it) => it.profile)])]
  const definition: Definition = {
    id: "test",
    profiles: roles.map((role) => [role, { bridge: { use: "fake" } }]),
    members,
    flows: options.flows ?? [],
    limits: options.limits ?? {},
    on_resume: "continue",
    extra: {},
    ...options.more
  }
  return Effect.map(digestOf(definition), (digest) => ({ definition, base: "/base", digest, warnings: [] }))
}

/** A mob in a scope of its own, so that a test can take the host down and open it again. */
export interface Hosted {
  readonly mob: MobHandle
  /** The process ends here: nothing is recorded. */
  readonly crash: Effect.Effect<void>
}

/** Creates or opens the mob as a process would. */
export const host = (loaded: LoadedDefinition) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const mob = yield* (yield* Mobs).openOrCreate(loaded).pipe(Effect.provideService(Scope.Scope, scope))
    yield* settle
    const hosted: Hosted = { mob, crash: Scope.close(scope, Exit.void) }
    return hosted
  })

/** Hosts a mob of the flows `main` and `other` and leaves it with a run of each, and work of `w-1`, under way. */
export const leftUnderWay = Effect.fnUntraced(function*(loaded: LoadedDefinition, members: FakeMembers) {
  const { crash, mob } = yield* host(loaded)
  members.answer = () => undefined
  const main = yield* mob.runFlow("main")
  const other = yield* mob.runFlow("other")
  const work = yield* mob.submit("w-1", "by hand")
  yield* settle
  yield* crash
  members.answer = () => "done"
  return { loaded, main: main.run_id, other: other.run_id, work: work.work_ref }
})
