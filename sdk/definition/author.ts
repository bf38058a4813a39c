/**
 * From the author's form to the normal form, before types are judged: ordered tables become arrays of pairs, `[mob]`
 * is lifted, `orchestrator` may be a bare name, flat flows get their root frame, unknown tables go to `extra`.
 * What has the wrong shape is passed on as it is, for the Schema to say so.
 */
import { type DocumentValue, isTable, type Table, toPlain } from "./document.ts"
import { place } from "./location.ts"
import {
  Definition,
  type Diagnostic,
  Flow,
  FlowStep,
  Limits,
  RosterMember,
  Supervisor,
  Topology,
  Wiring
} from "./schema.ts"

/** A document in normal form, not yet judged. */
export interface Normalised {
  readonly value: unknown
  readonly findings: ReadonlyArray<Diagnostic>
  /** Keys that stand under `[mob]` in the file. */
  readonly underMob: ReadonlySet<string>
  /** Flows without a root frame in the file. */
  readonly flat: ReadonlySet<string>
  /** The orchestrator is a bare name in the file. */
  readonly bareOrchestrator: boolean
}

const keysOf = (schema: { readonly fields: object }) => new Set(Object.keys(schema.fields))
const keysOfEncoded = keysOf(Definition)
const stepKeys = keysOf(FlowStep)
const flowKeys = keysOf(Flow)

/** Tables of the reference that are kept without a look inside. */
const reference = new Set([
  "skills",
  "models",
  "backend",
  "spawn_policy",
  "event_router",
  "mcp_servers",
  "image_generation",
  "session_cleanup_policy"
])

/** Keys of a node; those of a loop in a step node are judged by the Schema of its kind. */
const nodeKeys = new Set([
  "kind",
  "step_id",
  "loop_id",
  "body",
  "until",
  "max_iterations",
  "branch",
  "depends_on",
  "depends_on_mode",
  "failure_policy"
])

type Place = ReadonlyArray<string | number>

/** Brings a document to normal form. */
export const normalise = (document: Table): Normalised => {
  const findings: Array<Diagnostic> = []
  const flat = new Set<string>()
  const mismatch = (at: Place, message: string) =>
    void findings.push({ code: "schema_mismatch", message, location: place(...at), severity: "error" })

  const known = (value: DocumentValue | undefined, keys: ReadonlySet<string>, at: Place, what: string) => {
    if (!isTable(value)) return
    for (const key of value.keys()) {
      if (!keys.has(key)) {
        const message = `${what} has no field "${key}"; it is ignored`
        findings.push({ code: "unknown_field", message, location: place(...at, key), severity: "warning" })
      }
    }
  }
  const knownEach = (value: DocumentValue | undefined, keys: ReadonlySet<string>, at: Place, what: string) => {
    if (Array.isArray(value)) value.forEach((item, index) => known(item, keys, [...at, index], what))
  }
  const pairs = (value: DocumentValue | undefined, at: Place, one: (item: DocumentValue, key: string) => unknown) => {
    if (value === undefined) return []
    if (isTable(value)) return [...value].map(([key, item]) => [key, one(item, key)] as const)
    mismatch(at, `"${String(at.at(-1))}": expected a table with one entry per name`)
    return []
  }
  const byKey = <A>(entries: ReadonlyArray<readonly [string, A]>) => entries.toSorted(([a], [b]) => a < b ? -1 : 1)

  const step = (value: DocumentValue, at: Place): unknown => {
    known(value, stepKeys, at, "a step")
    if (isTable(value) && value.has("expected_schema")) {
      mismatch(
        [...at, "expected_schema"],
        "write expected_schema_ref, with JSON text or a path; expected_schema is filled in from it"
      )
    }
    return toPlain(value)
  }
  const frame = (value: DocumentValue, steps: DocumentValue | undefined, at: Place): unknown => {
    if (!isTable(value)) return toPlain(value)
    known(value, new Set(["nodes"]), at, "a frame")
    const nodes = pairs(value.get("nodes"), [...at, "nodes"], (node, id) => {
      const here = [...at, "nodes", id]
      known(node, nodeKeys, here, "a node")
      if (!isTable(node)) return toPlain(node)
      const fields = new Map<string, unknown>([...node].map(([key, item]) => [key, toPlain(item)]))
      const body = node.get("body")
      if (body !== undefined) fields.set("body", frame(body, steps, [...here, "body"]))
      // A node that says nothing follows its step, which is where a flat flow would have said it.
      const inherited = !node.has("failure_policy") && policyOf(steps, node.get("step_id"))
      if (inherited) fields.set("failure_policy", "continue")
      return Object.fromEntries(fields)
    })
    return value.has("nodes") ? { nodes } : {}
  }
  const flow = (value: DocumentValue, id: string): unknown => {
    const at = ["flows", id]
    if (!isTable(value)) return toPlain(value)
    known(value, flowKeys, at, "a flow")
    const steps = pairs(value.get("steps"), [...at, "steps"], (item, key) => step(item, [...at, "steps", key]))
    const root = value.get("root")
    if (root === undefined) flat.add(id)
    return {
      ...(value.has("description") ? { description: toPlain(value.get("description") ?? null) } : {}),
      steps,
      root: root === undefined ? rootOf(value.get("steps")) : frame(root, value.get("steps"), [...at, "root"])
    }
  }

  const mob = document.get("mob")
  const top = new Map([...document].filter(([key]) => key !== "mob"))
  const underMob = new Set<string>()
  if (mob !== undefined && !isTable(mob)) mismatch(["mob"], "\"mob\": expected a table")
  if (isTable(mob)) {
    for (const [key, value] of mob) {
      if (top.has(key)) mismatch(["mob", key], `"${key}" is given twice: here and at the top level`)
      else underMob.add(key)
      top.set(key, value)
    }
  }

  const orchestrator = top.get("orchestrator")
  const bareOrchestrator = typeof orchestrator === "string"
  if (bareOrchestrator) top.set("orchestrator", new Map([["profile", orchestrator]]))
  known(top.get("orchestrator"), new Set(["profile"]), ["orchestrator"], "the orchestrator")
  known(top.get("limits"), keysOf(Limits), ["limits"], "limits")
  known(top.get("supervisor"), keysOf(Supervisor), ["supervisor"], "the supervisor")
  known(top.get("wiring"), keysOf(Wiring), ["wiring"], "wiring")
  known(top.get("topology"), keysOf(Topology), ["topology"], "the topology")
  const topology = top.get("topology")
  if (isTable(topology)) {
    knownEach(
      topology.get("rules"),
      new Set(["from_role", "to_role", "allowed"]),
      ["topology", "rules"],
      "a topology rule"
    )
  }
  knownEach(top.get("members"), keysOf(RosterMember), ["members"], "a member")

  const value = new Map<string, unknown>()
  const extra: Array<readonly [string, unknown]> = []
  for (const [key, item] of top) {
    if (key === "profiles") value.set(key, byKey(pairs(item, [key], toPlain)))
    else if (key === "flows") value.set(key, byKey(pairs(item, [key], flow)))
    else if (keysOfEncoded.has(key) && key !== "extra") value.set(key, toPlain(item))
    else {
      if (!reference.has(key)) {
        const location = underMob.has(key) ? place("mob", key) : place(key)
        const message = `a definition has no field "${key}"; it is kept and has no effect`
        findings.push({ code: "unknown_field", message, location, severity: "warning" })
      }
      extra.push([key, toPlain(item)])
    }
  }
  if (extra.length > 0) value.set("extra", Object.fromEntries(extra))
  return { value: Object.fromEntries(value), findings, underMob, flat, bareOrchestrator }
}

const policyOf = (steps: DocumentValue | undefined, id: DocumentValue | undefined): boolean => {
  const step = isTable(steps) && typeof id === "string" ? steps.get(id) : undefined
  return isTable(step) && step.get("failure_policy") === "continue"
}

/** The root frame of a flat flow: one node per step, of the same name, with what the step says of its dependencies. */
const rootOf = (steps: DocumentValue | undefined): unknown => {
  if (!isTable(steps)) return { nodes: [] }
  const copied = ["depends_on", "depends_on_mode", "branch", "failure_policy"]
  return {
    nodes: [...steps].map(([id, step]) => {
      const fields = isTable(step)
        ? copied.flatMap((key) => step.has(key) ? [[key, toPlain(step.get(key) ?? null)]] : [])
        : []
      return [id, { kind: "step", step_id: id, ...Object.fromEntries(fields) }]
    })
  }
}
