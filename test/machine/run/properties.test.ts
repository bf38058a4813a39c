/**
 * Random flows, random members, random orders of whatever can happen. After every command the driver checks the
 * invariants; here the whole history is judged.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { RosterEntry } from "../../../core/machine/protocol.ts"
import {
  encodeRun,
  evolveRun,
  isTerminal,
  nextDeadline,
  projectRun,
  type RunState,
  unfinished
} from "../../../core/machine/run/index.ts"
import type { JsonObject } from "../../../sdk/json.ts"
import { Driver, member, type Written } from "./driver.ts"

const runs = process.env["MOB_EFFORT"] === "soak" ? 5_000 : 300

const condition: fc.Arbitrary<JsonObject> = fc.constantFrom<JsonObject>(
  { op: "and", exprs: [] },
  { op: "or", exprs: [] },
  { op: "eq", path: "params.flag", value: true },
  { op: "eq", path: "steps.s0", value: "ok" }
)

const stepOf = (index: number): fc.Arbitrary<JsonObject> =>
  fc.record({
    role: fc.constantFrom("worker", "worker", "worker", "lead"),
    message: fc.constantFrom("go", "{{ params.flag }} {{ steps.s1 }}"),
    depends_on: index === 0
      ? fc.constant([])
      : fc.uniqueArray(fc.integer({ min: 0, max: index - 1 }).map((it) => `s${it}`), { maxLength: 3 }),
    depends_on_mode: fc.constantFrom("all", "any"),
    kind: fc.constantFrom<JsonObject>(
      { dispatch_mode: "fan_out" },
      { dispatch_mode: "fan_in" },
      { dispatch_mode: "one_to_one" },
      { dispatch_mode: "each", items: "{{ params.items }}" },
      { dispatch_mode: "each", items: "{{ params.items }}", max_concurrency: 1 }
    ),
    collection_policy: fc.constantFrom<JsonObject>({ type: "all" }, { type: "any" }, { type: "quorum", n: 2 }),
    timeout_ms: fc.constantFrom(10, 50),
    condition: fc.option(condition, { nil: undefined }),
    failure_policy: fc.constantFrom("escalate", "continue"),
    on_unknown: fc.constantFrom("redeliver", "fail"),
    branch: fc.option(fc.constantFrom("x", "y"), { nil: undefined })
  }).map(({ kind, condition, branch, ...rest }) => ({
    ...rest,
    ...kind,
    ...(condition === undefined ? {} : { condition }),
    // Members of a branch share their dependencies, as validation demands.
    ...(branch === undefined ? {} : { branch, depends_on: [], depends_on_mode: "all" })
  }))

const flat: fc.Arbitrary<Written> = fc.integer({ min: 1, max: 8 })
  .chain((size) => fc.tuple(...Array.from({ length: size }, (_, index) => stepOf(index))))
  .chain((steps) =>
    fc.record({
      steps: fc.constant(Object.fromEntries(steps.map((it, index) => [`s${index}`, it]))),
      limits: fc.record({
        max_step_retries: fc.constantFrom(0, 2),
        max_orphaned_turns: fc.constantFrom(0, 2, 8),
        max_active_nodes: fc.constantFrom(0, 1, 3)
      })
    })
  )

/** The last steps of a flat flow become the body of a loop, the loop a node beside the others. */
const looped: fc.Arbitrary<Written> = fc.tuple(flat, fc.integer({ min: 1, max: 4 }), fc.constantFrom(1, 3), condition)
  .map(
    ([{ steps, limits }, inside, max_iterations, until]) => {
      const ids = Object.keys(steps)
      const inner = new Set(ids.slice(-inside))
      const node = (id: string, siblings: ReadonlySet<string>) => {
        const { depends_on, depends_on_mode, branch, failure_policy } = steps[id] ?? {}
        const kept = Array.isArray(depends_on) ? depends_on.filter((it) => siblings.has(String(it))) : []
        return [id, {
          kind: "step",
          step_id: id,
          depends_on: kept,
          depends_on_mode,
          failure_policy,
          ...(branch ? { branch } : {})
        }] as const
      }
      const outer = new Set(ids.filter((id) => !inner.has(id)))
      const body = { nodes: [...inner].map((id) => node(id, inner)) }
      const nested = { kind: "repeat_until", loop_id: "in", max_iterations, until, body }
      const loop = { kind: "repeat_until", loop_id: "out", max_iterations: 2, until, body: { nodes: [["in", nested]] } }
      const nodes = [...[...outer].map((id) => node(id, outer)), ["out", loop] as const]
      return { steps, nodes, ...(limits === undefined ? {} : { limits }) }
    }
  )

const roster: fc.Arbitrary<ReadonlyArray<RosterEntry>> = fc.integer({ min: 0, max: 3 }).map((count) => [
  ...Array.from({ length: count }, (_, index) => member(`w-${index}`)),
  member("lead", { role: "lead" })
])

interface Chance {
  readonly what:
    | "complete"
    | "complete"
    | "fail"
    | "reincarnate"
    | "tick"
    | "retiring"
    | "duplicate"
    | "reload"
    | "break"
    | "ended"
    | "who"
  readonly pick: number
  readonly known: number
}

const chance: fc.Arbitrary<Chance> = fc.record({
  what: fc.constantFrom<Chance["what"]>(
    "complete",
    "complete",
    "complete",
    "complete",
    "fail",
    "reincarnate",
    "tick",
    "retiring",
    "duplicate",
    "reload",
    "break",
    "ended",
    "who"
  ),
  pick: fc.nat(),
  known: fc.nat(2)
})

const ok = { status: "completed", output: "ok" } as const

const act = (run: Driver, { what, pick, known }: Chance, told: Array<{ input: string; fence: number }>): void => {
  const turns = run.turns()
  const held = turns[pick % Math.max(1, turns.length)]
  const members = [...run.roster.members.values()]
  const someone = members[pick % Math.max(1, members.length)]
  switch (what) {
    case "complete":
      if (held === undefined) return
      told.push(held.dispatch)
      return void run.outcome(held, ok)
    case "fail":
      return held && void run.outcome(held, { status: "failed", code: "x", reason: "x" })
    case "duplicate": {
      const { input, fence } = told[pick % Math.max(1, told.length)] ?? {}
      // It was an input of this run when it was told.
      return input && fence !== undefined
        ? void run.send({ type: "outcome", input: input as never, fence, outcome: ok })
        : undefined
    }
    case "reincarnate": {
      if (held === undefined) return
      const entry = run.roster.members.get(held.target as never)
      if (entry === undefined) return
      const fence = Math.max(entry.fence, held.dispatch.fence) + 1
      run.members(...members.map((it) => it.identity === entry.identity ? { ...it, fence } : it))
      if (isTerminal(run.run)) return
      const fates = [{ state: "nothing" }, { state: "running" }, { state: "outcome", outcome: ok }] as const
      return void run.send({ type: "reincarnated", input: held.dispatch.input, fence, known: fates[known] ?? fates[0] })
    }
    case "tick":
      return void run.advance(known * 20)
    case "retiring":
      return held
        && void run.send({ type: "retiring", input: held.dispatch.input, code: "member_retired", reason: "gone" })
    case "reload":
      return void run.reload()
    case "break":
      if (someone === undefined || known > 0) return
      return void run.members(...members.map((it) => it === someone ? { ...it, phase: "broken" as const } : it))
    case "ended": {
      const detached = unfinished(run.run).filter((it) => it.status === "detached")
      const one = detached[pick % Math.max(1, detached.length)]
      return one && void run.send({ type: "ended", input: one.input })
    }
    case "who":
      return someone && void run.send({ type: "who", identity: someone.identity })
  }
}

/** Lets a run that is left alone come to its end: members answer, detached turns end, time passes. */
const finish = (run: Driver): void => {
  for (let step = 0; !isTerminal(run.run); step++) {
    if (step > 20_000) throw new Error("the run does not end")
    const held = run.turns()[0]
    const detached = unfinished(run.run).find((it) => it.status === "detached")
    if (held !== undefined) run.outcome(held, ok)
    else if (detached !== undefined) run.send({ type: "ended", input: detached.input })
    else if (nextDeadline(run.run) !== undefined) run.advance(1_000)
    else throw new Error(`the run waits for nothing: ${JSON.stringify(encodeRun(run.run))}`)
  }
}

const judge = (run: Driver): void => {
  const { events, facts } = run
  const ends = events.filter((it) => /^flow_(completed|failed|canceled)$/.test(String(it["type"])))
  expect(ends).toHaveLength(1)
  expect(events[0]?.["type"]).toBe("flow_started")
  const inputs = run.factsOf("dispatched").map((it) => it.input)
  expect(new Set(inputs).size, "an attempt is dispatched once").toBe(inputs.length)
  const closed = facts.flatMap((it) =>
    it.type === "completed" || it.type === "failed" || it.type === "reassigned" || it.type === "detached"
      ? [it.input]
      : []
  )
  expect(new Set(closed).size, "an input is closed once").toBe(closed.length)
  expect(new Set(closed)).toEqual(new Set(inputs))
  // Nothing of the run follows its terminal event but the ends of detached turns, which are no events.
  expect(events.indexOf(ends[0]!)).toBe(events.length - 1)
  const open = new Map<string, number>()
  for (const it of events) {
    const key = `${String(it["step_id"])} ${String(it["target"])} ${String(it["item"])}`
    if (it["type"] === "step_dispatched") open.set(key, (open.get(key) ?? 0) + 1)
    if (it["type"] === "step_target_completed" || it["type"] === "step_target_failed" && it["target"] !== null) {
      expect(open.get(key), `${key} was dispatched before`).toBeGreaterThan(0)
      open.set(key, (open.get(key) ?? 0) - 1)
    }
  }
  for (const type of ["step_failed", "step_skipped"]) {
    const steps = run.eventsOf(type).map((it) => it["step_id"])
    expect(new Set(steps).size, `${type} once a step`).toBe(steps.length)
  }
  let folded: RunState | undefined
  const projected: Array<JsonObject> = []
  for (const fact of facts) {
    const next: RunState = evolveRun(run.plan, folded, JSON.parse(JSON.stringify(fact)) as typeof fact)
    projected.push(...projectRun(run.plan, folded, fact, next))
    folded = next
  }
  expect(encodeRun(folded!), "the fold of stored facts is the state").toEqual(encodeRun(run.run))
  expect(projected).toEqual(events)
  const { status, steps } = run.record
  const statuses = Object.values(steps).map((it) => it.status)
  if (status === "completed") expect(statuses.every((it) => ["completed", "skipped", "failed"].includes(it))).toBe(true)
  else expect(statuses.every((it) => it !== "pending" && it !== "dispatched")).toBe(true)
}

describe("any run", () => {
  it.each([["flat", flat], ["looped", looped]] as const)(
    "%s: ends once, dispatches each attempt once, keeps its invariants, and is the fold of its facts",
    (_, flows) => {
      fc.assert(
        fc.property(
          flows,
          roster,
          fc.array(chance, { maxLength: 40 }),
          fc.boolean(),
          (flow, members, chances, cancel) => {
            const run = new Driver(flow, members)
            run.start({ flag: true, items: [1, 2, 3] })
            const told: Array<{ input: string; fence: number }> = []
            for (const it of chances) act(run, it, told)
            if (cancel) run.send({ type: "cancel" })
            finish(run)
            judge(run)
          }
        ),
        { numRuns: runs }
      )
    },
    120_000
  )
})
