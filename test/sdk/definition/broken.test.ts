import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { check, fixture } from "./fixtures.ts"

/** file, code, location, and words that must stand in the message */
const cases: ReadonlyArray<readonly [file: string, code: string, location: string | undefined, words: string]> = [
  ["toml-syntax.toml", "toml_syntax", undefined, "line 6, column"],
  ["json-syntax.json", "json_syntax", undefined, "line 3, column 32: expected a key in double quotes"],
  [
    "wrong-type.toml",
    "schema_mismatch",
    "flows.main.steps.scan.timeout_ms",
    "\"timeout_ms\": expected number, got \"soon\""
  ],
  ["missing-role.toml", "schema_mismatch", "flows.main.steps.scan.role", "\"role\" is missing"],
  ["unknown-dispatch-mode.json", "schema_mismatch", "flows.main.steps.10.dispatch_mode", "\"fan_out\" or \"fan_in\""],
  ["unknown-role.toml", "flow_unknown_role", "flows.main.steps.scan.role", "\"scanner\""],
  ["unknown-dependency.toml", "flow_unknown_step", "flows.main.steps.scan.depends_on", "\"fetch\""],
  ["cycle.toml", "flow_cycle_detected", "flows.main.steps", "a -> b -> a"],
  ["empty-quorum.toml", "quorum_invalid", "flows.main.steps.scan.collection_policy.n", "at least 1"],
  ["lonely-branch.toml", "branch_group_empty", "flows.main.steps", "\"fix\""],
  ["branch-without-condition.toml", "branch_step_missing_condition", "flows.main.steps.b.condition", "\"b\""],
  ["branch-with-other-dependencies.toml", "branch_step_conflicting_deps", "flows.main.steps.b.depends_on", "\"a\""],
  ["bad-condition-path.toml", "condition_path_invalid", "flows.main.steps.scan.condition.exprs[0].path", "\"parms\""],
  [
    "bad-template.toml",
    "template_syntax",
    "flows.main.steps.scan.message",
    "line 2, column 16 (byte 23): single \"}\""
  ],
  ["each-without-items.toml", "each_items_missing", "flows.main.steps.scan.items", "needs items"],
  ["item-outside-each.toml", "template_path_invalid", "flows.main.steps.scan.message", "dispatch_mode each"],
  [
    "schema-file-missing.toml",
    "schema_unreadable",
    "flows.main.steps.scan.expected_schema_ref",
    "schemas/nowhere.json"
  ],
  ["omitted-step.toml", "flow_unknown_step", "flows.main.root", "\"b\""],
  ["step-used-twice.toml", "flow_cycle_detected", "flows.main.root.nodes.again.body.nodes.inner.step_id", "\"a\""],
  ["unknown-member-profile.toml", "member_unknown_profile", "members[1].profile", "\"wroker\""],
  ["duplicate-member.toml", "member_duplicate", "members[1].identity", "members[0]"],
  ["reserved-profile.toml", "reserved_system_identifier", "profiles.__flow_system_member__", "reserved prefix"],
  ["unknown-topology-role.toml", "topology_unknown_role", "topology.rules[0].to_role", "\"tester\""],
  ["missing-skill.toml", "missing_skill_ref", "profiles.worker.skills", "\"carpentry\""]
]

describe("broken definitions", () => {
  for (const [file, code, location, words] of cases) {
    it.effect(`${file} is refused with ${code} at ${location ?? "its line"}`, () =>
      Effect.gen(function*() {
        const { diagnostics, loaded } = yield* check(`broken/${file}`)
        expect(loaded).toBeUndefined()
        expect(diagnostics.map((it) => [it.code, it.location, it.severity])).toEqual([[code, location, "error"]])
        expect(diagnostics[0]?.message).toContain(words)
      }))
  }

  it("has a case for every file", () => {
    expect(readdirSync(fixture("broken")).toSorted()).toEqual(cases.map(([file]) => file).toSorted())
  })
})
