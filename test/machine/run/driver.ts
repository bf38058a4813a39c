/**
 * A run under test: builds definitions, plays the members' doors, folds facts and checks after every command what must
 * always hold.
 */
import { HashMap, Schema } from "effect"
import { expect } from "vitest"
import type { Dispatch, RosterEntry, RosterView, Send } from "../../../core/machine/protocol.ts"
import {
  compileFlow,
  decideRun,
  decodeRun,
  encodeRun,
  evolveRun,
  type FlowPlan,
  isTerminal,
  nextDeadline,
  projectRun,
  type RunCommand,
  type RunFact,
  runRecord,
  type RunState,
  unfinished,
  type ValidateSchema
} from "../../../core/machine/run/index.ts"
import * as Slices from "../../../core/machine/run/slices.ts"
import { Definition } from "../../../sdk/definition/schema.ts"
import { FlowId, Identity, MobId, RunId } from "../../../sdk/ids.ts"
import type { Json, JsonObject } from "../../../sdk/json.ts"
import type { Outcome } from "../../../sdk/outcome.ts"

export const RUN = RunId.make("run-1")

/** What a test says of a mob; steps in author order. */
export interface Written {
  readonly steps: { readonly [id: string]: JsonObject }
  /** Frame nodes; without them one node per step. */
  readonly nodes?: ReadonlyArray<readonly [string, unknown]>
  readonly limits?: JsonObject
  readonly topology?: JsonObject
  readonly orchestrator?: string
}

/** A step with a message and the role `worker`, and what else is said. */
export const step = (fields: JsonObject = {}): JsonObject => ({ role: "worker", message: "go", ...fields })

/** A step whose value is bare: one target, its output alone. */
export const single = (fields: JsonObject = {}): JsonObject =>
  step({ dispatch_mode: "one_to_one", collection_policy: { type: "any" }, output_format: "json", ...fields })

const rootOf = (steps: Written["steps"]): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(steps).map(([id, { depends_on, depends_on_mode, branch, failure_policy }]) => [id, {
    kind: "step",
    step_id: id,
    ...(depends_on === undefined ? {} : { depends_on }),
    ...(depends_on_mode === undefined ? {} : { depends_on_mode }),
    ...(branch === undefined ? {} : { branch }),
    ...(failure_policy === undefined ? {} : { failure_policy })
  }])

const decodeDefinition = Schema.decodeUnknownSync(Definition)

export const planOf = (written: Written, validate: ValidateSchema = () => undefined): FlowPlan => {
  const definition = decodeDefinition({
    id: "mob",
    flows: [["main", {
      steps: Object.entries(written.steps),
      root: { nodes: written.nodes ?? rootOf(written.steps) }
    }]],
    ...(written.limits === undefined ? {} : { limits: written.limits }),
    ...(written.topology === undefined ? {} : { topology: written.topology }),
    ...(written.orchestrator === undefined ? {} : { orchestrator: { profile: written.orchestrator } })
  })
  return compileFlow(definition, FlowId.make("main"), "digest", validate)
}

export const member = (identity: string, fields: Partial<RosterEntry> = {}): RosterEntry => ({
  identity: Identity.make(identity),
  role: "worker",
  phase: "active",
  generation: 1,
  fence: 1,
  ...fields
})

export const rosterOf = (members: ReadonlyArray<RosterEntry>, version = 1): RosterView => ({
  version,
  members: new Map(members.map((it) => [it.identity, it]))
})

/** A turn at a door: handed over and not settled. */
export interface Held {
  readonly target: string
  readonly dispatch: Dispatch
  readonly detached: boolean
}

/** A command was refused. */
export class Refused extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export class Driver {
  readonly plan: FlowPlan
  state: RunState | undefined
  facts: Array<RunFact> = []
  events: Array<JsonObject> = []
  sends: Array<Send> = []
  /** Facts of the last command. */
  last: ReadonlyArray<RunFact> = []
  now = 1_000
  orphanSlots = 8
  roster: RosterView
  readonly held = new Map<string, Held>()
  /** Whether every state is also checked through its JSON. */
  thorough = true

  constructor(plan: FlowPlan | Written, members: ReadonlyArray<string | RosterEntry> = ["w-1"]) {
    this.plan = "frames" in plan ? plan : planOf(plan)
    this.roster = rosterOf(members.map((it) => typeof it === "string" ? member(it) : it))
  }

  start(params: Json = {}): this {
    return this.send({ type: "create", run_id: RUN, mob_id: MobId.make("mob"), key: "key", params })
  }

  send(command: RunCommand): this {
    const ctx = { now: this.now, roster: this.roster, orphanSlots: this.orphanSlots }
    const decision = decideRun(this.plan, this.state, command, ctx)
    if (decision.refused) throw new Refused(decision.code, decision.message)
    for (const fact of decision.facts) {
      const before = this.state
      this.state = evolveRun(this.plan, before, fact)
      this.events.push(...projectRun(this.plan, before, fact, this.state))
    }
    this.last = decision.facts
    this.facts.push(...decision.facts)
    for (const send of decision.sends) this.receive(send)
    this.check()
    return this
  }

  /** Folds one fact that no decision made. */
  apply(fact: RunFact): RunState {
    return evolveRun(this.plan, this.state, fact)
  }

  get run(): RunState {
    if (this.state === undefined) throw new Error("the run was not created")
    return this.state
  }

  get record() {
    return runRecord(this.plan, this.run)
  }

  get status() {
    return this.record.status
  }

  /** Turns that members have, in the order they got them; `detached` ones only if asked for. */
  turns(step?: string): ReadonlyArray<Held> {
    return [...this.held.values()].filter((it) =>
      !it.detached && (step === undefined || it.dispatch.input.startsWith(`${RUN}/${step}/`))
    )
  }

  turn(step?: string, target?: string): Held {
    const found = this.turns(step).find((it) => target === undefined || it.target === target)
    if (found === undefined) {
      throw new Error(`nobody has a turn of ${step ?? "any step"}${target ? ` at ${target}` : ""}`)
    }
    return found
  }

  outcome(held: Held, outcome: Outcome, fence = held.dispatch.fence): this {
    return this.send({ type: "outcome", input: held.dispatch.input, fence, outcome })
  }

  /** Ends a turn well; JSON for JSON steps. */
  complete(step: string, output: Json, target?: string): this {
    const text = typeof output === "string" ? output : JSON.stringify(output)
    return this.outcome(this.turn(step, target), { status: "completed", output: text })
  }

  fail(step: string, reason = "no luck", target?: string): this {
    return this.outcome(this.turn(step, target), { status: "failed", code: "failed", reason })
  }

  /** Lets time pass, and ticks whenever the run asked for it. */
  advance(millis: number): this {
    const end = this.now + millis
    for (let due = nextDeadline(this.run); due !== undefined && due <= end; due = nextDeadline(this.run)) {
      this.now = Math.max(this.now, due)
      this.send({ type: "tick" })
    }
    this.now = end
    return this
  }

  /** The mob commits another roster. */
  members(...members: ReadonlyArray<RosterEntry>): this {
    this.roster = rosterOf(members, this.roster.version + 1)
    return this.send({ type: "roster_changed" })
  }

  /** The run's cell loads it again, from its stored state. */
  reload(): this {
    this.state = decodeRun(encodeRun(this.run))
    this.held.clear()
    return this.send({ type: "started" })
  }

  eventsOf(type: string, step?: string): ReadonlyArray<JsonObject> {
    return this.events.filter((it) => it["type"] === type && (step === undefined || it["step_id"] === step))
  }

  factsOf<Type extends RunFact["type"]>(type: Type): ReadonlyArray<Extract<RunFact, { readonly type: Type }>> {
    return this.facts.filter((it): it is Extract<RunFact, { readonly type: Type }> => it.type === type)
  }

  private receive(send: Send): void {
    this.sends.push(send)
    if (send.to !== "door") return
    const { identity: target, message } = send
    if (message.type === "dispatch") {
      this.held.set(message.dispatch.input, { target, dispatch: message.dispatch, detached: false })
    } else if (message.type === "detach") {
      const held = this.held.get(message.input)
      if (held !== undefined) this.held.set(message.input, { ...held, detached: true })
    } else if (message.type === "settled") this.held.delete(message.input)
  }

  private check(): void {
    const state = this.run
    let running = 0
    let bodies = 0
    for (const frame of HashMap.values(state.frames)) {
      const nodes = Slices.toArray(frame.nodes)
      const queue = Slices.toArray(frame.ready).slice(frame.head)
      const ready = nodes.flatMap((node, index) => node.status === "ready" ? [index] : [])
      expect([...queue].sort((a, b) => a - b), `flows/68: the ready queue of ${frame.id}`).toEqual(ready)
      expect(frame.open).toBe(nodes.filter((node) => ["pending", "ready", "running"].includes(node.status)).length)
      if (!isTerminal(state)) {
        expect(state.readyFrames.filter((it) => it === frame.id)).toHaveLength(ready.length > 0 ? 1 : 0)
      }
      running += nodes.filter((node) => node.status === "running" && node.work?.kind === "step").length
      bodies += frame.parent !== undefined && !frame.sealed ? 1 : 0
    }
    expect(state.activeNodes).toBe(running)
    if (!isTerminal(state)) expect(state.activeFrames).toBe(bodies)
    const { activeNodes, activeFrames } = this.plan.limits
    if (activeNodes > 0) expect(state.activeNodes).toBeLessThanOrEqual(activeNodes)
    if (activeFrames > 0) expect(state.activeFrames).toBeLessThanOrEqual(activeFrames)
    if (isTerminal(state)) {
      expect(running).toBe(0)
      expect(unfinished(state).filter((it) => it.status === "dispatched")).toEqual([])
    }
    const deadlines = [...HashMap.values(state.inputs)].filter((it) => it.status === "dispatched").map((it) =>
      it.deadline
    )
    const flow = state.flowDeadline === undefined ? [] : [state.flowDeadline]
    expect(nextDeadline(state)).toBe(
      isTerminal(state) || deadlines.length + flow.length === 0 ? undefined : Math.min(...deadlines, ...flow)
    )
    if (this.thorough) {
      const json = encodeRun(state)
      expect(encodeRun(decodeRun(JSON.parse(JSON.stringify(json)) as Json))).toEqual(json)
    }
  }
}
