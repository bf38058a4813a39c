/**
 * The timeline of a run, from the public events of its mob: who worked when, and who died. A pure function.
 */
import type { StoredEvent } from "mobwright/sdk"

/** A turn of a member, in milliseconds since the first event of the run. */
export interface Turn {
  readonly start: number
  readonly end: number
}

/** One member's row. `crashes` and `restarts` are moments. */
export interface Lane {
  readonly identity: string
  readonly turns: ReadonlyArray<Turn>
  readonly crashes: ReadonlyArray<number>
  readonly restarts: ReadonlyArray<number>
}

/** A run as its events tell it. `span` is its length in milliseconds. */
export interface Timeline {
  readonly span: number
  readonly lanes: ReadonlyArray<Lane>
  readonly kills: number
  readonly restarts: number
  readonly redeliveries: number
}

const text = (value: unknown): string => typeof value === "string" ? value : ""

/**
 * Reads the events of one run, oldest first; crashes and restarts of members count from the run's first event to its
 * last one.
 */
export const timelineOf = (events: ReadonlyArray<StoredEvent>, run: string): Timeline => {
  const ofRun = events.filter(({ event }) => event["run_id"] === run)
  const start = ofRun[0]?.at ?? 0
  const span = (ofRun.at(-1)?.at ?? start) - start
  const from = ofRun[0]?.cursor ?? 0
  const lanes = new Map<string, { turns: Array<Turn>; crashes: Array<number>; restarts: Array<number> }>()
  const laneOf = (identity: string) => {
    const lane = lanes.get(identity) ?? { turns: [], crashes: [], restarts: [] }
    lanes.set(identity, lane)
    return lane
  }
  const open = new Map<string, number>()
  let redeliveries = 0
  for (const { at, cursor, event } of events) {
    if (cursor < from) continue
    const moment = at - start
    const key = `${text(event["step_id"])}/${text(event["target"])}/${String(event["item"] ?? "")}`
    switch (event["type"]) {
      case "step_dispatched":
        open.set(key, moment)
        break
      case "step_target_completed":
      case "step_target_failed": {
        const began = open.get(key)
        open.delete(key)
        if (event["run_id"] === run && began !== undefined) {
          laneOf(text(event["target"])).turns.push({ start: began, end: moment })
        }
        break
      }
      case "step_redelivered":
        if (event["run_id"] === run) redeliveries++
        break
      case "member_crashed":
        laneOf(text(event["identity"])).crashes.push(moment)
        break
      case "member_restarted":
        laneOf(text(event["identity"])).restarts.push(moment)
        break
    }
  }
  const rows = [...lanes].map(([identity, lane]): Lane => ({ identity, ...lane })).sort((a, b) =>
    a.identity < b.identity ? -1 : 1
  )
  const total = (of: (lane: Lane) => number) => rows.reduce((sum, lane) => sum + of(lane), 0)
  return {
    span,
    lanes: rows,
    kills: total((lane) => lane.crashes.length),
    restarts: total((lane) => lane.restarts.length),
    redeliveries
  }
}
