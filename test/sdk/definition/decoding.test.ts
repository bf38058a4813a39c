import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Definition, digestOf, type FlowStep } from "../../../sdk/definition/index.ts"
import { check, findings, fixtureText, parse, withSteps } from "./fixtures.ts"

const loadedOf = (text: string, format: "toml" | "json" = "toml", files: { readonly [path: string]: string } = {}) =>
  Effect.map(parse(text, format, files), ({ diagnostics, loaded }) => {
    expect(diagnostics.filter((it) => it.severity === "error")).toEqual([])
    // The line above has failed the test otherwise.
    return loaded!
  })

const stepOf = (definition: Definition, flow: string, step: string): FlowStep => {
  const found = definition.flows.find(([id]) => id === flow)?.[1].steps.find(([id]) => id === step)?.[1]
  if (found === undefined) throw new Error(`no step ${flow}.${step}`)
  return found
}

const minimal = (body: string) => `[mob]\nid = "m"\n[profiles.w]\n${body}`
const toml = (id: string, more = "") => `[flows.main.steps.${id}]\nrole = "w"\nmessage = "x"\n${more}\n`

describe("decoding", () => {
  it.effect("flows/1 steps keep the order they are written in", () =>
    Effect.gen(function*() {
      const { definition } = yield* loadedOf(minimal(toml("b") + toml("a") + toml("c")))
      expect(definition.flows[0]?.[1].steps.map(([id]) => id)).toEqual(["b", "a", "c"])
      expect(definition.flows[0]?.[1].root.nodes.map(([id]) => id)).toEqual(["b", "a", "c"])
    }))

  it.effect("flows/1 holds for ids that look like indexes, in TOML and in JSON", () =>
    Effect.gen(function*() {
      const ids = ["zoom", "10", "2", "announce"]
      const inToml = yield* loadedOf(minimal(toml("zoom") + toml("10") + toml("\"2\"") + toml("announce")))
      const steps = ids.map((id) => `${JSON.stringify(id)}: {"role": "w", "message": "x"}`).join(",")
      const inJson = yield* loadedOf(
        `{"id": "m", "profiles": {"w": {}}, "flows": {"main": {"steps": {${steps}}}}}`,
        "json"
      )
      expect(inToml.definition.flows[0]?.[1].steps.map(([id]) => id)).toEqual(ids)
      expect(inJson.definition).toEqual(inToml.definition)
    }))

  it.effect("flows/2 a step has its defaults; output_format is left open for the schema to decide", () =>
    Effect.gen(function*() {
      const { definition } = yield* loadedOf(minimal(toml("a")))
      expect(stepOf(definition, "main", "a")).toEqual({
        role: "w",
        message: "x",
        depends_on: [],
        depends_on_mode: "all",
        dispatch_mode: "fan_out",
        collection_policy: { type: "all" },
        failure_policy: "escalate",
        on_unknown: "redeliver"
      })
    }))

  it.effect("flows/3 output_format text survives the round trip", () =>
    Effect.gen(function*() {
      const { definition } = yield* loadedOf(minimal(toml("a", "output_format = \"text\"")))
      const stored = JSON.parse(JSON.stringify(Schema.encodeSync(Definition)(definition)))
      const back = Schema.decodeUnknownSync(Definition)(stored)
      expect(stepOf(back, "main", "a").output_format).toBe("text")
    }))

  it.effect("flows/4 a definition with only an id decodes; flows are empty, topology, supervisor absent", () =>
    Effect.gen(function*() {
      const definition = Schema.decodeUnknownSync(Definition)({ id: "m" })
      expect(definition).toEqual({
        id: "m",
        profiles: [],
        members: [],
        flows: [],
        limits: {},
        on_resume: "continue",
        extra: {}
      })
      expect(yield* findings("{\"id\": \"m\"}")).toEqual(["empty_profiles at profiles"])
    }))

  it.effect("flows/5 a framed flow survives the round trip; a flat one gets its root", () =>
    Effect.gen(function*() {
      const { loaded } = yield* check("reference.toml")
      const definition = loaded!.definition
      const stored = JSON.parse(JSON.stringify(Schema.encodeSync(Definition)(definition)))
      expect(Schema.decodeUnknownSync(Definition)(stored)).toEqual(definition)
      const flow = (id: string) => definition.flows.find(([it]) => it === id)![1]
      expect(flow("polish").root.nodes.map(([id, node]) => [id, node.kind])).toEqual([
        ["start", "step"],
        ["fixing", "repeat_until"],
        ["end", "step"]
      ])
      expect(flow("triage").root.nodes[1]).toEqual(["10", {
        kind: "step",
        step_id: "10",
        depends_on: ["zoom"],
        depends_on_mode: "all",
        branch: "fix",
        failure_policy: "continue"
      }])
    }))

  it.effect("flows/6 a bare orchestrator and a table give the same definition", () =>
    Effect.gen(function*() {
      const bare = yield* loadedOf("[mob]\nid = \"m\"\norchestrator = \"w\"\n[profiles.w]\n")
      const table = yield* loadedOf("[mob]\nid = \"m\"\n[mob.orchestrator]\nprofile = \"w\"\n[profiles.w]\n")
      const top = yield* loadedOf("id = \"m\"\norchestrator = \"w\"\n[profiles.w]\n")
      expect(bare.definition.orchestrator).toEqual({ profile: "w" })
      expect(table.digest).toBe(bare.digest)
      expect(top.digest).toBe(bare.digest)
    }))

  it.effect("the reference's shape loads without a finding, and TOML and JSON of it are one definition", () =>
    Effect.gen(function*() {
      const toml = yield* check("reference.toml")
      const json = yield* check("reference.json")
      expect(toml.diagnostics).toEqual([])
      expect(json.diagnostics).toEqual([])
      expect(json.loaded?.definition).toEqual(toml.loaded?.definition)
      expect(json.loaded?.digest).toBe(toml.loaded?.digest)
      expect(toml.loaded?.digest).toMatch(/^[0-9a-f]{64}$/)
      expect(Object.keys(toml.loaded?.definition.extra ?? {})).toEqual([
        "skills",
        "models",
        "backend",
        "spawn_policy",
        "event_router"
      ])
      expect(toml.loaded?.definition.flows.map(([id]) => id)).toEqual(["polish", "triage"])
      expect(toml.loaded?.definition.profiles.map(([id]) => id)).toEqual(["lead", "reviewer", "worker"])
    }))

  it.effect("inline schemas and schema files are inlined, and the digest covers them", () =>
    Effect.gen(function*() {
      const text = withSteps({
        a: { expected_schema_ref: "s.json" },
        b: { expected_schema_ref: "{\"type\": \"null\"}" }
      })
      const one = yield* loadedOf(text, "json", { "s.json": "{\"type\": \"string\"}" })
      const other = yield* loadedOf(text, "json", { "s.json": "{\"type\": \"number\"}" })
      expect(stepOf(one.definition, "main", "a").expected_schema).toEqual({ type: "string" })
      expect(stepOf(one.definition, "main", "b").expected_schema).toEqual({ type: "null" })
      expect(one.digest).not.toBe(other.digest)
      expect(yield* digestOf(one.definition)).toBe(one.digest)
    }))

  it.effect("a schema reference that is empty, unreadable, no JSON or no object is told at its step", () =>
    Effect.gen(function*() {
      const one = (reference: string) =>
        Effect.map(
          parse(withSteps({ a: { expected_schema_ref: reference } }), "json", { broken: "{", text: "\"x\"" }),
          ({ diagnostics }) => diagnostics.map((it) => [it.code, it.location])
        )
      const at = "flows.main.steps.a.expected_schema_ref"
      expect(yield* one("  ")).toEqual([["schema_invalid", at]])
      expect(yield* one("nowhere")).toEqual([["schema_unreadable", at]])
      expect(yield* one("broken")).toEqual([["schema_invalid", at]])
      expect(yield* one("text")).toEqual([["schema_invalid", at]])
      expect(yield* one("{\"type\": }")).toEqual([["schema_invalid", at]])
    }))

  it.effect("a framed node without failure_policy follows its step", () =>
    Effect.gen(function*() {
      const nodes = { n: { kind: "step", step_id: "a" }, m: { kind: "step", step_id: "b", failure_policy: "escalate" } }
      const steps = { a: { failure_policy: "continue" }, b: { failure_policy: "continue" } }
      const { definition } = yield* loadedOf(withSteps(steps, { root: { nodes } }), "json")
      expect(definition.flows[0]?.[1].root.nodes.map(([, node]) => node.failure_policy)).toEqual([
        "continue",
        "escalate"
      ])
    }))

  it.effect("unknown fields are told where a typo would hurt, and nowhere else", () =>
    Effect.gen(function*() {
      const text = JSON.stringify({
        id: "m",
        profiles: { w: { anything: { goes: 1 }, bridge: { use: "local", own: true } } },
        members: [{ identity: "a", profile: "w", label: {} }],
        limits: { max_retries: 1 },
        topology: { rules: [{ from_role: "*", to_role: "*", allowed: true, alowed: 1 }] },
        skills: { s: { whatever: 1 } },
        flow: {},
        flows: { main: { step: {}, steps: { a: { role: "w", message: "x", dependson: [] } } } }
      })
      expect(yield* findings(text)).toEqual([
        "?unknown_field at limits.max_retries",
        "?unknown_field at topology.rules[0].alowed",
        "?unknown_field at members[0].label",
        "?unknown_field at flow",
        "?unknown_field at flows.main.step",
        "?unknown_field at flows.main.steps.a.dependson"
      ])
      const { definition } = yield* loadedOf(text, "json")
      expect(definition.extra).toEqual({ skills: { s: { whatever: 1 } }, flow: {} })
    }))

  it.effect("all type errors are told at once, at the author's places", () =>
    Effect.gen(function*() {
      const text = `
        id = 3
        [profiles.w]
        skills = "all"
        [limits]
        max_step_retries = -1
        max_orphaned_turns = 1.5
        [flows.main.steps.10]
        role = 1
        depends_on = "x"
        condition = { op = "eq", path = "params.x" }
        collection_policy = { type = "most" }
        [flows.main.root.nodes.n]
        kind = "loop"
        [flows.other.steps.a]
        role = "w"
        message = "x"
        branch = 4
      `
      expect(yield* findings(text, "toml")).toEqual([
        "schema_mismatch at id",
        "schema_mismatch at profiles.w.skills",
        "schema_mismatch at flows.main.steps.10.role",
        "schema_mismatch at flows.main.steps.10.message",
        "schema_mismatch at flows.main.steps.10.depends_on",
        "schema_mismatch at flows.main.steps.10.collection_policy",
        "schema_mismatch at flows.main.steps.10.condition.value",
        "schema_mismatch at flows.main.root.nodes.n",
        "schema_mismatch at flows.other.steps.a.branch",
        "schema_mismatch at limits.max_step_retries",
        "schema_mismatch at limits.max_orphaned_turns"
      ])
    }))

  it.effect("keys under [mob] are told with that prefix, and one given twice is refused", () =>
    Effect.gen(function*() {
      expect(yield* findings("[mob]\nid = 1\n[profiles.w]\n", "toml")).toEqual(["schema_mismatch at mob.id"])
      expect(yield* findings("[mob]\nid = \"m\"\norchestrator = \"x\"\n[profiles.w]\n", "toml"))
        .toEqual(["missing_orchestrator_profile at mob.orchestrator"])
      expect(yield* findings("id = \"a\"\n[mob]\nid = \"m\"\n[profiles.w]\n", "toml")).toEqual([
        "schema_mismatch at mob.id"
      ])
    }))

  it.effect("a table where a list of pairs is made, given as something else, is one finding", () =>
    Effect.gen(function*() {
      expect(yield* findings("{\"id\": \"m\", \"profiles\": [], \"flows\": {\"f\": {\"steps\": 3}}}")).toEqual([
        "schema_mismatch at profiles",
        "schema_mismatch at flows.f.steps"
      ])
      expect(yield* findings("[1]")).toEqual(["schema_mismatch at -"])
    }))

  it.effect("the fixture is as it is on disk", () =>
    Effect.gen(function*() {
      const { loaded } = yield* parse(fixtureText("reference.toml"), "toml", {
        "schemas/review.json": fixtureText("schemas/review.json")
      })
      const fromFile = yield* check("reference.toml")
      expect(loaded?.digest).toBe(fromFile.loaded?.digest)
      expect(loaded?.base).toBe("/base")
    }))
})
