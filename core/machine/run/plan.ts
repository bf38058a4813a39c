/**
 * A flow, compiled: everything that does not change while a run goes. Made once per definition digest and flow;
 * templates, paths and conditions are parsed here, dependencies become indexes.
 */
import type {
  CollectionPolicy,
  Definition,
  DispatchMode,
  FlowStep,
  Frame,
  Topology
} from "../../../sdk/definition/schema.ts"
import type { FlowId } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import { compileCondition, type CompiledCondition } from "./condition.ts"
import type { ContextPath } from "./path.ts"
import { compileContent, compileItems, type ContentTemplate } from "./template.ts"

/** Checks a value against a JSON Schema: undefined if it fits, else the first error in words. Must be pure. */
export type ValidateSchema = (schema: Json, value: Json) => string | undefined

/** Milliseconds a turn may take when its step does not say. */
const DEFAULT_STEP_TIMEOUT = 30_000

/** Detached turns that a mob may have at once when its limits do not say. */
const DEFAULT_ORPHANED_TURNS = 8

/** Most items that one `each` step takes. */
export const MAX_ITEMS = 10_000

/** One step, compiled. */
export interface StepPlan {
  readonly id: string
  /** Place in author order. */
  readonly index: number
  readonly role: string
  readonly message: ContentTemplate
  readonly mode: DispatchMode
  readonly policy: CollectionPolicy
  readonly condition: CompiledCondition | undefined
  /** Milliseconds. */
  readonly timeout: number
  readonly json: boolean
  /** The JSON Schema of the aggregate; `missing` if a reference was given and nothing was inlined for it. */
  readonly schema: { readonly value: Json } | "missing" | undefined
  readonly overlay:
    | { readonly allowed: ReadonlyArray<string> | undefined; readonly blocked: ReadonlyArray<string> | undefined }
    | undefined
  readonly onUnknown: "redeliver" | "fail"
  /** For `each`: where its items are. */
  readonly items: ContextPath | undefined
  readonly maxConcurrency: number | undefined
  /** Its own failure policy is `continue`; its node may say so too. */
  readonly tolerated: boolean
  /** Where its one node is; undefined if no node refers to it. */
  readonly place: { readonly frame: number; readonly node: number } | undefined
}

/** What a loop node repeats. */
export interface LoopPlan {
  readonly id: string
  /** Index of the body's frame plan. */
  readonly body: number
  readonly until: CompiledCondition
  readonly maxIterations: number
}

/** A node of a frame, with its neighbours as indexes into the same frame. */
export interface NodePlan {
  readonly id: string
  readonly index: number
  /** A step's plan, or a loop's. */
  readonly step: StepPlan | undefined
  readonly loop: LoopPlan | undefined
  readonly dependencies: ReadonlyArray<number>
  /** In topological order. */
  readonly dependants: ReadonlyArray<number>
  readonly dependsOnMode: "all" | "any"
  /** All nodes of its branch group, itself included, in topological order; empty without a branch. */
  readonly branch: ReadonlyArray<number>
  /** Its failure does not fail the frame. */
  readonly tolerated: boolean
}

/** A frame as written: a DAG whose instances are the frames of a run. */
export interface FramePlan {
  readonly index: number
  /** 0 for the root, 1 for the body of a loop in the root. */
  readonly depth: number
  /** In author order. */
  readonly nodes: ReadonlyArray<NodePlan>
  /** Node id to index. */
  readonly byId: ReadonlyMap<string, number>
  /** Indexes in topological order: Kahn, seeds and dependants in author order. */
  readonly order: ReadonlyArray<number>
  /** The loop whose body this is. */
  readonly loop: string | undefined
}

/** Limits with their defaults; 0 does not limit, but for `orphanedTurns`, where it is a real zero. */
interface RunLimits {
  /** Milliseconds of wall time. */
  readonly flowDuration: number
  readonly stepRetries: number
  readonly orphanedTurns: number
  readonly activeNodes: number
  readonly activeFrames: number
  readonly frameDepth: number
}

/** A flow, ready to run. Immutable; share it between all runs of the same digest. */
export interface FlowPlan {
  readonly flow_id: FlowId
  /** Digest of the definition it was compiled from. */
  readonly digest: string
  /** In author order. */
  readonly steps: ReadonlyArray<StepPlan>
  readonly stepById: ReadonlyMap<string, StepPlan>
  /** Frame plans; the root is the first. */
  readonly frames: ReadonlyArray<FramePlan>
  readonly limits: RunLimits
  readonly topology: Topology | undefined
  readonly orchestratorRole: string | undefined
  readonly validateSchema: ValidateSchema
}

/**
 * Compiles one flow of a validated definition. Pure and cacheable by digest and flow.
 * Throws if the definition has no such flow or the flow has a cycle, which validation excludes.
 */
export const compileFlow = (
  definition: Definition,
  flow: FlowId,
  digest: string,
  validateSchema: ValidateSchema
): FlowPlan => {
  const written = definition.flows.find(([id]) => id === flow)?.[1]
  if (written === undefined) throw new Error(`the definition has no flow ${flow}; check the flow id before compiling`)
  const frames: Array<FramePlan> = []
  const steps = new Map<string, StepPlan>()
  written.steps.forEach(([id, step], index) => steps.set(id, compileStep(id, index, step)))
  compileFrame(written.root, 0, undefined, frames, steps)
  const limits = definition.limits
  return {
    flow_id: flow,
    digest,
    steps: [...steps.values()],
    stepById: steps,
    frames,
    limits: {
      flowDuration: limits.max_flow_duration_ms ?? 0,
      stepRetries: limits.max_step_retries ?? 0,
      orphanedTurns: limits.max_orphaned_turns ?? DEFAULT_ORPHANED_TURNS,
      activeNodes: limits.max_active_nodes ?? 0,
      activeFrames: limits.max_active_frames ?? 0,
      frameDepth: limits.max_frame_depth ?? 0
    },
    topology: definition.topology,
    orchestratorRole: definition.orchestrator?.profile,
    validateSchema
  }
}

const compileStep = (id: string, index: number, step: FlowStep): StepPlan => {
  const hasSchema = step.expected_schema !== undefined || step.expected_schema_ref !== undefined
  const { allowed_tools: allowed, blocked_tools: blocked } = step
  return {
    id,
    index,
    role: step.role,
    message: compileContent(step.message),
    mode: step.dispatch_mode,
    policy: step.collection_policy,
    condition: step.condition === undefined ? undefined : compileCondition(step.condition),
    timeout: step.timeout_ms ?? DEFAULT_STEP_TIMEOUT,
    json: step.output_format === undefined ? hasSchema : step.output_format === "json",
    schema: step.expected_schema !== undefined
      ? { value: step.expected_schema }
      : step.expected_schema_ref !== undefined
      ? "missing"
      : undefined,
    overlay: allowed === undefined && blocked === undefined ? undefined : { allowed, blocked },
    onUnknown: step.on_unknown,
    items: step.dispatch_mode === "each" ? compileItems(step.items) : undefined,
    // 0 does not limit, as in the mob's limits.
    maxConcurrency: step.max_concurrency === 0 ? undefined : step.max_concurrency,
    tolerated: step.failure_policy === "continue",
    place: undefined
  }
}

/** Adds the plan of one frame, and of the bodies inside it; answers its index. */
const compileFrame = (
  frame: Frame,
  depth: number,
  loop: string | undefined,
  frames: Array<FramePlan>,
  steps: Map<string, StepPlan>
): number => {
  const index = frames.length
  const byId = new Map(frame.nodes.map(([id], at) => [id, at]))
  const dependencies = frame.nodes.map(([, node]) =>
    [...new Set(node.depends_on)].map((id) => byId.get(id)).filter((at) => at !== undefined)
  )
  const order = topological(dependencies)
  const rank = new Map(order.map((at, place) => [at, place]))
  const byRank = (a: number, b: number) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0)
  const dependants: Array<Array<number>> = frame.nodes.map(() => [])
  const branches = new Map<string, Array<number>>()
  frame.nodes.forEach(([, node], at) => {
    for (const dependency of dependencies[at] ?? []) dependants[dependency]?.push(at)
    if (node.kind === "step" && node.branch !== undefined) {
      branches.set(node.branch, [...branches.get(node.branch) ?? [], at])
    }
  })
  for (const group of [...dependants, ...branches.values()]) group.sort(byRank)
  const nodes: Array<NodePlan> = []
  frames.push({ index, depth, nodes, byId, order, loop })
  frame.nodes.forEach(([id, node], at) => {
    const common = {
      id,
      index: at,
      dependencies: dependencies[at] ?? [],
      dependants: dependants[at] ?? [],
      dependsOnMode: node.depends_on_mode
    }
    if (node.kind === "step") {
      const step = steps.get(node.step_id)
      if (step === undefined) {
        throw new Error(`node ${id} refers to unknown step ${node.step_id}; validate the definition first`)
      }
      const placed = { ...step, place: { frame: index, node: at } }
      steps.set(step.id, placed)
      nodes.push({
        ...common,
        step: placed,
        loop: undefined,
        branch: node.branch === undefined ? [] : branches.get(node.branch) ?? [],
        tolerated: step.tolerated || node.failure_policy === "continue"
      })
    } else {
      const body = compileFrame(node.body, depth + 1, node.loop_id, frames, steps)
      nodes.push({
        ...common,
        step: undefined,
        loop: { id: node.loop_id, body, until: compileCondition(node.until), maxIterations: node.max_iterations },
        branch: [],
        tolerated: node.failure_policy === "continue"
      })
    }
  })
  return index
}

/** Kahn's order over indexes; seeds and dependants are taken in author order. */
const topological = (dependencies: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> => {
  const missing = dependencies.map((it) => it.length)
  const dependants: Array<Array<number>> = dependencies.map(() => [])
  dependencies.forEach((it, at) => it.forEach((dependency) => dependants[dependency]?.push(at)))
  const order: Array<number> = []
  missing.forEach((count, at) => count === 0 && order.push(at))
  for (let place = 0; place < order.length; place++) {
    for (const dependant of dependants[order[place] ?? 0] ?? []) {
      const left = (missing[dependant] ?? 0) - 1
      missing[dependant] = left
      if (left === 0) order.push(dependant)
    }
  }
  if (order.length < dependencies.length) throw new Error("the flow has a cycle; validate the definition first")
  return order
}
