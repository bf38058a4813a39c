/**
 * The public calls of a mob, called twice, at once, after the end, with garbage, and while the store is opened again.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Journal, Mobs } from "mobwright"
import { advance, settle } from "mobwright/testing"
import { FakeMembers } from "./fake-members.ts"
import { Saboteur } from "./saboteur.ts"
import { chain, define, type Disk, host, makeDisk, world } from "./world.ts"

type Services = Effect.Services<ReturnType<typeof host>> | Effect.Services<ReturnType<typeof advance>> | Journal

const scenario = <A, E>(
  test: (
    parts: { readonly members: FakeMembers; readonly disk: Disk; readonly saboteur: Saboteur }
  ) => Effect.Effect<A, E, Services>
) => {
  const members = new FakeMembers()
  const disk = makeDisk()
  const saboteur = new Saboteur()
  return test({ members, disk, saboteur }).pipe(Effect.provide(world(members, disk, 1, saboteur)))
}

/** Calls in a scope of its own. */
const scoped = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const value = yield* Effect.provideService(effect, Scope.Scope, scope)
    return { value, close: Scope.close(scope, Exit.void) }
  })

const tagOf = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E, never>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return "Success"
    const reason = exit.cause.reasons[0]
    return reason?._tag === "Fail" ? reason.error._tag : `${reason?._tag}: ${String(exit.cause)}`
  })

describe("the same mob", () => {
  it.live("opened or created by many at once is one mob", () =>
    scenario(() =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
        const mobs = yield* Mobs
        const opened = yield* Effect.all(Array.from({ length: 4 }, () => scoped(mobs.openOrCreate(loaded))), {
          concurrency: "unbounded"
        })
        for (const { value } of opened) expect((yield* value.status).phase).toBe("running")
        expect(new Set(opened.map((it) => it.value)).size).toBe(1)
      })
    ))

  it.live("created by two at once exists for the second", () =>
    scenario(() =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"] })
        const mobs = yield* Mobs
        const exits = yield* Effect.all([scoped(mobs.create(loaded)), scoped(mobs.create(loaded))].map(Effect.exit), {
          concurrency: "unbounded"
        })
        expect(exits.map((it) => it._tag).sort()).toEqual(["Failure", "Success"])
        expect((yield* (yield* mobs.get(loaded.definition.id as never)).status).members).toBe(1)
      })
    ))

  it.live("lives until the last of those who opened it lets go", () =>
    scenario(() =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"] })
        const mobs = yield* Mobs
        const first = yield* scoped(mobs.openOrCreate(loaded))
        const second = yield* scoped(mobs.open(first.value.id))
        yield* first.close
        expect((yield* second.value.status).phase).toBe("running")
        yield* second.close
        expect(yield* tagOf(second.value.status)).toBe("MobClosed")
        expect(yield* mobs.list).toEqual([])
      })
    ))

  it.live("is opened anew after it was closed, or fell", () =>
    scenario(({ saboteur }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"] })
        const mobs = yield* Mobs
        const first = yield* scoped(mobs.openOrCreate(loaded))
        yield* first.value.close
        yield* first.value.close
        expect(yield* mobs.list).toEqual([])
        const second = yield* scoped(mobs.openOrCreate(loaded))
        expect((yield* second.value.status).phase).toBe("running")
        for (let crash = 0; crash < 4; crash += 1) {
          saboteur.crashes.push("coordinator")
          yield* Effect.ignore(second.value.status)
          yield* settle
        }
        expect(yield* tagOf(second.value.status)).toBe("MobClosed")
        expect(yield* mobs.list).toEqual([])
        const third = yield* scoped(mobs.openOrCreate(loaded))
        // The scopes of those that are gone have no say any more.
        yield* first.close
        yield* second.close
        expect((yield* third.value.status).phase).toBe("running")
      })
    ))

  it.live("whose creation fails halfway is not there, and can be created", () =>
    scenario(({ disk, members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"] })
        const mobs = yield* Mobs
        disk.next = ["ok", "lost"]
        const failed = yield* Effect.exit(scoped(mobs.create(loaded)))
        expect(failed._tag).toBe("Failure")
        expect(yield* mobs.list).toEqual([])
        yield* advance("1 second")
        expect(members.incarnations).toEqual([])
        const { value } = yield* scoped(mobs.create(loaded))
        expect((yield* value.status).members).toBe(1)
      })
    ))

  it.live("opened again with another file has its new flows", () =>
    scenario(() =>
      Effect.gen(function*() {
        const mobs = yield* Mobs
        const first = yield* scoped(mobs.openOrCreate(yield* define({ members: ["w-1"], flows: [["one", chain(1)]] })))
        yield* scoped(mobs.openOrCreate(yield* define({ members: ["w-1"], flows: [["two", chain(1)]] })))
        expect(yield* first.value.flows).toEqual(["two"])
        const changed = yield* define({ members: ["w-1", "w-2"], flows: [["two", chain(1)]] })
        expect(yield* tagOf(Effect.scoped(mobs.openOrCreate(changed)))).toBe("DefinitionChanged")
        const other = yield* define({ members: ["w-1"], more: { id: "other" as never } })
        expect(yield* tagOf(Effect.scoped(mobs.open(first.value.id, other)))).toBe("DefinitionChanged")
        expect((yield* first.value.status).phase).toBe("running")
      })
    ))
})

describe("garbage", () => {
  it.live("is refused in types, and costs the mob nothing", () =>
    scenario(() =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
        const first = yield* host(loaded)
        const { mob } = first
        const long = "x".repeat(257)
        const circular: Record<string, unknown> = {}
        circular["self"] = circular
        const bad = [{ n: 1n }, circular, { n: Number.NaN }, { f: () => 1 }] as ReadonlyArray<unknown> as ReadonlyArray<
          never
        >
        for (const name of ["", long]) {
          expect(yield* tagOf(mob.spawn({ identity: name, profile: "worker" }))).toBe("ArgumentInvalid")
          expect(yield* tagOf(mob.retire(name))).toBe("MemberNotFound")
          expect(yield* tagOf(mob.submit(name, "hi"))).toBe("MemberNotFound")
          expect(yield* tagOf(mob.outcome(name, "w"))).toBe("MemberNotFound")
          expect(yield* tagOf(mob.run(name))).toBe("RunNotFound")
          expect(yield* tagOf(mob.awaitRun(name))).toBe("RunNotFound")
          expect(yield* tagOf(mob.cancel(name))).toBe("RunNotFound")
          expect(yield* tagOf(mob.runFlow(name))).toBe("FlowNotFound")
        }
        expect(yield* tagOf(mob.spawn({ identity: "n", profile: "" }))).toBe("ProfileNotFound")
        expect(yield* tagOf(mob.outcome("w-1", "none"))).toBe("WorkNotFound")
        expect(yield* tagOf(mob.run("none"))).toBe("RunNotFound")
        for (const value of bad) {
          expect(yield* tagOf(mob.runFlow("main", value))).toBe("ArgumentInvalid")
          expect(yield* tagOf(mob.runFlow("main", value, { key: "k" }))).toBe("ArgumentInvalid")
          expect(yield* tagOf(mob.submit("w-1", value))).toBe("ArgumentInvalid")
        }
        for (const timeout_ms of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
          expect(yield* tagOf(mob.submit("w-1", "hi", { timeout_ms }))).toBe("ArgumentInvalid")
        }
        const all = yield* mob.pollEvents(0, 1_000)
        for (const after of [-1, Number.NaN, Number.NEGATIVE_INFINITY]) {
          expect(yield* mob.pollEvents(after, 1_000)).toEqual(all)
        }
        for (const limit of [0, -1, Number.NaN]) expect(yield* mob.pollEvents(0, limit)).toHaveLength(1)
        expect(yield* mob.pollEvents(0, Number.POSITIVE_INFINITY)).toEqual(all)
        for (const after of [1e9, Number.POSITIVE_INFINITY]) {
          expect(yield* tagOf(mob.pollEvents(after, 1))).toBe("StaleEventCursor")
          expect(yield* tagOf(Stream.runDrain(mob.events(after)))).toBe("StaleEventCursor")
        }
        yield* first.crash
        const { mob: again } = yield* host(loaded)
        const { run_id } = yield* again.runFlow("main")
        expect((yield* again.awaitRun(run_id)).status).toBe("completed")
      })
    ))
})

describe("a mob that closes", () => {
  it.live("tells everybody who waits, and every later call", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        const work = yield* mob.submit("w-1", "hello")
        yield* settle
        const waiting = yield* Effect.forEach(
          [tagOf(mob.awaitRun(run_id)), tagOf(mob.outcome("w-1", work.work_ref))],
          (it) => Effect.forkChild(it)
        )
        const events = yield* Effect.forkChild(Stream.runCollect(mob.events(0)))
        yield* settle
        yield* mob.close
        yield* settle
        expect(yield* Effect.forEach(waiting, Fiber.join)).toEqual(["MobClosed", "MobClosed"])
        expect((yield* Fiber.join(events)).length).toBeGreaterThan(0)
        for (
          const call of [
            mob.status,
            mob.members,
            mob.flows,
            mob.spawn({ identity: "n", profile: "worker" }),
            mob.retire("w-1"),
            mob.submit("w-1", "x"),
            mob.outcome("w-1", "x"),
            mob.runFlow("main"),
            mob.run(run_id),
            mob.awaitRun(run_id),
            mob.runs(),
            mob.cancel(run_id),
            mob.stop,
            mob.resume,
            mob.complete,
            mob.destroy,
            mob.pollEvents(0, 1),
            Stream.runDrain(mob.events(0))
          ]
        ) expect(yield* tagOf<unknown, { readonly _tag: string }>(call)).toBe("MobClosed")
      })
    ))
})

describe("the same key", () => {
  it.live("asked for twice at once starts one run", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        for (const options of [{ key: "k" }, {}]) {
          const both = yield* Effect.all([mob.runFlow("main", {}, options), mob.runFlow("main", {}, options)], {
            concurrency: 2
          })
          expect(both[0].run_id).toBe(both[1].run_id)
          expect(both.map((it) => it.existing).sort()).toEqual([false, true])
        }
      })
    ))
})

describe("events", () => {
  it.live("go on without gap or repetition over a store that is opened again, to the last one before the end", () =>
    scenario(({ disk }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(3)]] }))
        const seen: Array<number> = []
        const reading = yield* Effect.forkChild(
          Stream.runForEach(mob.events(0), (it) => Effect.sync(() => seen.push(it.cursor)))
        )
        yield* settle
        for (let round = 0; round < 4; round += 1) {
          const started = yield* mob.runFlow("main", { round })
          disk.next = ["ok", round % 2 === 0 ? "lost" : "landed"]
          const late = yield* Effect.forkChild(Stream.runCollect(Stream.take(mob.events(0), 3)))
          yield* advance("2 seconds")
          expect((yield* mob.run(started.run_id)).status).toBe("completed")
          expect((yield* Fiber.join(late)).map((it) => it.cursor)).toEqual([1, 2, 3])
        }
        disk.next = ["lost"]
        expect(yield* tagOf(mob.runFlow("main"))).toBe("StoreWriteFailed")
        // Those who come while the store is away are let in when it is back.
        const late = yield* Effect.forkChild(Stream.runCollect(Stream.take(mob.events(0), 3)))
        yield* advance("1 second")
        expect((yield* Fiber.join(late)).map((it) => it.cursor)).toEqual([1, 2, 3])
        yield* mob.destroy
        yield* advance("1 second")
        const last = (yield* mob.status).latest_cursor
        yield* mob.close
        yield* Fiber.join(reading)
        expect(seen).toEqual(Array.from({ length: last }, (_, index) => index + 1))
      })
    ))
})

describe("on_resume = cancel", () => {
  it.live("ends the runs that the last host left, before their members hear of them again", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({
          members: ["w-1"],
          flows: [["main", chain(1)]],
          more: { on_resume: "cancel" }
        })
        members.answer = () => undefined
        const first = yield* host(loaded)
        const { run_id } = yield* first.mob.runFlow("main")
        yield* settle
        yield* first.crash
        const { mob } = yield* host(loaded)
        yield* advance("1 second")
        expect((yield* mob.run(run_id)).status).toBe("canceled")
        expect(members.deliveries("w-1")).toHaveLength(1)
        const next = yield* mob.runFlow("main")
        yield* settle
        expect((yield* mob.run(next.run_id)).status).toBe("running")
      })
    ))
})

describe("a flow that is gone from the definition", () => {
  it.live("goes on in the runs that began under it", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const first = yield* host(yield* define({ members: ["w-1"], flows: [["old", chain(2)]] }))
        const { run_id } = yield* first.mob.runFlow("old")
        yield* settle
        yield* first.crash
        members.answer = () => "done"
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["new", chain(1)]] }))
        yield* advance("1 second")
        expect((yield* mob.awaitRun(run_id)).status).toBe("completed")
        expect(yield* tagOf(mob.runFlow("old"))).toBe("FlowNotFound")
      })
    ))
})

describe("the end of a mob", () => {
  it.live("complete is kept over an open, destroy twice is refused in types, and runs stay readable", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
        const first = yield* host(loaded)
        const { run_id } = yield* first.mob.runFlow("main")
        yield* first.mob.awaitRun(run_id)
        yield* first.mob.complete
        yield* advance("1 second")
        expect(yield* tagOf(first.mob.complete)).toBe("InvalidTransition")
        yield* first.crash
        const second = yield* host(loaded)
        expect(yield* second.mob.status).toMatchObject({ phase: "completed", members: 0 })
        expect(yield* tagOf(second.mob.runFlow("main"))).toBe("InvalidTransition")
        expect(yield* tagOf(second.mob.resume)).toBe("InvalidTransition")
        expect(yield* tagOf(second.mob.submit("w-1", "x"))).toBe("InvalidTransition")
        expect(yield* tagOf(second.mob.retire("w-1"))).toBe("InvalidTransition")
        yield* second.mob.destroy
        yield* advance("1 second")
        expect(yield* tagOf(second.mob.destroy)).toBe("InvalidTransition")
        yield* second.crash
        const third = yield* host(loaded)
        expect((yield* third.mob.status).phase).toBe("destroyed")
        expect((yield* third.mob.run(run_id)).status).toBe("completed")
        expect((yield* third.mob.awaitRun(run_id)).status).toBe("completed")
        expect((yield* third.mob.cancel(run_id)).status).toBe("completed")
        expect(yield* third.mob.runs()).toHaveLength(1)
        expect(members.incarnations).toHaveLength(1)
      })
    ))
})

describe("a mob that another owner took", () => {
  it.live("is closed, tells who waits, and can be opened again", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const loaded = yield* define({ members: ["w-1"], flows: [["main", chain(1)]] })
        const { mob } = yield* host(loaded)
        const { run_id } = yield* mob.runFlow("main")
        const waiting = yield* Effect.forkChild(tagOf(mob.awaitRun(run_id)))
        const events = yield* Effect.forkChild(Stream.runCollect(mob.events(0)))
        yield* settle
        yield* (yield* Journal).acquire(mob.id)
        yield* settle
        expect(yield* Fiber.join(waiting)).toBe("MobClosed")
        expect((yield* Fiber.join(events)).length).toBeGreaterThan(0)
        expect(yield* tagOf(mob.runFlow("main"))).toBe("MobClosed")
        expect(yield* (yield* Mobs).list).toEqual([])
        const again = yield* host(loaded)
        yield* settle
        members.end("w-1", members.deliveries("w-1").at(-1)?.input ?? "", "done")
        expect((yield* again.mob.awaitRun(run_id)).status).toBe("completed")
      })
    ))
})

describe("a store that is away", () => {
  it.live("keeps no mob from closing, and calls wait for it", () =>
    scenario(({ disk, members }) =>
      Effect.gen(function*() {
        members.answer = () => undefined
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows: [["main", chain(1)]] }))
        const { run_id } = yield* mob.runFlow("main")
        yield* settle
        disk.next = ["lost"]
        expect(yield* tagOf(mob.submit("w-1", "x"))).toBe("StoreWriteFailed")
        const calls = yield* Effect.forEach(
          [
            tagOf(mob.status),
            tagOf(mob.run(run_id)),
            tagOf(mob.runFlow("main", { a: 1 })),
            tagOf(mob.submit("w-1", "x"))
          ],
          (it) => Effect.forkChild(it)
        )
        yield* advance("1 second")
        expect(yield* Effect.forEach(calls, Fiber.join)).toEqual(["Success", "Success", "Success", "Success"])
        disk.next = ["lost"]
        expect(yield* tagOf(mob.submit("w-1", "y"))).toBe("StoreWriteFailed")
        const waiting = yield* Effect.forkChild(tagOf(mob.awaitRun(run_id)))
        yield* settle
        yield* mob.close
        expect(yield* Fiber.join(waiting)).toBe("MobClosed")
      })
    ))
})
