/**
 * Ending what an earlier host left behind.
 */
import { Effect } from "effect"
import { type ProcessRecord, ReapFailed } from "../../sdk/bridge.ts"
import { groupMembers, isSameGroup, killGroup } from "./group.ts"

/** Milliseconds in which a killed group must be gone. */
const REAP_WAIT = 5000

/**
 * Kills the group of a recorded process, if it is still that group, and awaits its end. A leader that is gone does not
 * save the rest of its group. A record of another boot, or whose number another process has by now, is of a group that
 * is gone: that is success.
 */
export const reap = (record: ProcessRecord): Effect.Effect<void, ReapFailed> =>
  Effect.suspend(() => {
    if (!isSameGroup(record)) return Effect.void
    return Effect.flatMap(Effect.promise(() => killGroup(record.pgid, REAP_WAIT)), (gone) => {
      if (gone) return Effect.void
      const alive = groupMembers(record.pgid).join(", ")
      return new ReapFailed({
        pid: record.pid,
        reason: `process ${alive} of its group did not end within ${REAP_WAIT} ms of SIGKILL`
      })
    })
  })
