/**
 * What a definition must be before a mob is made or opened with it.
 */
import { Effect } from "effect"
import type { Definition } from "../../sdk/definition/index.ts"
import { canonical, equals, type Json } from "../../sdk/json.ts"
import type { Bridges } from "../plugin/index.ts"
import * as E from "./errors.ts"

/** The profile's bridge and the rest of its `bridge` table; undefined if the profile names none that is known. */
export const bridgeOf = (definition: Definition, bridges: Bridges["Service"], role: string) => {
  const profile = definition.profiles.find(([name]) => name === role)?.[1]
  if (profile?.bridge === undefined) return undefined
  const { use, ...config } = profile.bridge
  const bridge = bridges.get(use)
  return bridge === undefined ? undefined : { bridge, config }
}

/** Every listed member's role must have a bridge that takes its configuration. */
export const checkBridges = (definition: Definition, bridges: Bridges["Service"]) =>
  Effect.gen(function*() {
    const lifetimes = new Map<string, "host" | "remote">()
    for (const role of new Set(definition.members.map((it) => it.profile))) {
      const use = definition.profiles.find(([name]) => name === role)?.[1].bridge?.use
      const found = bridgeOf(definition, bridges, role)
      if (found === undefined) {
        const known = `known are ${bridges.ids.join(", ")}`
        const reason = use === undefined
          ? `the profile has no bridge table; ${known}`
          : `there is no such bridge; ${known}`
        return yield* new E.BridgeInvalid({ profile: role, bridge: use ?? "", reason })
      }
      const wrong = yield* found.bridge.check(found.config)
      if (wrong !== undefined) {
        return yield* new E.BridgeInvalid({ profile: role, bridge: found.bridge.id, reason: wrong })
      }
      lifetimes.set(role, found.bridge.lifetime)
    }
    return lifetimes
  })

/** Opening applies flows, limits and topology; a difference in anything else is refused by name (protocol 24). */
export const checkUnchanged = (mob: string, stored: Definition, given: Definition) => {
  const differences: Array<string> = given.id === mob ? [] : [`id ${given.id}`]
  const profiles = new Map(stored.profiles)
  for (const [name, profile] of given.profiles) {
    const before = profiles.get(name)
    profiles.delete(name)
    if (before === undefined || !equals(before as Json, profile as Json)) differences.push(`profile ${name}`)
  }
  for (const name of profiles.keys()) differences.push(`profile ${name}`)
  const members = new Map(stored.members.map((it) => [it.identity, it]))
  for (const member of given.members) {
    const before = members.get(member.identity)
    members.delete(member.identity)
    if (before === undefined || canonical({ ...before }) !== canonical({ ...member })) {
      differences.push(`member ${member.identity}`)
    }
  }
  for (const identity of members.keys()) differences.push(`member ${identity}`)
  return differences.length === 0 ? Effect.void : Effect.fail(new E.DefinitionChanged({ mob, differences }))
}

/** The definition in the JSON it is pinned as. */
// A decoded definition holds plain JSON only; its type names the fields, which `Json` does not.
export const pinnable = (definition: Definition): Json => definition as unknown as Json
