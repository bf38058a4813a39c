/**
 * The handle of a mob: each method asks a cell and says in types what may come back.
 */
import { Deferred, Effect, Exit, Result } from "effect"
import { FlowId, type Identity, RunId } from "../../sdk/ids.ts"
import { canonical, type JsonObject } from "../../sdk/json.ts"
import type { Outcome } from "../../sdk/outcome.ts"
import type { Reply } from "../actor/index.ts"
import type { MobCommand, MobReply, MobState } from "../machine/mob/index.ts"
import type { RunRecord } from "../machine/run/index.ts"
import type { Accepted, MemberFailed, MemberMessage } from "../member/index.ts"
import type { Bridges } from "../plugin/index.ts"
import { checkIdentity, checkKey, checkLabels, checkParams, checkWork, isIdentity, isRunId } from "./arguments.ts"
import { bridgeOf } from "./checks.ts"
import * as E from "./errors.ts"
import { eventsOf } from "./event-log.ts"
import type { Admitted, CommandFailed, MobMessage } from "./messages.ts"
import { abandonedError, askError, narrow, type Refused } from "./refused.ts"
import type { RunningMob } from "./running.ts"
import { storedRun, storedRuns } from "./stored.ts"
import type { CommandError, MobHandle } from "./types.ts"
import { memberView, memberViews, mobStatus } from "./views.ts"

/** Milliseconds after which a command's outcome is called unknown; a store that reopens may take a while. */
const ASK_MILLIS = 60_000

/** What the handle needs besides the mob. */
interface HandleOptions {
  readonly mob: RunningMob
  readonly bridges: Bridges["Service"]
  /** Ids of runs and work. */
  readonly nextId: Effect.Effect<string>
  /** sha256 as lower-case hex. */
  readonly digest: (text: string) => Effect.Effect<string>
}

/** Makes the handle. */
export const makeHandle = ({ bridges, digest, mob, nextId }: HandleOptions): MobHandle => {
  const id = mob.log.mob

  const ask = <A>(
    what: string,
    make: (reply: Reply<A, CommandFailed>) => MobMessage
  ): Effect.Effect<A, CommandError | Refused> => mob.question(what, make, ASK_MILLIS)

  const command = (what: string, make: (now: number) => MobCommand) =>
    ask(what, (reply: Reply<unknown, CommandFailed>) => ({ type: "command", command: make, reply }))

  const state = narrow<never>()(
    ask("reading the mob", (reply: Reply<MobState, CommandFailed>) => ({ type: "read", reply }))
  )

  /** A text that cannot be an identity is nobody's. */
  const identityOf = (name: string): Effect.Effect<Identity, E.MemberNotFound> =>
    isIdentity(name) ? Effect.succeed(name) : Effect.fail(new E.MemberNotFound({ mob: id, identity: String(name) }))

  const runIdOf = (run: string): Effect.Effect<RunId, E.RunNotFound> =>
    isRunId(run) ? Effect.succeed(run) : Effect.fail(new E.RunNotFound({ mob: id, run: String(run) }))

  const viewOf = (identity: Identity) =>
    Effect.flatMap(state, (now) => {
      const member = now.members.get(identity)
      return member === undefined
        ? Effect.fail(new E.MemberNotFound({ mob: id, identity }))
        : Effect.succeed(memberView(member))
    })

  const askMember = <A>(
    identity: Identity,
    what: string,
    make: (reply: Reply<A, MemberFailed>) => MemberMessage
  ): Effect.Effect<A, CommandError | Refused> =>
    Effect.callback<A, CommandError | Refused>((resume) => {
      const done = (exit: Exit.Exit<A, MemberFailed>) =>
        resume(Effect.mapError(exit, (error) => askError(id, what, error)))
      const message = make({ done })
      mob.directory.toMember(identity, message)
      return Effect.sync(() => {
        // Work may never end, and be asked for again and again.
        if (message.type === "outcome") mob.directory.toMember(identity, { ...message, type: "forget" })
      })
    }).pipe(Effect.raceFirst(fallen))

  const fallen: Effect.Effect<never, E.MobClosed> = Effect.flatMap(
    mob.ended,
    (reason) => Effect.fail(new E.MobClosed({ mob: id, reason }))
  )

  const flowOf = (flow: string) =>
    Effect.gen(function*() {
      const { definition } = mob.plans.inForce
      const found = definition.flows.some(([name]) => name === flow)
      if (!found) {
        const flows = definition.flows.map(([name]) => name).sort()
        return yield* new E.FlowNotFound({ mob: id, flow, flows })
      }
      if (definition.topology !== undefined && definition.orchestrator === undefined) {
        return yield* new E.OrchestratorMissing({ mob: id })
      }
      return FlowId.make(flow)
    })

  const runFlow: MobHandle["runFlow"] = Effect.fn("Mob.runFlow")(function*(flow, params, options) {
    yield* checkParams(params ?? {})
    yield* checkKey(options?.key)
    // A mob that is not running refuses the admission itself: to read its phase first would wait for a sync (R2).
    yield* mob.ask
    const found = yield* Effect.result(flowOf(flow))
    if (Result.isFailure(found)) {
      // The phase is judged before the flow.
      const { phase } = yield* state
      if (phase !== "running") return yield* new E.InvalidTransition({ mob: id, from: phase, to: "running" })
      return yield* found.failure
    }
    const flow_id = found.success
    const { inForce } = mob.plans
    const given: JsonObject = params ?? {}
    const key = options?.key ?? (yield* digest(`${flow}\n${canonical(given)}\n${inForce.digest}`))
    const run_id = RunId.make(yield* nextId)
    const plan = mob.plans.of(inForce.definition, inForce.digest, flow_id)
    return yield* narrow<E.InvalidTransition>()(ask<Admitted>(`starting flow ${flow}`, (reply) => ({
      type: "run_flow",
      run_id,
      flow_id,
      plan,
      digest: inForce.digest,
      params: given,
      key,
      explicit: options?.key !== undefined,
      reply
    })))
  })

  const run = (run: string): Effect.Effect<RunRecord, CommandError | E.RunNotFound> =>
    Effect.gen(function*() {
      yield* mob.ask
      const run_id = yield* runIdOf(run)
      if (mob.directory.runs.has(run_id)) {
        const exit = yield* Effect.exit(askRun(run_id, "reading a run", "record"))
        if (exit._tag === "Success") return exit.value
        yield* mob.ask
      }
      const stored = yield* storedRun(mob.log, run_id)
      if (stored === undefined) return yield* new E.RunNotFound({ mob: id, run })
      return stored
    })

  const askRun = (run_id: RunId, what: string, type: "record" | "cancel") =>
    Effect.callback<RunRecord, CommandError | E.RunNotFound>((resume) => {
      mob.directory.toRun(run_id, {
        type,
        reply: {
          done: (exit) =>
            resume(Effect.mapError(exit, (error) =>
              error._tag === "Gone"
                ? new E.RunNotFound({ mob: id, run: run_id })
                : abandonedError(what, error.abandoned)))
        }
      })
    }).pipe(Effect.raceFirst(fallen))

  const awaitRun = (name: string): Effect.Effect<RunRecord, CommandError | E.RunNotFound> =>
    Effect.scoped(Effect.gen(function*() {
      yield* mob.ask
      const run_id = yield* runIdOf(name)
      const ended = yield* Deferred.make<RunRecord | undefined>()
      // Watching comes before looking, so that an end between the two is not missed.
      yield* Effect.acquireRelease(
        Effect.sync(() => mob.runs.watch(run_id, (record) => Deferred.doneUnsafe(ended, Exit.succeed(record)))),
        (forget) => Effect.sync(forget)
      )
      const now = yield* run(name)
      if (now.status !== "running") return now
      // One that was given up says when it is read what is wrong with it.
      return (yield* Effect.raceFirst(Deferred.await(ended), fallen)) ?? (yield* run(name))
    }))

  return {
    id,
    status: Effect.map(
      state,
      (now) => mobStatus(now, mob.log, mob.runs.orphans.used(mob.directory.roster))
    ),
    members: Effect.map(state, memberViews),
    flows: Effect.map(mob.ask, () => mob.plans.inForce.definition.flows.map(([name]) => FlowId.make(name)).sort()),
    spawn: Effect.fn("Mob.spawn")(function*({ identity: name, labels, profile }) {
      yield* mob.ask
      const identity = yield* checkIdentity(name)
      yield* checkLabels(labels ?? {})
      const { definition } = mob.plans.inForce
      if (!definition.profiles.some(([it]) => it === profile)) {
        return yield* new E.ProfileNotFound({ mob: id, profile })
      }
      const found = bridgeOf(definition, bridges, profile)
      if (found === undefined) {
        const reason = `it names no bridge that this runtime has (${bridges.ids.join(", ")})`
        return yield* new E.BridgeInvalid({ profile, bridge: "", reason })
      }
      const wrong = yield* found.bridge.check(found.config)
      if (wrong !== undefined) return yield* new E.BridgeInvalid({ profile, bridge: found.bridge.id, reason: wrong })
      yield* narrow<E.InvalidTransition | E.MemberExists | E.IdentityReserved>()(
        command(`spawning ${identity}`, (at) => ({
          type: "spawn",
          at,
          identity,
          role: profile,
          labels: labels ?? {},
          lifetime: found.bridge.lifetime
        }))
      )
      return yield* Effect.catchTag(viewOf(identity), "MemberNotFound", (gone) => Effect.die(gone))
    }),
    retire: Effect.fn("Mob.retire")(function*(name) {
      yield* mob.ask
      const identity = yield* identityOf(name)
      yield* narrow<E.InvalidTransition | E.MemberNotFound>()(
        command(`retiring ${identity}`, () => ({ type: "retire", identity }))
      )
    }),
    submit: Effect.fn("Mob.submit")(function*(name, content, options) {
      yield* mob.ask
      const identity = yield* identityOf(name)
      yield* checkWork(content, options?.timeout_ms)
      yield* checkKey(options?.key)
      const fit = yield* narrow<E.InvalidTransition | E.MemberNotFound | E.MemberRetiring | E.MemberBroken>()(
        ask<MobReply>(`submitting to ${identity}`, (reply) => ({
          type: "command",
          command: () => ({ type: "check_submit", identity }),
          reply
        }))
      )
      if (fit.type !== "member") return yield* Effect.die(new Error("check_submit answers with a member"))
      const work_ref = yield* nextId
      return yield* narrow<E.MemberRetiring>()(
        askMember<Accepted>(identity, `submitting to ${identity}`, (reply) => ({
          type: "submit",
          work_ref,
          key: options?.key,
          content,
          timeout: options?.timeout_ms,
          generation: fit.generation,
          fence: fit.fence,
          reply
        }))
      )
    }),
    outcome: Effect.fn("Mob.outcome")(function*(name, work_ref) {
      yield* mob.ask
      const identity = yield* identityOf(name)
      yield* Effect.asVoid(viewOf(identity))
      const found = yield* narrow<never>()(
        askMember(identity, `reading work ${work_ref}`, (reply: Reply<Outcome | undefined, MemberFailed>) => ({
          type: "outcome",
          work_ref,
          reply
        }))
      )
      if (found === undefined) return yield* new E.WorkNotFound({ mob: id, work: work_ref })
      return found
    }),
    runFlow,
    run,
    awaitRun: Effect.fn("Mob.awaitRun")(awaitRun),
    runs: (flow) =>
      Effect.map(
        Effect.andThen(mob.ask, storedRuns(mob.log)),
        ({ runs }) => flow === undefined ? runs : runs.filter((it) => it.flow_id === flow)
      ),
    cancel: Effect.fn("Mob.cancel")(function*(name) {
      const now = yield* run(name)
      if (now.status !== "running") return now
      return yield* askRun(yield* runIdOf(name), `canceling run ${name}`, "cancel")
    }),
    stop: transition(command("stopping", () => ({ type: "stop", ended: [] }))),
    resume: transition(command("resuming", () => ({ type: "resume" }))),
    complete: transition(command("completing", () => ({ type: "complete" }))),
    destroy: transition(command("destroying", () => ({ type: "destroy" }))),
    ...eventsOf(mob, fallen),
    close: mob.close("it was closed")
  }
}

const transition = (effect: Effect.Effect<unknown, CommandError | Refused>) =>
  Effect.asVoid(narrow<E.InvalidTransition>()(effect))
