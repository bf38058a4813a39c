/**
 * Decisions of a run. One command is one decision: an outcome, the step it completes and all that becomes ready are
 * facts of the same turn. Messages are in the order in which they are to be released after its commit.
 */
import { HashMap } from "effect"
import type { MobId, RunId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import type { Decision, Refusal, ToOwner } from "../protocol.ts"
import { expire, schedule } from "./admit.ts"
import { spreadAll } from "./dispatch.ts"
import { cancelRun, failRun } from "./end.ts"
import { evolveRun } from "./evolve.ts"
import type { RunFact } from "./fact.ts"
import { sealIfDone } from "./follow.ts"
import { hear, takeBack, tellAgain, timeOut } from "./message.ts"
import type { FlowPlan } from "./plan.ts"
import { isTerminal, rootFrame, type RunState } from "./state.ts"
import { emit, owner, type RunContext, tellDoor, type Turn } from "./turn.ts"

/** What a run is told. */
export type RunCommand =
  /** Begins it; only on an undefined state. */
  | {
    readonly type: "create"
    readonly run_id: RunId
    readonly mob_id: MobId
    readonly key: string
    readonly params: Json
  }
  | ToOwner
  /** A deadline passed: `now` of the context says which. */
  | { readonly type: "tick" }
  /** The context has a newer roster. */
  | { readonly type: "roster_changed" }
  /** An operator's cancel. On a run that ended: nothing, and no refusal. */
  | { readonly type: "cancel" }
  /** The run's cell crashed too often; the run fails `RunCrashed`. */
  | { readonly type: "crashed"; readonly cause: string }
  /** The run's cell has loaded it: everything unfinished is told again. */
  | { readonly type: "started" }

/**
 * Decides one command. Pure; the state is left as it is. Refuses `create` of a run that exists (`run_exists`) or whose
 * topology has no orchestrator (`orchestrator_missing`), and everything else of one that does not (`run_unknown`).
 */
export const decideRun = (
  plan: FlowPlan,
  state: RunState | undefined,
  command: RunCommand,
  ctx: RunContext
): Decision<RunFact> | Refusal => {
  if (command.type === "create") {
    return state === undefined
      ? create(plan, command, ctx)
      : refuse("run_exists", state.run_id)
  }
  if (state === undefined) return refuse("run_unknown", "")
  const turn = begin(plan, state, ctx)
  if (isTerminal(state)) ended(turn, command)
  else goOn(turn, command)
  return { refused: false, facts: turn.facts, sends: turn.sends }
}

const begin = (plan: FlowPlan, state: RunState, ctx: RunContext): Turn => ({
  plan,
  ctx,
  state,
  facts: [],
  sends: [],
  slots: ctx.orphanSlots
})

const create = (
  plan: FlowPlan,
  command: Extract<RunCommand, { readonly type: "create" }>,
  ctx: RunContext
): Decision<RunFact> | Refusal => {
  if (plan.topology !== undefined && plan.orchestratorRole === undefined) {
    return refuse("orchestrator_missing", command.run_id)
  }
  const at = ctx.now
  const { run_id, mob_id, key, params } = command
  const { flow_id, digest, limits } = plan
  const created: RunFact = { v: 1, type: "created", run_id, mob_id, flow_id, digest, key, params, at }
  const turn = begin(plan, evolveRun(plan, undefined, created), ctx)
  turn.facts.push(created)
  emit(turn, { type: "started", at, ...(limits.flowDuration > 0 ? { flow_deadline: at + limits.flowDuration } : {}) })
  sealIfDone(turn, rootFrame(run_id))
  schedule(turn)
  return { refused: false, facts: turn.facts, sends: turn.sends }
}

const goOn = (turn: Turn, command: Exclude<RunCommand, { readonly type: "create" }>): void => {
  switch (command.type) {
    case "tick": {
      const { flowDeadline } = turn.state
      if (flowDeadline !== undefined && turn.ctx.now >= flowDeadline) return expire(turn, flowDeadline)
      timeOut(turn)
      return schedule(turn)
    }
    case "roster_changed":
      takeBack(turn)
      if (!isTerminal(turn.state)) spreadAll(turn)
      return schedule(turn)
    case "cancel":
      return cancelRun(turn)
    case "crashed":
      return failRun(turn, "run_crashed", `RunCrashed: ${command.cause}`)
    case "started":
      // What is due by now is left to the next tick: members answer the claims first, and get fresh deadlines by it.
      claim(turn)
      // The roster may have changed while nobody looked: a member whose detached turn is gone may take an item.
      spreadAll(turn)
      return turn.facts.length > 0 ? schedule(turn) : undefined
    case "who":
      return tellAgain(turn, command.identity)
    default:
      hear(turn, command)
      return schedule(turn)
  }
}

/** A run that ended takes the end of a detached turn, and answers. */
const ended = (turn: Turn, command: Exclude<RunCommand, { readonly type: "create" }>): void => {
  switch (command.type) {
    case "tick":
    case "roster_changed":
    case "cancel":
    case "crashed":
      return
    case "started": {
      claim(turn)
      const { phase, run_id: run } = turn.state
      if (phase === "completed" || phase === "failed" || phase === "canceled") {
        turn.sends.push({ to: "mob", message: { type: "run_ended", run, status: phase } })
      }
      return
    }
    case "who":
      return tellAgain(turn, command.identity)
    default:
      return hear(turn, command)
  }
}

/** Asks every door this run ever dealt with for what it holds, and tells it again what is unfinished. */
const claim = (turn: Turn): void => {
  const doors = [...HashMap.keys(turn.state.members)].sort()
  for (const identity of doors) tellDoor(turn, identity, { type: "owner_started", owner: owner(turn) })
  tellAgain(turn)
}

const refuse = (code: "run_exists" | "run_unknown" | "orchestrator_missing", run: string): Refusal => ({
  refused: true,
  code,
  message: refusals[code](run),
  facts: run === "" ? {} : { run_id: run }
})

const refusals = {
  run_exists: (run: string) => `run ${run} exists already; use another id, or ask for the one that exists`,
  run_unknown: () => "the run does not exist; create it first",
  orchestrator_missing: (run: string) => `run ${run} cannot start: topology requires an orchestrator profile`
}
