/**
 * Definitions as they are pinned: what a run is made of years later. One has everything that a definition can have, the
 * other nothing that it need not have.
 */
import type { Condition, Definition } from "../../../sdk/definition/index.ts"

const plain = {
  role: "writer",
  message: "go",
  depends_on: [],
  depends_on_mode: "all",
  dispatch_mode: "fan_out",
  collection_policy: { type: "all" },
  failure_policy: "escalate",
  on_unknown: "redeliver"
} as const

const conditions: ReadonlyArray<Condition> = [
  { op: "in", path: "params.day", values: ["sunday", 7, null] },
  { op: "gt", path: "params.budget", value: 3 },
  { op: "lt", path: "params.budget", value: 30 },
  { op: "or", exprs: [{ op: "and", exprs: [] }] },
  { op: "not", expr: { op: "eq", path: "steps.step 0", value: true } }
]

const full: Definition = {
  id: "newsroom",
  orchestrator: { profile: "lead" },
  profiles: [
    ["lead", {
      bridge: { use: "subprocess", command: ["node", "lead.mjs"], env: { LANG: "C" } },
      runtime_mode: "autonomous_host",
      peer_description: "Plans and decides",
      external_addressable: true,
      skills: ["house-rules"],
      max_inline_peer_notifications: -1,
      model: "large-1",
      tools: { shell: true }
    }],
    ["writer", { bridge: { use: "local" }, runtime_mode: "turn_driven" }],
    ["ghost", {}]
  ],
  members: [
    { identity: "ada", profile: "writer", labels: { desk: "culture", "10": "ten" } },
    { identity: "the editor", profile: "lead", labels: {} }
  ],
  flows: [
    ["article", {
      description: "Draft, review until it passes, print",
      steps: [
        ["look", {
          ...plain,
          message: [{ type: "text", text: "Look at {{ params.issue }}" }, { type: "image", data: "aGVsbG8=" }],
          dispatch_mode: "one_to_one",
          collection_policy: { type: "any" },
          output_format: "json",
          expected_schema_ref: "schemas/look.json",
          expected_schema: { type: "object", required: ["severity"] },
          timeout_ms: 120_000
        }],
        ["10", {
          ...plain,
          depends_on: ["look"],
          branch: "fix",
          condition: {
            op: "and",
            exprs: [
              { op: "eq", path: "steps.look.severity", value: "low" },
              { op: "or", exprs: [{ op: "not", expr: { op: "in", path: "params.day", values: ["sunday", 7, null] } }] },
              { op: "gt", path: "params.budget", value: 3 },
              { op: "lt", path: "params.budget", value: 30 }
            ]
          },
          allowed_tools: ["shell"],
          failure_policy: "continue",
          on_unknown: "fail"
        }],
        ["2", {
          ...plain,
          depends_on: ["look"],
          branch: "fix",
          condition: { op: "eq", path: "steps.look.severity", value: { deep: [true] } },
          blocked_tools: ["shell"],
          output_format: "text"
        }],
        ["each", {
          ...plain,
          message: "{{ item }}",
          depends_on: ["10", "2"],
          depends_on_mode: "any",
          dispatch_mode: "each",
          items: "{{ params.topics }}",
          max_concurrency: 2
        }],
        ["review", { ...plain, dispatch_mode: "fan_in", collection_policy: { type: "quorum", n: 1 } }],
        ["revise", { ...plain }]
      ],
      root: {
        nodes: [
          ["look", node("look")],
          ["10", { ...node("10"), depends_on: ["look"], branch: "fix", failure_policy: "continue" }],
          ["2", { ...node("2"), depends_on: ["look"], branch: "fix" }],
          ["each", { ...node("each"), depends_on: ["10", "2"], depends_on_mode: "any" }],
          ["fixing", {
            kind: "repeat_until",
            loop_id: "fix",
            depends_on: ["each"],
            depends_on_mode: "all",
            body: {
              nodes: [
                ["review", node("review")],
                ["again", {
                  kind: "repeat_until",
                  loop_id: "again",
                  depends_on: ["review"],
                  depends_on_mode: "any",
                  body: { nodes: [["revise", node("revise")]] },
                  until: { op: "or", exprs: [] },
                  max_iterations: 2,
                  failure_policy: "continue"
                }]
              ]
            },
            until: { op: "eq", path: "steps.review", value: "passes" },
            max_iterations: 5,
            failure_policy: "escalate"
          }]
        ]
      }
    }],
    ["note", {
      steps: conditions.map((condition, index) => [`step ${index}`, { ...plain, condition }]),
      root: { nodes: conditions.map((_, index) => [`step ${index}`, node(`step ${index}`)]) }
    }]
  ],
  wiring: { auto_wire_orchestrator: true, role_wiring: [{ a: "lead", b: "writer" }] },
  topology: { mode: "strict", rules: [{ from_role: "*", to_role: "*", allowed: false }] },
  supervisor: { role: "lead", escalation_threshold: 3, escalation_turn_timeout_ms: 4_000 },
  limits: {
    max_flow_duration_ms: 600_000,
    max_step_retries: 2,
    max_orphaned_turns: 4,
    cancel_grace_timeout_ms: 2_500,
    max_active_nodes: 8,
    max_active_frames: 2,
    max_frame_depth: 3,
    max_kept_runs: 100,
    max_kept_events: 1_000,
    max_kept_days: 7
  },
  on_resume: "cancel",
  extra: { models: { "large-1": { provider: "some-provider" } } }
}

const bare: Definition = {
  id: "bare",
  profiles: [],
  members: [],
  flows: [],
  limits: {},
  on_resume: "continue",
  extra: {}
}

const advisory: Definition = {
  ...bare,
  id: "advisory",
  wiring: { auto_wire_orchestrator: false, role_wiring: [] },
  topology: { mode: "advisory", rules: [] },
  supervisor: { role: "lead", escalation_threshold: 0 }
}

/** See the module's text. */
export const definitions: ReadonlyArray<Definition> = [full, bare, advisory]

function node(step_id: string) {
  return { kind: "step", step_id, depends_on: [], depends_on_mode: "all", failure_policy: "escalate" } as const
}
