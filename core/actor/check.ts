/**
 * The rules that a spec must keep, looked at without starting anything.
 */
import { Result } from "effect"
import { specOf } from "./children.ts"
import { SpecInvalid, type SpecProblem } from "./errors.ts"
import type { AnySpec } from "./parts.ts"
import { type Backoff, DEFAULT_SUPERVISION, type Supervision } from "./supervision.ts"
import type { CellSpec } from "./types.ts"

type Problem = typeof SpecProblem.Type
type Found = Array<Problem>

const RESTARTS = ["permanent", "transient", "temporary"]
const STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
const AUTO_SHUTDOWNS = ["never", "any_significant", "all_significant"]
const OVERFLOWS = ["backpressure", "fail", "drop"]
const COUNTED = ["together", "each"]

const isMillis = (value: unknown): boolean => typeof value === "number" && value >= 0

const isCount = (value: unknown, least: number): boolean =>
  typeof value === "number" && value >= least && (Number.isInteger(value) || value === Infinity)

/** Collects problems under one place. */
const judge = (found: Found, where: string) => ({
  must: (holds: boolean, field: string, problem: string): void => {
    if (!holds) found.push({ where: `${where}: ${field}`, problem })
  },
  oneOf: (value: unknown, allowed: ReadonlyArray<string>, field: string): void => {
    if (value === undefined || allowed.some((it) => it === value)) return
    found.push({ where: `${where}: ${field}`, problem: `is ${String(value)}, must be one of ${allowed.join(", ")}` })
  }
})

const checkBackoff = (found: Found, where: string, { initial, jitter, max, reset }: Backoff): void => {
  const { must } = judge(found, where)
  must(isMillis(initial), "supervision.backoff.initial", "must be milliseconds from 0")
  must(isMillis(max) && max >= initial, "supervision.backoff.max", "must be milliseconds, not less than initial")
  must(jitter >= 0 && jitter <= 1, "supervision.backoff.jitter", "must be a share from 0 to 1")
  must(isMillis(reset), "supervision.backoff.reset", "must be milliseconds from 0")
}

const checkSupervision = (found: Found, where: string, supervision: Supervision): void => {
  const { must, oneOf } = judge(found, where)
  const { autoShutdown, backoff, counted, intensity, period, strategy } = supervision
  must(STRATEGIES.some((it) => it === strategy), "supervision.strategy", `must be one of ${STRATEGIES.join(", ")}`)
  must(isCount(intensity, 0), "supervision.intensity", "must be a whole number from 0, or Infinity")
  must(isMillis(period) && period > 0, "supervision.period", "must be more than 0 milliseconds")
  oneOf(autoShutdown, AUTO_SHUTDOWNS, "supervision.autoShutdown")
  oneOf(counted, COUNTED, "supervision.counted")
  must(
    strategy !== "simple_one_for_one" || autoShutdown === undefined || autoShutdown === "never",
    "supervision.autoShutdown",
    "must be never under simple_one_for_one: none of many alike children is significant"
  )
  must(
    counted !== "each" || strategy === "one_for_one" || strategy === "simple_one_for_one",
    "supervision.counted",
    "must be together where children restart together"
  )
  if (backoff !== undefined) checkBackoff(found, where, backoff)
}

/** What a spec says of itself and, under `parent`, of its place. */
const checkOwn = (found: Found, where: string, spec: AnySpec, parent: Supervision): void => {
  const { must, oneOf } = judge(found, where)
  const { mailbox, restart, shutdown, significant, startTimeout } = spec
  must(typeof spec.name === "string" && spec.name !== "", "name", "must not be empty")
  must(typeof spec.init === "function", "init", "must be a function")
  must(typeof spec.behavior === "function", "behavior", "must be a function")
  oneOf(restart, RESTARTS, "restart")
  if (mailbox !== undefined) {
    must(isCount(mailbox.capacity, 1), "mailbox.capacity", "must be a whole number from 1")
    oneOf(mailbox.overflow, OVERFLOWS, "mailbox.overflow")
  }
  must(
    shutdown === undefined || shutdown === "brutal" || shutdown === "infinity" || isMillis(shutdown),
    "shutdown",
    "must be milliseconds from 0, brutal or infinity"
  )
  must(
    startTimeout === undefined || startTimeout === "infinity" || (isMillis(startTimeout) && startTimeout > 0),
    "startTimeout",
    "must be more than 0 milliseconds, or infinity"
  )
  if (significant !== true) return
  must((restart ?? "permanent") !== "permanent", "significant", "must not be permanent: it would never be missed")
  must(
    (parent.autoShutdown ?? "never") !== "never",
    "significant",
    "needs a parent whose supervision.autoShutdown is any_significant or all_significant"
  )
}

const checkChildren = (found: Found, where: string, spec: AnySpec, supervision: Supervision): void => {
  const { children = [] } = spec
  const { must } = judge(found, where)
  must(
    children.length === 0 || supervision.strategy !== "simple_one_for_one",
    "children",
    "must be empty under simple_one_for_one: its children are started by spawn"
  )
  const names = new Set<string>()
  for (const child of children) {
    must(!names.has(child.name), "children", `has two of the name ${child.name}`)
    names.add(child.name)
    const spec = specOf(child)
    must(spec !== undefined, "children", `has ${child.name}, which is not made by child()`)
    if (spec !== undefined) checkTree(found, `${where} > ${child.name}`, spec, supervision)
  }
}

const checkTree = (found: Found, where: string, spec: AnySpec, parent: Supervision): void => {
  const supervision = spec.supervision ?? DEFAULT_SUPERVISION
  checkOwn(found, where, spec, parent)
  if (spec.supervision !== undefined) checkSupervision(found, where, spec.supervision)
  if (spec.children !== undefined) checkChildren(found, where, spec, supervision)
}

/** What is wrong with a spec, and with those below it, as a child under `parent`. */
export const problemsOf = (spec: AnySpec, parent: Supervision): ReadonlyArray<Problem> => {
  const found: Array<Problem> = []
  checkTree(found, String(spec.name), spec, parent)
  return found
}

/**
 * Looks at a spec, and at all that its `children` list, without starting anything: what it fails with is what starting
 * it would be refused with. `parent` is the supervision it would stand under; the root's if it is left out.
 */
export const checkSpec = <S, M, E, R>(
  spec: CellSpec<S, M, E, R>,
  parent: Supervision = DEFAULT_SUPERVISION
): Result.Result<void, SpecInvalid> => {
  // Rules look at data, not at messages.
  const problems = problemsOf(spec as unknown as AnySpec, parent)
  return problems.length === 0 ? Result.void : Result.fail(new SpecInvalid({ actor: String(spec.name), problems }))
}
