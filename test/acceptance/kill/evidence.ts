/** What is left after a command: the log as `inspect` reads it, the record that the members wrote, processes. */
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { inspect } from "../../../core/journal/index.ts"
import { type RunRecord, storedRuns } from "../../../core/mob/index.ts"
import { MobId } from "../../../sdk/ids.ts"
import type { Json, JsonObject } from "../../../sdk/json.ts"

/** The log of the mob. */
export interface Log {
  /** Newest first. */
  readonly runs: ReadonlyArray<RunRecord>
  readonly cursors: ReadonlyArray<number>
  readonly events: ReadonlyArray<JsonObject>
}

/** Looks at a data directory that nobody holds; fails if anything in it is damaged. */
export const look = (data: string): Promise<Log> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const { damage, mob } = yield* inspect(data)
    if (damage !== undefined) return yield* damage
    const log = yield* mob(MobId.make("killed"))
    if (log === undefined) return { runs: [], cursors: [], events: [] }
    const { runs, unreadable } = yield* storedRuns(log)
    if (unreadable > 0) return yield* Effect.die(new Error(`${unreadable} runs cannot be read`))
    const stored = yield* log.events(0, 1_000_000)
    return { runs, cursors: stored.map((it) => it.cursor), events: stored.map((it) => it.event) }
  })))

/** `<step>/<lane>` of each completion of a run, in order. The lane is the item of an `each` step, else the target. */
export const completions = ({ events }: Log, run: string): ReadonlyArray<string> =>
  events.filter((it) => it["type"] === "step_target_completed" && it["run_id"] === run)
    .map((it) => `${it["step_id"]}/${it["item"] ?? it["target"]}`)

/** Lines of a command's progress that the log does not bear out: a run that is not there, an input that is not done. */
export const untrue = ({ events, runs }: Log, progress: string): ReadonlyArray<string> => {
  const borneOut = [
    ...runs.flatMap(({ run_id }) => ["started", "attached to"].map((how) => `${how} run ${run_id} of mob killed`)),
    ...events.filter((it) => it["type"] === "step_target_completed").map((it) =>
      `${it["step_id"]}: ${it["target"]} done`
    )
  ]
  return progress.split("\n").filter((line) => {
    if (!/^(started|attached to) run | done$/.test(line)) return false
    const at = borneOut.indexOf(line)
    if (at >= 0) borneOut.splice(at, 1)
    return at < 0
  })
}

/** A line of the members' record. */
export interface Line {
  readonly pid: number
  /** Absent until the member was told who it is. */
  readonly identity?: string
  readonly what: "born" | "started" | "executed" | "lives on"
  readonly fence?: number
  readonly input?: string
}

/** The record so far. */
export const readRecord = (file: string): ReadonlyArray<Line> =>
  existsSync(file)
    // Written by the members of this folder, a whole line at a time.
    ? readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Line)
    : []

/** `<step>/<lane>` of the executions of a run, in order. */
export const executions = (lines: ReadonlyArray<Line>, run: string): ReadonlyArray<string> =>
  lines.flatMap(({ input, what }) => {
    const [owner, step, , lane] = input?.split("/") ?? []
    return what === "executed" && owner === run ? [`${step}/${lane}`] : []
  })

/** Processes that wrote after the first line of their successor, and successors whose fence is not the higher one. */
export const overlaps = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  /** First line of the newest process of each member. */
  const newest = new Map<string, Line>()
  const followed = new Set<number>()
  const found = new Set<string>()
  for (const line of lines) {
    const { fence = 0, identity, pid } = line
    if (identity === undefined) continue
    const before = newest.get(identity)
    if (before?.pid === pid) continue
    if (followed.has(pid)) {
      found.add(`${identity}: process ${pid} wrote after its successor's first line`)
      continue
    }
    newest.set(identity, line)
    if (before === undefined) continue
    followed.add(before.pid)
    if (fence <= (before.fence ?? 0)) found.add(`${identity}: fence ${fence} follows ${before.fence}`)
  }
  return [...found]
}

/** Recorded members that still run. A number that another program has by now does not count, nor does a zombie. */
export const survivors = (lines: ReadonlyArray<Line>): ReadonlyArray<number> =>
  [...new Set(lines.map((it) => it.pid))].filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("member.mjs")
    } catch {
      return false
    }
  })

/** What a run came to, without what differs from run to run. */
export const outcomeOf = ({ output, status, steps }: RunRecord): Json =>
  // A run record is JSON.
  ({ output, status, steps }) as unknown as Json
