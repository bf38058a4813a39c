/**
 * Who can take work. A view is immutable, so what is derived from it is kept beside it.
 */
import type { Identity } from "../../../sdk/ids.ts"
import type { RosterEntry, RosterView } from "../protocol.ts"

const byRole = new WeakMap<RosterView, ReadonlyMap<string, ReadonlyArray<RosterEntry>>>()

/** Active members of a role, by identity (UTF-16 order). */
export const runnable = (roster: RosterView, role: string): ReadonlyArray<RosterEntry> => {
  const known = byRole.get(roster) ?? index(roster)
  return known.get(role) ?? []
}

/** A member if it is active. */
export const active = (roster: RosterView, identity: Identity): RosterEntry | undefined => {
  const entry = roster.members.get(identity)
  return entry?.phase === "active" ? entry : undefined
}

const index = (roster: RosterView): ReadonlyMap<string, ReadonlyArray<RosterEntry>> => {
  const roles = new Map<string, Array<RosterEntry>>()
  for (const entry of roster.members.values()) {
    if (entry.phase !== "active") continue
    const list = roles.get(entry.role)
    if (list === undefined) roles.set(entry.role, [entry])
    else list.push(entry)
  }
  for (const list of roles.values()) list.sort((a, b) => a.identity < b.identity ? -1 : a.identity > b.identity ? 1 : 0)
  byRole.set(roster, roles)
  return roles
}
