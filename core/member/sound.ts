/**
 * What a bridge says, before a machine hears it. Its types do not hold a plugin in JavaScript, or one that passes on what
 * its member said; and what cannot be written as JSON, or be read again, would make records of the mob unreadable.
 */
import { Schema } from "effect"
import { type BridgeExit, type Known, ProcessRecord } from "../../sdk/bridge.ts"
import type { Outcome } from "../../sdk/outcome.ts"

/** Deeper values are refused: they would end the stack of whoever walks them. */
const DEPTH = 500

/** Lines of a log that an exit keeps. */
const LINES = 20

/** What keeps a value from being the same after it was written as JSON and read again; undefined if nothing does. */
export const jsonFault = (value: unknown, depth = 0): string | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : `${value} is no JSON number`
    case "object": {
      if (value === null) return undefined
      if (depth === DEPTH) return "it is nested too deeply, or contains itself"
      for (const item of Array.isArray(value) ? value : Object.values(value)) {
        const fault = jsonFault(item, depth + 1)
        if (fault !== undefined) return fault
      }
      return undefined
    }
    default:
      return `it holds a value of type ${typeof value}`
  }
}

const outcomeFault = (outcome: Outcome): string | undefined => {
  // The type promises more than is known here.
  const it: { readonly [field: string]: unknown } = typeof outcome === "object" && outcome !== null
    ? { ...outcome }
    : {}
  switch (it["status"]) {
    case "completed":
      if (typeof it["output"] !== "string") return "its output is no text"
      return it["structured"] === undefined && !("structured" in it) ? undefined : jsonFault(it["structured"])
    case "failed":
      return typeof it["code"] === "string" && typeof it["reason"] === "string" ? undefined : "it has no code or reason"
    case "canceled":
      return typeof it["reason"] === "string" ? undefined : "it has no reason"
    default:
      return "its status is none"
  }
}

/** The outcome itself, or the failure that an unsound one is. */
export const soundOutcome = (outcome: Outcome): Outcome => {
  const fault = outcomeFault(outcome)
  if (fault === undefined) return outcome
  return { status: "failed", code: "outcome_invalid", reason: `the member's outcome cannot be recorded: ${fault}` }
}

/** The exit with every field there, and no more of the log than is kept. */
export const soundExit = (exit: Partial<BridgeExit> | undefined): BridgeExit => ({
  code: String(exit?.code ?? "member_exited"),
  message: String(exit?.message ?? "the bridge did not say why"),
  log: Array.isArray(exit?.log) ? exit.log.slice(-LINES).map(String) : []
})

/** Inputs that the member knows, with sound outcomes. */
export const soundKnown = (observed: ReadonlyArray<Known>): ReadonlyArray<Known> =>
  observed.filter((it) => typeof it.input === "string").map((it) =>
    it.state === "ended" ? { ...it, outcome: soundOutcome(it.outcome) } : it
  )

/** Whether a process can be recorded. */
export const isProcessRecord = Schema.is(ProcessRecord)
