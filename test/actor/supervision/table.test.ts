/**
 * The table: strategy, restart type, reason, place, once and once too often; what must happen is the oracle's.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestSystem } from "../../../core/testing/index.ts"
import { seeds } from "../fixtures.ts"
import { household } from "./household.ts"
import {
  type BadStart,
  type End,
  expected,
  type Happening,
  NAMES,
  type Restart,
  type State,
  type Strategy
} from "./oracle.ts"

const PLACES = { a: "first", b: "middle", c: "last" } as const
const STRATEGIES: ReadonlyArray<Strategy> = ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
const RESTARTS: ReadonlyArray<Restart> = ["permanent", "transient", "temporary"]
const ENDS: ReadonlyArray<End> = ["normal", "shutdown", "failure", "defect"]
const HOWS: ReadonlyArray<BadStart["how"]> = ["fails", "hangs"]

/** One cell of the table. */
interface Case {
  readonly state: State
  readonly happening: Happening
  /** The restart type of the other two. */
  readonly others: Restart
}

/** With an intensity that is enough for all that the oracle counts, and with one less. */
const cases = (
  strategy: Strategy,
  happening: Happening,
  restart: Restart,
  others: Restart = "permanent"
): ReadonlyArray<Case> => {
  const restarts = { a: others, b: others, c: others, [happening.member]: restart }
  const state: State = { strategy, restarts, intensity: Infinity, counted: 0, up: NAMES }
  const { counted } = expected(state, happening)
  return (counted === 0 ? [0] : [counted, counted - 1]).map((intensity) => ({
    state: { ...state, intensity },
    happening,
    others
  }))
}

const CASES: ReadonlyArray<Case> = STRATEGIES.flatMap((strategy) =>
  NAMES.flatMap((member) => [
    ...RESTARTS.flatMap((restart) => ENDS.flatMap((end) => cases(strategy, { member, end }, restart))),
    // Its own restart does not succeed at once, or that of another.
    ...RESTARTS.flatMap((restart) =>
      NAMES.flatMap((bad) =>
        HOWS.flatMap((how) => cases(strategy, { member, end: "failure", badStart: { member: bad, how } }, restart))
      )
    ),
    // What becomes of others that are not permanent.
    ...cases(strategy, { member, end: "failure" }, "permanent", "transient"),
    ...cases(strategy, { member, end: "failure" }, "permanent", "temporary")
  ])
)

/** The case of OTP's own supervisor_SUITE that says the same. */
const otpName = ({ happening: { badStart, end, member }, others, state }: Case): string => {
  const { intensity, restarts, strategy } = state
  if (expected(state, { member, end, ...badStart && { badStart } }).escalated) return `${strategy}_escalation`
  if (badStart !== undefined && badStart.member !== member && intensity > 1) {
    return `${strategy}_other_child_fails_restart`
  }
  if (others === "temporary") return "temporary_bystander"
  if (strategy !== "one_for_one" && intensity > 0) return strategy
  return `${restarts[member]}_${end === "normal" || end === "shutdown" ? end : "abnormal"}`
}

const SENTENCES: Record<End, string> = {
  normal: "ends",
  shutdown: "ends with shutdown",
  failure: "fails",
  defect: "has a defect"
}

const sentence = (it: Case): string => {
  const { happening: { badStart, end, member }, others, state: { intensity, restarts, strategy } } = it
  const who = `${strategy}: the ${PLACES[member]} of three, ${restarts[member]}`
  const siblings = others === "permanent" ? "" : ` among ${others} siblings`
  const start = badStart === undefined
    ? ""
    : `, and ${badStart.member === member ? "it" : `the ${PLACES[badStart.member]}`} ${
      badStart.how === "fails" ? "does not start" : "hangs in its start"
    } once`
  return `${who}${siblings}, ${SENTENCES[end]}${start}; intensity ${intensity} (OTP: ${otpName(it)})`
}

const check = ({ happening, state }: Case) => Effect.flatMap(household(state), (house) => house.happens(happening))

describe("supervision table, production run queue", () => {
  for (const one of CASES) {
    it.effect(sentence(one), () => Effect.provide(check(one), TestSystem.layerProduction()))
  }
})

describe("supervision table, seeded run queue", () => {
  for (const one of CASES) {
    it.effect(
      sentence(one),
      () =>
        Effect.forEach(seeds(2, 100), (seed) => Effect.provide(check(one), TestSystem.layer(seed)), { discard: true })
    )
  }
})

describe("supervision table", () => {
  it("has at least 150 cells, no two alike", () => {
    assert.isAtLeast(CASES.length, 150)
    assert.strictEqual(new Set(CASES.map(sentence)).size, CASES.length)
  })
})
