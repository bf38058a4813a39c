/**
 * What people read: tables, event lines, durations. Results go to stdout, everything on the way there to stderr.
 */
import { Console, type Effect } from "effect"
import type { Diagnostic } from "../../sdk/definition/index.ts"
import type { JsonObject } from "../../sdk/json.ts"
import type { TreeNode } from "../actor/types.ts"
import type { RunRecord } from "../mob/types.ts"

/** Writes a result. */
export const result = (text: string): Effect.Effect<void> => Console.log(text)

/** Writes a line about what is going on. */
export const progress = (text: string): Effect.Effect<void> => Console.error(text)

/** Writes a result as JSON, for `--json`. */
export const resultJson = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, null, 2))

/** One finding about a definition as one line. */
export const findingLine = ({ code, location, message, severity }: Diagnostic): string =>
  `${severity} ${code}${location === undefined ? "" : ` at ${location}`}: ${message}`

/** Columns padded to the widest cell; two spaces between them. Empty columns at the end of a line leave no spaces. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)))
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join(
    "\n"
  )
}

/** A duration for people: `3 ms`, `1.2 s`, `4 min 10 s`, `3 h 2 min`. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.max(0, Math.round(millis))} ms`
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`
  const seconds = Math.floor(millis / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`
}

/** A time for people, in UTC to the second. */
export const time = (millis: number): string => new Date(millis).toISOString().replace(/\.\d+Z$/, "Z")

/** One event as one line, without its time. Unknown ones show their fields. */
export const eventLine = (event: JsonObject): string => {
  const text = (key: string): string => {
    const value = event[key]
    return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value)
  }
  switch (event["type"]) {
    case "flow_started":
      return `flow ${text("flow_id")} started as run ${text("run_id")}`
    case "flow_completed":
      return `flow ${text("flow_id")} completed`
    case "flow_failed":
      return `flow ${text("flow_id")} failed: ${text("reason")}`
    case "flow_canceled":
      return `flow ${text("flow_id")} canceled`
    case "step_dispatched":
      return `${text("step_id")}: sent to ${text("target")}`
    case "step_redelivered":
      return `${text("step_id")}: sent again to ${text("target")}`
    case "step_target_completed":
      return `${text("step_id")}: ${text("target")} done`
    case "step_target_failed":
      return `${text("step_id")}: ${text("target")} failed: ${text("reason")}`
    case "step_completed":
      return `${text("step_id")}: completed`
    case "step_failed":
      return `${text("step_id")}: failed: ${text("reason")}`
    case "step_skipped":
      return `${text("step_id")}: skipped${text("reason") === "" ? "" : `: ${text("reason")}`}`
    case "member_crashed":
    case "member_broken":
      return `member ${text("identity")} ${text("type") === "member_broken" ? "is broken" : "crashed"}: ${
        text("cause")
      }`
    case "member_spawned":
    case "member_restarted":
    case "member_retiring":
    case "member_retired":
      return `member ${text("identity")} ${text("type").slice("member_".length)}`
    default: {
      const fields = Object.keys(event).filter((key) => key !== "type").map((key) => `${key}=${text(key)}`)
      return [text("type"), ...fields].join(" ")
    }
  }
}

/** A run for people: a line about it, and one for each step. */
export const runText = (run: RunRecord): string => {
  const took = run.completed_at === null ? "" : ` in ${duration(run.completed_at - run.started_at)}`
  const head = `run ${run.run_id} of flow ${run.flow_id}: ${run.status}${took}${
    run.reason === undefined ? "" : `: ${run.reason}`
  }`
  const steps = Object.entries(run.steps).map(([id, step]) => [
    `  ${id}`,
    step.status,
    step.reason ?? (step.output === undefined ? "" : excerpt(JSON.stringify(step.output)))
  ])
  return steps.length === 0 ? head : `${head}\n${table(["  STEP", "STATUS", "OUTPUT"], steps)}`
}

const excerpt = (text: string) => text.length <= 80 ? text : `${text.slice(0, 77)}...`

/** Text of somebody else as part of one line: line ends and what a terminal would obey become spaces. */
const inLine = (text: string) => text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim()

/** A tree of cells, a line each: `name  path  (what is unusual about it)`, and lines that show what hangs on what. */
export const treeText = (node: TreeNode, indent = ""): string => {
  const { children, lastFailure, mailbox, name, path, restarts, status } = node
  const about = [
    ...(status === "running" ? [] : [status]),
    ...(mailbox > 0 ? [`${mailbox} waiting`] : []),
    ...(restarts > 0 ? [restarts === 1 ? "1 restart" : `${restarts} restarts`] : []),
    ...(lastFailure === undefined ? [] : [`${time(lastFailure.at)} failed: ${excerpt(inLine(lastFailure.message))}`])
  ]
  const line = `${inLine(name)}  ${path}${about.length === 0 ? "" : `  (${about.join(", ")})`}`
  const below = children.map((child, index) => {
    const last = index === children.length - 1
    return `${indent}${last ? "`- " : "|- "}${treeText(child, `${indent}${last ? "   " : "|  "}`)}`
  })
  return [line, ...below].join("\n")
}
