/**
 * What others may know of a mob's state.
 */
import type { Identity, Millis, RunId } from "../../../sdk/ids.ts"
import type { RosterView } from "../protocol.ts"
import type { MobState } from "./state.ts"

/** The roster of this state, retired members included. Costs nothing: it shares the state's map. */
export const rosterView = (state: MobState): RosterView => ({ version: state.version, members: state.members })

/** Runs that are admitted and not released. Active are those of them whose committed phase is not terminal (R9). */
export const activeRuns = (state: MobState): ReadonlyArray<RunId> => [...state.active.keys()]

/** The run that holds a key: an active one under any key, a finished one under an explicit key. */
export const runWithKey = (
  state: MobState,
  key: string
): { readonly run_id: RunId; readonly finished: boolean } | undefined => {
  const active = state.keys.get(key)
  if (active !== undefined) return { run_id: active, finished: false }
  const finished = state.finished.get(key)
  return finished === undefined ? undefined : { run_id: finished, finished: true }
}

/** The next restart that is due, for the mob actor's timer. Costs one look at each member that waits for one. */
export const nextRestart = (
  state: MobState
): { readonly identity: Identity; readonly at: Millis } | undefined => {
  let next: { readonly identity: Identity; readonly at: Millis } | undefined
  for (const [identity, at] of state.waiting) {
    if (next === undefined || at < next.at || at === next.at && identity < next.identity) next = { identity, at }
  }
  return next
}
