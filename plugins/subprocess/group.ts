/**
 * Process groups on Linux: who is in one, whether a recorded process is still the same, ending all of it.
 *
 * What counts is the group, not its leader: a member may have started processes of its own. A process that has ended
 * and was not collected by its parent (a zombie) does not count as alive.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import type { ProcessRecord } from "../../sdk/bridge.ts"

/** Milliseconds between two looks at a group that was signaled. */
const POLL = 10

interface Stat {
  readonly state: string
  readonly pgid: number
  readonly session: number
  readonly startTicks: number
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

/** The id of this boot of the machine; undefined where there is no /proc. */
const bootId = (): string | undefined => read("/proc/sys/kernel/random/boot_id")?.trim()

const statOf = (pid: number): Stat | undefined => {
  const text = read(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return { state: fields[0] ?? "", pgid: Number(fields[2]), session: Number(fields[3]), startTicks: Number(fields[19]) }
}

/** Records a child that leads its own group. Undefined where there is no /proc. */
export const recordOf = (pid: number): ProcessRecord | undefined => {
  const boot = bootId()
  const stat = statOf(pid)
  return boot === undefined || stat === undefined
    ? undefined
    : { pid, pgid: pid, start_ticks: stat.startTicks, boot_id: boot }
}

/** Pids of the processes of a group that are alive; where there is no /proc, its number stands for all of them. */
export const groupMembers = (pgid: number): ReadonlyArray<number> => {
  // Mostly nobody is there, and this is how to know it without looking at every process.
  if (!signalGroup(pgid, 0)) return []
  if (!existsSync("/proc/self/stat")) return [pgid]
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    const stat = statOf(pid)
    return stat?.pgid === pgid && stat.state !== "Z" && stat.state !== "X"
  })
}

/** Whether the group could be signaled: false if nobody is in it. A group that may not be signaled is there. */
export const signalGroup = (pgid: number, signal: NodeJS.Signals | 0): boolean => {
  // 0 and 1 would mean our own group and every process.
  if (!Number.isSafeInteger(pgid) || pgid < 2) return false
  try {
    return process.kill(-pgid, signal)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** Kills a group and awaits its end for at most `millis`; true if nobody of it is alive. */
export const killGroup = async (pgid: number, millis: number): Promise<boolean> => {
  const until = Date.now() + millis
  for (;;) {
    // Each time: a process may have forked while the signal was on its way.
    signalGroup(pgid, "SIGKILL")
    if (groupMembers(pgid).length === 0) return true
    if (Date.now() >= until) return false
    await sleep(POLL)
  }
}

/**
 * Whether a recorded group may still be there: this boot, and its leader is the same process or nobody. While a group
 * has members its number is given to no new process, so another process under the leader's pid means that all are
 * gone. Of a group without its leader the session must be the leader's own, as a member's is: a group of somebody
 * else's under the same number, made by a shell for a job, belongs to the shell's session.
 */
export const isSameGroup = (record: ProcessRecord): boolean => {
  if (bootId() !== record.boot_id) return false
  const stat = statOf(record.pid)
  if (stat !== undefined) return stat.startTicks === record.start_ticks
  return groupMembers(record.pgid).some((pid) => statOf(pid)?.session === record.pid)
}
