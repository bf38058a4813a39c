import { describe, expect, it } from "vitest"
import { Driver, member, planOf, RUN, single, step } from "./driver.ts"

describe("dispatch", () => {
  it("flows/30 one_to_one takes the lowest identity alone", () => {
    const run = new Driver({ steps: { a: step({ dispatch_mode: "one_to_one" }) } }, ["w-2", "w-1"]).start()
    expect(run.eventsOf("step_dispatched").map((it) => it["target"])).toEqual(["w-1"])
  })

  it.each(["fan_in", "fan_out"])(
    "flows/31 flows/33 %s takes every runnable member and completes once",
    (dispatch_mode) => {
      const run = new Driver({ steps: { a: step({ dispatch_mode }) } }, [
        "w-2",
        "w-1",
        member("x", { role: "lead" }),
        member("w-3", { phase: "broken" }),
        member("w-4", { phase: "retiring" })
      ]).start()
      expect(run.eventsOf("step_dispatched").map((it) => it["target"])).toEqual(["w-1", "w-2"])
      run.complete("a", "1", "w-2").complete("a", "2", "w-1")
      expect(run.eventsOf("step_target_completed")).toHaveLength(2)
      expect(run.eventsOf("step_completed")).toEqual([{ type: "step_completed", run_id: RUN, step_id: "a" }])
      expect(run.status).toBe("completed")
    }
  )

  it("input ids are run, node path, iteration, lane and attempt", () => {
    const run = new Driver({ steps: { "a/b": step(), c: step() }, limits: { max_step_retries: 1 } }, ["50%/w"]).start()
    expect(run.turns().map((it) => it.dispatch.input)).toEqual([`${RUN}/a%2Fb/0/50%25%2Fw/1`, `${RUN}/c/0/50%25%2Fw/1`])
    run.fail("c")
    expect(run.turn("c").dispatch.input).toBe(`${RUN}/c/0/50%25%2Fw/2`)
  })

  it("flows/34 fan_in gives targets and outputs by identity", () => {
    const run = new Driver({ steps: { a: step({ dispatch_mode: "fan_in", output_format: "json" }) } }, ["w-2", "w-1"])
      .start()
    run.complete("a", 2, "w-2").complete("a", 1, "w-1")
    expect(run.record.steps["a"]?.output).toEqual([{ target: "w-1", output: 1 }, { target: "w-2", output: 2 }])
  })

  it("flows/35 fan_out under all wraps even a single value by identity", () => {
    const run = new Driver({ steps: { a: step({ output_format: "json" }) } }).start().complete("a", [1])
    expect(run.record.output).toEqual({ steps: { a: { "w-1": [1] } } })
  })

  it("flows/36 under any one success is enough, and all turns are awaited", () => {
    const policy = { collection_policy: { type: "any" } }
    const run = new Driver({ steps: { a: step(policy) } }, ["w-1", "w-2", "w-3"]).start()
    run.complete("a", "three", "w-3").fail("a", "no", "w-1")
    expect(run.status).toBe("running")
    run.complete("a", "two", "w-2")
    expect(run.record.steps["a"]).toEqual({ status: "completed", output: "two" })
    expect(run.eventsOf("step_target_failed")).toHaveLength(1)
  })

  it("flows/37 a quorum that is missed fails the run with the targets' reasons", () => {
    const run = new Driver({ steps: { a: step({ collection_policy: { type: "quorum", n: 2 } }) } }, ["w-1", "w-2"])
      .start()
    run.fail("a", "first", "w-1").complete("a", "x", "w-2")
    expect(run.status).toBe("failed")
    expect(run.record.steps["a"]).toEqual({ status: "failed", reason: "first" })
    expect(run.record.reason).toBe(`flow failed for run ${RUN}: root frame sealed failed: 'a': first`)
  })

  it("flows/38 a quorum above the number of members ends the run before anything is dispatched", () => {
    const run = new Driver({ steps: { a: step({ collection_policy: { type: "quorum", n: 3 } }), b: step() } }, [
      "w-1",
      "w-2"
    ]).start()
    expect(run.status).toBe("failed")
    expect(run.record.reason).toBe("insufficient targets for step 'a': required 3, available 2")
    expect(run.eventsOf("step_dispatched")).toEqual([])
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "insufficient_targets" })
  })

  it("flows/39 a role without members fails its step alone", () => {
    const run = new Driver({ steps: { a: step({ role: "nobody" }), b: step() } }).start().complete("b", "fine")
    expect(run.record.steps["a"]?.reason).toBe("insufficient targets for step 'a': required 1, available 0")
    expect(run.record.steps["b"]?.status).toBe("completed")
    expect(run.status).toBe("failed")
  })

  it("flows/40 two retries are three dispatches, in the turns of their failures", () => {
    const run = new Driver({ steps: { a: step() }, limits: { max_step_retries: 2 } }).start()
    run.fail("a", "one")
    expect(run.last.map((it) => it.type)).toEqual(["failed", "dispatched"])
    run.fail("a", "two").fail("a", "three")
    expect(run.eventsOf("step_dispatched")).toHaveLength(3)
    expect(run.eventsOf("step_target_failed").map((it) => it["reason"])).toEqual(["one", "two", "three"])
    expect(run.record.steps["a"]?.reason).toBe("three")
    expect(run.status).toBe("failed")
  })

  it("a retry goes to the member's present incarnation, and not to a broken one", () => {
    const limits = { max_step_retries: 5 }
    const run = new Driver({ steps: { a: step() }, limits }).start()
    run.members(member("w-1", { fence: 9, generation: 2 }))
    run.fail("a")
    expect(run.turn("a").dispatch.fence).toBe(9)
    run.members(member("w-1", { fence: 9, phase: "broken" }))
    run.fail("a", "last")
    expect(run.status).toBe("failed")
    expect(run.record.steps["a"]?.reason).toBe("last")
  })

  it("flows/42 malformed JSON is retried, and said with an excerpt", () => {
    const run = new Driver({ steps: { a: step({ output_format: "json" }) }, limits: { max_step_retries: 1 } }).start()
    run.complete("a", "not-json")
    expect(run.status).toBe("running")
    run.complete("a", `no ${"x".repeat(300)}`)
    const reasons = run.eventsOf("step_target_failed").map((it) => String(it["reason"]))
    expect(reasons[0]).toContain("malformed JSON output for step 'a' target 'w-1'")
    expect(reasons[0]).toContain("raw_output=\"not-json\"")
    expect(reasons[1]).toContain(`raw_output="no ${"x".repeat(197)}..."`)
    expect(run.status).toBe("failed")
  })

  it("flows/43 text steps keep the text as a JSON string", () => {
    const run = new Driver({ steps: { a: single({ output_format: "text" }) } }).start().complete("a", "not-json")
    expect(run.record.steps["a"]?.output).toBe("not-json")
  })

  it.each([
    "```json\n{\"n\": 1}\n```",
    "Here it is:\n```\n{\"n\": 1}\n```\nand more ``` of it ```"
  ])("flows/44 JSON in a code fence is read: %j", (text) => {
    const run = new Driver({ steps: { a: single() } }).start()
    run.outcome(run.turn("a"), { status: "completed", output: text })
    expect(run.record.steps["a"]?.output).toEqual({ n: 1 })
  })

  it("flows/45 a structured value wins for JSON steps, the text for text steps", () => {
    const outcome = { status: "completed", output: "words", structured: { n: 1 } } as const
    const json = new Driver({ steps: { a: single() } }).start()
    expect(json.outcome(json.turn("a"), outcome).record.steps["a"]?.output).toEqual({ n: 1 })
    const text = new Driver({ steps: { a: single({ output_format: "text" }) } }).start()
    expect(text.outcome(text.turn("a"), outcome).record.steps["a"]?.output).toBe("words")
  })

  it("output is text unless a schema is given", () => {
    const plain = new Driver({ steps: { a: step({ collection_policy: { type: "any" } }) } }).start().complete("a", "{}")
    expect(plain.record.steps["a"]?.output).toBe("{}")
    const schema = { collection_policy: { type: "any" }, expected_schema_ref: "{}", expected_schema: {} }
    const json = new Driver({ steps: { a: step(schema) } }).start().complete("a", "{}")
    expect(json.record.steps["a"]?.output).toEqual({})
  })

  it("flows/46 the schema judges the aggregate; a misfit fails the step without a retry", () => {
    const schema = { expected_schema_ref: "{\"type\":\"object\"}", expected_schema: { type: "object" } }
    const seen: Array<unknown> = []
    const plan = (fault: string | undefined) =>
      planOf({ steps: { a: step(schema) }, limits: { max_step_retries: 3 } }, (given, value) => {
        seen.push([given, value])
        return fault
      })
    expect(new Driver(plan(undefined)).start().complete("a", 1).status).toBe("completed")
    expect(seen).toEqual([[{ type: "object" }, { "w-1": 1 }]])
    const run = new Driver(plan("must be object")).start().complete("a", 1)
    expect(run.record.steps["a"]).toEqual({
      status: "failed",
      reason: "schema validation failed for step a: must be object"
    })
    expect(run.eventsOf("step_dispatched")).toHaveLength(1)
    expect(run.eventsOf("step_target_completed")).toHaveLength(1)
    expect(run.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "schema_validation" })
  })

  it("flows/47 the tool overlay goes with the turn", () => {
    const run = new Driver({ steps: { a: step({ allowed_tools: ["read"] }), b: step() } }).start()
    expect(run.turn("a").dispatch.overlay).toEqual({ allowed: ["read"], blocked: undefined })
    expect(run.turn("b").dispatch.overlay).toBeUndefined()
  })

  it("flows/49 the reason of a failed turn is the reason of its target", () => {
    const run = new Driver({ steps: { a: step() } }).start().fail("a", "the disk is full")
    expect(run.eventsOf("step_target_failed")).toEqual([
      { type: "step_target_failed", run_id: RUN, step_id: "a", target: "w-1", reason: "the disk is full" }
    ])
  })

  it("a turn that its member canceled fails without a retry", () => {
    const run = new Driver({ steps: { a: step() }, limits: { max_step_retries: 3 } }).start()
    run.outcome(run.turn("a"), { status: "canceled", reason: "" })
    expect(run.status).toBe("failed")
    expect(run.record.steps["a"]?.reason).toBe("canceled")
  })

  it("content stands once, in step_started, whatever the width", () => {
    const names = Array.from({ length: 40 }, (_, index) => `w-${index}`)
    const run = new Driver({ steps: { a: step({ message: "the message" }) } }, names).start()
    expect(JSON.stringify(run.facts).match(/the message/g)).toHaveLength(1)
    expect(run.turns().every((it) => it.dispatch.content === "the message")).toBe(true)
    const sizes = new Set(run.factsOf("dispatched").map((it) => JSON.stringify(it).length))
    expect(Math.max(...sizes)).toBeLessThan(200)
  })

  it("an outcome, its step's end and what becomes ready are one decision", () => {
    const run = new Driver({ steps: { a: step(), b: step({ depends_on: ["a"], message: "after {{ steps.a.w-1 }}" }) } })
      .start()
    run.complete("a", "this")
    expect(run.last.map((it) => it.type)).toEqual(["completed", "step_completed", "step_started", "dispatched"])
    expect(run.turn("b").dispatch.content).toBe("after this")
  })

  it("a member hears settled before its next dispatch", () => {
    const run = new Driver({ steps: { a: step(), b: step({ depends_on: ["a"] }) } }).start()
    run.sends = []
    run.complete("a", "x")
    expect(run.sends.map((it) => it.to === "door" ? it.message.type : it.to)).toEqual(["settled", "dispatch"])
  })

  it("flows/50 a completed run gives the outputs of its steps", () => {
    const run = new Driver({ steps: { a: single(), b: single({ depends_on: ["a"] }) } }).start()
    run.complete("a", 1).complete("b", { x: 2 })
    expect(run.events.at(-1)).toEqual({
      type: "flow_completed",
      run_id: RUN,
      flow_id: "main",
      structured_output: { steps: { a: 1, b: { x: 2 } } }
    })
  })

  it("events come in the order that is promised", () => {
    const run = new Driver({ steps: { a: step() } }).start({ p: 1 }).complete("a", "x")
    expect(run.events.map((it) => it["type"])).toEqual([
      "flow_started",
      "step_dispatched",
      "step_target_completed",
      "step_completed",
      "flow_completed"
    ])
    expect(run.events[0]).toEqual({ type: "flow_started", run_id: RUN, flow_id: "main", params: { p: 1 } })
  })

  it("a flow without steps completes when it is created", () => {
    const run = new Driver({ steps: {} }).start()
    expect(run.status).toBe("completed")
    expect(run.events.at(-1)).toEqual({ type: "flow_completed", run_id: RUN, flow_id: "main" })
    expect(run.sends).toEqual([{ to: "mob", message: { type: "run_ended", run: RUN, status: "completed" } }])
  })

  it("at most max_active_nodes steps run, in the order they became ready", () => {
    const run = new Driver({ steps: { a: step(), b: step(), c: step() }, limits: { max_active_nodes: 1 } }).start()
    expect(run.turns().map((it) => it.dispatch.input)).toEqual([`${RUN}/a/0/w-1/1`])
    run.complete("a", "x")
    expect(run.turns("b")).toHaveLength(1)
    expect(run.turns("c")).toHaveLength(0)
    expect(run.complete("b", "x").complete("c", "x").status).toBe("completed")
  })
})
