/** Rules of one flow: its steps, and its frames if the author wrote any. */
import { findCycle, longestChain } from "./graph.ts"
import { place } from "./location.ts"
import type { Diagnostic, Flow, FlowStep, Frame } from "./schema.ts"
import { type ContextNames, contextRules } from "./validate-context.ts"
import { MAX_FLOW_DEPTH, validateFrames } from "./validate-frame.ts"

type Step = readonly [id: string, step: FlowStep]

/** Checks a flow against the profiles there are. */
export const validateFlow = (id: string, flow: Flow, profiles: ReadonlySet<string>): ReadonlyArray<Diagnostic> => {
  const at = place("flows", id)
  const names: ContextNames = { steps: new Set(flow.steps.map(([step]) => step)), loops: loopIds(flow.root) }
  return [
    ...flow.steps.flatMap(([stepId, step]) => [
      ...stepRules(stepId, step, place("flows", id, "steps", stepId), flow, profiles),
      ...contextRules(step, place("flows", id, "steps", stepId), names)
    ]),
    ...branchRules(id, flow.steps),
    ...orderRules(`${at}.steps`, flow.steps),
    // The frame made of a flat flow would only repeat what was said of its steps.
    ...(isMaterialised(flow) ? [] : validateFrames(id, flow, names))
  ]
}

const loopIds = (frame: Frame): ReadonlySet<string> =>
  new Set(frame.nodes.flatMap(([, node]) => node.kind === "repeat_until" ? [node.loop_id, ...loopIds(node.body)] : []))

/** Whether the root frame is what a flat flow of these steps becomes. */
const isMaterialised = ({ root, steps }: Flow): boolean =>
  root.nodes.length === steps.length && root.nodes.every(([id, node], index) => {
    const [stepId, step] = steps[index] ?? []
    return node.kind === "step" && id === stepId && node.step_id === id && node.branch === step?.branch
      && node.depends_on_mode === step?.depends_on_mode && node.depends_on.join("\0") === step.depends_on.join("\0")
  })

const error = (code: string, location: string, message: string): Diagnostic => ({
  code,
  message,
  location,
  severity: "error"
})
const warning = (code: string, location: string, message: string): Diagnostic => ({
  code,
  message,
  location,
  severity: "warning"
})

const stepRules = (
  id: string,
  step: FlowStep,
  at: string,
  flow: Flow,
  profiles: ReadonlySet<string>
): Array<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  if (!profiles.has(step.role)) {
    findings.push(
      error("flow_unknown_role", `${at}.role`, `step "${id}" is for role "${step.role}", which is not a profile`)
    )
  }
  const dependencies = step.depends_on.map((on) => [on, flow.steps.find(([other]) => other === on)?.[1]] as const)
  for (const [on, known] of dependencies) {
    if (known === undefined) {
      findings.push(
        error(
          "flow_unknown_step",
          `${at}.depends_on`,
          `step "${id}" depends on "${on}", which is not a step of this flow`
        )
      )
    }
  }
  if (step.collection_policy.type === "quorum" && step.collection_policy.n < 1) {
    findings.push(error("quorum_invalid", `${at}.collection_policy.n`, "a quorum needs n of at least 1"))
  }
  if (step.depends_on_mode === "any" && !dependencies.some(([, known]) => known?.branch !== undefined)) {
    const message = `step "${id}" joins with "any", and none of its dependencies has a branch`
    findings.push(warning("branch_join_without_branch", `${at}.depends_on_mode`, message))
  }
  if (step.output_format === "json" && step.expected_schema === undefined && step.expected_schema_ref === undefined) {
    const message = `step "${id}" wants json, and no expected_schema_ref says of what shape`
    findings.push(warning("json_output_without_schema", `${at}.output_format`, message))
  }
  return findings.concat(eachRules(step, at))
}

/** `items` and `max_concurrency` belong to `each`. What `items` holds is judged with the other paths. */
const eachRules = (step: FlowStep, at: string): Array<Diagnostic> => {
  if (step.dispatch_mode === "each") {
    const findings: Array<Diagnostic> = []
    if (step.items === undefined) {
      const message = "dispatch_mode each needs items, one path such as {{ params.files }}"
      findings.push(error("each_items_missing", `${at}.items`, message))
    }
    if (step.max_concurrency === 0) {
      findings.push(error("each_concurrency_invalid", `${at}.max_concurrency`, "max_concurrency must be at least 1"))
    }
    return findings
  }
  return (["items", "max_concurrency"] as const).filter((field) => step[field] !== undefined).map((field) =>
    error(
      "each_only",
      `${at}.${field}`,
      `${field} works with dispatch_mode each only; this step has ${step.dispatch_mode}`
    )
  )
}

/** A branch is a choice: two steps or more, each with its condition, all hanging on the same steps. */
const branchRules = (flow: string, steps: ReadonlyArray<Step>): Array<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  const groups = new Map<string, Array<Step>>()
  for (const step of steps) {
    const { branch } = step[1]
    if (branch !== undefined) groups.set(branch, [...(groups.get(branch) ?? []), step])
  }
  const setOf = (step: FlowStep) => JSON.stringify([...new Set(step.depends_on)].sort())
  for (const [branch, group] of groups) {
    const [first] = group
    if (group.length < 2 || first === undefined) {
      const message = `branch "${branch}" has one step, "${first?.[0]}"; a branch is a choice between at least two`
      findings.push(error("branch_group_empty", place("flows", flow, "steps"), message))
    }
    for (const [id, step] of group) {
      const at = place("flows", flow, "steps", id)
      if (step.condition === undefined) {
        const message = `step "${id}" of branch "${branch}" has no condition that would choose it`
        findings.push(error("branch_step_missing_condition", `${at}.condition`, message))
      }
      if (first !== undefined && setOf(step) !== setOf(first[1])) {
        const message = `step "${id}" of branch "${branch}" must depend on the same steps as "${first[0]}"`
        findings.push(error("branch_step_conflicting_deps", `${at}.depends_on`, message))
      }
    }
  }
  return findings
}

const orderRules = (at: string, steps: ReadonlyArray<Step>): Array<Diagnostic> => {
  const graph = steps.map(([id, step]) => [id, step.depends_on] as const)
  const cycle = findCycle(graph)
  if (cycle !== undefined) {
    return [error("flow_cycle_detected", at, `steps depend on each other in a circle: ${cycle.join(" -> ")}`)]
  }
  const depth = longestChain(graph)
  return depth <= MAX_FLOW_DEPTH
    ? []
    : [
      error(
        "flow_depth_exceeded",
        at,
        `the longest chain of dependencies has ${depth} steps; at most ${MAX_FLOW_DEPTH} are allowed`
      )
    ]
}
