/**
 * The batches of a prune: what stands in one, what is decided where it is made, and what is left when one fails.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Composer } from "../../core/journal/compose.ts"
import { emptyGroup, type OwnedLog, type Waiting } from "../../core/journal/group.ts"
import { sealHead } from "../../core/journal/head.ts"
import type { Operation } from "../../core/journal/index.ts"
import { blockKey, headKey, metaKey } from "../../core/journal/keys.ts"
import { Listeners } from "../../core/journal/listeners.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { openMob } from "../../core/journal/open-mob.ts"
import { unsealMeta } from "../../core/journal/registry.ts"
import { linesOf } from "../../core/journal/stage.ts"
import { MobId } from "../../sdk/ids.ts"
import type { MobLog, StoreError } from "../../sdk/store.ts"
import { count, entry, note, submit, team, until } from "./logs.ts"
import { cursors, headOf, memory, nothing, open, range } from "./pruning.ts"

it.effect("removes at most 1,000 blocks a batch, with the floors in the same one, and never what another mob has", () => {
  const batches: Array<ReadonlyArray<Operation>> = []
  return Effect.gen(function*() {
    const store = yield* open(yield* memory, (commit) => (operations, done) => {
      batches.push(operations)
      commit(operations, done)
    })
    const [log, other] = yield* Effect.all([store.acquire(team), store.acquire(MobId.make("other"))])
    yield* submit(other, [entry("mob", 1)])
    for (let run = 0; run < 2500; run++) {
      const answers: Array<string> = []
      note(log, answers, "", [entry(`run/${run}`, 1, { terminal: true })])
      // Some batches hold blocks of both.
      if (run % 500 === 0) note(other, answers, "", [entry("mob", 2 + run / 500)])
      yield* until(() => answers.length === (run % 500 === 0 ? 2 : 1))
    }
    batches.length = 0
    expect(yield* log.prune(nothing)).toMatchObject({ firstPosition: 2501, firstCursor: 2501 })
    const removing = batches.filter((batch) => batch.some((operation) => operation.type === "del"))
    expect(removing.map((batch) => batch.filter((operation) => operation.type === "del").length))
      .toEqual([1000, 1000, 500])
    for (const batch of removing) {
      expect(batch.filter((operation) => operation.type === "put").map(({ key }) => key.toString("hex")).sort())
        .toEqual(["01", "1200000001"])
    }
    expect(count(yield* other.load("mob"))).toBe(6)
    expect(yield* cursors(other, 0)).toEqual(range(1, 6))
  })
})

it.effect("one step of removal a batch, however many mobs are pruned at a time", () => {
  let most = 0
  return Effect.gen(function*() {
    const store = yield* open(yield* memory, (commit) => (operations, done) => {
      most = Math.max(most, operations.filter(({ type }) => type === "del").length)
      commit(operations, done)
    })
    const logs = yield* Effect.forEach(["a", "b", "c"], (name) => store.acquire(MobId.make(name)))
    for (let run = 0; run < 700; run++) {
      yield* Effect.forEach(logs, (log) => submit(log, [entry(`run/${run}`, 1, { terminal: true })]), {
        concurrency: "unbounded"
      })
    }
    yield* Effect.forEach(logs, (log) => log.prune(nothing), { concurrency: "unbounded" })
    expect(most).toBe(700)
    for (const log of logs) expect(yield* log.events(700, 1)).toEqual([])
  })
})

describe("after a prune", () => {
  /** Two mobs take turns, the first is pruned, then `after` more batches of each. */
  const pruned = Effect.fnUntraced(function*(after: number) {
    const medium = yield* memory
    const store = yield* open(medium)
    const logs = yield* Effect.forEach(["a", "b"], (name) => store.acquire(MobId.make(name)))
    const turn = (run: number) =>
      Effect.forEach(logs, (log) => submit(log, [entry(`run/${run}`, 1, { terminal: true })]))
    for (let run = 1; run <= 5; run++) yield* turn(run)
    yield* logs[0]!.prune(nothing)
    for (let run = 6; run < 6 + after; run++) yield* turn(run)
    return medium
  })

  it.effect("opening finds the newest group commit by the floor, when the block it was in is gone", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const log = yield* (yield* open(medium)).acquire(team)
      for (let run = 1; run <= 5; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      yield* log.prune(nothing)
      expect(medium.readMark()).toBe(5)
      const again = yield* (yield* open(medium)).acquire(team)
      yield* submit(again, [entry("run/6", 1)])
      expect(medium.readMark()).toBe(6)
    }))

  it.effect("a group commit that is missing is still found", () =>
    Effect.gen(function*() {
      const medium = yield* pruned(2)
      const database = yield* medium.open
      // The block of `seq` 12, the first after the prune of the mob that was not pruned.
      yield* Effect.callback<void>((resume) =>
        database.commit([{ type: "del", key: blockKey(2, 6) }], () => resume(Effect.void))
      )
      expect(yield* Effect.flip(open(medium))).toMatchObject({
        _tag: "StoreCorrupted",
        what: "group commit 12 is missing, later ones are there"
      })
    }))

  it.effect("a group commit that is missing is still found when it was made between two steps", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      let steps = 0
      let between: MobLog | undefined
      const store = yield* open(medium, (commit) => (operations, done) => {
        if (operations.some((operation) => operation.type === "del") && ++steps === 1 && between !== undefined) {
          note(between, [], "", [entry("mob", 2)])
        }
        commit(operations, done)
      })
      const log = yield* store.acquire(team)
      between = yield* store.acquire(MobId.make("other"))
      yield* submit(between, [entry("mob", 1)])
      for (let run = 1; run <= 1500; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      yield* log.prune(nothing)
      expect(steps).toBe(2)
      yield* submit(log, [entry("run/1501", 1)])
      const database = yield* medium.open
      yield* Effect.callback<void>((resume) =>
        database.commit([{ type: "del", key: blockKey(2, 2) }], () => resume(Effect.void))
      )
      expect(yield* Effect.flip(open(medium))).toMatchObject({
        _tag: "StoreCorrupted",
        what: "group commit 1502 is missing, later ones are there"
      })
    }))

  it.effect("no group commit counts as settled that was made while the log was moved", () =>
    Effect.gen(function*() {
      const base = yield* memory
      let durable: number | undefined
      const medium: Medium = {
        ...base,
        open: Effect.map(base.open, (database) => ({
          ...database,
          settle: Effect.suspend(() => {
            durable ??= base.readMark()
            return database.settle
          })
        }))
      }
      const store = yield* open(medium)
      const [log, busy] = yield* Effect.forEach(["a", "b"], (name) => store.acquire(MobId.make(name)))
      for (let run = 1; run <= 5; run++) yield* submit(log!, [entry(`run/${run}`, 1, { terminal: true })])
      let revision = 0
      let over = false
      // Who submits again as soon as it is told always has a batch in flight.
      const write = () => {
        if (over) return
        busy!.submit({ entries: [entry("mob", ++revision)], committed: write, failed: () => {} })
      }
      write()
      yield* log!.prune(nothing)
      over = true
      const database = yield* base.open
      const [value] = yield* database.get([metaKey])
      expect(durable).toBeGreaterThan(5)
      expect(unsealMeta(value!).seqFloor).toBeLessThanOrEqual(durable!)
    }))

  it.effect("blocks of before that come back, as a batch that LevelDB dropped leaves them, go with the next", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const log = yield* (yield* open(medium)).acquire(team)
      for (let run = 1; run <= 3; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      const database = yield* medium.open
      const kept = yield* database.get([blockKey(1, 1)])
      yield* log.prune(nothing)
      const back = { type: "put" as const, key: blockKey(1, 1), value: kept[0]! }
      yield* Effect.callback<void>((resume) => database.commit([back], () => resume(Effect.void)))
      const again = yield* (yield* open(medium)).acquire(team)
      expect(yield* again.prune(nothing)).toMatchObject({ firstPosition: 4 })
      expect(yield* database.get([blockKey(1, 1)])).toEqual([undefined])
    }))
})

describe.each(["lost", "written"] as const)("a prune batch that fails and was %s", (fault) => {
  it.effect("what was removed before it is removed, and the log is whole", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      let failAt = Infinity
      let batches = 0
      const log = yield* (yield* open(medium, (commit) => (operations, done) => {
        const removes = operations.some((operation) => operation.type === "del")
        if (!removes || ++batches !== failAt) return commit(operations, done)
        if (fault === "lost") return setImmediate(() => done(new Error("the disk is gone")))
        commit(operations, () => done(new Error("the disk is gone")))
      })).acquire(team)
      yield* submit(log, [entry("mob", 1)])
      for (let run = 0; run < 2500; run++) yield* submit(log, [entry(`run/${run}`, 1, { terminal: true })])
      failAt = 2
      expect(yield* Effect.flip(log.prune(nothing))).toMatchObject({ _tag: "StoreWriteFailed", outcome: "unknown" })
      expect(yield* Effect.flip(log.prune(nothing))).toMatchObject({ _tag: "StoreUnavailable" })
      yield* TestClock.adjust(100)
      const first = fault === "lost" ? 1001 : 2001
      expect(yield* Effect.flip(log.events(0, 1))).toMatchObject({ _tag: "HistoryPruned", first_cursor: first })
      expect(yield* cursors(log, first - 1)).toEqual(range(first, 2501))
      expect(yield* submit(log, [entry("mob", 2)])).toEqual({ position: 2502, cursor: 2502 })
      expect(yield* log.prune(nothing)).toMatchObject({ firstPosition: 2502 })
      expect(count(yield* (yield* (yield* open(medium)).acquire(team)).load("mob"))).toBe(2)
    }))
})

describe("a batch that forgets an aggregate", () => {
  /** Composes these as one group over a log with an ended `run/a` of two entries, and opens what that leaves. */
  const together = Effect.fnUntraced(function*(
    entries: ReadonlyArray<ReturnType<typeof entry>>,
    order: "forget first" | "entries first"
  ) {
    const medium = yield* memory
    const store = yield* open(medium)
    const before = yield* store.acquire(team)
    yield* submit(before, [entry("run/a", 1)])
    yield* submit(before, [entry("run/a", 2, { terminal: true })])
    const database = yield* medium.open
    const registered = { mobNo: 1, epoch: 1 }
    const log: OwnedLog = {
      mob: team,
      ...registered,
      state: yield* openMob(database, team, 1, 1),
      listeners: new Listeners(),
      ended: undefined
    }
    const composer = new Composer(database, new Map([[team, registered]]), 2, new Map([[team, log]]))
    const heard: Array<string> = []
    const failed = (error: StoreError) => heard.push(error._tag)
    const items: ReadonlyArray<Waiting> = [
      {
        type: "prune",
        log,
        step: { blocks: [], to: { position: 1, cursor: 1 }, forget: ["run/a"] },
        done: (forgotten) => heard.push(`forgot ${forgotten}`),
        failed
      },
      {
        type: "submission",
        log,
        submission: { entries, committed: ({ position }) => heard.push(`committed ${position}`), failed },
        lines: linesOf({ entries, committed: () => {}, failed }, log.epoch),
        length: 0
      }
    ]
    const group = emptyGroup()
    composer.compose(order === "forget first" ? items : items.toReversed(), group)
    yield* Effect.callback<void>((resume) => database.commit(group.operations, () => resume(Effect.void)))
    for (const { tell } of group.releases) tell()
    const after = yield* (yield* open(medium)).acquire(team)
    return { heard, revision: count(yield* after.load("run/a")), live: yield* after.live }
  })

  it.effect("takes the first entry of a new one of that name, and none of the old one", () =>
    Effect.gen(function*() {
      expect(yield* together([entry("run/a", 1)], "forget first"))
        .toEqual({ heard: ["forgot 1", "committed 3"], revision: 1, live: ["run/a"] })
      expect(yield* together([entry("run/a", 3)], "forget first"))
        .toEqual({ heard: ["forgot 1", "RevisionConflict"], revision: 0, live: [] })
    }))

  it.effect("leaves one alone that has just taken an entry", () =>
    Effect.gen(function*() {
      expect(yield* together([entry("run/a", 3, { terminal: true })], "entries first"))
        .toEqual({ heard: ["committed 3", "forgot 0"], revision: 3, live: [] })
      expect(yield* together([entry("run/a", 3)], "entries first"))
        .toEqual({ heard: ["committed 3", "forgot 0"], revision: 3, live: ["run/a"] })
    }))
})

it.effect("R14: no block of an aggregate goes whose head came with a batch that failed", () =>
  Effect.gen(function*() {
    let failing = false
    const log = yield* (yield* open(yield* memory, (commit) => (operations, done) => {
      if (failing) setImmediate(() => done(new Error("the disk is gone")))
      else commit(operations, done)
    })).acquire(team)
    for (const revision of [1, 2, 3]) yield* submit(log, [entry("mob", revision)])
    failing = true
    const pruning = yield* Effect.forkChild(Effect.flip(log.prune(nothing)), { startImmediately: true })
    expect(yield* Effect.flip(submit(log, [], headOf("mob", 3)))).toMatchObject({ _tag: "StoreWriteFailed" })
    failing = false
    yield* Fiber.join(pruning)
    yield* TestClock.adjust(100)
    expect(yield* log.prune(nothing)).toMatchObject({ firstPosition: 2 })
    expect(count(yield* log.load("mob"))).toBe(3)
  }))

it.effect("a step that would take what a live aggregate needs is refused where the batch is made", () =>
  Effect.gen(function*() {
    const medium = yield* memory
    const before = yield* (yield* open(medium)).acquire(team)
    for (const revision of [1, 2, 3]) yield* submit(before, [entry("mob", revision)])
    const database = yield* medium.open
    const registered = { mobNo: 1, epoch: 1 }
    const state = yield* openMob(database, team, 1, 1)
    const log: OwnedLog = { mob: team, ...registered, state, listeners: new Listeners(), ended: undefined }
    const composer = new Composer(database, new Map([[team, registered]]), 3, new Map([[team, log]]))
    const steps = [3, 2].map((position) => {
      const group = emptyGroup()
      const heard: Array<unknown> = []
      const step = { blocks: [blockKey(1, 1)], to: { position, cursor: position }, forget: [] }
      composer.compose(
        [{ type: "prune", log, step, done: (forgotten) => heard.push(forgotten), failed: () => {} }],
        group
      )
      for (const { tell } of group.releases) tell()
      return [heard, group.operations.length]
    })
    expect(steps).toEqual([[[undefined], 0], [[0], 3]])
  }))

it.effect("a head that is live and that the log does not know is not forgotten", () =>
  Effect.gen(function*() {
    const medium = yield* memory
    const log = yield* (yield* open(medium)).acquire(team)
    const database = yield* medium.open
    const head = { revision: 1, position: 1, born: 1, terminal: false, text: "{}" }
    yield* Effect.callback<void>((resume) =>
      database.commit([{ type: "put", key: headKey(1, "run/a"), value: sealHead(1, "run/a", head) }], () =>
        resume(Effect.void))
    )
    expect(yield* log.prune({ events: 1, forget: ["run/a"] })).toMatchObject({ forgotten: 0 })
    expect(yield* log.aggregates("run/")).toEqual(["run/a"])
  }))

it.effect("a damaged head of a live aggregate is found before the facts behind it go", () =>
  Effect.gen(function*() {
    const medium = yield* memory
    const log = yield* (yield* open(medium)).acquire(team)
    for (const revision of [1, 2]) yield* submit(log, [entry("mob", revision)])
    yield* submit(log, [], headOf("mob", 2))
    const database = yield* medium.open
    const [key] = yield* database.keys({ gte: Buffer.from([0x11]), lt: Buffer.from([0x12]) })
    yield* Effect.callback<void>((resume) =>
      database.commit([{ type: "put", key: key!, value: "{\"v\":1}" }], () => resume(Effect.void))
    )
    expect(yield* Effect.flip(log.prune(nothing))).toMatchObject({ _tag: "StoreCorrupted" })
    expect(yield* cursors(log, 0)).toEqual([1, 2])
  }))
