/** Behaviours of flows that need a whole mob: admission, lifecycle, recovery. The kernel's own stand in test/machine. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Dispatcher, MobHandle, Mobs } from "mobwright"
import { advance, settle, type VirtualTime } from "mobwright/testing"
import { FakeMembers } from "../mob/fake-members.ts"
import { chain, define, type Disk, flow, host, makeDisk, step, world } from "../mob/world.ts"

type Services = Mobs | Dispatcher | VirtualTime | Scope.Scope

const scenario = <A, E>(
  test: (parts: { readonly members: FakeMembers; readonly disk: Disk }) => Effect.Effect<A, E, Services>
) => {
  const members = new FakeMembers()
  const disk = makeDisk()
  return test({ members, disk }).pipe(Effect.scoped, Effect.provide(world(members, disk)))
}

const typesOf = (mob: MobHandle) =>
  Effect.map(mob.pollEvents(0, 1_000), (events) => events.map((it) => it.event["type"]))

describe("admission", () => {
  it.live("flows/22: the run is found by the time that run_flow returns", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        expect((yield* mob.run(run_id)).status).toBe("running")
      })
    ))

  it.live("flows/23: an unknown flow of a running mob is FlowNotFound", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const error = yield* Effect.flip(mob.runFlow("other"))
        expect(error).toMatchObject({ _tag: "FlowNotFound", code: "FLOW_NOT_FOUND", flow: "other", flows: ["main"] })
      })
    ))

  it.live("flows/24: an unknown flow of a stopped mob is InvalidTransition, stopped to running", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"] }))
        yield* mob.stop
        const error = yield* Effect.flip(mob.runFlow("other"))
        expect(error).toMatchObject({ _tag: "InvalidTransition", from: "stopped", to: "running" })
      })
    ))

  it.live("flows/25: when the store fails at create, its error surfaces and no run is active", () =>
    scenario(({ disk }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        disk.next = ["lost"]
        const error = yield* Effect.flip(mob.runFlow("main", {}, { key: "k" }))
        expect(error._tag).toBe("StoreWriteFailed")
        yield* advance("1 second")
        expect((yield* mob.status).active_runs).toEqual([])
        expect(yield* mob.runs()).toEqual([])
      })
    ))

  it.live("flows/26: two runs of one flow keep their own parameters", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = (delivery) => String(delivery.content)
        const flows = [["main", flow([["a", step("worker", { message: "{{ params.x }}" })]])]] as const
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows }))
        const one = yield* mob.runFlow("main", { x: "one" })
        const two = yield* mob.runFlow("main", { x: "two" })
        expect((yield* mob.awaitRun(one.run_id)).output).toEqual({ steps: { a: "one" } })
        expect((yield* mob.awaitRun(two.run_id)).output).toEqual({ steps: { a: "two" } })
      })
    ))

  it.live("flows/27: flow ids come sorted", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(
          yield* define({ members: ["w-1"], flows: [["zeta", chain(1)], ["alpha", chain(1)]] })
        )
        expect(yield* mob.flows).toEqual(["alpha", "zeta"])
      })
    ))

  it.live("flows/28: stop is refused while a run is active, and works after its cancel", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        expect(yield* Effect.flip(mob.stop)).toMatchObject({
          _tag: "InvalidTransition",
          from: "running",
          to: "stopped"
        })
        expect((yield* mob.status).phase).toBe("running")
        yield* mob.cancel(run_id)
        yield* mob.stop
        expect((yield* mob.status).phase).toBe("stopped")
      })
    ))
})

describe("creation", () => {
  it.live("of a hand-made definition with one identity twice, or a reserved one, is refused in types", () =>
    scenario(() =>
      Effect.gen(function*() {
        const twice = yield* define({ members: ["w-1", "w-1"] })
        expect(yield* Effect.flip(host(twice))).toMatchObject({ _tag: "MemberExists", identity: "w-1" })
        const reserved = yield* define({ members: ["__flow_x"] })
        expect(yield* Effect.flip(host(reserved))).toMatchObject({ _tag: "IdentityReserved", identity: "__flow_x" })
        const { mob } = yield* host(yield* define({ members: ["w-1"] }))
        expect(yield* mob.members).toHaveLength(1)
      })
    ))
})

describe("ending", () => {
  it.live("flows/104: canceling a completed run succeeds and changes nothing", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        yield* mob.awaitRun(run_id)
        expect((yield* mob.cancel(run_id)).status).toBe("completed")
        expect(yield* typesOf(mob)).not.toContain("flow_canceled")
      })
    ))

  it.live("flows/109: complete cancels active runs, which stay readable", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        yield* mob.complete
        yield* settle
        expect((yield* mob.status).phase).toBe("completed")
        expect((yield* mob.run(run_id)).status).toBe("canceled")
      })
    ))

  it.live("flows/110: many concurrent runs and cancels all end, and nothing stays active", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = (delivery) => delivery.input.length % 2 === 0 ? "done" : undefined
        const { mob } = yield* host(yield* define({ members: ["w-1", "w-2"], flows: [["main", chain(2)]] }))
        const runs = yield* Effect.forEach(
          Array.from({ length: 40 }, (_, index) => index),
          (index) => mob.runFlow("main", { index }),
          { concurrency: "unbounded" }
        )
        yield* Effect.forEach(runs, ({ run_id }) => mob.cancel(run_id), { concurrency: "unbounded" })
        yield* settle
        const records = yield* mob.runs()
        expect(records).toHaveLength(40)
        expect(records.filter((it) => it.status === "running")).toEqual([])
        expect((yield* mob.status).active_runs).toEqual([])
      })
    ))

  it.live("flows/111: after a failed run nothing is active", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => ({ status: "failed", code: "no", reason: "not today" })
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        const record = yield* mob.awaitRun(run_id)
        yield* settle
        expect(record).toMatchObject({ status: "failed", steps: { s1: { status: "failed" } } })
        expect(record.steps["s1"]?.reason).toContain("not today")
        expect((yield* mob.status).active_runs).toEqual([])
      })
    ))
})

describe("recovery", () => {
  it.live("flows/123, as decided: an interrupted run goes on when its mob is opened", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(3)]] })
        members.answer = (delivery) => delivery.input.includes("/s2/") ? undefined : "done"
        const first = yield* host(loaded)
        const { run_id } = yield* first.mob.runFlow("main")
        yield* settle
        yield* first.crash
        members.answer = () => "after"
        const { mob } = yield* host(loaded)
        const record = yield* mob.awaitRun(run_id)
        expect(record.output).toEqual({ steps: { s1: "done", s2: "after", s3: "after" } })
        yield* settle
        yield* mob.stop
      })
    ))

  it.live("flows/130: an ended run is untouched by opening its mob", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(2)]] })
        members.answer = () => undefined
        const first = yield* host(loaded)
        const { run_id } = yield* first.mob.runFlow("main")
        const before = yield* first.mob.cancel(run_id)
        yield* first.crash
        const { mob } = yield* host(loaded)
        expect(yield* mob.run(run_id)).toEqual(before)
      })
    ))
})
