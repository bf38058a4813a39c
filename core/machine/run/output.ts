/**
 * Outputs: what one turn gives a step, and what a step gives the run.
 */
import type { Identity } from "../../../sdk/ids.ts"
import type { Json } from "../../../sdk/json.ts"
import type { StepPlan } from "./plan.ts"

/** Longest piece of a raw output that an error repeats, in characters. */
const EXCERPT = 200

/** One success of a step over targets. */
export interface TargetOutput {
  readonly target: Identity
  readonly output: Json
}

/** A value, or why there is none. */
type ParsedOutput = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly error: string }

/**
 * The value of one turn. Text steps take the raw text. JSON steps take the structured value if the member gave one,
 * else the parsed text, else the parsed first code fence.
 */
export const parseOutput = (
  step: StepPlan,
  target: Identity,
  outcome: { readonly output: string; readonly structured?: Json }
): ParsedOutput => {
  if (!step.json) return { ok: true, value: outcome.output }
  if (outcome.structured !== undefined) return { ok: true, value: outcome.structured }
  const whole = parseJson(outcome.output)
  if (whole.ok) return whole
  const fenced = firstFence(outcome.output)
  const inner = fenced === undefined ? whole : parseJson(fenced)
  if (inner.ok) return inner
  const excerpt = outcome.output.length > EXCERPT ? `${outcome.output.slice(0, EXCERPT)}...` : outcome.output
  return {
    ok: false,
    error: `malformed JSON output for step '${step.id}' target '${target}': ${whole.error}; raw_output="${excerpt}"`
  }
}

const parseJson = (text: string): ParsedOutput => {
  try {
    // JSON.parse gives JSON values only.
    return { ok: true, value: JSON.parse(text) as Json }
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) }
  }
}

/** Body of the first code fence; prose before it and the rest of its opening line are dropped. */
const firstFence = (text: string): string | undefined => {
  const open = text.indexOf("```")
  if (open < 0) return undefined
  const body = text.indexOf("\n", open)
  if (body < 0) return undefined
  const close = text.indexOf("```", body)
  return close < 0 ? undefined : text.slice(body + 1, close)
}

/**
 * The value of a step from its successes, which come by identity. `fan_in` gives `[{target, output}]`; else `any`
 * gives the first success alone, `all` and `quorum` an object by identity.
 */
export const aggregate = (step: StepPlan, successes: ReadonlyArray<TargetOutput>): Json => {
  if (step.mode === "fan_in") return successes.map(({ target, output }) => ({ target, output }))
  if (step.policy.type === "any") return successes[0]?.output ?? null
  return Object.fromEntries(successes.map(({ target, output }) => [target, output]))
}
