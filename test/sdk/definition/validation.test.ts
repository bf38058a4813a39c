import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { findings, withSteps } from "./fixtures.ts"

const given = (name: string, text: string, expected: ReadonlyArray<string>) =>
  it.effect(name, () => Effect.map(findings(text), (found) => expect(found).toEqual(expected)))

const chain = (length: number) =>
  Object.fromEntries(
    Array.from({ length }, (_, index) => [`s${index}`, index === 0 ? {} : { depends_on: [`s${index - 1}`] }])
  )

const condition = { op: "eq", path: "params.x", value: 1 }

const node = (step_id: string, more: object = {}) => ({ kind: "step", step_id, ...more })
const loop = (loop_id: string, nodes: object, more: object = {}) => ({
  kind: "repeat_until",
  loop_id,
  until: condition,
  max_iterations: 3,
  body: { nodes },
  ...more
})
const nested = (depth: number): object => depth === 0 ? { a: node("a") } : { l: loop(`l${depth}`, nested(depth - 1)) }

describe("validation of flows", () => {
  given("flows/7 an unknown dependency", withSteps({ a: { depends_on: ["b"] } }), [
    "flow_unknown_step at flows.main.steps.a.depends_on"
  ])
  given("flows/8 a role that is not a profile", withSteps({ a: { role: "x" } }), [
    "flow_unknown_role at flows.main.steps.a.role"
  ])
  given("flows/9 a cycle", withSteps({ a: { depends_on: ["b"] }, b: { depends_on: ["a"] } }), [
    "flow_cycle_detected at flows.main.steps"
  ])
  given("a step that depends on itself is a cycle", withSteps({ a: { depends_on: ["a"] } }), [
    "flow_cycle_detected at flows.main.steps"
  ])
  given("flows/10 a chain of 33 steps", withSteps(chain(33)), ["flow_depth_exceeded at flows.main.steps"])
  given("flows/10 a chain of 32 steps is allowed", withSteps(chain(32)), [])
  given("flows/11 a quorum of none", withSteps({ a: { collection_policy: { type: "quorum", n: 0 } } }), [
    "quorum_invalid at flows.main.steps.a.collection_policy.n"
  ])
  given("flows/12 a branch with one step", withSteps({ a: { branch: "b", condition } }), [
    "branch_group_empty at flows.main.steps"
  ])
  given(
    "flows/13 a branch step without a condition",
    withSteps({ a: { branch: "b", condition }, c: { branch: "b" } }),
    [
      "branch_step_missing_condition at flows.main.steps.c.condition"
    ]
  )
  given(
    "flows/14 steps of one branch with different dependencies",
    withSteps({ z: {}, a: { branch: "b", condition, depends_on: ["z"] }, c: { branch: "b", condition } }),
    ["branch_step_conflicting_deps at flows.main.steps.c.depends_on"]
  )
  given(
    "flows/14 dependencies of a branch are compared as sets",
    withSteps({
      y: {},
      z: {},
      a: { branch: "b", condition, depends_on: ["z", "y"] },
      c: { branch: "b", condition, depends_on: ["y", "z", "y"] }
    }),
    []
  )
  given(
    "flows/15 an any-join without a branch is a warning",
    withSteps({ a: {}, b: { depends_on: ["a"], depends_on_mode: "any" } }),
    [
      "?branch_join_without_branch at flows.main.steps.b.depends_on_mode"
    ]
  )
  given(
    "flows/16 a topology rule with two unknown roles is two errors, and * is any role",
    withSteps({}, {}, {
      topology: {
        rules: [{ from_role: "x", to_role: "y", allowed: true }, { from_role: "*", to_role: "*", allowed: true }]
      }
    }),
    ["topology_unknown_role at topology.rules[0].from_role", "topology_unknown_role at topology.rules[0].to_role"]
  )
  given("flows/17 a root that omits a step", withSteps({ a: {}, b: {} }, { root: { nodes: { n: node("a") } } }), [
    "flow_unknown_step at flows.main.root"
  ])
  given(
    "flows/18 a step used twice, and a loop id used twice",
    withSteps({ a: {}, b: {} }, {
      root: { nodes: { n: node("a"), l: loop("l", { m: node("a") }), k: loop("l", { o: node("b") }) } }
    }),
    [
      "flow_cycle_detected at flows.main.root.nodes.l.body.nodes.m.step_id",
      "flow_cycle_detected at flows.main.root.nodes.k.loop_id"
    ]
  )
  given(
    "flows/19 a loop of no iterations",
    withSteps({ a: {} }, { root: { nodes: { l: loop("l", { n: node("a") }, { max_iterations: 0 }) } } }),
    [
      "quorum_invalid at flows.main.root.nodes.l.max_iterations"
    ]
  )
  given(
    "flows/20 reserved names of profiles and members",
    JSON.stringify({
      id: "m",
      profiles: { __flow_system_x: {} },
      members: [{ identity: "__flow_w_main", profile: "__flow_system_x" }]
    }),
    ["reserved_system_identifier at profiles.__flow_system_x", "reserved_system_identifier at members[0].identity"]
  )
  given(
    "flows/21 errors and warnings stand side by side, told apart by severity",
    withSteps({ a: { role: "x", depends_on_mode: "any" }, b: { depends_on: ["c"] } }),
    [
      "flow_unknown_role at flows.main.steps.a.role",
      "?branch_join_without_branch at flows.main.steps.a.depends_on_mode",
      "flow_unknown_step at flows.main.steps.b.depends_on"
    ]
  )
  given("frames nested 32 deep are allowed", withSteps({ a: {} }, { root: { nodes: nested(32) } }), [])
  given("frames nested 33 deep are not", withSteps({ a: {} }, { root: { nodes: nested(33) } }), [
    `flow_depth_exceeded at flows.main.root${".nodes.l.body".repeat(33)}`,
    "flow_unknown_step at flows.main.root"
  ])
  given(
    "a node depends on nodes of its own frame only, and a frame has no cycle",
    withSteps({ a: {}, b: {} }, {
      root: { nodes: { n: node("a", { depends_on: ["n"] }), l: loop("l", { m: node("b", { depends_on: ["n"] }) }) } }
    }),
    ["flow_unknown_step at flows.main.root.nodes.l.body.nodes.m.depends_on", "flow_cycle_detected at flows.main.root"]
  )
  given("a node names a step of its flow", withSteps({ a: {} }, { root: { nodes: { n: node("a"), o: node("z") } } }), [
    "flow_unknown_step at flows.main.root.nodes.o.step_id"
  ])
  given("json without a schema is a warning", withSteps({ a: { output_format: "json" } }), [
    "?json_output_without_schema at flows.main.steps.a.output_format"
  ])
})

describe("validation of what reads the context", () => {
  given(
    "a template with an unknown root, and one that names no step",
    withSteps({ a: { message: "{{ x.y }} and {{ steps }}" } }),
    [
      "template_path_invalid at flows.main.steps.a.message",
      "template_path_invalid at flows.main.steps.a.message"
    ]
  )
  given(
    "a template in a block of a message is told at that block",
    withSteps({ a: { message: [{ type: "image", text: "{{" }, { type: "text", text: "}}" }] } }),
    ["template_syntax at flows.main.steps.a.message[1].text"]
  )
  given(
    "a condition's paths are told at their part of the condition",
    withSteps({
      a: { condition: { op: "or", exprs: [condition, { op: "not", expr: { op: "gt", path: "index", value: 1 } }] } }
    }),
    ["condition_path_invalid at flows.main.steps.a.condition.exprs[1].expr.path"]
  )
  given(
    "an until condition is judged too",
    withSteps({ a: {} }, {
      root: { nodes: { l: loop("l", { n: node("a") }, { until: { ...condition, path: "loops.l.steps" } }) } }
    }),
    ["condition_path_invalid at flows.main.root.nodes.l.until.path"]
  )
  given(
    "names of steps and loops that do not exist are warnings",
    withSteps({
      a: { message: "{{ steps.b.x }} {{ loops.l.iterations.0.steps.a }}", condition: { ...condition, path: "steps.c" } }
    }),
    [
      "?path_unknown_name at flows.main.steps.a.message",
      "?path_unknown_name at flows.main.steps.a.message",
      "?path_unknown_name at flows.main.steps.a.condition.path"
    ]
  )
  given(
    "a step that works through items may speak of them",
    withSteps({
      a: {
        dispatch_mode: "each",
        items: " {{ params.files }} ",
        message: "{{ item.name }} {{ index }}",
        max_concurrency: 2
      }
    }),
    []
  )
  given("items that are no single path", withSteps({ a: { dispatch_mode: "each", items: "params.files" } }), [
    "each_items_invalid at flows.main.steps.a.items"
  ])
  given("items that speak of an item", withSteps({ a: { dispatch_mode: "each", items: "{{ item.parts }}" } }), [
    "each_items_invalid at flows.main.steps.a.items"
  ])
  given(
    "each without items, and with no room to work",
    withSteps({ a: { dispatch_mode: "each", max_concurrency: 0 } }),
    [
      "each_items_missing at flows.main.steps.a.items",
      "each_concurrency_invalid at flows.main.steps.a.max_concurrency"
    ]
  )
  given("items and max_concurrency elsewhere", withSteps({ a: { items: "{{ params.x }}", max_concurrency: 1 } }), [
    "each_only at flows.main.steps.a.items",
    "each_only at flows.main.steps.a.max_concurrency"
  ])
})

describe("validation of the mob", () => {
  const mob = (more: object) => JSON.stringify({ id: "m", profiles: { w: {} }, ...more })
  given("names of profiles", mob({ profiles: { "9to5": {}, "a b": {}, _ok: {} } }), [
    "invalid_profile_name at profiles.9to5",
    "invalid_profile_name at profiles.\"a b\""
  ])
  given("the orchestrator is a profile", mob({ orchestrator: { profile: "x" } }), [
    "missing_orchestrator_profile at orchestrator.profile"
  ])
  given("wiring names profiles", mob({ wiring: { role_wiring: [{ a: "w", b: "x" }] } }), [
    "invalid_wiring_profile at wiring.role_wiring[0].b"
  ])
  given(
    "the supervisor's role is a profile, and a threshold of 0 is a warning",
    mob({ supervisor: { role: "x", escalation_threshold: 0 } }),
    [
      "flow_unknown_role at supervisor.role",
      "?supervisor_never_escalates at supervisor.escalation_threshold"
    ]
  )
  given("skills stand in the definition", mob({ profiles: { w: { skills: ["a", "b"] } }, skills: { a: {} } }), [
    "missing_skill_ref at profiles.w.skills"
  ])
  given("an external backend needs its configuration", mob({ backend: { default: "external" } }), [
    "missing_external_backend_config at backend.external"
  ])
  given(
    "an external backend's address is a text",
    mob({ profiles: { w: { backend: "external" } }, backend: { external: {} } }),
    [
      "invalid_external_backend_config at backend.external.address_base"
    ]
  )
  given("inline peer notifications below -1", mob({ profiles: { w: { max_inline_peer_notifications: -2 } } }), [
    "invalid_inline_peer_notification_threshold at profiles.w.max_inline_peer_notifications"
  ])
  given(
    "members name profiles and are told apart",
    mob({
      members: [{ identity: "a", profile: "w" }, { identity: "a", profile: "x" }]
    }),
    ["member_unknown_profile at members[1].profile", "member_duplicate at members[1].identity"]
  )
})
