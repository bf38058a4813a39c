/**
 * The definition of a mob, decoded. This is the normal form: ordered maps are arrays of pairs (a JavaScript object
 * would reorder ids like `10`), defaults are written out, schema files are inlined. It is what is pinned by digest
 * and stored. Files in the author's form (TOML, JSON) become this in `author.ts`.
 */
import { Effect, Schema } from "effect"
import { Content } from "../content.ts"
import { Json } from "../json.ts"

const { Array, Boolean, Int, Literal, Literals, Record, String, Struct, Tuple, Union, optionalKey, suspend } = Schema

/** A key that may be left out, with the value it then has. */
const or = <S extends Schema.Constraint>(schema: S, value: S["Encoded"]) =>
  Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(schema)

const PositiveInt = Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))

/** Names that become branded ids: 1 to 256 characters, as in `ids.ts`. */
const Name = String.pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(256)))

/** Condition over the run's context: `eq, in, gt, lt` on a path, and `and, or, not`. Tag is `op`. */
export type Condition =
  | { readonly op: "eq"; readonly path: string; readonly value: Json }
  | { readonly op: "in"; readonly path: string; readonly values: ReadonlyArray<Json> }
  | { readonly op: "gt" | "lt"; readonly path: string; readonly value: Json }
  | { readonly op: "and" | "or"; readonly exprs: ReadonlyArray<Condition> }
  | { readonly op: "not"; readonly expr: Condition }

/** Schema of {@link Condition}. */
export const Condition: Schema.Codec<Condition> = Union([
  Struct({ op: Literal("eq"), path: String, value: Json }),
  Struct({ op: Literal("in"), path: String, values: Array(Json) }),
  // One literal each: a union finds its member by a literal tag, so that a finding names one field and not five.
  Struct({ op: Literal("gt"), path: String, value: Json }),
  Struct({ op: Literal("lt"), path: String, value: Json }),
  Struct({ op: Literal("and"), exprs: Array(suspend((): Schema.Codec<Condition> => Condition)) }),
  Struct({ op: Literal("or"), exprs: Array(suspend((): Schema.Codec<Condition> => Condition)) }),
  Struct({ op: Literal("not"), expr: suspend((): Schema.Codec<Condition> => Condition) })
]).annotate({ message: "expected a condition: a table whose op is eq, in, gt, lt, and, or, not" })

/** When a step over several targets or items is satisfied. */
export const CollectionPolicy = Union([
  Struct({ type: Literal("all") }),
  Struct({ type: Literal("any") }),
  Struct({ type: Literal("quorum"), n: PositiveInt })
]).annotate({ message: "expected a table whose type is all, any or quorum (with n)" })
export type CollectionPolicy = typeof CollectionPolicy.Type

/**
 * How a step's work is spread. `fan_out`, `fan_in`: every runnable member of the role gets the message;
 * `one_to_one`: the first by identity; `each`: one turn an item, spread over the role's runnable members.
 */
export const DispatchMode = Literals(["fan_out", "fan_in", "one_to_one", "each"])
export type DispatchMode = typeof DispatchMode.Type

/** One step of a flow. */
export const FlowStep = Struct({
  /** Profile whose runnable members do the work. */
  role: String,
  /** Template; `{{ path }}` placeholders are rendered once per execution (per item for `each`). */
  message: Content,
  depends_on: or(Array(String), []),
  depends_on_mode: or(Literals(["all", "any"]), "all"),
  dispatch_mode: or(DispatchMode, "fan_out"),
  collection_policy: or(CollectionPolicy, { type: "all" }),
  condition: optionalKey(Condition),
  /** Milliseconds a turn may take; 30,000 when absent. */
  timeout_ms: optionalKey(PositiveInt),
  /** The schema as written: inline JSON object text, or a path relative to the definition. */
  expected_schema_ref: optionalKey(String),
  /** The JSON Schema that the reference stands for, inlined when the definition was loaded. */
  expected_schema: optionalKey(Json),
  branch: optionalKey(String),
  allowed_tools: optionalKey(Array(String)),
  blocked_tools: optionalKey(Array(String)),
  /** `json` if and only if a schema is given, unless said here. */
  output_format: optionalKey(Literals(["json", "text"])),
  failure_policy: or(Literals(["escalate", "continue"]), "escalate"),
  /** What to do with an input whose fate is unknown after a crash. */
  on_unknown: or(Literals(["redeliver", "fail"]), "redeliver"),
  /** For `each`: one `{{ path }}` that gives a JSON array of at most 10,000 items when the step starts. */
  items: optionalKey(String),
  /** For `each`: items in flight; one per runnable member when absent. */
  max_concurrency: optionalKey(PositiveInt)
})
export type FlowStep = typeof FlowStep.Type

/** A node of a frame: a step, or a loop whose body is a frame. */
export type FrameNode =
  | {
    readonly kind: "step"
    readonly step_id: string
    readonly depends_on: ReadonlyArray<string>
    readonly depends_on_mode: "all" | "any"
    readonly branch?: string
    readonly failure_policy: "escalate" | "continue"
  }
  | {
    readonly kind: "repeat_until"
    readonly loop_id: string
    readonly depends_on: ReadonlyArray<string>
    readonly depends_on_mode: "all" | "any"
    readonly body: Frame
    readonly until: Condition
    readonly max_iterations: number
    readonly failure_policy: "escalate" | "continue"
  }

/** A DAG of nodes, in author order. */
export interface Frame {
  readonly nodes: ReadonlyArray<readonly [id: string, node: FrameNode]>
}

const dependencies = {
  depends_on: or(Array(String), []),
  depends_on_mode: or(Literals(["all", "any"]), "all"),
  failure_policy: or(Literals(["escalate", "continue"]), "escalate")
}

/** Schema of {@link Frame}. */
// Recursive and with defaults, so its encoded side is wider than its type; stated once here, as the JSON it is.
export const Frame: Schema.Codec<Frame, Json> = Struct({
  nodes: Array(Tuple([
    String,
    Union([
      Struct({ kind: Literal("step"), step_id: String, branch: optionalKey(String), ...dependencies }),
      Struct({
        kind: Literal("repeat_until"),
        loop_id: String,
        body: suspend((): Schema.Codec<Frame, Json> => Frame),
        until: Condition,
        max_iterations: PositiveInt,
        ...dependencies
      })
    ]).annotate({ message: "expected a node: a table whose kind is step or repeat_until" })
  ]))
}) as unknown as Schema.Codec<Frame, Json>

/** A flow: its step catalogue, and the root frame that says how the steps depend on each other. */
export const Flow = Struct({
  description: optionalKey(String),
  steps: Array(Tuple([String, FlowStep])),
  /** Materialised at load: a flat flow's steps become a root frame with node id = step id. */
  root: Frame
})
export type Flow = typeof Flow.Type

/** Limits of a mob's flows; an absent or zero limit does not limit, unless said. */
export const Limits = Struct({
  /** Milliseconds of wall time, downtime included. */
  max_flow_duration_ms: optionalKey(PositiveInt),
  /** Extra attempts per target or item. */
  max_step_retries: optionalKey(PositiveInt),
  /** Detached turns at once per mob; 8 when absent, 0 is a real zero. */
  max_orphaned_turns: optionalKey(PositiveInt),
  /** Milliseconds; 5,000 when absent. */
  cancel_grace_timeout_ms: optionalKey(PositiveInt),
  max_active_nodes: optionalKey(PositiveInt),
  max_active_frames: optionalKey(PositiveInt),
  max_frame_depth: optionalKey(PositiveInt),
  /** Ended runs that stay readable; 10,000 when absent. */
  max_kept_runs: optionalKey(PositiveInt),
  /** Public events that stay readable; 1,000,000 when absent. */
  max_kept_events: optionalKey(PositiveInt),
  /** Days that either stays readable; 30 when absent. */
  max_kept_days: optionalKey(PositiveInt)
})
export type Limits = typeof Limits.Type

/** Role-level policy: which role may send work to which. Last matching rule wins; no match allows. */
export const Topology = Struct({
  mode: or(Literals(["advisory", "strict"]), "advisory"),
  rules: or(Array(Struct({ from_role: String, to_role: String, allowed: Boolean })), [])
})
export type Topology = typeof Topology.Type

/** How members of a role are reached: a bridge id and that bridge's own configuration. */
export const BridgeUse = Schema.StructWithRest(Struct({ use: String }), [Record(String, Json)])
export type BridgeUse = typeof BridgeUse.Type

/** A role. Fields of the reference that concern models, tools and skills are kept as they are. */
export const Profile = Schema.StructWithRest(
  Struct({
    bridge: optionalKey(BridgeUse),
    /** `autonomous_host` or `turn_driven`; kept, both act as turn_driven for now. */
    runtime_mode: optionalKey(Literals(["autonomous_host", "turn_driven"])),
    peer_description: optionalKey(String),
    external_addressable: optionalKey(Boolean),
    skills: optionalKey(Array(String)),
    max_inline_peer_notifications: optionalKey(Int)
  }),
  [Record(String, Json)]
)
export type Profile = typeof Profile.Type

/** A member that the mob has from its creation. */
export const RosterMember = Struct({
  identity: Name,
  profile: String,
  labels: or(Record(String, String), {})
})
export type RosterMember = typeof RosterMember.Type

/** Which members are wired at their spawn: all with the orchestrator, and all of role `a` with all of role `b`. */
export const Wiring = Struct({
  auto_wire_orchestrator: or(Boolean, false),
  role_wiring: or(Array(Struct({ a: String, b: String })), [])
})
export type Wiring = typeof Wiring.Type

/** Who hears of repeated step failures. A threshold of 0 never escalates. */
export const Supervisor = Struct({
  role: String,
  /** Consecutive step failures of a run that escalate. */
  escalation_threshold: PositiveInt,
  /** Milliseconds; 2,000 when absent. */
  escalation_turn_timeout_ms: optionalKey(PositiveInt)
})
export type Supervisor = typeof Supervisor.Type

/** A whole mob, decoded. */
export const Definition = Struct({
  id: Name,
  orchestrator: optionalKey(Struct({ profile: String })),
  profiles: or(Array(Tuple([String, Profile])), []),
  members: or(Array(RosterMember), []),
  flows: or(Array(Tuple([Name, Flow])), []),
  wiring: optionalKey(Wiring),
  topology: optionalKey(Topology),
  supervisor: optionalKey(Supervisor),
  limits: or(Limits, {}),
  /** What becomes of interrupted runs when the mob is opened again. */
  on_resume: or(Literals(["continue", "cancel"]), "continue"),
  /** Other tables of the reference (skills, models, backend, spawn_policy, event_router, ...), kept as written. */
  extra: or(Record(String, Json), {})
})
export type Definition = typeof Definition.Type

/** One finding of validation. Errors refuse the definition, warnings are only told. */
export interface Diagnostic {
  /** Stable code, such as `flow_unknown_role`. */
  readonly code: string
  readonly message: string
  /** Dotted place in the author's file, such as `flows.main.steps.scan.role`. */
  readonly location?: string
  readonly severity: "error" | "warning"
}
