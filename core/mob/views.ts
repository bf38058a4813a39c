/**
 * A mob's committed state as people and programs read it, whoever read the state: its coordinator, or the disk.
 */
import type { MobReads } from "../../sdk/store.ts"
import type { MemberState, MobState } from "../machine/mob/index.ts"
import type { MemberView, MobStatus } from "./types.ts"

/** One member. */
export const memberView = (member: MemberState): MemberView => ({
  identity: member.identity,
  role: member.role,
  phase: member.phase,
  generation: member.generation,
  fence_token: member.fence,
  labels: member.labels,
  restarts: member.restarts,
  ...(member.process === undefined ? {} : { pid: member.process.record.pid }),
  ...(member.phase === "broken" && member.cause !== undefined
    ? { cause: `${member.cause.code}: ${member.cause.message}` }
    : {})
})

/** Members that are not retired, by identity. */
export const memberViews = (state: MobState): ReadonlyArray<MemberView> =>
  [...state.members.values()]
    .filter((it) => it.phase !== "retired")
    .sort((a, b) => a.identity < b.identity ? -1 : 1)
    .map(memberView)

/** The mob at a glance. What is not in its state is given: where its events stand, and the turns that are detached now. */
export const mobStatus = (
  state: MobState,
  log: Pick<MobReads, "firstCursor" | "latestCursor">,
  orphaned_turns: number
): MobStatus => ({
  mob_id: state.mob_id,
  phase: state.phase,
  members: [...state.members.values()].filter((it) => it.phase !== "retired").length,
  active_runs: [...state.active.keys()],
  first_cursor: log.firstCursor(),
  latest_cursor: log.latestCursor(),
  orphaned_turns
})
