/**
 * Everything that can go wrong, in any order: seeds draw interleavings and faults (a commit that fails with its batch
 * lost or landed, members, cells and hosts that crash), and the invariants of the protocol hold at the end of each.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Random } from "effect"
import type { MobHandle } from "mobwright"
import { advance, settle } from "mobwright/testing"
import { type FakeIncarnation, FakeMembers } from "./fake-members.ts"
import { Saboteur } from "./saboteur.ts"
import { chain, define, flow, host, makeDisk, step, world } from "./world.ts"

const soak = process.env["MOB_EFFORT"] === "soak"
const seeds = soak ? 3_000 : 120
const first = Number(process.env["MOB_SEED"] ?? 1)

/** Waits for an answer while time passes, because a store that reopens needs some. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    yield* settle
    while (fiber.pollUnsafe() === undefined) yield* advance("1 second")
    return yield* Fiber.await(fiber)
  })

const fan = flow([
  ["a", step("worker", { dispatch_mode: "fan_out", collection_policy: { type: "all" } })],
  ["b", step("worker", { depends_on: ["a"], dispatch_mode: "fan_out", collection_policy: { type: "all" } })]
])

/** What stands in the log, checked against itself. */
const invariants = (mob: MobHandle, runs: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const events = yield* mob.pollEvents(0, 1_000)
    expect(events.map((it) => it.cursor)).toEqual(events.map((_, index) => index + 1))
    for (const run of runs) {
      const mine = events.map((it) => it.event).filter((it) => it["run_id"] === run)
      const types = mine.map((it) => it["type"])
      expect(types.filter((it) => it === "flow_started")).toHaveLength(1)
      const ends = types.filter((it) => it === "flow_completed" || it === "flow_failed" || it === "flow_canceled")
      expect(ends).toHaveLength(1)
      // Completed exactly once: one completion of each step and target, whatever was delivered again.
      const done = mine.filter((it) => it["type"] === "step_target_completed").map((it) =>
        `${it["step_id"]} ${it["target"]}`
      )
      const lanes = done.map((it) => it.replace(/[:@#]\d+$/, ""))
      expect(new Set(lanes).size).toBe(lanes.length)
      const steps = mine.filter((it) => it["type"] === "step_completed").map((it) => it["step_id"])
      expect(new Set(steps).size).toBe(steps.length)
    }
    expect((yield* mob.status).active_runs).toEqual([])
  })

const scenario = (seed: number) => {
  const keeping = (["none", "memory", "durable"] as const)[seed % 3] ?? "none"
  const members = new FakeMembers({ keeping, lifetime: seed % 2 === 0 ? "host" : "remote", processes: seed % 5 === 0 })
  const disk = makeDisk()
  const saboteur = new Saboteur()
  return Effect.gen(function*() {
    const loaded = yield* define({ members: ["w-1", "w-2"], flows: [["chain", chain(3)], ["fan", fan]] })
    let hosted = yield* host(loaded)
    const random = yield* Random.Random
    const below = (count: number) => Math.floor(random.nextDoubleUnsafe() * count)
    const open: Array<{ readonly incarnation: FakeIncarnation; readonly input: string }> = []
    members.answer = (delivery, incarnation) => {
      if (below(3) > 0) return `did ${delivery.input}`
      open.push({ incarnation, input: delivery.input })
      return undefined
    }
    const log: Array<string> = []
    const runs = new Map<string, string>()
    const works = new Map<string, string>()
    type Services = Effect.Services<ReturnType<typeof host>> | Effect.Services<ReturnType<typeof advance>>
    /** A new process opens the mob, again and again until its disk lets it. */
    const reopen: Effect.Effect<void, never, Services> = Effect.gen(function*() {
      for (let attempt = 0; attempt < 20; attempt += 1) {
        const exit = yield* passing(host(loaded))
        if (exit._tag === "Success") {
          hosted = exit.value
          return
        }
        log.push(`open: ${String(exit.cause)}`)
        yield* advance("1 second")
      }
      return yield* Effect.die(new Error("the mob was never opened again"))
    })
    /** Asks until it is answered, as a caller with a key would (R12). */
    const surely = <A, E extends { readonly _tag: string }>(
      what: string,
      effect: (mob: MobHandle) => Effect.Effect<A, E>
    ) =>
      Effect.gen(function*() {
        for (let attempt = 0; attempt < 40; attempt += 1) {
          const exit = yield* passing(effect(hosted.mob))
          if (exit._tag === "Success") return exit.value
          log.push(`${what}: ${String(exit.cause)}`)
          // A coordinator that crashes past its limit closes its mob; its operator opens it again.
          if (String(exit.cause).includes("MobClosed")) yield* Effect.andThen(hosted.crash, reopen)
          yield* advance("1 second")
        }
        return yield* Effect.die(new Error(`${what} was never answered`))
      })
    const fault = Effect.suspend((): Effect.Effect<void, never, Services> => {
      const kind = below(8)
      const identity = below(2) === 0 ? "w-1" : "w-2"
      log.push(`fault ${kind} ${identity}`)
      switch (kind) {
        case 0:
          disk.next.push("lost")
          return Effect.void
        case 1:
          disk.next.push("landed")
          return Effect.void
        case 2:
          if (members.incarnations.some((it) => it.identity === identity) && members.of(identity).alive) {
            members.crash(identity)
          }
          return Effect.void
        case 3:
          saboteur.crashes.push("run ")
          return Effect.void
        case 4:
          saboteur.crashes.push(`member ${identity}`)
          return Effect.void
        case 5:
          saboteur.crashes.push("coordinator")
          return Effect.void
        case 6:
          return Effect.andThen(hosted.crash, reopen)
        default:
          return advance(below(400))
      }
    })
    /** A turn goes on only in the incarnation that began it. */
    const finish = ({ incarnation, input }: (typeof open)[number]) => {
      if (incarnation.alive) members.end(incarnation.identity, input, `late ${input}`)
    }
    const act = Effect.suspend((): Effect.Effect<unknown, unknown, never> => {
      if (below(2) === 0 && open.length > 0) {
        for (const late of open.splice(below(open.length), 1)) finish(late)
      }
      return Effect.void
    })

    const body = Effect.gen(function*() {
      for (const [key, name] of [["k1", "chain"], ["k2", "fan"]] as const) {
        const started = yield* surely(key, (mob) => mob.runFlow(name, {}, { key }))
        runs.set(key, started.run_id)
        if (below(2) === 0) yield* fault
        const work = yield* surely(`work ${key}`, (mob) => mob.submit("w-1", `work ${key}`, { key }))
        works.set(key, work.work_ref)
        for (let round = 0; round < 3; round += 1) {
          yield* fault
          for (let step = below(6); step > 0; step -= 1) yield* Effect.yieldNow
          yield* act
        }
      }
      disk.next.length = 0
      saboteur.crashes.length = 0
      // Members that were never asked again end what they still run; nothing else goes wrong from here on.
      for (let round = 0; round < 60; round += 1) {
        yield* advance("2 seconds")
        for (const late of open.splice(0)) finish(late)
        const states = yield* Effect.forEach([...runs.values()], (run) => surely(run, (mob) => mob.run(run)))
        if (states.every((it) => it.status !== "running")) break
      }
      yield* settle
      for (const [key, run] of runs) {
        const record = yield* surely(run, (mob) => mob.run(run))
        expect(record.status, key).not.toBe("running")
        // The same key always finds the same run.
        const again = yield* surely(key, (mob) => mob.runFlow(key === "k1" ? "chain" : "fan", {}, { key }))
        expect(again).toEqual({ run_id: run, existing: true })
      }
      for (const [key, work] of works) {
        const again = yield* surely(key, (mob) => mob.submit("w-1", `work ${key}`, { key }))
        expect(again).toEqual({ work_ref: work, existing: true })
        const outcome = yield* surely(key, (mob) => mob.outcome("w-1", work))
        expect(["completed", "failed"]).toContain(outcome.status)
      }
      yield* settle
      yield* invariants(hosted.mob, [...runs.values()])
      if (keeping === "durable") {
        const inputs = members.executed.map((it) => it.input)
        expect(new Set(inputs).size, "a durable member executed an input twice").toBe(inputs.length)
      }
    })
    yield* body.pipe(Effect.onError(() => Effect.sync(() => console.error(`seed ${seed}\n${log.join("\n")}`))))
  }).pipe(Effect.provide(world(members, disk, seed, saboteur)))
}

describe("under random faults", () => {
  for (let block = 0; block < 6; block += 1) {
    const from = first + block * Math.ceil(seeds / 6)
    it.live(`seeds ${from} to ${from + Math.ceil(seeds / 6) - 1} keep the protocol's invariants`, () =>
      Effect.forEach(
        Array.from({ length: Math.ceil(seeds / 6) }, (_, index) => from + index),
        (seed) => scenario(seed),
        { discard: true }
      ), soak ? 900_000 : 30_000)
  }
})
