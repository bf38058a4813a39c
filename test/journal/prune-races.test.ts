/**
 * Reads between whose look at the index and whose reading of the disk the log was pruned.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { JournalTasks } from "../../core/journal/index.ts"
import type { Database, Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { openStore } from "../../core/journal/store.ts"
import type { MobLog, MobReads } from "../../sdk/store.ts"
import { count, entry, submit, team } from "./logs.ts"

const nothing = { events: Number.MAX_SAFE_INTEGER, forget: [] }

/** What happens before the n-th read of that kind; then never again. */
class Between {
  reads: "get" | "scan" = "get"
  left = Infinity
  happens: Effect.Effect<unknown, unknown> = Effect.void

  readonly before = (reads: Between["reads"]) =>
    Effect.suspend(() => reads === this.reads && --this.left === 0 ? Effect.orDie(this.happens) : Effect.void)

  set(reads: Between["reads"], left: number, happens: Effect.Effect<unknown, unknown>) {
    Object.assign(this, { reads, left, happens })
  }
}

/** An open store with a mob, and a seam before each read of it. */
const setting = Effect.gen(function*() {
  const base = memoryMedium(yield* JournalTasks)
  const between = new Between()
  const watched = (database: Database): Database => ({
    ...database,
    get: (keys) => Effect.andThen(between.before("get"), database.get(keys)),
    scan: (range, chunk, each) => Effect.andThen(between.before("scan"), database.scan(range, chunk, each))
  })
  const medium: Medium = { ...base, open: Effect.map(base.open, watched) }
  const store = yield* openStore(medium)
  const log = yield* store.acquire(team)
  return { between, log, store, medium }
})

const headOf = (log: MobLog, aggregate: string, revision: number) =>
  submit(log, [], { heads: [{ aggregate, revision, snapshot: () => ({ aggregate, count: revision }) }] })

/** The writer's log, and a look at the same mob from before what happens. */
const readers: ReadonlyArray<
  readonly [string, (all: Effect.Success<typeof setting>) => Effect.Effect<MobReads, unknown>]
> = [
  ["its writer", ({ log }) => Effect.succeed(log)],
  ["a look", ({ store }) => Effect.map(store.inspect(team), (mob) => mob!)]
]

describe.each(readers)("%s", (_, readsOf) => {
  it.effect("loads an aggregate from a newer head when the blocks after the older one went", () =>
    Effect.gen(function*() {
      const all = yield* setting
      const { between, log } = all
      for (const revision of [1, 2, 3]) yield* submit(log, [entry("mob", revision)])
      const reads = yield* readsOf(all)
      // What the opening read is used up.
      yield* reads.load("mob")
      // The first read is of the head, the second of the blocks.
      between.set("get", 2, Effect.andThen(headOf(log, "mob", 3), log.prune(nothing)))
      expect(count(yield* reads.load("mob"))).toBe(3)
      expect(between.left).toBeLessThan(1)
    }))

  it.effect("finds that an aggregate was forgotten", () =>
    Effect.gen(function*() {
      const all = yield* setting
      const { between, log } = all
      yield* submit(log, [entry("run/a", 1)])
      const reads = yield* readsOf(all)
      yield* reads.load("run/a")
      between.set(
        "get",
        1,
        Effect.andThen(
          submit(log, [entry("run/a", 2, { terminal: true })]),
          log.prune({ events: 1, forget: ["run/a"] })
        )
      )
      expect(yield* reads.load("run/a")).toBeUndefined()
      expect(between.left).toBeLessThan(1)
    }))

  it.effect("finds an aggregate that has come to life", () =>
    Effect.gen(function*() {
      const all = yield* setting
      const { between, log } = all
      const reads = yield* readsOf(all)
      between.set("get", 1, submit(log, [entry("run/a", 1)]))
      expect(count(yield* reads.load("run/a"))).toBe(1)
      expect(between.left).toBeLessThan(1)
    }))

  it.effect("hears that the events it was about to read were pruned", () =>
    Effect.gen(function*() {
      const all = yield* setting
      const { between, log } = all
      for (let run = 1; run <= 10; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      const reads = yield* readsOf(all)
      between.set("scan", 1, log.prune({ events: 6, forget: [] }))
      expect(yield* Effect.flip(reads.events(2, 3))).toMatchObject({ _tag: "HistoryPruned", first_cursor: 6 })
      between.set("scan", 1, log.prune({ events: 8, forget: [] }))
      expect((yield* reads.events(8, 10)).map((event) => event.cursor)).toEqual([9, 10])
    }))

  it.effect("still finds what is missing and was not pruned", () =>
    Effect.gen(function*() {
      const all = yield* setting
      const { log, medium } = all
      for (const revision of [1, 2, 3]) yield* submit(log, [entry("mob", revision)])
      const reads = yield* readsOf(all)
      yield* reads.load("mob")
      const database = yield* medium.open
      const [first] = yield* database.keys({ gte: Buffer.from([0x10]), lt: Buffer.from([0x11]) })
      const key = Buffer.from(first!)
      key[12] = 2
      yield* Effect.callback<void>((resume) => database.commit([{ type: "del", key }], () => resume(Effect.void)))
      expect(yield* Effect.flip(reads.load("mob"))).toMatchObject({ _tag: "StoreCorrupted" })
      expect(yield* Effect.flip(reads.events(0, 10))).toMatchObject({ _tag: "StoreCorrupted" })
    }))
})
