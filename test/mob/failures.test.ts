/**
 * The failures of the durable protocol, each by its shortest way: with real cells, a memory journal whose disk can
 * fail, and members that lose, repeat and answer late. Virtual time.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { MobHandle } from "mobwright"
import { advance, settle } from "mobwright/testing"
import { completed, FakeMembers } from "./fake-members.ts"
import { chain, define, type Disk, flow, host, makeDisk, step, world } from "./world.ts"

/** Public events of a mob, as `type` or `type:step`. */
const eventsOf = (mob: MobHandle) =>
  Effect.map(mob.pollEvents(0, 1_000), (events) => {
    expect(events.map((it) => it.cursor)).toEqual(events.map((_, index) => index + 1))
    return events.map(({ event }) => event)
  })

const count = (events: ReadonlyArray<{ readonly [key: string]: unknown }>, type: string) =>
  events.filter((it) => it["type"] === type).length

const scenario = <A, E>(
  test: (parts: { readonly members: FakeMembers; readonly disk: Disk }) => Effect.Effect<A, E, WorldServices>,
  options: ConstructorParameters<typeof FakeMembers>[0] = {},
  seed = 1
) => {
  const members = new FakeMembers(options)
  const disk = makeDisk()
  return test({ members, disk }).pipe(Effect.provide(world(members, disk, seed)))
}

type WorldServices = Effect.Services<ReturnType<typeof host>> | Effect.Services<ReturnType<typeof advance>>

describe("a run over ten steps", () => {
  it.live("takes at most twelve batches from its first block to its release", () =>
    scenario(({ disk, members }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(10)]] }))
        yield* settle
        const before = disk.commits
        const { run_id } = yield* mob.runFlow("main")
        const record = yield* mob.awaitRun(run_id)
        yield* settle
        expect(record.status).toBe("completed")
        expect(members.executed).toHaveLength(10)
        expect(disk.commits - before).toBeLessThanOrEqual(12)
        expect((yield* mob.status).active_runs).toEqual([])
      })
    ))
})

describe("a commit that fails with an outcome in the tip", () => {
  for (const fate of ["lost", "landed"] as const) {
    it.live(`completes the step once when the batch was ${fate}`, () =>
      scenario(({ disk, members }) =>
        Effect.gen(function*() {
          members.answer = () => undefined
          const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(2)]] }))
          const { run_id } = yield* mob.runFlow("main")
          yield* settle
          const first = members.deliveries("w-1")[0]
          disk.next = [fate]
          members.end("w-1", first?.input ?? "", "one")
          yield* advance("1 second")
          const second = members.deliveries("w-1").find((it) => it.input !== first?.input)
          members.end("w-1", second?.input ?? "", "two")
          const record = yield* mob.awaitRun(run_id)
          expect(record.status).toBe("completed")
          // The member kept its outcome: nothing ran twice, and it may forget both now.
          expect(members.executed).toHaveLength(2)
          yield* settle
          expect(members.kept.get("w-1")?.size ?? 0).toBe(0)
          const events = yield* eventsOf(mob)
          expect(count(events, "step_completed")).toBe(2)
          expect(count(events, "flow_completed")).toBe(1)
        })
      ))
  }
})

describe("a member that crashes between its outcome and settled", () => {
  it.live("is asked nothing twice, and the outcome stands", () =>
    scenario(({ disk, members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        yield* settle
        const [delivery] = members.deliveries("w-1")
        disk.hold = true
        members.end("w-1", delivery?.input ?? "", "one")
        yield* Effect.yieldNow
        members.crash("w-1")
        disk.hold = false
        for (const go of disk.held.splice(0)) go()
        yield* advance("1 second")
        const record = yield* mob.run(run_id)
        expect(record.output).toEqual({ steps: { s1: "one" } })
        expect(members.executed).toHaveLength(1)
        expect(count(yield* eventsOf(mob), "member_crashed")).toBe(1)
      }), { keeping: "durable" }))
})

describe("the host that dies", () => {
  it.live("between create-run's sync and the run's first deliver loses nothing", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(2)]] })
        const first = yield* host(loaded)
        members.answer = () => undefined
        const started = yield* first.mob.runFlow("main")
        yield* first.crash
        members.answer = () => "done"
        const { mob } = yield* host(loaded)
        const record = yield* mob.awaitRun(started.run_id)
        expect(record.status).toBe("completed")
        const again = yield* mob.runFlow("main")
        expect(again.existing).toBe(false)
      })
    ))

  it.live("with a turn in flight redelivers it under a new fence, once", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
        members.answer = () => undefined
        const first = yield* host(loaded)
        const { run_id } = yield* first.mob.runFlow("main")
        yield* settle
        const lost = members.deliveries("w-1")[0]
        yield* first.crash
        const { mob } = yield* host(loaded)
        yield* settle
        const again = members.deliveries("w-1")[1]
        expect(again?.input).toBe(lost?.input)
        expect(again?.fence).toBeGreaterThan(lost?.fence ?? 0)
        members.end("w-1", again?.input ?? "", "one")
        expect((yield* mob.awaitRun(run_id)).status).toBe("completed")
        const events = yield* eventsOf(mob)
        expect(count(events, "step_redelivered")).toBe(1)
        expect(count(events, "step_target_completed")).toBe(1)
      })
    ))

  it.live("and a second run_flow with the same key finds the run that goes on", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
        members.answer = () => undefined
        const first = yield* host(loaded)
        const started = yield* first.mob.runFlow("main", { a: 1 })
        yield* first.crash
        const { mob } = yield* host(loaded)
        const again = yield* mob.runFlow("main", { a: 1 })
        expect(again).toEqual({ run_id: started.run_id, existing: true })
        expect((yield* mob.runFlow("main", { a: 2 })).existing).toBe(false)
      })
    ))
})

describe("an outcome", () => {
  it.live("that comes twice completes its step once", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(2)]] }))
        const { run_id } = yield* mob.runFlow("main")
        yield* settle
        const input = members.deliveries("w-1")[0]?.input ?? ""
        members.end("w-1", input, "one")
        members.end("w-1", input, "other")
        yield* settle
        members.end("w-1", input, "late")
        yield* settle
        members.end("w-1", members.deliveries("w-1")[1]?.input ?? "", "two")
        const record = yield* mob.awaitRun(run_id)
        expect(record.output).toEqual({ steps: { s1: "one", s2: "two" } })
        expect(count(yield* eventsOf(mob), "step_target_completed")).toBe(2)
      })
    ))

  it.live("of an incarnation that is gone changes nothing", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        yield* settle
        const old = members.of("w-1")
        const input = members.deliveries("w-1")[0]?.input
        members.crash("w-1")
        yield* advance("1 second")
        if (input !== undefined) old.emit({ type: "turn_ended", input, outcome: completed("from the grave") })
        yield* settle
        expect((yield* mob.run(run_id)).status).toBe("running")
        members.end("w-1", input ?? "", "alive")
        expect((yield* mob.awaitRun(run_id)).output).toEqual({ steps: { s1: "alive" } })
      }), { keeping: "none" }))
})

describe("a dispatch with a stale roster view", () => {
  it.live("is redelivered under the fence that stands", () =>
    scenario(({ disk, members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(
          yield* define({
            members: ["w-1", "w-2"],
            flows: [
              [
                "main",
                flow([
                  ["a", step("worker", { dispatch_mode: "fan_out", collection_policy: { type: "all" } })],
                  [
                    "b",
                    step("worker", { depends_on: ["a"], dispatch_mode: "fan_out", collection_policy: { type: "all" } })
                  ]
                ])
              ]
            ]
          })
        )
        const { run_id } = yield* mob.runFlow("main")
        yield* settle
        const [one] = members.deliveries("w-1")
        const [two] = members.deliveries("w-2")
        members.end("w-1", one?.input ?? "", "1")
        yield* settle
        // The second outcome and the crash of w-1 are on their way together.
        disk.hold = true
        members.end("w-2", two?.input ?? "", "2")
        members.crash("w-1")
        yield* Effect.yieldNow
        disk.hold = false
        for (const go of disk.held.splice(0)) go()
        yield* advance("2 seconds")
        for (const identity of ["w-1", "w-2"]) {
          const last = members.deliveries(identity).at(-1)
          expect(last?.fence).toBe(members.of(identity).fence)
          members.end(identity, last?.input ?? "", "b")
        }
        expect((yield* mob.awaitRun(run_id)).status).toBe("completed")
      })
    ))
})

describe("a member that crashes", () => {
  it.live("comes back under a new generation and fence, after its back-off", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"] }))
        const before = (yield* mob.members)[0]
        members.crash("w-1")
        yield* settle
        expect(members.incarnations).toHaveLength(1)
        yield* advance("1 second")
        const after = (yield* mob.members)[0]
        expect(after?.generation).toBe((before?.generation ?? 0) + 1)
        expect(after?.fence_token).toBeGreaterThan(before?.fence_token ?? 0)
        expect(after?.restarts).toBe(1)
        expect(members.incarnations).toHaveLength(2)
      })
    ))

  it.live("past its limit is broken, its inputs fail, and the mob lives", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(
          yield* define({
            members: ["w-1", { identity: "o-1", profile: "other" }],
            flows: [["main", chain(1)], ["other", chain(1, "other")]]
          })
        )
        members.answer = (_, incarnation) => incarnation.identity === "w-1" ? undefined : "done"
        const { run_id } = yield* mob.runFlow("main")
        yield* settle
        for (let crash = 0; crash < 6; crash += 1) {
          if (members.of("w-1").alive) members.crash("w-1")
          yield* advance("4 seconds")
        }
        const broken = (yield* mob.members).find((it) => it.identity === "w-1")
        expect(broken?.phase).toBe("broken")
        expect(broken?.cause).toContain("member_exited")
        const record = yield* mob.awaitRun(run_id)
        expect(record.status).toBe("failed")
        const other = yield* mob.runFlow("other")
        expect((yield* mob.awaitRun(other.run_id)).status).toBe("completed")
      })
    ))
})

describe("submitted work", () => {
  it.live("is durable when it is acknowledged, and its outcome survives the host", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"] })
        members.answer = () => undefined
        const first = yield* host(loaded)
        const work = yield* first.mob.submit("w-1", "hello", { key: "k" })
        yield* first.crash
        members.answer = (delivery) => `did ${String(delivery.content)}`
        const { mob } = yield* host(loaded)
        const again = yield* mob.submit("w-1", "hello", { key: "k" })
        expect(again).toEqual({ work_ref: work.work_ref, existing: true })
        expect(yield* mob.outcome("w-1", work.work_ref)).toEqual(completed("did hello"))
      })
    ))

  it.live("whose commit fails is answered outcome unknown, and can be asked again", () =>
    scenario(({ disk, members }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"] }))
        disk.next = ["landed"]
        const error = yield* Effect.flip(mob.submit("w-1", "hello", { key: "k" }))
        expect(error._tag).toBe("StoreWriteFailed")
        yield* advance("1 second")
        const work = yield* mob.submit("w-1", "hello", { key: "k" })
        expect(work.existing).toBe(true)
        expect(yield* mob.outcome("w-1", work.work_ref)).toEqual(completed("done hello"))
        expect(members.executed).toHaveLength(1)
      })
    ))
})

describe("retire", () => {
  it.live("fails what the member still has to do, and lets it go", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        members.answer = () => undefined
        const { run_id } = yield* mob.runFlow("main")
        const work = yield* mob.submit("w-1", "hello")
        yield* settle
        const waiting = yield* Effect.forkChild(mob.outcome("w-1", work.work_ref))
        yield* settle
        yield* mob.retire("w-1")
        const record = yield* mob.awaitRun(run_id)
        expect(record.status).toBe("failed")
        expect(yield* Fiber.join(waiting)).toMatchObject({ status: "failed", code: "member_retired" })
        yield* settle
        expect(yield* mob.members).toEqual([])
        expect(members.of("w-1").alive).toBe(false)
        expect(count(yield* eventsOf(mob), "member_retired")).toBe(1)
      })
    ))
})

describe("stop", () => {
  it.live("is refused while a run is active, and survives the host", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
        const first = yield* host(loaded)
        members.answer = () => undefined
        const { run_id } = yield* first.mob.runFlow("main")
        expect((yield* Effect.flip(first.mob.stop))._tag).toBe("InvalidTransition")
        const canceled = yield* first.mob.cancel(run_id)
        expect(canceled.status).toBe("canceled")
        yield* first.mob.stop
        yield* first.crash
        const { mob } = yield* host(loaded)
        expect((yield* mob.status).phase).toBe("stopped")
        expect((yield* Effect.flip(mob.runFlow("main")))._tag).toBe("InvalidTransition")
        yield* mob.resume
        members.answer = () => "done"
        const again = yield* mob.runFlow("main")
        expect((yield* mob.awaitRun(again.run_id)).status).toBe("completed")
      })
    ))
})

describe("destroy", () => {
  it.live("ends runs, lets members go, and leaves the runs readable", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        members.answer = () => undefined
        const { run_id } = yield* mob.runFlow("main")
        yield* mob.destroy
        yield* advance("1 second")
        expect((yield* mob.status).phase).toBe("destroyed")
        expect((yield* mob.run(run_id)).status).toBe("canceled")
        expect(count(yield* eventsOf(mob), "mob_destroyed")).toBe(1)
      })
    ))
})
