/** A mob lives through a day in seconds, and nothing of it touches the process's own clock. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { advance, settle } from "mobwright/testing"
import { FakeMembers } from "../mob/fake-members.ts"
import { define, flow, host, step, world } from "../mob/world.ts"

const DAY = 86_400
/** Seconds between two runs: 1,080 of them in a day. */
const EVERY = 80

/** Runs an effect while the ambient timers and clock throw. */
const withoutAmbientTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { setInterval, setTimeout } = globalThis
      const now = Date.now
      const refuse = (what: string) => (): never => {
        throw new Error(`${what} was called`)
      }
      // The three are put back below; what they return is never reached.
      Object.assign(globalThis, { setTimeout: refuse("setTimeout"), setInterval: refuse("setInterval") })
      Date.now = refuse("Date.now")
      return () => {
        Object.assign(globalThis, { setTimeout, setInterval })
        Date.now = now
      }
    }),
    () => effect,
    (restore) => Effect.sync(restore)
  )

describe("a mob on virtual time", () => {
  it.live("lives through a day with members and timed-out steps, at least 1,000 timeouts fired", () => {
    const members = new FakeMembers()
    // Every turn of `slow` outlives its step; the member ends it a while later.
    members.answer = (delivery, incarnation) => incarnation.identity === "slow" ? undefined : `done ${delivery.input}`
    return withoutAmbientTime(
      Effect.gen(function*() {
        const { mob } = yield* host(
          yield* define({
            members: ["w-1", { identity: "slow", profile: "sleeper" }],
            flows: [[
              "main",
              flow([
                ["quick", step("worker")],
                ["late", step("sleeper", { depends_on: ["quick"], timeout_ms: 30_000, failure_policy: "continue" })]
              ])
            ]]
          })
        )
        let timeouts = 0
        for (let second = 0; second < DAY; second += EVERY) {
          const { run_id } = yield* mob.runFlow("main", { second }, { key: `at ${second}` })
          yield* advance("31 seconds")
          const record = yield* mob.run(run_id)
          expect(record.status).toBe("completed")
          expect(record.steps["late"]?.reason).toContain("timeout after 30000ms")
          timeouts += 1
          expect((yield* mob.status).orphaned_turns).toBe(1)
          members.end("slow", members.deliveries("slow").at(-1)?.input ?? "", "too late")
          yield* settle
          expect((yield* mob.status).orphaned_turns).toBe(0)
          yield* advance(`${EVERY - 31} seconds`)
        }
        expect(timeouts).toBeGreaterThanOrEqual(1_000)
        expect((yield* mob.status).active_runs).toEqual([])
        const [record] = yield* mob.runs()
        expect(record?.started_at).toBe((DAY - EVERY) * 1_000)
      }).pipe(Effect.provide(world(members)))
    )
  }, 120_000)
})
