/**
 * What makes a well-typed definition wrong. Each rule has a stable code and the place in the author's file; errors
 * refuse the definition, warnings are told. Rules of flows stand in `validate-flow.ts`.
 */
import { isObject } from "../json.ts"
import { place } from "./location.ts"
import type { Definition, Diagnostic } from "./schema.ts"
import { validateFlow } from "./validate-flow.ts"

/** Names that begin so belong to the runtime: `__flow_system_member__` and its like stand in ledgers and events. */
const RESERVED_PROFILE = "__flow_system_"

/** Members made by the runtime for a flow are called so. */
const RESERVED_IDENTITY = "__flow_"

/** Checks a definition in normal form. Gives errors and warnings in the order of the file's areas; empty if all is well. */
export const validateDefinition = (definition: Definition): ReadonlyArray<Diagnostic> => {
  const profiles = new Set(definition.profiles.map(([name]) => name))
  return [
    ...profileRules(definition),
    ...backendRules(definition),
    ...memberRules(definition, profiles),
    ...roleRules(definition, profiles),
    ...definition.flows.flatMap(([id, flow]) => validateFlow(id, flow, profiles))
  ]
}

/** A finding that refuses the definition. */
const error = (code: string, location: string, message: string): Diagnostic => ({
  code,
  message,
  location,
  severity: "error"
})

const profileRules = (definition: Definition): Array<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  const skills = isObject(definition.extra["skills"]) ? definition.extra["skills"] : {}
  if (definition.profiles.length === 0) {
    findings.push(error("empty_profiles", "profiles", "a mob needs at least one profile"))
  }
  for (const [name, profile] of definition.profiles) {
    const at = place("profiles", name)
    if (name.startsWith(RESERVED_PROFILE)) {
      findings.push(
        error(
          "reserved_system_identifier",
          at,
          `profile "${name}" starts with the reserved prefix "${RESERVED_PROFILE}"`
        )
      )
    } else if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) {
      const rule = "it must start with a letter or _, and go on with letters, digits, - and _"
      findings.push(error("invalid_profile_name", at, `profile name "${name}" is not allowed: ${rule}`))
    }
    for (const skill of profile.skills ?? []) {
      if (!Object.hasOwn(skills, skill)) {
        findings.push(
          error(
            "missing_skill_ref",
            `${at}.skills`,
            `profile "${name}" names skill "${skill}", which is not under [skills]`
          )
        )
      }
    }
    if ((profile.max_inline_peer_notifications ?? 0) < -1) {
      const message = "must be -1 (always), 0 (never) or a positive number"
      findings.push(error("invalid_inline_peer_notification_threshold", `${at}.max_inline_peer_notifications`, message))
    }
  }
  return findings
}

/** `backend.external` must be there, with an address, if anything asks for an external backend. */
const backendRules = (definition: Definition): Array<Diagnostic> => {
  const backend = isObject(definition.extra["backend"]) ? definition.extra["backend"] : {}
  const external = backend["external"]
  const askers = definition.profiles.filter(([, profile]) => profile["backend"] === "external").map(([name]) => name)
  if (external === undefined) {
    if (backend["default"] !== "external" && askers.length === 0) return []
    const who = askers.length > 0 ? `profile ${askers.join(", ")} uses` : "the definition uses"
    return [
      error(
        "missing_external_backend_config",
        "backend.external",
        `${who} the external backend, and there is no [backend.external]`
      )
    ]
  }
  const address = isObject(external) ? external["address_base"] : undefined
  return typeof address === "string" && address.trim() !== ""
    ? []
    : [
      error(
        "invalid_external_backend_config",
        "backend.external.address_base",
        "address_base must be a text that is not empty"
      )
    ]
}

const memberRules = (definition: Definition, profiles: ReadonlySet<string>): Array<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  const seen = new Map<string, number>()
  definition.members.forEach(({ identity, profile }, index) => {
    const at = place("members", index)
    if (!profiles.has(profile)) {
      findings.push(
        error(
          "member_unknown_profile",
          `${at}.profile`,
          `member "${identity}" names profile "${profile}", which does not exist`
        )
      )
    }
    const first = seen.get(identity)
    if (first === undefined) seen.set(identity, index)
    else {findings.push(
        error("member_duplicate", `${at}.identity`, `identity "${identity}" is taken by members[${first}]`)
      )}
    if (identity.startsWith(RESERVED_IDENTITY)) {
      const message = `identity "${identity}" starts with the reserved prefix "${RESERVED_IDENTITY}"`
      findings.push(error("reserved_system_identifier", `${at}.identity`, message))
    }
  })
  return findings
}

/** Orchestrator, wiring, supervisor and topology name profiles. */
const roleRules = (definition: Definition, profiles: ReadonlySet<string>): Array<Diagnostic> => {
  const findings: Array<Diagnostic> = []
  const role = (code: string, location: string, what: string, name: string) => {
    if (!profiles.has(name)) findings.push(error(code, location, `${what} "${name}" is not a profile`))
  }
  const { orchestrator, supervisor, topology, wiring } = definition
  if (orchestrator !== undefined) {
    role("missing_orchestrator_profile", "orchestrator.profile", "the orchestrator", orchestrator.profile)
  }
  wiring?.role_wiring.forEach((rule, index) => {
    for (const side of ["a", "b"] as const) {
      role("invalid_wiring_profile", `${place("wiring", "role_wiring", index)}.${side}`, "role", rule[side])
    }
  })
  if (supervisor !== undefined) {
    role("flow_unknown_role", "supervisor.role", "the supervisor's role", supervisor.role)
    if (supervisor.escalation_threshold === 0) {
      findings.push({
        code: "supervisor_never_escalates",
        message: "an escalation_threshold of 0 never escalates; 1 escalates at the first failure",
        location: "supervisor.escalation_threshold",
        severity: "warning"
      })
    }
  }
  topology?.rules.forEach((rule, index) => {
    for (const side of ["from_role", "to_role"] as const) {
      if (rule[side] !== "*") {
        role("topology_unknown_role", `${place("topology", "rules", index)}.${side}`, "role", rule[side])
      }
    }
  })
  return findings
}
