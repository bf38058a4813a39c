/** Rules of the frames an author wrote: a root, and in it loops with bodies that are frames again. */
import { findCycle } from "./graph.ts"
import { place } from "./location.ts"
import type { Diagnostic, Flow, Frame, FrameNode } from "./schema.ts"
import { conditionRules, type ContextNames } from "./validate-context.ts"

/** Steps on the longest chain of dependencies, and frames within frames. */
export const MAX_FLOW_DEPTH = 32

const error = (code: string, location: string, message: string): Diagnostic => ({
  code,
  message,
  location,
  severity: "error"
})

/** Checks the frame tree of a flow. Codes are those of the reference, which reuses some for duplicates and bounds. */
export const validateFrames = (id: string, flow: Flow, names: ContextNames): ReadonlyArray<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  const steps = new Set<string>()
  const loops = new Set<string>()

  const visitNode = (node: FrameNode, at: ReadonlyArray<string>, siblings: ReadonlySet<string>, depth: number) => {
    const here = place(...at)
    for (const on of node.depends_on) {
      if (!siblings.has(on)) {
        findings.push(error("flow_unknown_step", `${here}.depends_on`, `"${on}" is not a node of the same frame`))
      }
    }
    if (node.kind === "step") {
      if (steps.has(node.step_id)) {
        const message = `step "${node.step_id}" is used by another node already; one node per step`
        findings.push(error("flow_cycle_detected", `${here}.step_id`, message))
      }
      steps.add(node.step_id)
      if (!names.steps.has(node.step_id)) {
        findings.push(error("flow_unknown_step", `${here}.step_id`, `"${node.step_id}" is not a step of this flow`))
      }
      return
    }
    if (loops.has(node.loop_id)) {
      findings.push(
        error("flow_cycle_detected", `${here}.loop_id`, `loop_id "${node.loop_id}" is used by another loop already`)
      )
    }
    loops.add(node.loop_id)
    if (node.max_iterations < 1) {
      findings.push(error("quorum_invalid", `${here}.max_iterations`, "a loop needs max_iterations of at least 1"))
    }
    findings.push(...conditionRules(node.until, `${here}.until`, names))
    visitFrame(node.body, [...at, "body"], depth + 1)
  }

  const visitFrame = (frame: Frame, at: ReadonlyArray<string>, depth: number) => {
    if (depth > MAX_FLOW_DEPTH) {
      findings.push(error("flow_depth_exceeded", place(...at), `frames are nested deeper than ${MAX_FLOW_DEPTH}`))
      return
    }
    const siblings = new Set(frame.nodes.map(([node]) => node))
    for (const [nodeId, node] of frame.nodes) visitNode(node, [...at, "nodes", nodeId], siblings, depth)
    const cycle = findCycle(frame.nodes.map(([nodeId, node]) => [nodeId, node.depends_on] as const))
    if (cycle !== undefined) {
      const message = `nodes depend on each other in a circle: ${cycle.join(" -> ")}`
      findings.push(error("flow_cycle_detected", place(...at), message))
    }
  }

  visitFrame(flow.root, ["flows", id, "root"], 0)
  const omitted = [...names.steps].filter((step) => !steps.has(step))
  if (omitted.length > 0) {
    const message = `no node of the root frame uses step ${omitted.map((step) => `"${step}"`).join(", ")}`
    findings.push(error("flow_unknown_step", place("flows", id, "root"), message))
  }
  return findings
}
