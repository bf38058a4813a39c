/**
 * Bridges and cells that misbehave: what a member's bridge does wrong costs that member, never its mob, and never
 * leaves an input, a retire or a close without an end.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { advance, settle } from "mobwright/testing"
import { FakeMembers } from "./fake-members.ts"
import { Saboteur } from "./saboteur.ts"
import { chain, define, host, makeDisk, world } from "./world.ts"

type Services = Effect.Services<ReturnType<typeof host>> | Effect.Services<ReturnType<typeof advance>>

const scenario = <A, E>(
  test: (parts: { readonly members: FakeMembers; readonly saboteur: Saboteur }) => Effect.Effect<A, E, Services>
) => {
  const members = new FakeMembers()
  const saboteur = new Saboteur()
  return test({ members, saboteur }).pipe(Effect.provide(world(members, makeDisk(), 1, saboteur)))
}

describe("a bridge whose deliver", () => {
  for (
    const [how, effect] of [["dies", Effect.die(new Error("bug"))], ["interrupts itself", Effect.interrupt]] as const
  ) {
    it.live(`${how} has crashed, and the turn is delivered to the next incarnation`, () =>
      scenario(({ members }) =>
        Effect.gen(function*() {
          const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
          let died = false
          members.beforeDeliver = () =>
            Effect.suspend(() => {
              if (died) return Effect.void
              died = true
              return effect
            })
          const { run_id } = yield* mob.runFlow("main")
          yield* advance("2 seconds")
          expect((yield* mob.run(run_id)).status).toBe("completed")
          expect((yield* mob.members)[0]?.restarts).toBe(1)
        })
      ))
  }
})

describe("a bridge whose bind", () => {
  for (
    const [how, effect] of [
      ["never returns", Effect.never],
      ["never returns and cannot be interrupted", Effect.uninterruptible(Effect.never)]
    ] as const
  ) {
    it.live(`${how} does not keep its member from being retired`, () =>
      scenario(({ members }) =>
        Effect.gen(function*() {
          members.beforeBind.set("w-1", () => effect)
          const { mob } = yield* host(yield* define({ members: ["w-1", "w-2"] }))
          yield* mob.retire("w-1")
          yield* advance("40 seconds")
          expect((yield* mob.members).map((it) => it.identity)).toEqual(["w-2"])
          // The bind is still there: time must pass for whoever closes what is above it.
          yield* Effect.forkChild(mob.close)
          yield* advance("40 seconds")
        })
      ))

    it.live(`${how} does not keep its mob from being closed`, () =>
      scenario(({ members }) =>
        Effect.gen(function*() {
          members.beforeBind.set("w-1", () => effect)
          const { mob } = yield* host(yield* define({ members: ["w-1"] }))
          const closing = yield* Effect.forkChild(mob.close)
          yield* advance("40 seconds")
          expect(closing.pollUnsafe()).toBeDefined()
        })
      ))
  }

  it.live("never returns has failed after a while, and the member is broken in the end", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.beforeBind.set("w-1", () => Effect.never)
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        yield* advance("65 seconds")
        expect((yield* mob.members)[0]?.restarts).toBe(1)
      })
    ))

  for (
    const [how, effect] of [["dies", Effect.die(new Error("bug"))], ["interrupts itself", Effect.interrupt]] as const
  ) {
    it.live(`${how} has crashed and is tried again`, () =>
      scenario(({ members }) =>
        Effect.gen(function*() {
          members.beforeBind.set("w-1", () => effect)
          const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
          yield* settle
          members.beforeBind.clear()
          yield* advance("2 seconds")
          expect((yield* mob.members)[0]?.restarts).toBe(1)
          const { run_id } = yield* mob.runFlow("main")
          expect((yield* mob.awaitRun(run_id)).status).toBe("completed")
        })
      ))
  }

  it.live("emits exited before it returns, twice, is one crash", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.beforeBind.set("w-1", (emit) =>
          Effect.sync(() => {
            emit({ type: "exited", exit: { code: "early", message: "gone", log: [] } })
            emit({ type: "exited", exit: { code: "early", message: "gone", log: [] } })
          }))
        const { mob } = yield* host(yield* define({ members: ["w-1"] }))
        members.beforeBind.clear()
        yield* advance("2 seconds")
        expect((yield* mob.members)[0]).toMatchObject({ phase: "active", restarts: 1 })
        expect(members.of("w-1").alive).toBe(true)
      })
    ))
})

describe("the cell of a member", () => {
  it.live("that crashes again and again is broken, and the mob and its other members live", () =>
    scenario(({ members, saboteur }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(
          yield* define({
            members: ["w-1", { identity: "o-1", profile: "other" }],
            flows: [["main", chain(1)], ["other", chain(1, "other")]]
          })
        )
        members.answer = (_, incarnation) => incarnation.identity === "w-1" ? undefined : "done"
        for (let crash = 0; crash < 8; crash += 1) {
          saboteur.crashes.push("member w-1")
          yield* Effect.forkChild(mob.submit("w-1", "poison"))
          yield* advance("5 seconds")
        }
        expect((yield* mob.members).map((it) => [it.identity, it.phase])).toEqual([["o-1", "active"], [
          "w-1",
          "broken"
        ]])
        const { run_id } = yield* mob.runFlow("other")
        yield* advance("1 second")
        expect((yield* mob.run(run_id)).status).toBe("completed")
        yield* mob.retire("w-1")
        yield* advance("1 minute")
        expect((yield* mob.members).map((it) => it.identity)).toEqual(["o-1"])
      })
    ))

  it.live("that cannot be started answers all the same", () =>
    scenario(({ saboteur }) =>
      Effect.gen(function*() {
        saboteur.unreadable.add("inbox/w-1")
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        yield* settle
        expect((yield* mob.members)[0]).toMatchObject({ phase: "broken" })
        const outcome = yield* Effect.forkChild(Effect.exit(mob.outcome("w-1", "any")))
        yield* advance("1 second")
        expect(outcome.pollUnsafe()).toBeDefined()
        yield* Fiber.join(outcome)
      })
    ))
})

describe("the cell of a run", () => {
  it.live("that cannot be started again is given up, and whoever waits for it is told", () =>
    scenario(({ members, saboteur }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        yield* settle
        const waiting = yield* Effect.forkChild(Effect.exit(mob.awaitRun(run_id)))
        yield* settle
        saboteur.unreadable.add("run/")
        saboteur.crashes.push("run ")
        members.end("w-1", members.deliveries("w-1")[0]?.input ?? "", "one")
        yield* advance("1 minute")
        expect((yield* mob.status).active_runs).toEqual([])
        expect(waiting.pollUnsafe()).toBeDefined()
      })
    ))
})

describe("work that nobody waits for any more", () => {
  it.live("is forgotten by its member's cell when the call is interrupted, and answered to those who stay", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"] }))
        const { work_ref } = yield* mob.submit("w-1", "hello")
        yield* settle
        const leaves = yield* Effect.forkChild(mob.outcome("w-1", work_ref))
        const stays = yield* Effect.forkChild(mob.outcome("w-1", work_ref))
        yield* settle
        yield* Fiber.interrupt(leaves)
        members.end("w-1", members.deliveries("w-1")[0]?.input ?? "", "one")
        yield* settle
        expect(yield* Fiber.join(stays)).toMatchObject({ status: "completed" })
      })
    ))
})

describe("a bridge that reports what cannot be recorded", () => {
  // What a plugin in JavaScript may do, whatever the types say.
  const bad: ReadonlyArray<readonly [string, unknown]> = [
    ["a completion without an output", { status: "completed" }],
    ["an output that is no text", { status: "completed", output: { n: 1 } }],
    ["a value that is no JSON", { status: "completed", output: "", structured: { n: 1n } }],
    ["a value that is not there", { status: "completed", output: "", structured: undefined }],
    ["a number that is none", { status: "completed", output: "", structured: [Number.NaN] }],
    ["a status that is none", { status: "ok", output: "x" }],
    ["a failure without a reason", { status: "failed", code: "x" }],
    ["nothing", null]
  ]
  for (const [what, outcome] of bad) {
    it.live(`${what}, has failed that turn, and everything can be read again`, () =>
      scenario(({ members }) =>
        Effect.gen(function*() {
          const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
          const { crash, mob } = yield* host(loaded)
          members.answer = () => undefined
          const { run_id } = yield* mob.runFlow("main")
          const { work_ref } = yield* mob.submit("w-1", "hello")
          yield* settle
          for (const { input } of members.deliveries("w-1")) {
            members.of("w-1").emit({ type: "turn_ended", input, outcome: outcome as never })
          }
          members.of("w-1").emit({ type: "turn_ended", input: undefined as never, outcome: outcome as never })
          yield* settle
          expect((yield* mob.run(run_id)).status).toBe("failed")
          expect(yield* mob.outcome("w-1", work_ref)).toMatchObject({ status: "failed", code: "outcome_invalid" })
          expect((yield* mob.members)[0]).toMatchObject({ phase: "active", restarts: 0 })
          yield* crash
          const again = yield* host(loaded)
          expect((yield* again.mob.run(run_id)).status).toBe("failed")
          expect(yield* again.mob.outcome("w-1", work_ref)).toMatchObject({ code: "outcome_invalid" })
        })
      ))
  }

  it.live("an exit without its fields, has crashed, and the mob can be opened again", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"] })
        const { crash, mob } = yield* host(loaded)
        for (const exit of [undefined, {}, { code: 1n, message: 2, log: [3n] }]) {
          members.of("w-1").emit({ type: "exited", exit: exit as never })
          yield* advance("5 seconds")
        }
        expect((yield* mob.members)[0]?.restarts).toBe(3)
        yield* crash
        const again = yield* host(loaded)
        expect((yield* again.mob.members)[0]?.phase).toBe("active")
      })
    ))
})

describe("a process of an earlier host that will not die", () => {
  it.live("keeps its member from being started, and that is broken", () => {
    const members = new FakeMembers({ processes: true })
    return Effect.gen(function*() {
      const loaded = yield* define({ members: ["w-1", "w-2"] })
      const { crash } = yield* host(loaded)
      yield* crash
      members.unkillable.add("w-1")
      const { mob } = yield* host(loaded)
      expect((yield* mob.members).map((it) => it.phase)).toEqual(["broken", "active"])
      expect(members.incarnations.filter((it) => it.identity === "w-1")).toHaveLength(1)
      // Somebody ended it by hand.
      yield* mob.retire("w-1")
      yield* settle
      yield* mob.spawn({ identity: "w-1", profile: "worker" })
      yield* settle
      expect(members.of("w-1").alive).toBe(true)
    }).pipe(Effect.provide(world(members)))
  })
})

describe("a mob that is stopped", () => {
  it.live("delivers no work that waited for its member until it is resumed", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"] }))
        members.crash("w-1")
        yield* settle
        const { work_ref } = yield* mob.submit("w-1", "later")
        yield* mob.stop
        yield* advance("2 seconds")
        expect(members.of("w-1").alive).toBe(true)
        expect(members.deliveries("w-1")).toEqual([])
        yield* mob.resume
        expect(yield* mob.outcome("w-1", work_ref)).toMatchObject({ status: "completed" })
      })
    ))
})
