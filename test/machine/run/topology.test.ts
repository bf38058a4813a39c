import { describe, expect, it } from "vitest"
import { Driver, Refused, step } from "./driver.ts"

const flow = (mode: string, ...rules: ReadonlyArray<readonly [from: string, to: string, allowed: boolean]>) => ({
  steps: { a: step(), b: step() },
  orchestrator: "lead",
  topology: { mode, rules: rules.map(([from_role, to_role, allowed]) => ({ from_role, to_role, allowed })) }
})

describe("topology", () => {
  it.each(["lead", "*"])("flows/99 a strict rule from %s ends the run before a dispatch", (from) => {
    const run = new Driver(flow("strict", [from, "worker", false])).start()
    expect(run.record.reason).toBe("topology violation: lead -> worker")
    expect(run.record.steps).toEqual({
      a: { status: "failed", reason: "topology violation: lead -> worker" },
      b: { status: "canceled" }
    })
    expect(run.eventsOf("step_dispatched")).toEqual([])
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "topology_violation" })
  })

  it("flows/100 an advisory rule is told and the step goes on", () => {
    const run = new Driver(flow("advisory", ["lead", "worker", false])).start().complete("a", "x").complete("b", "x")
    expect(run.eventsOf("topology_violation")).toEqual([
      { type: "topology_violation", from_role: "lead", to_role: "worker" },
      { type: "topology_violation", from_role: "lead", to_role: "worker" }
    ])
    expect(run.status).toBe("completed")
  })

  it("flows/101 the last rule that matches wins, and no match allows", () => {
    const allowed = new Driver(flow("strict", ["lead", "worker", false], ["lead", "*", true])).start()
    expect(allowed.turns()).toHaveLength(2)
    expect(new Driver(flow("strict", ["worker", "worker", false])).start().turns()).toHaveLength(2)
  })

  it("flows/29 a topology without an orchestrator refuses the run", () => {
    const { steps, topology } = flow("strict")
    const refused = () => new Driver({ steps, topology }).start()
    expect(refused).toThrow(Refused)
    expect(refused).toThrow("topology requires an orchestrator profile")
  })
})
