/**
 * A supervisor and three members to which things happen one after the other, each of them held to the oracle.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { ActorSystem } from "../../../core/actor/index.ts"
import { advance, settle } from "../../../core/testing/index.ts"
import type { Order } from "../fixtures.ts"
import { Family } from "./family.ts"
import { expected, follows, type Happening, NAMES, type State } from "./oracle.ts"

const START_TIMEOUT = 1_000
const ANEW = ["start parent", ...NAMES.map((name) => `start ${name}`)]

const order = (family: Family, { end, member }: Happening): Order => {
  switch (end) {
    case "normal":
      return { type: "end" }
    case "shutdown":
      return { type: "run", effect: Effect.sync(() => family.context(member).end("shutdown")) }
    case "failure":
      return { type: "fail", error: "boom" }
    case "defect":
      return { type: "die", defect: "boom" }
  }
}

/** Starts it, all up. `happens` lets one of them end, waits until all is quiet, and looks at what was to be seen. */
export const household = (begin: State) =>
  Effect.gen(function*() {
    const { intensity, restarts, strategy } = begin
    const system = yield* ActorSystem
    const family = new Family()
    /** Under which incarnation of the parent, too: the next one starts them all. */
    let bad: Happening["badStart"] & { readonly parent: number } | undefined = undefined as typeof bad
    let state = begin
    let escalations = 0

    const starts = (name: string) => () =>
      Effect.suspend(() => {
        if (bad?.member !== name || bad.parent !== family.attempts("parent")) return Effect.void
        const { how } = bad
        bad = undefined
        return how === "fails" ? Effect.fail("no start") : Effect.never
      })
    const kids = NAMES.map((name) =>
      family.member(name, { restart: restarts[name], startTimeout: START_TIMEOUT, starts: starts(name) })
    )
    const parent = family.member("parent", { kids, supervision: { strategy, intensity, period: Infinity } })
    // Whose own end is not looked at.
    yield* system.spawn(family.member("top", {
      kids: [parent],
      supervision: { strategy: "one_for_one", intensity: Infinity, period: 1 }
    }))
    assert.deepStrictEqual(family.take(), ["start top", ...ANEW])

    const announced: Array<string> = []
    system.tap.subscribe(({ _tag, name }) => {
      if (_tag === "Restarting") announced.push(`start ${name}`)
    })
    const restartsSeen = new Map<string, number>()
    const happens = (happening: Happening) =>
      Effect.gen(function*() {
        const { badStart, member } = happening
        const must = expected(state, happening)
        const before = family.ref(member)
        bad = badStart === undefined ? undefined : { ...badStart, parent: family.attempts("parent") }
        before.tellUnsafe(order(family, happening))
        yield* settle
        yield* advance(badStart === undefined ? 0 : 2 * START_TIMEOUT)
        bad = undefined

        const log = family.take()
        const steps = must.escalated ? [...must.steps, ...ANEW] : must.steps
        const shown = steps.map((it) => typeof it === "string" ? it : [...it])
        assert.isTrue(follows(log, steps), `${JSON.stringify(log)} instead of ${JSON.stringify(shown)}`)
        // Each restart is announced, once.
        const restarted = log.filter((line) => line.startsWith("start "))
        const told = announced.splice(0)
        if (!must.escalated) assert.deepStrictEqual(told.toSorted(), restarted.toSorted())
        state = must.escalated ? begin : must
        if (must.escalated) {
          escalations++
          restartsSeen.clear()
        }
        const [node] = system.snapshotTree().children[0]?.children ?? []
        assert.deepStrictEqual(node?.children.map((it) => [it.name, it.status]), state.up.map((it) => [it, "running"]))
        assert.strictEqual(node?.restarts, escalations)
        for (const { name, restarts } of node?.children ?? []) {
          const starts = must.escalated ? 0 : log.filter((line) => line === `start ${name}`).length
          restartsSeen.set(name, (restartsSeen.get(name) ?? 0) + starts)
          assert.strictEqual(restarts, restartsSeen.get(name), `restarts of ${name}`)
        }
        // A reference outlives restarts of its cell, but not its cell.
        assert.strictEqual(
          before.tellUnsafe({ type: "note", text: "after" }),
          !must.escalated && must.up.includes(member)
        )
        yield* settle
        family.take()
      })
    return { happens, state: () => state }
  })
