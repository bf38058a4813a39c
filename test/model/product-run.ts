/**
 * The product's run machine in the model: each node is a step that all members of the one role take.
 */
import { HashMap, Schema } from "effect"
import {
  compileFlow,
  decideRun,
  evolveRun,
  type FlowPlan,
  isTerminal,
  type RunCommand,
  type RunFact,
  type RunState
} from "../../core/machine/run/index.ts"
import { Definition } from "../../sdk/definition/schema.ts"
import { FlowId, MobId, RunId } from "../../sdk/ids.ts"
import type { Plan, RunMachine, RunModelCommand, RunPlans, RunView } from "./run-owner.ts"

const decodeDefinition = Schema.decodeUnknownSync(Definition)
const plans = new WeakMap<Plan, FlowPlan>()

/** Past the default timeout of a step. */
const LATE = 40_000

const planOf = ({ on_unknown, runs }: RunPlans, index: number): FlowPlan => {
  const plan = runs[index]
  if (plan === undefined) throw new Error(`no run ${index}`)
  const known = plans.get(plan)
  if (known !== undefined) return known
  const flow = FlowId.make("flow")
  const compiled = compileFlow(
    decodeDefinition({
      id: "m",
      flows: [[flow, {
        steps: plan.map((node, at) => [`n${at}`, {
          role: "worker",
          message: "work",
          on_unknown,
          collection_policy: { type: node.join }
        }]),
        root: {
          nodes: plan.map((node, at) => [`n${at}`, {
            kind: "step",
            step_id: `n${at}`,
            depends_on: node.after.map((before) => `n${before}`)
          }])
        }
      }]]
    }),
    flow,
    "",
    () => undefined
  )
  plans.set(plan, compiled)
  return compiled
}

const commandOf = (command: RunModelCommand): RunCommand => {
  if (command.type === "message") return command.message
  return command.type === "timeout" ? { type: "tick" } : command
}

/** The run machine of the product. The model gives it back only states and facts that it made. */
export const productRuns: RunMachine = {
  create: (config, index, roster) => {
    const create = {
      type: "create",
      run_id: RunId.make(`r${index}`),
      mob_id: MobId.make("m"),
      key: "",
      params: {}
    } as const
    const decision = decideRun(planOf(config, index), undefined, create, { now: 0, roster, orphanSlots: 8 })
    if (decision.refused) throw new Error(decision.message)
    return decision.facts
  },
  evolve: (config, index, state, fact) =>
    evolveRun(planOf(config, index), state as RunState | undefined, fact as RunFact),
  decide: (config, index, state, command, roster) => {
    const now = command.type === "timeout" ? LATE : 0
    const decision = decideRun(planOf(config, index), state as RunState, commandOf(command), {
      now,
      roster,
      orphanSlots: 8
    })
    if (decision.refused) throw new Error(decision.message)
    return decision
  },
  view: (state) => {
    const run = state as RunState
    const phase: RunView["phase"] = isTerminal(run) && run.phase !== "pending" ? run.phase : "running"
    return { phase, open: new Map(HashMap.entries(run.inputs)) }
  }
}
