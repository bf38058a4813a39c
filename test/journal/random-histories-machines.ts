/**
 * Histories of the real machines: a runtime under random faults, with what each of its aggregates wrote, in order.
 */
import { Effect, Fiber, Layer, Random, Schedule } from "effect"
import type { LoadedDefinition, MobHandle } from "mobwright"
import { type Entry, Journal, type MobId, type MobLog } from "mobwright/sdk"
import { advance, settle } from "mobwright/testing"
import { runAggregateOf, validateSchema } from "../../core/flow/index.ts"
import { type Aggregate, loadAggregate } from "../../core/journal/aggregate.ts"
import { compileFlow } from "../../core/machine/run/index.ts"
import { inboxAggregateOf } from "../../core/member/index.ts"
import { mobAggregate } from "../../core/mob/coordinator.ts"
import { FlowId, Identity, MobId as mobId, RunId } from "../../sdk/ids.ts"
import type { JsonObject } from "../../sdk/json.ts"
import { FakeMembers } from "../mob/fake-members.ts"
import { Saboteur } from "../mob/saboteur.ts"
import { chain, define, flow, host, makeDisk, step, world } from "../mob/world.ts"

/** Entries of each aggregate by revision. One that was not durable is replaced by the one that is. */
export type History = ReadonlyMap<string, ReadonlyArray<Entry>>

/** Notes what is submitted. */
class Recorder extends Saboteur {
  readonly written = new Map<string, Map<number, Entry>>()

  override readonly journal: Layer.Layer<Journal, never, Journal> = Layer.effect(
    Journal,
    Effect.map(Journal, (journal) => ({
      ...journal,
      acquire: (mob: MobId) => Effect.map(journal.acquire(mob), (log) => this.#recording(log))
    }))
  )

  #recording(log: MobLog): MobLog {
    return {
      ...log,
      submit: (submission) =>
        log.submit({
          ...submission,
          committed: (at) => {
            this.#note(submission.entries)
            submission.committed(at)
          },
          failed: (error) => {
            // It may be on disk. If it is not, its revision is written again.
            if (error._tag === "StoreWriteFailed") this.#note(submission.entries)
            submission.failed(error)
          }
        })
    }
  }

  #note(entries: ReadonlyArray<Entry>): void {
    for (const entry of entries) {
      const known = this.written.get(entry.aggregate) ?? new Map<number, Entry>()
      this.written.set(entry.aggregate, known.set(entry.revision, entry))
    }
  }
}

const flows = [
  ["chain", chain(3)],
  [
    "fan",
    flow([
      ["a", step("worker", { dispatch_mode: "fan_out", collection_policy: { type: "all" } })],
      ["b", step("worker", { depends_on: ["a"], dispatch_mode: "fan_in" })]
    ])
  ],
  [
    "each",
    flow([[
      "a",
      step("worker", { dispatch_mode: "each", items: "{{ params.items }}", collection_policy: { type: "all" } })
    ]])
  ]
] as const

/** What is done with an aggregate, whatever its state and facts are. */
export type WithAggregate<A> = <S, F extends JsonObject>(aggregate: Aggregate<S, F>) => A

/** Gives `body` the aggregate of this name. */
export const withAggregate = <A>(
  { definition, digest }: LoadedDefinition,
  name: string,
  entries: ReadonlyArray<Entry>,
  body: WithAggregate<A>
): A => {
  const id = name.slice(name.indexOf("/") + 1)
  if (name === "mob") return body(mobAggregate)
  if (name.startsWith("inbox/")) return body(inboxAggregateOf(Identity.make(id)))
  const plan = compileFlow(definition, FlowId.make(String(entries[0]?.facts[0]?.["flow_id"])), digest, validateSchema)
  return body(runAggregateOf(plan, RunId.make(id)))
}

/** A history of one seed, and what the journal itself says at its end: the state of each aggregate, encoded. */
export const machineHistory = (seed: number) => {
  const members = new FakeMembers({ keeping: (["none", "memory", "durable"] as const)[seed % 3] ?? "none" })
  const disk = makeDisk()
  const recorder = new Recorder()
  return Effect.gen(function*() {
    const loaded = yield* define({ members: ["w-1", "w-2"], flows })
    const random = yield* Random.Random
    const below = (count: number) => Math.floor(random.nextDoubleUnsafe() * count)
    let hosted = yield* host(loaded)
    const late: Array<() => void> = []
    members.answer = (delivery, { identity }) => {
      if (below(4) === 0) {
        late.push(() => {
          if (members.of(identity).alive) members.end(identity, delivery.input, "late")
        })
        return undefined
      }
      return below(6) === 0 ? { status: "failed", code: "x", reason: "no luck" } : `did ${delivery.input}`
    }
    const reopen = Effect.gen(function*() {
      yield* hosted.crash
      // Until its disk lets it.
      hosted = yield* passing(Effect.retry(host(loaded), { schedule: Schedule.spaced("1 second"), times: 20 }))
    })
    // A command whose answer got lost may be asked again or not: here it is not.
    const ask = <A, E>(effect: (mob: MobHandle) => Effect.Effect<A, E>) =>
      passing(Effect.exit(Effect.suspend(() => effect(hosted.mob))))
    for (let turn = 0; turn < 24; turn++) {
      const identity = `w-${1 + below(2)}`
      switch (below(12)) {
        case 0:
        case 1:
        case 2:
          yield* ask((mob) => mob.runFlow(flows[below(3)]?.[0] ?? "chain", { items: [1, 2, 3] }, { key: `k${turn}` }))
          break
        case 3:
        case 4:
          yield* ask((mob) => mob.submit(identity, `work ${turn}`, { key: `w${turn}` }))
          break
        case 5:
          if (members.of(identity).alive) members.crash(identity)
          break
        case 6:
          disk.next.push(below(2) === 0 ? "lost" : "landed")
          break
        case 7:
          recorder.crashes.push(["run ", `member ${identity}`][below(2)] ?? "run ")
          break
        case 8:
          if (turn % 3 === 0) yield* reopen
          break
        case 9:
          for (const end of late.splice(0)) end()
          break
        default:
          yield* advance(below(5_000))
      }
      for (let step = below(4); step > 0; step--) yield* Effect.yieldNow
    }
    disk.next.length = 0
    recorder.crashes.length = 0
    for (let round = 0; round < 10; round++) {
      yield* advance("2 seconds")
      for (const end of late.splice(0)) end()
    }
    yield* settle
    yield* hosted.crash
    const reads = yield* (yield* Journal).inspect(mobId.make(loaded.definition.id))
    if (reads === undefined) throw new Error("the mob is gone")
    const history = new Map<string, ReadonlyArray<Entry>>()
    const ends = new Map<string, unknown>()
    for (const [name, written] of recorder.written) {
      const entries = [...written.values()].sort((a, b) => a.revision - b.revision)
      const end = yield* withAggregate(
        loaded,
        name,
        entries,
        <S, F extends JsonObject>(aggregate: Aggregate<S, F>) =>
          Effect.map(
            loadAggregate(reads, aggregate),
            (it) => it && { revision: it.revision, state: aggregate.encode(it.state) }
          )
      )
      // The last submissions of all may not have been written.
      if (end === undefined) continue
      history.set(name, entries.slice(0, end.revision))
      ends.set(name, end.state)
    }
    return { loaded, history, ends }
  }).pipe(Effect.scoped, Effect.provide(world(members, disk, seed, recorder)))
}

/** Waits for an answer while time passes, because a store that reopens needs some. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    yield* settle
    while (fiber.pollUnsafe() === undefined) yield* advance("1 second")
    return yield* Fiber.join(fiber)
  })
