/**
 * A small run for the model: nodes with targets, joined by all or any, over `judge`. It decides what a run decides
 * about its inputs, and nothing else.
 */
import { type InputRecord, judge } from "../../core/machine/delivery.ts"
import type { RosterView, Send, ToDoor, ToOwner } from "../../core/machine/protocol.ts"
import type { Fence, Identity, InputId, RunId } from "../../sdk/ids.ts"

/** What the model sees of a run, whichever machine runs it. */
export interface RunView {
  readonly phase: RunPhase
  /** Inputs that are not closed. */
  readonly open: ReadonlyMap<
    InputId,
    { readonly status: "dispatched" | "detached"; readonly target: Identity; readonly fence: Fence }
  >
}

/** A fact of a run, of either machine. */
export interface RunFactLike {
  readonly type: string
  readonly input?: InputId
  readonly fence?: Fence
}

/** The owner of a flow's inputs, as the model drives it. States and facts are its own affair. */
export interface RunMachine {
  /** Facts of the first entry of run `index`; its cell tells what they imply. */
  readonly create: (config: RunPlans, index: number, roster: RosterView) => ReadonlyArray<RunFactLike>
  readonly evolve: (config: RunPlans, index: number, state: object | undefined, fact: RunFactLike) => object
  readonly decide: (
    config: RunPlans,
    index: number,
    state: object,
    command: RunModelCommand,
    roster: RosterView
  ) => { readonly facts: ReadonlyArray<RunFactLike>; readonly sends: ReadonlyArray<Send> }
  readonly view: (state: object) => RunView
}

/** The flows of a configuration. */
export interface RunPlans {
  readonly runs: ReadonlyArray<Plan>
  readonly on_unknown: "redeliver" | "fail"
}

/** A node of a flow: `join: "any"` leaves the other turns behind. */
export interface NodePlan {
  readonly after: ReadonlyArray<number>
  readonly targets: ReadonlyArray<Identity>
  readonly join: "all" | "any"
}

/** A flow of the model. */
export type Plan = ReadonlyArray<NodePlan>

/** Phase of a run; the last three are final. */
export type RunPhase = "running" | "completed" | "failed" | "canceled"

/** A run. */
interface RunModel {
  readonly run: RunId
  readonly phase: RunPhase
  readonly nodes: ReadonlyArray<"pending" | "running" | "completed" | "failed">
  readonly inputs: ReadonlyMap<InputId, InputRecord & { readonly node: number }>
}

/** Facts of a run. */
type RunModelFact =
  | { readonly type: "created"; readonly run: RunId; readonly nodes: number }
  | { readonly type: "node"; readonly node: number; readonly status: RunModel["nodes"][number] }
  | {
    readonly type: "dispatched"
    readonly input: InputId
    readonly node: number
    readonly target: Identity
    readonly fence: Fence
    readonly on_unknown: "redeliver" | "fail"
  }
  | { readonly type: "redelivered"; readonly input: InputId; readonly fence: Fence }
  | { readonly type: "completed"; readonly input: InputId; readonly fence: Fence }
  | { readonly type: "failed" | "detached" | "ended"; readonly input: InputId }
  | { readonly type: "phase"; readonly phase: RunPhase }

/** What a run can be asked. */
export type RunModelCommand =
  | { readonly type: "started" }
  | { readonly type: "message"; readonly message: ToOwner }
  | { readonly type: "cancel" }
  | { readonly type: "timeout"; readonly input: InputId }

/** What surrounds a decision. */
interface RunContext {
  readonly plan: Plan
  readonly roster: RosterView
  readonly on_unknown: "redeliver" | "fail"
}

const evolveRunModel = (state: RunModel | undefined, fact: RunModelFact): RunModel => {
  if (fact.type === "created") {
    const nodes = Array.from({ length: fact.nodes }, () => "pending" as const)
    return { run: fact.run, phase: "running", nodes, inputs: new Map() }
  }
  if (state === undefined) throw new Error("a run starts with created")
  const put = (input: InputId, change: Partial<InputRecord>, fresh?: InputRecord & { readonly node: number }) => {
    const inputs = new Map(state.inputs)
    const before = fresh ?? inputs.get(input)
    if (before === undefined) throw new Error(`no input ${input}`)
    inputs.set(input, { ...before, ...change })
    return { ...state, inputs }
  }
  switch (fact.type) {
    case "node":
      return { ...state, nodes: state.nodes.map((it, index) => (index === fact.node ? fact.status : it)) }
    case "dispatched": {
      const { node, target, fence, on_unknown } = fact
      return put(fact.input, {}, { node, target, fence, on_unknown, status: "dispatched", redeliveries: 0 })
    }
    case "redelivered":
      // Counted only up to the limit's sight: the model has fewer faults than redeliveries allowed.
      return put(fact.input, { fence: fact.fence })
    case "completed":
    case "failed":
    case "ended":
      return put(fact.input, { status: "closed" })
    case "detached":
      return put(fact.input, { status: "detached" })
    case "phase":
      return { ...state, phase: fact.phase }
  }
}

/** Decides a command; facts and messages as those of a run of the product. */
const decideRunModel = (
  before: RunModel,
  command: RunModelCommand,
  context: RunContext
): { readonly facts: ReadonlyArray<RunModelFact>; readonly sends: ReadonlyArray<Send> } => {
  const facts: Array<RunModelFact> = []
  const sends: Array<Send> = []
  let state = before
  const add = (fact: RunModelFact) => {
    facts.push(fact)
    state = evolveRunModel(state, fact)
  }
  const owner = `run/${before.run}` as const
  const tell = (identity: Identity, message: ToDoor) => sends.push({ to: "door", identity, message })
  const dispatch = (input: InputId) => {
    const record = state.inputs.get(input)
    if (record === undefined) return
    const content = { content: "work", deadline: undefined, overlay: undefined, memos: {} }
    tell(record.target, { type: "dispatch", owner, dispatch: { input, fence: record.fence, ...content } })
  }
  const leave = (left: (record: { readonly node: number }) => boolean) => {
    for (const [input, record] of state.inputs) {
      if (record.status !== "dispatched" || !left(record)) continue
      add({ type: "detached", input })
      tell(record.target, { type: "detach", owner, input })
    }
  }
  const end = (phase: RunPhase) => {
    leave(() => true)
    add({ type: "phase", phase })
  }
  const ready = () => {
    context.plan.forEach((plan, node) => {
      if (state.phase !== "running" || state.nodes[node] !== "pending") return
      if (!plan.after.every((it) => state.nodes[it] === "completed")) return
      const targets = plan.targets.map((target) => context.roster.members.get(target))
      if (targets.some((target) => target?.phase !== "active")) {
        add({ type: "node", node, status: "failed" })
        return end("failed")
      }
      add({ type: "node", node, status: "running" })
      for (const target of targets) {
        if (target === undefined) continue
        const { identity, fence } = target
        const input = `${before.run}/n${node}/0/${identity}/1` as InputId
        add({ type: "dispatched", input, node, target: identity, fence, on_unknown: context.on_unknown })
        dispatch(input)
      }
    })
    if (state.phase === "running" && state.nodes.every((it) => it === "completed")) end("completed")
  }
  const failNode = (node: number) => {
    add({ type: "node", node, status: "failed" })
    end("failed")
  }

  switch (command.type) {
    case "started": {
      const targets = new Set<Identity>()
      for (const [input, { status, target }] of before.inputs) {
        targets.add(target)
        if (status === "dispatched") dispatch(input)
        if (status === "detached") tell(target, { type: "detach", owner, input })
      }
      for (const target of targets) tell(target, { type: "owner_started", owner })
      if (before.phase !== "running") {
        sends.push({ to: "mob", message: { type: "run_ended", run: before.run, status: before.phase } })
      } else if (before.nodes.every((it) => it === "pending")) ready()
      break
    }
    case "cancel":
      if (state.phase === "running") end("canceled")
      break
    case "timeout": {
      const record = state.inputs.get(command.input)
      if (record?.status !== "dispatched") break
      add({ type: "detached", input: command.input })
      tell(record.target, { type: "detach", owner, input: command.input })
      failNode(record.node)
      break
    }
    case "message": {
      const { message } = command
      if (message.type === "who") {
        for (const [input, { status, target }] of state.inputs) {
          if (status === "dispatched" && target === message.identity) dispatch(input)
        }
        break
      }
      const { input } = message
      const record = state.inputs.get(input)
      if (record === undefined) break
      const verdict = judge(record, message)
      const { node, target } = record
      const settled = () => tell(target, { type: "settled", input })
      switch (verdict.verdict) {
        case "ignore":
          break
        case "settle":
          settled()
          break
        case "stale":
          if (message.type === "outcome") {
            tell(target, { type: "stale", input, fence: message.fence, current: verdict.current })
          }
          break
        case "redeliver":
          add({ type: "redelivered", input, fence: verdict.fence })
          dispatch(input)
          break
        case "fail":
          add({ type: "failed", input })
          settled()
          failNode(node)
          break
        case "ended":
          add({ type: "ended", input })
          settled()
          break
        case "outcome": {
          if (verdict.redelivered) add({ type: "redelivered", input, fence: verdict.fence })
          add({ type: "completed", input, fence: verdict.fence })
          settled()
          const open = [...state.inputs.values()].some((it) => it.node === node && it.status !== "closed")
          if (state.nodes[node] !== "running" || context.plan[node]?.join === "all" && open) break
          add({ type: "node", node, status: "completed" })
          leave((it) => it.node === node)
          ready()
        }
      }
    }
  }
  if (before.phase === "running" && state.phase !== "running") {
    sends.push({ to: "mob", message: { type: "run_ended", run: before.run, status: state.phase } })
  }
  return { facts, sends }
}

/** The small run as a machine of the model. */
export const smallRuns: RunMachine = {
  // The model names its runs r0, r1, ...
  create: ({ runs }, index) =>
    [{ type: "created", run: `r${index}` as RunId, nodes: runs[index]?.length ?? 0 }] as ReadonlyArray<RunModelFact>,
  // The model gives a machine back only states and facts that the machine made.
  evolve: (_, __, state, fact) => evolveRunModel(state as RunModel | undefined, fact as RunModelFact),
  decide: ({ on_unknown, runs }, index, state, command, roster) =>
    decideRunModel(state as RunModel, command, { plan: runs[index] ?? [], roster, on_unknown }),
  view: (state) => {
    const { inputs, phase } = state as RunModel
    const open = new Map<InputId, { status: "dispatched" | "detached"; target: Identity; fence: Fence }>()
    for (const [input, { fence, status, target }] of inputs) {
      if (status !== "closed") open.set(input, { status, target, fence })
    }
    return { phase, open }
  }
}
