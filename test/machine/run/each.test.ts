import { describe, expect, it } from "vitest"
import { unfinished } from "../../../core/machine/run/index.ts"
import type { Json, JsonObject } from "../../../sdk/json.ts"
import { Driver, member, RUN, single, step } from "./driver.ts"

const each = (fields: JsonObject = {}) =>
  step({
    dispatch_mode: "each",
    items: "{{ params.files }}",
    message: "{{ index }}: {{ item.name }}",
    output_format: "json",
    ...fields
  })
const files = (count: number): Json => ({ files: Array.from({ length: count }, (_, index) => ({ name: `f${index}` })) })
const contents = (run: Driver) => run.turns().map((it) => `${it.target} ${String(it.dispatch.content)}`)

describe("each", () => {
  it("gives one turn an item, in order, to members by identity, and collects bare values in item order", () => {
    const run = new Driver({ steps: { a: each() } }, ["w-2", "w-1"]).start(files(3))
    expect(contents(run)).toEqual(["w-1 0: f0", "w-2 1: f1"])
    expect(run.turn("a", "w-2").dispatch.input).toBe(`${RUN}/a/0/1/1`)
    run.complete("a", "\"b\"", "w-2")
    expect(contents(run)).toEqual(["w-1 0: f0", "w-2 2: f2"])
    run.complete("a", "\"c\"", "w-2").complete("a", "\"a\"", "w-1")
    expect(run.record.steps["a"]).toEqual({ status: "completed", output: ["a", "b", "c"] })
    expect(run.eventsOf("step_dispatched").map((it) => it["item"])).toEqual([0, 1, 2])
    expect(run.eventsOf("step_target_completed").map((it) => [it["target"], it["item"]])).toEqual([
      ["w-2", 1],
      ["w-2", 2],
      ["w-1", 0]
    ])
    expect(run.eventsOf("step_completed")).toHaveLength(1)
  })

  it("completes over no items with an empty array, members or not", () => {
    const run = new Driver({ steps: { a: each({ role: "nobody" }) } }).start(files(0))
    expect(run.record.steps["a"]).toEqual({ status: "completed", output: [] })
  })

  it.each<[string, JsonObject, Json]>([
    ["is no path", { items: "all of {{ params.files }}" }, files(1)],
    ["is absent", { items: "{{ steps.later }}" }, files(1)],
    ["is missing", {}, {}],
    ["is no array", {}, { files: "f" }],
    ["is too long", {}, { files: Array.from({ length: 10_001 }, () => 0) }]
  ])("fails its step each_items_invalid when items %s", (_, fields, params) => {
    const run = new Driver({ steps: { a: each(fields), b: step() } }).start(params)
    expect(run.record.steps["a"]?.reason).toMatch(/^each_items_invalid: /)
    expect(run.turns("b")).toHaveLength(1)
  })

  it("takes at most max_concurrency items at once", () => {
    const run = new Driver({ steps: { a: each({ max_concurrency: 2 }) } }, ["w-1", "w-2", "w-3", "w-4"]).start(files(4))
    expect(contents(run)).toEqual(["w-1 0: f0", "w-2 1: f1"])
    run.complete("a", 1, "w-2")
    expect(contents(run)).toEqual(["w-1 0: f0", "w-2 2: f2"])
  })

  it("gives an item to a member that has nothing else of the run", () => {
    const run = new Driver({ steps: { a: step({ dispatch_mode: "one_to_one" }), b: each() } }, ["w-1", "w-2"]).start(
      files(2)
    )
    expect(run.turns("b").map((it) => it.target)).toEqual(["w-2"])
    run.complete("a", "x", "w-1")
    expect(run.turns("b").map((it) => it.target)).toEqual(["w-2", "w-1"])
  })

  it("retries an item at any free member, the item alone", () => {
    const run = new Driver({ steps: { a: each() }, limits: { max_step_retries: 1 } }, ["w-1", "w-2"]).start(files(2))
    run.complete("a", 1, "w-1").fail("a", "bad luck", "w-2")
    expect(run.turns().map((it) => [it.target, it.dispatch.input])).toEqual([["w-1", `${RUN}/a/0/1/2`]])
    expect(run.complete("a", 2).record.steps["a"]?.output).toEqual([1, 2])
  })

  it("under all, an item out of attempts fails the step after those in flight end, and no more start", () => {
    const run = new Driver({ steps: { a: each() } }, ["w-1", "w-2"]).start(files(5))
    run.fail("a", "broken file", "w-1")
    expect(contents(run)).toEqual(["w-2 1: f1"])
    expect(run.status).toBe("running")
    run.complete("a", 1, "w-2")
    expect(run.record.steps["a"]).toEqual({ status: "failed", reason: "broken file" })
  })

  it("under any and quorum, items count and the place of a failed one is null", () => {
    const quorum = new Driver({ steps: { a: each({ collection_policy: { type: "quorum", n: 2 } }) } }).start(files(3))
    quorum.fail("a").complete("a", 1).complete("a", 2)
    expect(quorum.record.steps["a"]).toEqual({ status: "completed", output: [null, 1, 2] })
    const any = new Driver({ steps: { a: each({ collection_policy: { type: "any" } }) } }).start(files(2))
    expect(any.fail("a", "one").fail("a", "two").record.steps["a"]).toEqual({ status: "failed", reason: "one; two" })
  })

  it("a quorum counts items, not members", () => {
    const run = new Driver({ steps: { a: each({ collection_policy: { type: "quorum", n: 3 } }) } }).start(files(3))
    run.complete("a", 0).complete("a", 1).complete("a", 2)
    expect(run.record.steps["a"]?.output).toEqual([0, 1, 2])
  })

  it("gives the item of a broken or retired member to another, at no cost to its retries", () => {
    const run = new Driver({ steps: { a: each() } }, ["w-1", "w-2"]).start(files(2))
    const { input } = run.turn("a", "w-1").dispatch
    run.send({ type: "retiring", input, code: "member_broken", reason: "it crashed" })
    expect(run.last).toMatchObject([{ type: "reassigned", input, by: `${RUN}/a/0/0/2`, code: "member_broken" }])
    run.complete("a", 2, "w-2")
    expect(contents(run)).toEqual(["w-2 0: f0"])
    expect(run.complete("a", 1, "w-2").record.steps["a"]?.output).toEqual([1, 2])
    expect(run.eventsOf("step_target_failed")).toMatchObject([{ target: "w-1", item: 0, reason: "it crashed" }])
  })

  it("an item that changed hands has all its retries left", () => {
    const run = new Driver({ steps: { a: each() }, limits: { max_step_retries: 1 } }, ["w-1", "w-2"]).start(files(1))
    run.members(member("w-1", { phase: "broken" }), member("w-2"))
    run.fail("a")
    expect(run.complete("a", 1).record.steps["a"]?.output).toEqual([1])
  })

  it("under a limit the first free member by identity takes the next item, not the one that was just freed", () => {
    const busy = step({ dispatch_mode: "one_to_one" })
    const run = new Driver({ steps: { a: busy, b: each({ max_concurrency: 2 }) } }, ["w-1", "w-2", "w-3"]).start(
      files(3)
    )
    expect(run.turns("b").map((it) => it.target)).toEqual(["w-2", "w-3"])
    run.complete("a", "x").complete("b", 1, "w-3")
    expect(run.turns("b").map((it) => it.target)).toEqual(["w-2", "w-1"])
  })

  it("takes an item back when the roster says that its member is broken, and settles a late answer", () => {
    const run = new Driver({ steps: { a: each() } }, ["w-1", "w-2"]).start(files(1))
    const old = run.turn("a", "w-1")
    run.members(member("w-1", { phase: "broken" }), member("w-2"))
    expect(contents(run)).toEqual(["w-2 0: f0"])
    run.sends = []
    run.outcome(old, { status: "completed", output: "9" })
    expect(run.last).toEqual([])
    expect(run.sends).toEqual([{
      to: "door",
      identity: "w-1",
      message: { type: "settled", input: old.dispatch.input }
    }])
  })

  it("an outcome that is said again after its step ended finds the door that holds it", () => {
    const lead = member("x", { role: "lead" })
    const run = new Driver({ steps: { a: each(), b: step({ role: "lead" }) } }, ["w-1", "w-2", lead]).start(files(3))
    const first = run.turn("a", "w-2")
    run.complete("a", 1, "w-2").complete("a", 2, "w-2").complete("a", 0, "w-1")
    expect(run.record.steps["a"]?.status).toBe("completed")
    run.reload().sends = []
    run.outcome(first, { status: "completed", output: "0" })
    expect(run.sends).toEqual([{
      to: "door",
      identity: "w-2",
      message: { type: "settled", input: first.dispatch.input }
    }])
  })

  it("fails the item of a gone member when nobody else is left", () => {
    const run = new Driver({ steps: { a: each({ collection_policy: { type: "any" } }) } }).start(files(3))
    run.complete("a", 1)
    run.members(member("w-1", { phase: "retired" }))
    expect(run.record.steps["a"]).toEqual({ status: "completed", output: [1, null, null] })
    const none = new Driver({ steps: { a: each() } }).start(files(3))
    none.members(member("w-1", { phase: "retired" }))
    expect(none.record.steps["a"]).toEqual({ status: "failed", reason: "member w-1 is retired" })
  })

  it("gives waiting items to members that became runnable", () => {
    const run = new Driver({ steps: { a: each() } }).start(files(3))
    run.members(member("w-1"), member("w-2"), member("x", { role: "lead" }))
    expect(contents(run)).toEqual(["w-1 0: f0", "w-2 1: f1"])
  })

  it("a member with a detached turn takes no item until that turn ended or its incarnation is gone", () => {
    const policy = { collection_policy: { type: "any" }, timeout_ms: 20 }
    const run = new Driver({ steps: { a: each(policy) } }).start(files(3)).advance(20)
    expect(run.turns()).toEqual([])
    run.send({ type: "ended", input: unfinished(run.run)[0]!.input })
    expect(contents(run)).toEqual(["w-1 1: f1"])
    run.advance(20)
    expect(run.turns()).toEqual([])
    run.members(member("w-1", { fence: 2 }))
    expect(contents(run)).toEqual(["w-1 2: f2"])
  })

  it("an item whose message cannot be rendered fails alone", () => {
    const params = { files: [{ name: "a" }, {}, { name: "c" }] }
    const run = new Driver({ steps: { a: each({ collection_policy: { type: "any" } }) } }).start(params)
    run.complete("a", 0).complete("a", 2)
    expect(run.record.steps["a"]?.output).toEqual([0, null, 2])
    expect(run.eventsOf("step_target_failed")).toMatchObject([{ item: 1, target: null }])
    const all = new Driver({ steps: { a: each() } }).start(params).complete("a", 0)
    expect(all.record.steps["a"]?.reason).toContain("template render failed for step 'a' item 1")
  })

  it("told again, an item reads the outputs of the moment its step started", () => {
    const run = new Driver({
      steps: { other: single(), a: each({ message: "{{ item.name }} {{ steps.other }}" }) }
    }, ["w-1", "w-2"]).start(files(2))
    expect(run.turns("a").map((it) => it.dispatch.content)).toEqual(["f0 null"])
    run.complete("other", 5)
    expect(run.turns("a").map((it) => it.dispatch.content)).toEqual(["f0 null", "f1 null"])
    run.reload()
    expect(run.turns("a").map((it) => it.dispatch.content)).toEqual(["f0 null", "f1 null"])
  })

  it("two each steps of one role share its members, the older first", () => {
    const run = new Driver({ steps: { a: each(), b: each() } }, ["w-1", "w-2"]).start(files(3))
    expect(run.turns("b")).toHaveLength(0)
    run.complete("a", 0, "w-1").complete("a", 1, "w-2")
    expect(contents(run)).toEqual(["w-1 2: f2", "w-2 0: f0"])
    while (run.turns().length > 0) run.outcome(run.turn(), { status: "completed", output: "1" })
    expect(run.status).toBe("completed")
  })

  it("items may come from an output before", () => {
    const run = new Driver({
      steps: {
        list: single(),
        a: each({ depends_on: ["list"], items: "{{ steps.list.output.names }}", message: "{{ item }}" })
      }
    }).start()
    run.complete("list", { names: ["x"] })
    expect(run.turn("a").dispatch.content).toBe("x")
  })
})
