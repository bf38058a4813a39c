/**
 * The rules of a spec, one by one, and that what `checkSpec` refuses is what a spawn refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Result } from "effect"
import {
  ActorSystem,
  type CellSpec,
  checkSpec,
  child,
  SpecInvalid,
  type Supervision,
  supervisor
} from "../../../core/actor/index.ts"
import { DEFAULT_SUPERVISION } from "../../../core/actor/supervision.ts"
import { settle } from "../../../core/testing/index.ts"
import { everySystem } from "../fixtures.ts"
import { Family } from "./family.ts"

type Spec = CellSpec<void, never, never, never>

const good: Spec = { name: "shop", init: () => Effect.void, behavior: () => Effect.void }

/** A spec as JavaScript may pass it: types refuse what is tested here. */
const wrong = (patch: object): Spec => ({ ...good, ...patch } as Spec)

const rules = (patch: object) => ({ supervision: { strategy: "one_for_one", intensity: 3, period: 5_000, ...patch } })
const backoff = (patch: object) => rules({ backoff: { initial: 100, max: 1_000, jitter: 0.2, reset: 1_000, ...patch } })

const caring: Supervision = { ...DEFAULT_SUPERVISION, autoShutdown: "any_significant" }
const clerk = child(wrong({ name: "clerk" }))

interface Rule {
  readonly field: string
  readonly problem: RegExp
  readonly wrong: ReadonlyArray<object>
  readonly right: ReadonlyArray<object>
  /** The supervision that it would stand under; the root's if it is left out. */
  readonly parent?: Supervision
}

const significant = { significant: true, restart: "transient" }
const autoShutdown = "any_significant"

const RULES: ReadonlyArray<Rule> = [
  { field: "name", problem: /empty/, wrong: [{ name: "" }, { name: undefined }, { name: 7 }], right: [{ name: " " }] },
  { field: "init", problem: /function/, wrong: [{ init: undefined }, { init: Effect.void }], right: [] },
  { field: "behavior", problem: /function/, wrong: [{ behavior: undefined }, { behavior: "no" }], right: [] },
  {
    field: "restart",
    problem: /prmanent.*permanent, transient, temporary/,
    wrong: [{ restart: "prmanent" }],
    right: [{ restart: "permanent" }, { restart: "transient" }, { restart: "temporary" }, { restart: undefined }]
  },
  {
    field: "mailbox.capacity",
    problem: /whole number from 1/,
    wrong: [0, -1, 1.5, NaN, "10", undefined].map((capacity) => ({ mailbox: { capacity, overflow: "fail" } })),
    right: [1, 10, Infinity].map((capacity) => ({ mailbox: { capacity, overflow: "fail" } }))
  },
  {
    field: "mailbox.overflow",
    problem: /explode.*backpressure, fail, drop/,
    wrong: [{ mailbox: { capacity: 1, overflow: "explode" } }],
    right: ["backpressure", "fail", "drop"].map((overflow) => ({ mailbox: { capacity: 1, overflow } }))
  },
  {
    field: "shutdown",
    problem: /milliseconds from 0, brutal or infinity/,
    wrong: [-10, NaN, "brutal_kill", "1000", null].map((shutdown) => ({ shutdown })),
    right: [0, 1_000, Infinity, "brutal", "infinity", undefined].map((shutdown) => ({ shutdown }))
  },
  {
    field: "startTimeout",
    problem: /more than 0 milliseconds, or infinity/,
    wrong: [0, -1, NaN, "brutal", "1000", null].map((startTimeout) => ({ startTimeout })),
    right: [1, 0.5, Infinity, "infinity", undefined].map((startTimeout) => ({ startTimeout }))
  },
  {
    field: "significant",
    problem: /not be permanent/,
    parent: caring,
    wrong: [{ significant: true }, { significant: true, restart: "permanent" }],
    right: [significant, { significant: true, restart: "temporary" }, { significant: false }]
  },
  { field: "significant", problem: /needs a parent whose/, wrong: [significant], right: [{ significant: false }] },
  {
    field: "significant",
    problem: /needs a parent whose/,
    parent: { ...DEFAULT_SUPERVISION, autoShutdown: "never" },
    wrong: [significant],
    right: [{ significant: undefined }]
  },
  {
    field: "supervision.strategy",
    problem: /one_for_one, one_for_all, rest_for_one, simple_one_for_one/,
    wrong: [rules({ strategy: "none_for_one" }), rules({ strategy: undefined })],
    right: ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"].map((strategy) => rules({ strategy }))
  },
  {
    field: "supervision.intensity",
    problem: /whole number from 0, or Infinity/,
    wrong: [-1, 0.5, NaN, "infinity", undefined].map((intensity) => rules({ intensity })),
    right: [0, 1, 1_000, Infinity].map((intensity) => rules({ intensity }))
  },
  {
    field: "supervision.period",
    problem: /more than 0 milliseconds/,
    wrong: [0, -1, NaN, "infinity", undefined].map((period) => rules({ period })),
    right: [1, 0.5, 60_000, Infinity].map((period) => rules({ period }))
  },
  {
    field: "supervision.autoShutdown",
    problem: /sometimes.*never, any_significant, all_significant/,
    wrong: [rules({ autoShutdown: "sometimes" })],
    right: ["never", "any_significant", "all_significant", undefined].map((autoShutdown) => rules({ autoShutdown }))
  },
  {
    field: "supervision.autoShutdown",
    problem: /never under simple_one_for_one/,
    wrong: ["any_significant", "all_significant"].map((autoShutdown) =>
      rules({ strategy: "simple_one_for_one", autoShutdown })
    ),
    right: [rules({ strategy: "simple_one_for_one", autoShutdown: "never" })]
  },
  {
    field: "supervision.counted",
    problem: /apart.*together, each/,
    wrong: [rules({ counted: "apart" })],
    right: [rules({ counted: "together" }), rules({ counted: "each" }), rules({ counted: undefined })]
  },
  {
    field: "supervision.counted",
    problem: /together where children restart together/,
    wrong: ["one_for_all", "rest_for_one"].map((strategy) => rules({ strategy, counted: "each" })),
    right: ["one_for_one", "simple_one_for_one"].map((strategy) => rules({ strategy, counted: "each" }))
  },
  {
    field: "supervision.backoff.initial",
    problem: /milliseconds from 0/,
    wrong: [backoff({ initial: -1 }), backoff({ initial: "0", max: 1_000 })],
    right: [backoff({ initial: 0 }), backoff({ initial: 1_000 })]
  },
  {
    field: "supervision.backoff.max",
    problem: /not less than initial/,
    wrong: [99, -1, NaN, "200", undefined].map((max) => backoff({ max })),
    right: [100, Infinity].map((max) => backoff({ max }))
  },
  {
    field: "supervision.backoff.jitter",
    problem: /share from 0 to 1/,
    wrong: [-0.1, 1.1, 20, NaN, undefined].map((jitter) => backoff({ jitter })),
    right: [0, 0.5, 1].map((jitter) => backoff({ jitter }))
  },
  {
    field: "supervision.backoff.reset",
    problem: /milliseconds from 0/,
    wrong: [-1, NaN, "1000", undefined].map((reset) => backoff({ reset })),
    right: [0, Infinity].map((reset) => backoff({ reset }))
  },
  {
    field: "children",
    problem: /empty under simple_one_for_one/,
    wrong: [{ ...rules({ strategy: "simple_one_for_one" }), children: [clerk] }],
    right: [{ ...rules({ strategy: "simple_one_for_one" }), children: [] }, { children: [clerk] }]
  },
  {
    field: "children",
    problem: /two of the name clerk/,
    wrong: [{ children: [clerk, clerk] }, { children: [clerk, child(wrong({ name: "clerk" }))] }],
    right: [{ children: [clerk, child(wrong({ name: "other" }))] }]
  },
  // What child() did not make.
  { field: "children", problem: /clerk.*child\(\)/, wrong: [{ children: [{ name: "clerk" }] }], right: [] }
]

const problemsOf = (patch: object, parent?: Supervision) => {
  const result = checkSpec(wrong(patch), parent)
  return Result.isSuccess(result) ? [] : result.failure.problems
}

describe("checkSpec", () => {
  for (const { field, parent, problem, right, wrong: bad } of RULES) {
    // As in OTP's suite: flags of the supervisor, and the child itself.
    const otp = field.startsWith("supervision") ? "sup_flags" : "child_specs"
    it(`${otp}: ${field}, ${problem.source}`, () => {
      for (const patch of bad) {
        const found = problemsOf(patch, parent)
        const name = "name" in patch ? String(patch.name) : good.name
        // Exactly that problem, at exactly that place.
        assert.deepStrictEqual(found.map((it) => it.where), [`${name}: ${field}`], JSON.stringify(patch))
        assert.match(found[0]?.problem ?? "", problem)
      }
      for (const patch of right) assert.deepStrictEqual(problemsOf(patch, parent), [], JSON.stringify(patch))
    })
  }

  it("passes a good spec, with nothing given and with everything given", () => {
    assert.isTrue(Result.isSuccess(checkSpec(good)))
    const everything = {
      ...rules({ strategy: "one_for_all", autoShutdown, counted: "together" }),
      restart: "temporary",
      shutdown: "brutal",
      startTimeout: "infinity",
      mailbox: { capacity: 1, overflow: "drop" },
      children: [
        child(wrong({ ...significant, ...backoff({}), name: "a" })),
        child(supervisor({
          ...DEFAULT_SUPERVISION,
          name: "b",
          restart: "temporary",
          significant: true,
          startTimeout: 10,
          children: [clerk]
        }))
      ]
    }
    assert.deepStrictEqual(problemsOf(everything), [])
  })

  it("child_specs_map: a significant child is right just if it is not permanent and its parent cares", () => {
    for (const autoShutdown of [undefined, "never", "any_significant", "all_significant"]) {
      for (const restart of [undefined, "permanent", "transient", "temporary"]) {
        for (const significant of [undefined, true, false]) {
          const found = problemsOf({
            ...rules({ autoShutdown }),
            children: [child(wrong({ name: "clerk", restart, significant }))]
          })
          const cares = autoShutdown === "any_significant" || autoShutdown === "all_significant"
          const problems = significant !== true
            ? 0
            : (restart === undefined || restart === "permanent" ? 1 : 0) + (cares ? 0 : 1)
          assert.strictEqual(found.length, problems, `${autoShutdown} ${restart} ${significant}`)
        }
      }
    }
  })

  it("finds all problems of a tree at once, and says where", () => {
    const deep = wrong({ name: "drawer", shutdown: -1 })
    const spec = wrong({
      restart: "always",
      children: [
        child(wrong({ name: "clerk", ...rules({ period: 0 }), children: [child(deep), child(deep)] })),
        child(wrong({ name: "till", mailbox: { capacity: 0, overflow: "fail" } }))
      ]
    })
    const result = checkSpec(spec)
    assert.isTrue(Result.isFailure(result))
    if (Result.isSuccess(result)) return
    assert.instanceOf(result.failure, SpecInvalid)
    assert.strictEqual(result.failure.code, "SPEC_INVALID")
    assert.strictEqual(result.failure.actor, "shop")
    assert.sameMembers(result.failure.problems.map((it) => it.where), [
      "shop: restart",
      "shop > clerk: supervision.period",
      "shop > clerk > drawer: shutdown",
      "shop > clerk: children",
      "shop > clerk > drawer: shutdown",
      "shop > till: mailbox.capacity"
    ])
    assert.include(result.failure.message, "shop > clerk > drawer: shutdown: must be milliseconds")
  })

  it("starts nothing", () => {
    const family = new Family()
    assert.isTrue(Result.isSuccess(checkSpec(family.member("a", { children: [child(family.member("b"))] }))))
    assert.deepStrictEqual(family.take(), [])
  })
})

for (const [systemName, layer] of everySystem) {
  describe(`a wrong spec, ${systemName}`, () => {
    it.effect("at the root: SpawnFailed with SpecInvalid, and nothing was started", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        const bad = family.member("bad", { shutdown: -1 })
        for (const spec of [bad, family.member("parent", { children: [child(family.member("fine")), child(bad)] })]) {
          const error = yield* Effect.flip(system.spawn(spec))
          assert.strictEqual(error._tag, "SpawnFailed")
          assert.strictEqual(error.actor, spec.name)
          const cause = Cause.squash(error.cause)
          assert.instanceOf(cause, SpecInvalid)
          const checked = checkSpec(spec)
          assert.deepStrictEqual(cause.problems, Result.isFailure(checked) ? checked.failure.problems : [])
        }
        yield* settle
        assert.deepStrictEqual(family.take(), [])
        assert.deepStrictEqual(system.snapshotTree().children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("under a parent: looked at with its supervision; the parent lives", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const family = new Family()
        for (const autoShutdown of ["never", "any_significant"] as const) {
          yield* system.spawn(family.member("parent", { supervision: { ...DEFAULT_SUPERVISION, autoShutdown } }))
          const spec = family.member("kid", { restart: "transient", significant: true })
          const exit = yield* Effect.exit(family.context("parent").spawn(spec))
          assert.strictEqual(exit._tag, autoShutdown === "never" ? "Failure" : "Success")
          assert.strictEqual(family.attempts("kid"), autoShutdown === "never" ? 0 : 1)
        }
        assert.deepStrictEqual(system.snapshotTree().children.map((it) => it.children.length), [0, 1])
      }).pipe(Effect.provide(layer)))
  })
}
