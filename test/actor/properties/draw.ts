/**
 * Draws random programs.
 */
import fc from "fast-check"
import type { Supervision } from "../../../core/actor/index.ts"
import type { Act, CellPlan, Ending, Errand, Program, Start, Step, Target, Turn } from "./program.ts"

const one = fc.constant
const flag = fc.boolean()
/** Whole milliseconds: those that meet are meant to. */
const wait = fc.constantFrom(0, 1, 2, 10, 10, 40)
const often = <A>(weight: number, arbitrary: fc.Arbitrary<A>) => ({ weight, arbitrary })
const list = <A>(arbitrary: fc.Arbitrary<A>, least: number, most: number) =>
  fc.array(arbitrary, { minLength: least, maxLength: most, size: "max" })

// Trees

const intensity = fc.constantFrom(0, 1, 3, 5, 10, Infinity, Infinity, Infinity)
const period = fc.constantFrom(20, 200, 5_000)
const backoff = fc.constantFrom(
  { initial: 5, max: 40, jitter: 0, reset: 100 },
  { initial: 20, max: 20, jitter: 0.5, reset: 1_000 }
)
const autoShutdown = fc.constantFrom("never", "never", "any_significant", "all_significant")

/** Where children restart by themselves, or are many and alike. */
const eachAlone = (strategy: "one_for_one" | "simple_one_for_one"): fc.Arbitrary<Supervision> =>
  fc.record({ strategy: one(strategy), intensity, period, counted: fc.constantFrom("together", "each"), backoff }, {
    requiredKeys: ["strategy", "intensity", "period"]
  })

const together: fc.Arbitrary<Supervision> = fc.record({
  strategy: fc.constantFrom("one_for_one", "one_for_all", "one_for_all", "rest_for_one", "rest_for_one"),
  intensity,
  period,
  backoff,
  autoShutdown
}, { requiredKeys: ["strategy", "intensity", "period"] })

const supervision = fc.oneof(often(3, together), often(1, eachAlone("one_for_one")))

const start: fc.Arbitrary<Start> = fc.oneof(
  often(9, fc.constantFrom<Start>("plain", "plain", "yields", "slow")),
  often(1, fc.constantFrom<Start>("stubborn", "stubborn", "fails", "throws", "ends", "hangs"))
)
const firstStart: fc.Arbitrary<Start> = fc.oneof(
  often(60, fc.constantFrom<Start>("plain", "plain", "yields", "slow")),
  often(1, fc.constantFrom<Start>("stubborn", "stubborn", "fails", "throws", "ends", "hangs"))
)

const own = {
  mailbox: fc.record({
    capacity: fc.constantFrom(1, 2, 3, 8, 1_000),
    overflow: fc.constantFrom("backpressure", "backpressure", "fail", "drop")
  }),
  shutdown: fc.constantFrom<CellPlan["shutdown"]>(20, 60, 60, "brutal", "infinity"),
  starts: fc.tuple(firstStart, list(start, 0, 4)).map(([first, others]) => [first, ...others]),
  farewell: fc.constantFrom("none", "plain", "plain", "slow", "stubborn", "dies"),
  finalizers: fc.constantFrom(0, 0, 1, 2),
  listed: flag
} as const

const restart = fc.constantFrom("permanent", "permanent", "permanent", "permanent", "transient", "temporary")

/** As a child under that supervision; `deeper` more below. */
const cellUnder = (parent: Supervision, deeper: number): fc.Arbitrary<CellPlan> => {
  const canMatter = (parent.autoShutdown ?? "never") !== "never"
  const below = deeper === 0
    ? fc.record({ supervision, children: one<ReadonlyArray<CellPlan>>([]) })
    : fc.oneof(often(4, supervision), often(1, eachAlone("simple_one_for_one"))).chain((supervision) =>
      fc.record({
        supervision: one(supervision),
        children: list(cellUnder(supervision, deeper - 1), deeper === 2 ? 1 : 0, 3)
      })
    )
  return fc.tuple(fc.record(own), below, restart, flag).map(([own, below, restart, significant]) => ({
    ...own,
    ...below,
    listed: own.listed && below.supervision.strategy !== "simple_one_for_one",
    restart,
    significant: significant && canMatter && restart !== "permanent"
  }))
}

const PLAIN: Supervision = { strategy: "one_for_one", intensity: 3, period: 5_000 }
const tree = cellUnder(PLAIN, 2)
/** What is spawned while all runs; under any supervision, so never significant. */
const sprout = fc.oneof(often(3, cellUnder(PLAIN, 0)), often(1, cellUnder(PLAIN, 1)))

// Turns

const targetAmong = (...among: ReadonlyArray<Target["among"]>): fc.Arbitrary<Target> =>
  fc.record({ among: fc.constantFrom(...among), number: fc.nat(5) })
const anybody = targetAmong("self", "parent", "living", "living", "living", "all")
const somebody = targetAmong("living", "living", "living", "all")
const key = fc.constantFrom("a", "b")

const ending: fc.Arbitrary<Ending> = fc.oneof(
  often(20, one<Ending>("done")),
  often(3, fc.constantFrom<Ending>("fails", "dies", "throws")),
  often(1, one<Ending>("interrupts"))
)

/** Acts of a turn that sends others only if `deeper`; a message that was made by a timer or a watch is never put aside. */
const actOf = (deeper: number, canStash: boolean): fc.Arbitrary<Act> => {
  const simple = fc.oneof(
    often(3, fc.record({ type: one("sleep"), millis: wait })),
    often(2, fc.record({ type: one("stubborn"), millis: fc.constantFrom(10, 40, 100) })),
    often(4, fc.record({ type: fc.constantFrom("yield", "answer", "answer", "answer", "refuse") })),
    often(3, fc.record({ type: fc.constantFrom("keep", "keep", "answerKept") })),
    often(3, fc.record({ type: fc.constantFrom("unstash", canStash ? "stash" : "unstash") })),
    often(1, fc.record({ type: fc.constantFrom("suspend", "end", "shutdown", "crashSelf") })),
    often(4, fc.record({ type: fc.constantFrom("watch", "watch", "watch", "unwatch"), to: anybody })),
    often(1, fc.record({ type: fc.constantFrom("crash", "crash", "stop", "drain"), to: anybody })),
    often(1, fc.record({ type: one("cancel"), key }))
  )
  if (deeper === 0) return simple
  const turn = turnOf(deeper - 1)
  const errand: fc.Arbitrary<Errand> = fc.oneof(
    fc.record({ type: fc.constantFrom("nothing", "never", "fail", "resume", "resume", "unstash") }),
    fc.record({ type: one("tell"), to: anybody, turn })
  )
  return fc.oneof(
    often(12, simple),
    often(3, fc.record({ type: one("tell"), to: anybody, turn, waits: flag })),
    often(2, fc.record({ type: one("ask"), to: anybody, turn, timeout: fc.constantFrom(5, 30, 100) })),
    often(1, fc.record({ type: one("spawn"), plan: cellUnder(PLAIN, 0) })),
    often(3, fc.record({ type: one("timer"), key, millis: wait, periodic: flag, turn: turnOf(deeper - 1, false) })),
    often(2, fc.record({ type: one("fork"), millis: wait, stubborn: flag, errand }))
  )
}

const turnOf = (deeper: number, canStash = true): fc.Arbitrary<Turn> =>
  fc.record({ acts: list(actOf(deeper, canStash), 0, deeper === 0 ? 2 : 4), ending, plain: flag })

const turn = turnOf(2)

/** Most questions are answered: first of all, or in the end. */
const answering = fc.tuple(turn, fc.constantFrom("first", "last", "last", "kept", "perhaps")).map(
  ([turn, when]): Turn => {
    if (when === "first") return { ...turn, acts: [{ type: "answer" }, ...turn.acts] }
    if (when === "last") return { ...turn, acts: [...turn.acts, { type: "answer" }] }
    return when === "kept" ? { ...turn, acts: [{ type: "keep" }, ...turn.acts] } : turn
  }
)

// Programs

const step: fc.Arbitrary<Step> = fc.oneof(
  often(5, fc.record({ type: one("tellNow"), to: somebody, turns: list(turn, 1, 3) })),
  often(4, fc.record({ type: one("tell"), sender: fc.nat(2), to: somebody, turns: list(turn, 1, 3) })),
  often(
    5,
    fc.record({
      type: one("ask"),
      to: somebody,
      turn: answering,
      timeout: fc.constantFrom(1, 10, 50, 500, 100_000, Infinity),
      patience: fc.constantFrom(5, 5_000, Infinity, Infinity)
    })
  ),
  often(2, fc.record({ type: fc.constantFrom("crash", "crash", "end", "shutdown"), to: somebody })),
  often(2, fc.record({ type: fc.constantFrom("suspend", "resume", "resume"), to: somebody })),
  often(1, fc.record({ type: fc.constantFrom("stop", "drain"), to: somebody })),
  often(1, fc.record({ type: one("spawn"), to: somebody, plan: sprout })),
  often(3, fc.record({ type: fc.constantFrom("yield", "yield", "settle") })),
  often(4, fc.record({ type: one("advance"), millis: fc.constantFrom(1, 10, 30, 100) }))
)

/** One run under that seed of the run queue. */
export const program = (seed: number): fc.Arbitrary<Program> =>
  fc.record({
    seed: one(seed),
    roots: list(tree, 1, 2),
    steps: fc.tuple(fc.constantFrom(0, 60, 60), list(step, 1, 40)).map(([millis, steps]) => [
      { type: "advance" as const, millis },
      ...steps
    ]),
    finish: fc.constantFrom("stop", "drain", "close")
  })
