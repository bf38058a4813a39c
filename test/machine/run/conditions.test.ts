import { describe, expect, it } from "vitest"
import { compileCondition, evaluate } from "../../../core/machine/run/condition.ts"
import { contextPath, type PathContext, resolve } from "../../../core/machine/run/path.ts"
import { compileContent, renderContent } from "../../../core/machine/run/template.ts"
import type { Condition } from "../../../sdk/definition/schema.ts"
import type { Json } from "../../../sdk/json.ts"
import { Driver, single, step } from "./driver.ts"

const outputs: { readonly [step: string]: Json } = {
  s: { score: 7, none: null },
  s1: { nested: { value: "deep" }, items: [{ n: 1 }, { n: 2 }] }
}
const context: PathContext = {
  params: { mode: "full", n: 3, user: "luka", list: [1, 2], o: { a: 1 } },
  step: (id) => outputs[id],
  iteration: (loop, iteration, id) =>
    loop === "L" && id === "review" && iteration < 2 ? { passes: iteration === 1 } : undefined
}
const holds = (condition: Condition) => evaluate(compileCondition(condition), context)
const at = (path: string) => resolve(contextPath(path), context)
const rendered = (message: string) => renderContent(compileContent(message), context)

describe("conditions", () => {
  it("flows/51 compares, orders and combines", () => {
    expect(holds({ op: "eq", path: "params.mode", value: "full" })).toBe(true)
    expect(holds({ op: "in", path: "params.mode", values: ["quick", "full"] })).toBe(true)
    expect(holds({ op: "gt", path: "steps.s.score", value: 6.5 })).toBe(true)
    expect(holds({ op: "lt", path: "params.n", value: 3 })).toBe(false)
    expect(holds({ op: "eq", path: "params.o", value: { a: 1 } })).toBe(true)
    const no: Condition = { op: "eq", path: "params.mode", value: "quick" }
    const yes: Condition = { op: "not", expr: no }
    expect(holds({ op: "and", exprs: [yes, no] })).toBe(false)
    expect(holds({ op: "or", exprs: [no, yes] })).toBe(true)
    expect(holds({ op: "and", exprs: [] })).toBe(true)
    expect(holds({ op: "or", exprs: [] })).toBe(false)
  })

  it("stops at the operand that decides, so that a later fault does not count", () => {
    const fault: Condition = { op: "eq", path: "params.gone", value: 1 }
    const yes: Condition = { op: "eq", path: "params.n", value: 3 }
    expect(holds({ op: "or", exprs: [yes, fault] })).toBe(true)
    expect(holds({ op: "and", exprs: [{ op: "not", expr: yes }, fault] })).toBe(false)
    expect(holds({ op: "or", exprs: [fault, yes] })).toEqual({ fault: "path \"params.gone\" finds no \"gone\"" })
  })

  it("flows/52 paths drop one literal output and index arrays", () => {
    expect(at("steps.s1.output.nested.value")).toEqual({ type: "value", value: "deep" })
    expect(at("steps.s1.items.1.n")).toEqual({ type: "value", value: 2 })
  })

  it("flows/53 an iteration of a loop has its own value", () => {
    expect(at("loops.L.iterations.0.steps.review.passes")).toEqual({ type: "value", value: false })
    expect(at("loops.L.iterations.1.steps.review.passes")).toEqual({ type: "value", value: true })
    expect(at("loops.L.iterations.2.steps.review.passes")).toEqual({ type: "absent" })
  })

  it("flows/54 an absent root is false and its negation true; a missing key is an error", () => {
    expect(holds({ op: "eq", path: "steps.later.x", value: 1 })).toBe(false)
    expect(holds({ op: "not", expr: { op: "eq", path: "steps.later.x", value: 1 } })).toBe(true)
    expect(holds({ op: "gt", path: "steps.later.x", value: 1 })).toBe(false)
    expect(holds({ op: "eq", path: "steps.s.gone", value: 1 })).toHaveProperty("fault")
    expect(holds({ op: "eq", path: "steps.s.none", value: null })).toBe(true)
    expect(holds({ op: "eq", path: "elsewhere.x", value: 1 })).toHaveProperty("fault")
    expect(holds({ op: "eq", path: "params.n.x", value: 1 })).toHaveProperty("fault")
    expect(holds({ op: "eq", path: "params.list.2", value: 1 })).toHaveProperty("fault")
  })

  it("flows/55 operands that cannot be compared are an error", () => {
    expect(holds({ op: "gt", path: "params.mode", value: 1 })).toEqual({
      fault: "gt cannot compare a string at 'params.mode' with a number"
    })
  })

  it("strings are ordered by code point, as their bytes are", () => {
    const order = (a: string, b: string) =>
      evaluate(compileCondition({ op: "lt", path: "params", value: b }), { ...context, params: a })
    expect(order("a", "b")).toBe(true)
    expect(order("a", "ab")).toBe(true)
    expect(order("ab", "a")).toBe(false)
    expect(order("\uFFFD", "\u{1F642}")).toBe(true)
  })

  it("flows/54 a fault ends the run and an absent root skips the step", () => {
    const gone = (path: string) =>
      new Driver({ steps: { a: single({ condition: { op: "eq", path, value: 1 } }) } }).start()
    const absent = gone("steps.a.x")
    expect(absent.status).toBe("completed")
    expect(absent.record.steps["a"]).toEqual({ status: "skipped", reason: "condition evaluated to false" })
    const fault = gone("params.x")
    expect(fault.status).toBe("failed")
    expect(fault.events.at(-1)).toMatchObject({ type: "flow_failed", cause: "condition_error" })
    expect(fault.record.reason).toBe("condition evaluation failed at step 'a': path \"params.x\" finds no \"x\"")
  })

  it("flows/56 conditions and templates read the same value", () => {
    const run = new Driver({
      steps: {
        a: single({ expected_schema_ref: "{}", expected_schema: {} }),
        b: single({
          depends_on: ["a"],
          condition: { op: "eq", path: "steps.a", value: "yes" },
          message: "a said {{ steps.a }}"
        })
      }
    }).start()
    run.complete("a", "\"yes\"")
    expect(run.turn("b").dispatch.content).toBe("a said yes")
  })
})

describe("templates", () => {
  it("flows/61 strings are raw, other values compact JSON, an absent root null", () => {
    expect(rendered("Hi {{ params.user }}")).toEqual({ ok: true, content: "Hi luka" })
    expect(rendered("{{params.o}} {{ params.n }} {{ steps.s.none }}")).toEqual({
      ok: true,
      content: "{\"a\":1} 3 null"
    })
    expect(rendered("{{ steps.later.x }}")).toEqual({ ok: true, content: "null" })
    expect(rendered("{{ params.gone }}")).toEqual({ ok: false, error: "path \"params.gone\" finds no \"gone\"" })
  })

  it("flows/60 only text blocks are rendered", () => {
    const message = [{ type: "text", text: "for {{ params.user }}" }, { type: "image", url: "{{ params.user }}" }]
    expect(renderContent(compileContent(message), context)).toEqual({
      ok: true,
      content: [{ type: "text", text: "for luka" }, { type: "image", url: "{{ params.user }}" }]
    })
  })

  it.each([
    ["Bad {{", "line 1, column 5 (byte 4)"],
    ["Bad }}", "line 1, column 5 (byte 4)"],
    ["{{   }}", "line 1, column 1 (byte 0)"],
    ["line1\nline2 }}", "line 2, column 7 (byte 12)"],
    ["{{ params.{{x}} }}", "line 1, column 11 (byte 10)"]
  ])("flows/57 flows/58 flows/59 %j fails its step with its place", (message, place) => {
    const run = new Driver({ steps: { a: step({ message }), b: step() } }).start({ x: 1 })
    expect(run.eventsOf("step_dispatched", "a")).toEqual([])
    run.complete("b", "fine")
    expect(run.status).toBe("failed")
    const [failed] = run.eventsOf("step_failed", "a")
    expect(failed?.["reason"]).toContain(`template render failed for step 'a': invalid template syntax at ${place}`)
  })

  it("a fault in a placeholder fails the step and its siblings go on", () => {
    const run = new Driver({ steps: { a: step({ message: "{{ params.gone }}" }), b: step() } }).start()
    run.complete("b", "fine")
    expect(run.record.steps["a"]?.reason).toContain("template render failed for step 'a'")
    expect(run.record.steps["b"]?.status).toBe("completed")
    expect(run.status).toBe("failed")
  })
})
