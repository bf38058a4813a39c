/**
 * A mob forgets what its definition does not keep: ended runs, their keys, old events; and nothing else.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Journal, type MobHandle } from "mobwright"
import { advance, settle } from "mobwright/testing"
import { MobId } from "../../sdk/ids.ts"
import { FakeMembers } from "./fake-members.ts"
import { chain, define, type Disk, host, makeDisk, world } from "./world.ts"

type Services = Effect.Services<ReturnType<typeof host>> | Effect.Services<ReturnType<typeof advance>> | Journal

const scenario = <A, E>(
  test: (parts: { readonly members: FakeMembers; readonly disk: Disk }) => Effect.Effect<A, E, Services>
) => {
  const members = new FakeMembers()
  const disk = makeDisk()
  return test({ members, disk }).pipe(Effect.provide(world(members, disk)))
}

const flows = [["main", chain(1)]] as const

const runMany = (mob: MobHandle, from: number, count: number, options: { readonly keyed?: boolean } = {}) =>
  Effect.gen(function*() {
    const runs: Array<string> = []
    for (let index = from; index < from + count; index++) {
      const key = options.keyed === true ? { key: `key ${index}` } : undefined
      const { run_id } = yield* mob.runFlow("main", { index }, key)
      yield* mob.awaitRun(run_id)
      yield* advance("1 second")
      runs.push(run_id)
    }
    return runs
  })

const stored = Effect.gen(function*() {
  const log = yield* (yield* Journal).inspect(MobId.make("test"))
  if (log === undefined) throw new Error("no mob")
  return { runs: (yield* log.aggregates("run/")).length, live: yield* log.live, firstCursor: log.firstCursor() }
})

describe("a mob's history", () => {
  it.live("ended runs beyond those that are kept are gone, the oldest first, after an hour at the latest", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows, limits: { max_kept_runs: 5 } }))
        const runs = yield* runMany(mob, 0, 9)
        yield* advance("1 hour")
        expect((yield* mob.runs()).map((it) => it.run_id)).toEqual(runs.slice(4).reverse())
        expect(yield* Effect.flip(mob.run(runs[0]!))).toMatchObject({ _tag: "RunNotFound" })
        expect((yield* mob.run(runs[8]!)).status).toBe("completed")
      })
    ))

  it.live("when many runs end it does not wait for the hour", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows, limits: { max_kept_runs: 20 } }))
        for (let index = 0; index < 60; index++) yield* mob.awaitRun((yield* mob.runFlow("main", { index })).run_id)
        yield* settle
        expect((yield* stored).runs).toBeLessThanOrEqual(24)
      })
    ))

  it.live("ended runs and events past their days are gone; a run that waits is not, however long", () =>
    scenario(({ members }) =>
      Effect.gen(function*() {
        members.answer = (delivery) => String(delivery.content).includes("wait") ? undefined : "done"
        const waiting = chain(1, "worker", { message: "wait", timeout_ms: 360_000_000 })
        const { mob } = yield* host(
          yield* define({
            members: ["w-1"],
            flows: [...flows, ["long", waiting]],
            limits: { max_kept_days: 1 }
          })
        )
        yield* runMany(mob, 0, 3)
        const long = yield* mob.runFlow("long")
        yield* advance("26 hours")
        expect((yield* mob.runs()).map((it) => it.run_id)).toEqual([long.run_id])
        expect((yield* mob.run(long.run_id)).status).toBe("running")
        const { first_cursor, latest_cursor } = yield* mob.status
        expect(first_cursor).toBeGreaterThan(1)
        expect(first_cursor).toBeLessThanOrEqual(latest_cursor + 1)
        expect(yield* Effect.flip(mob.pollEvents(0, 10))).toMatchObject({ _tag: "HistoryPruned", first_cursor })
        expect((yield* mob.cancel(long.run_id)).status).toBe("canceled")
      })
    ))

  it.live("only so many events are kept, and the numbers of the others go on", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows, limits: { max_kept_events: 10 } }))
        yield* runMany(mob, 0, 20)
        yield* advance("1 hour")
        const { first_cursor, latest_cursor } = yield* mob.status
        // A whole block stays if one of its events does.
        expect(latest_cursor - first_cursor + 1).toBeGreaterThanOrEqual(10)
        expect(latest_cursor - first_cursor + 1).toBeLessThan(20)
        const read = yield* mob.pollEvents(first_cursor - 1, 1_000)
        expect(read.map((it) => it.cursor)).toEqual(
          Array.from({ length: latest_cursor - first_cursor + 1 }, (_, index) => first_cursor + index)
        )
      })
    ))

  it.live("the key of a run that is forgotten starts another run, also after the next opening", () =>
    scenario(() =>
      Effect.gen(function*() {
        const loaded = yield* define({ members: ["w-1"], flows, limits: { max_kept_runs: 2 } })
        const first = yield* host(loaded)
        const runs = yield* runMany(first.mob, 0, 4, { keyed: true })
        yield* advance("1 hour")
        yield* first.crash
        const { mob } = yield* host(loaded)
        expect(yield* mob.runFlow("main", {}, { key: "key 3" })).toEqual({ run_id: runs[3], existing: true })
        const again = yield* mob.runFlow("main", {}, { key: "key 0" })
        expect(again.existing).toBe(false)
        expect(again.run_id).not.toBe(runs[0])
      })
    ))

  it.live("what an earlier process left is forgotten too", () =>
    scenario(() =>
      Effect.gen(function*() {
        const before = yield* host(yield* define({ members: ["w-1"], flows, limits: { max_kept_runs: 0 } }))
        const runs = yield* runMany(before.mob, 0, 6)
        yield* before.crash
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows, limits: { max_kept_runs: 2 } }))
        yield* advance("2 minutes")
        expect((yield* mob.runs()).map((it) => it.run_id)).toEqual(runs.slice(4).reverse())
      })
    ))

  it.live("a disk that fails meanwhile loses nothing, and a later look goes on", () =>
    scenario(({ disk }) =>
      Effect.gen(function*() {
        const { mob } = yield* host(yield* define({ members: ["w-1"], flows, limits: { max_kept_runs: 3 } }))
        const runs = yield* runMany(mob, 0, 8, { keyed: true })
        disk.next.push("lost", "ok", "landed")
        yield* advance("3 hours")
        expect(disk.next).toEqual([])
        expect((yield* mob.runs()).map((it) => it.run_id)).toEqual(runs.slice(5).reverse())
        expect((yield* mob.runFlow("main", {}, { key: "key 7" })).existing).toBe(true)
        expect((yield* mob.runFlow("main", {}, { key: "key 1" })).existing).toBe(false)
      })
    ))

  it.live("a member that went holds up nothing: neither its inbox, nor what is before it", () =>
    scenario(() =>
      Effect.gen(function*() {
        const { mob } = yield* host(
          yield* define({ members: ["w-1", "w-2"], flows, limits: { max_kept_events: 5, max_kept_runs: 1 } })
        )
        const work = yield* mob.submit("w-2", "some work")
        yield* mob.outcome("w-2", work.work_ref)
        yield* mob.retire("w-2")
        yield* settle
        expect((yield* stored).live).not.toContain("inbox/w-2")
        yield* runMany(mob, 0, 30)
        yield* advance("1 hour")
        const { first_cursor, latest_cursor } = yield* mob.status
        expect(latest_cursor - first_cursor).toBeLessThan(15)
        // Who comes back finds its inbox as it was.
        yield* mob.spawn({ identity: "w-2", profile: "worker" })
        yield* settle
        expect(yield* mob.outcome("w-2", work.work_ref)).toMatchObject({ status: "completed" })
        const more = yield* mob.submit("w-2", "more")
        expect(yield* mob.outcome("w-2", more.work_ref)).toMatchObject({ status: "completed" })
      })
    ))
})
