/**
 * Members that do not behave, in a mob that does: for each what becomes of its work and of itself. A healthy step beside
 * them completes, each error names its member and shows what it said last, and no process is left. Real children.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import {
  ByteBudget,
  type Definition,
  digestOf,
  type Json,
  type MemberView,
  Mobs,
  type RunRecord,
  runtime
} from "mobwright"
import { subprocessBridge } from "mobwright/plugins/subprocess"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { flow, step } from "../mob/world.ts"

const base = new URL("../plugins/members", import.meta.url).pathname
/** What is expected of each habit: how its step ends, and what its member is after that. */
const habits: ReadonlyArray<readonly [string, Partial<Json & object>, RegExp, MemberView["phase"]]> = [
  ["never-answers", { startup_timeout_ms: 200 }, /handshake_timeout/, "broken"],
  ["never-answers-deliver", {}, /timeout after 6000ms: never-answers-deliver/, "active"],
  ["prints", {}, /protocol_violation.*hello, world/, "broken"],
  ["floods-stdout", {}, /protocol_violation.*longer than 4194304 bytes/, "broken"],
  ["dies-at-once", {}, /member_exited: it exited with status 3.*its log ends: no licence \| bye/, "broken"],
  ["exits-in-a-turn", {}, /redelivery_limit|redelivered 5 times|member_exited: it exited with status 0/, "broken"],
  ["ends-another", {}, /protocol_violation.*somebody\/else/, "broken"],
  ["stops-itself", { idle_timeout_ms: 200 }, /member_idle/, "broken"]
]

/** Processes that run the hostile member or the Python one. */
const left = (mark: string): ReadonlyArray<string> =>
  readdirSync("/proc").filter((it) => /^\d+$/.test(it)).flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(mark) ? [pid] : []
    } catch {
      // It ended while we looked.
      return []
    }
  })

describe("members that do not behave", () => {
  it.live("cost themselves alone", () => {
    const dir = mkdtempSync(join(tmpdir(), "mobwright-hostile-"))
    const mark = `MOBWRIGHT_TEST=${dir}`
    const env = { MOBWRIGHT_TEST: dir }
    const node = (habit: string, more: object = {}) => ({
      use: "subprocess",
      command: [process.execPath, "hostile.mjs", habit],
      stop_timeout_ms: 300,
      env,
      ...more
    })
    const tolerated = { failure_policy: "continue", timeout_ms: 60_000 } as const
    const definition: Definition = {
      id: "hostile",
      profiles: [
        ...habits.map(([habit, more]): Definition["profiles"][number] => [habit, { bridge: node(habit, more) }]),
        ["floods-stderr", { bridge: node("floods-stderr") }],
        ["healthy", { bridge: node("well-behaved") }]
      ],
      members: [...habits.map(([habit]) => habit), "floods-stderr", "healthy"].map((identity) => ({
        identity,
        profile: identity,
        labels: {}
      })),
      flows: [[
        "main",
        flow([
          ["healthy", step("healthy", tolerated)],
          ["after", step("healthy", { ...tolerated, depends_on: ["healthy"] })],
          ["floods-stderr", step("floods-stderr", tolerated)],
          ...habits.map(([habit]) =>
            [
              habit,
              step(habit, habit === "never-answers-deliver" ? { ...tolerated, timeout_ms: 6_000 } : tolerated)
            ] as const
          )
        ])
      ]],
      limits: {},
      on_resume: "continue",
      extra: {}
    }
    const budgets: Array<ByteBudget> = []
    const watched = () => {
      const budget = new ByteBudget()
      budgets.push(budget)
      return budget
    }
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const layers = yield* Layer.buildWithScope(
        runtime({ dir, bridges: [subprocessBridge({ budget: watched })] }),
        scope
      )
      const loaded = { definition, base, digest: yield* digestOf(definition), warnings: [] }
      const mobs = yield* Effect.provideContext(Mobs, layers)
      const mob = yield* Effect.provideService(mobs.create(loaded), Scope.Scope, scope)
      const { run_id } = yield* mob.runFlow("main")
      const record: RunRecord = yield* mob.awaitRun(run_id)
      const members = new Map((yield* mob.members).map((it) => [it.identity as string, it]))

      expect(record.status).toBe("completed")
      expect(record.steps["healthy"]).toEqual({ status: "completed", output: "done" })
      expect(record.steps["after"]).toEqual({ status: "completed", output: "done" })
      expect(record.steps["floods-stderr"]).toEqual({ status: "completed", output: "done" })
      const table = habits.map(([habit, , reason, phase]) => {
        const told = record.steps[habit]
        expect(told?.status, habit).toBe("failed")
        expect(told?.reason, habit).toMatch(reason)
        expect(told?.reason, habit).toContain(habit)
        expect(members.get(habit)?.phase, habit).toBe(phase)
        return `${habit.padEnd(22)} ${phase.padEnd(7)} ${told?.reason}`
      })
      console.log(table.join("\n"))
      expect(Math.max(...budgets.map((it) => it.peak))).toBeLessThanOrEqual(8 * 1024 * 1024)
      yield* Scope.close(scope, Exit.void)
      expect(left(mark)).toEqual([])
    }).pipe(Effect.ensuring(Effect.sync(() => rmSync(dir, { recursive: true, force: true }))))
  }, 60_000)
})
