/**
 * A data directory that no process holds, read from disk: nothing is started and nothing is written, but for `cancel`,
 * which takes the directory, ends the run with the run machine, and lets go.
 */
import { Clock, Effect, Layer, type Scope } from "effect"
import { MobId, type RunId } from "../../sdk/ids.ts"
import { type Committed, Journal, type MobLog, type StoreError } from "../../sdk/store.ts"
import { DEFAULT_ORPHANS, runAggregateOf, validateSchema } from "../flow/index.ts"
import { loadAggregate } from "../journal/aggregate.ts"
import { inspect, JournalLevel } from "../journal/index.ts"
import { type MobState, rosterView } from "../machine/mob/index.ts"
import { compileFlow, decideRun, isTerminal, type RunRecord, runRecord } from "../machine/run/index.ts"
import {
  memberViews,
  MobNotFound,
  mobStatus,
  readPinned,
  readRunPin,
  RunNotFound,
  storedMob,
  storedRun,
  storedRuns
} from "../mob/index.ts"
import { Bridges } from "../plugin/index.ts"
import { type Coded, type CommandFailed, failed } from "./failure.ts"
import { progress } from "./print.ts"
import type { View } from "./questions.ts"
import { defaultBridges } from "./runtime.ts"

/** Reads the directory under its lock, which is held until the Scope closes, but for the time of a `cancel`. */
export const offlineView = (dataDir: string): Effect.Effect<View, CommandFailed, Scope.Scope> =>
  Effect.gen(function*() {
    // Opened for each question and closed after it: a command asks one, and `cancel` needs the lock for itself.
    const looking = <A>(use: (log: Reads) => Effect.Effect<A, Coded>) => (mob: string) =>
      Effect.scoped(Effect.gen(function*() {
        const inspection = yield* inspect(dataDir)
        if (inspection.damage !== undefined) yield* progress(`warning: ${inspection.damage.message}`)
        // A name that is no mob's is not found either.
        const log = yield* inspection.mob(mob as MobId)
        return yield* log === undefined ? Effect.fail(new MobNotFound({ mob })) : use(log)
      })).pipe(Effect.mapError(failed))

    const { mobs } = yield* Effect.mapError(Effect.scoped(inspect(dataDir)), failed)
    return {
      pid: undefined,
      mobs,
      follow: undefined,
      tree: Effect.undefined,
      ps: looking((log) =>
        Effect.map(
          stateOf(log),
          (state) => ({ status: mobStatus(state, log, 0), members: memberViews(state) })
        )
      ),
      runs: looking((log) => Effect.map(storedRuns(log), ({ runs }) => runs)),
      run: (mob, run) => looking((log) => recordOf(log, run))(mob),
      events: (mob, after, limit) => looking((log) => log.events(after, limit))(mob),
      cancel: (mob, run) => Effect.mapError(cancelStored(dataDir, mob, run), failed)
    }
  })

type Reads = Pick<MobLog, "mob" | "load" | "pinned" | "aggregates" | "events" | "firstCursor" | "latestCursor">

const stateOf = (log: Reads) =>
  Effect.flatMap(
    storedMob(log),
    (state) => state === undefined ? Effect.fail(new MobNotFound({ mob: log.mob })) : Effect.succeed(state)
  )

const recordOf = (log: Reads, run: string) =>
  // An id that is none is in no log.
  Effect.flatMap(storedRun(log, run as RunId), (record) =>
    record === undefined ? Effect.fail(new RunNotFound({ mob: log.mob, run })) : Effect.succeed(record))

/**
 * Ends a run in a directory that no process holds: takes the lock and the owner epoch, ends what children an earlier
 * host left, decides with the run machine, commits, closes. No member is started. A run that has ended is left as it is.
 */
const cancelStored = (dataDir: string, mob: string, run: string): Effect.Effect<RunRecord, Coded> =>
  Effect.scoped(Effect.gen(function*() {
    const log = yield* (yield* Journal).acquire(MobId.make(mob))
    const state = yield* stateOf(log)
    // An id that is none is in no log.
    const runId = run as RunId
    const pin = yield* readRunPin(log, runId)
    if (pin === undefined) return yield* new RunNotFound({ mob, run })
    const definition = yield* readPinned(log, pin.digest)
    const plan = compileFlow(definition, pin.flow_id, pin.digest, validateSchema)
    const aggregate = runAggregateOf(plan, runId)
    const loaded = yield* loadAggregate(log, aggregate)
    if (loaded === undefined) return yield* new RunNotFound({ mob, run })
    if (isTerminal(loaded.state)) return runRecord(plan, loaded.state)

    yield* reapChildren(state, (yield* readPinned(log, state.digest)).profiles)
    const now = yield* Clock.currentTimeMillis
    const decision = decideRun(plan, loaded.state, { type: "cancel" }, {
      now,
      roster: rosterView(state),
      orphanSlots: definition.limits.max_orphaned_turns ?? DEFAULT_ORPHANS
    })
    if (decision.refused) return yield* new RunNotFound({ mob, run })
    let after = loaded.state
    const events = decision.facts.flatMap((fact) => {
      const before = after
      after = aggregate.evolve(before, fact)
      return aggregate.project(before, fact, after)
    })
    yield* Effect.callback<Committed, StoreError>((resume) =>
      log.submit({
        entries: [{
          aggregate: aggregate.name,
          revision: loaded.revision + 1,
          at: now,
          facts: decision.facts,
          events,
          snapshot: () => aggregate.encode(after),
          terminal: isTerminal(after)
        }],
        committed: (at) => resume(Effect.succeed(at)),
        failed: (error) => resume(Effect.fail(error))
      })
    )
    return runRecord(plan, after)
  })).pipe(Effect.provide(JournalLevel.layer({ dir: dataDir })))

/** Ends recorded processes of an earlier host, so that nobody works on for a run that is over. */
const reapChildren = (
  state: MobState,
  profiles: ReadonlyArray<readonly [string, { readonly bridge?: { readonly use: string } }]>
) =>
  Effect.gen(function*() {
    const bridges = yield* Effect.provide(Bridges, Layer.unwrap(Effect.map(defaultBridges, Bridges.layer)))
    const uses = new Map(profiles.map(([name, profile]) => [name, profile.bridge?.use]))
    yield* Effect.forEach([...state.members.values()], (member) => {
      const reap = bridges.get(uses.get(member.role) ?? "")?.reap
      return reap === undefined || member.process === undefined ? Effect.void : reap(member.process.record)
    }, { concurrency: 16, discard: true })
  })
