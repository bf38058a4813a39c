/**
 * Random histories of a journal: what can be done to it in any order, and a player that does it and compares everything
 * that can be read with the plain-array reference after each step.
 */
import { Effect, Exit, Fiber, Result, Scope } from "effect"
import fc from "fast-check"
import { expect } from "vitest"
import type { Commit } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import type { Committed, Keep, MobLog, MobReads, StoredEvent, StoreError, StoreShape } from "../../sdk/store.ts"
import { until } from "./logs.ts"
import { type Drawn, type DrawnEntry, foldLoaded, type Planned, Reference } from "./random-histories-reference.ts"

const names = ["mob", "run/a", "run/b", "inbox/w"]
const mobs = ["left", "right"].map((name) => MobId.make(name))

/** What happens to the next commit: nothing of it is written, or all of it although it fails; with room or without. */
export type Fate = "lost" | "written" | "full"

/** What can be done. Mobs and aggregates are indexes. */
export type Command =
  | { readonly type: "submit"; readonly all: ReadonlyArray<{ readonly mob: number; readonly drawn: Drawn }> }
  | {
    readonly type: "prune"
    readonly mob: number
    /** Share of the events that need not be kept; above 1: none. */
    readonly share: number
    readonly forget: ReadonlyArray<string>
    /** Whether writers answer when they are asked for heads. */
    readonly answers: boolean
    readonly during: ReadonlyArray<Drawn>
  }
  | { readonly type: "acquire"; readonly mob: number; readonly racing: ReadonlyArray<Drawn> }
  | { readonly type: "destroy"; readonly mob: number }
  | { readonly type: "reopen" }
  | { readonly type: "fault"; readonly fate: Fate }

const mob = fc.nat({ max: mobs.length - 1 })
const name = fc.constantFrom(...names)
const rarely = <A>(often: A, seldom: A): fc.Arbitrary<A> =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(often) }, { weight: 1, arbitrary: fc.constant(seldom) })

const entry: fc.Arbitrary<DrawnEntry> = fc.record({
  aggregate: name,
  off: fc.oneof({ weight: 19, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-1, 1) }),
  facts: fc.integer({ min: 1, max: 2 }),
  events: fc.integer({ min: 0, max: 3 }),
  filler: fc.constantFrom(0, 0, 300, 9000),
  terminal: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })
})

const drawn: fc.Arbitrary<Drawn> = fc.record({
  entries: fc.array(entry, { minLength: 1, maxLength: 2 }),
  head: fc.option(fc.record({ aggregate: name, off: rarely(0, 1) }), { freq: 6, nil: undefined })
})

const headAlone: fc.Arbitrary<Drawn> = fc.record({
  entries: fc.constant([]),
  head: fc.record({ aggregate: name, off: rarely(0, -1) })
})

const submission = fc.oneof({ weight: 6, arbitrary: drawn }, { weight: 1, arbitrary: headAlone })

/** A history. */
export const commands: fc.Arbitrary<ReadonlyArray<Command>> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        type: fc.constant("submit" as const),
        all: fc.array(fc.record({ mob, drawn: submission }), { minLength: 1, maxLength: 6, size: "max" })
      })
    },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constant("prune" as const),
        mob,
        share: fc.constantFrom(0, 0.3, 0.7, 1.1, 1.1),
        forget: fc.subarray([...names, "run/none"], { maxLength: 3 }),
        answers: fc.boolean(),
        during: fc.array(drawn, { maxLength: 2 })
      })
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant("acquire" as const),
        mob,
        racing: fc.array(drawn, { maxLength: 3 })
      })
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("destroy" as const), mob }) },
    { weight: 2, arbitrary: fc.constant({ type: "reopen" as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant("fault" as const),
        fate: fc.constantFrom<Fate>("lost", "written", "full")
      })
    }
  ),
  { minLength: 5, maxLength: 30, size: "max" }
)

const one = (aggregate: string, more: Partial<DrawnEntry> = {}): Drawn => ({
  entries: [{ aggregate, off: 0, facts: 1, events: 1, filler: 0, terminal: false, ...more }],
  head: undefined
})
const submits = (...all: ReadonlyArray<Drawn>): Command => ({
  type: "submit",
  all: all.map((drawn) => ({ mob: 0, drawn }))
})
const prunes = (forget: ReadonlyArray<string>, share = 0): Command => ({
  type: "prune",
  mob: 0,
  share,
  forget,
  answers: false,
  during: []
})

/** Histories that chance comes to seldom. */
export const told: ReadonlyArray<ReadonlyArray<Command>> = [
  // An aggregate comes again while another holds the block of its former life, and a checkpoint knows of both.
  [
    submits(one("mob")),
    submits(one("mob"), one("run/a", { terminal: true }), one("run/b", { terminal: true })),
    prunes(["run/a"]),
    submits(one("run/a"), one("run/a")),
    prunes(["run/b"]),
    { type: "reopen" },
    submits(one("run/a"), one("run/b"))
  ],
  // The same, with all of both lives after the last checkpoint.
  [submits(one("mob")), submits(one("run/a", { terminal: true })), prunes(["run/a"]), submits(one("run/a")), {
    type: "reopen"
  }],
  // An ended aggregate takes another entry, is live again, and is pruned like one.
  [
    submits(one("run/a", { terminal: true })),
    submits(one("run/a")),
    prunes(["run/a"], 1.1),
    { type: "reopen" },
    submits(one("run/a", { terminal: true })),
    prunes(["run/a"], 1.1),
    { type: "reopen" }
  ],
  // A mob that is destroyed had the newest group of all.
  [
    submits(one("mob")),
    { type: "submit", all: [{ mob: 1, drawn: one("mob") }] },
    { type: "destroy", mob: 1 },
    { type: "reopen" },
    { type: "submit", all: [{ mob: 1, drawn: one("mob") }] },
    { type: "reopen" }
  ]
]

/** A disk whose next commits fail as the commands say. */
export class Disk {
  readonly faults: Array<Fate> = []
  /** What became of commits since this was last emptied. */
  readonly fates: Array<Fate> = []
  readonly wrap = (commit: Commit): Commit => (operations, done) => {
    const fault = this.faults.shift()
    if (fault === undefined) return commit(operations, done)
    this.fates.push(fault)
    if (fault === "written") return commit(operations, () => done(new Error("no answer from the disk")))
    const reason = fault === "full" ? "No space left on device" : "the cable came off"
    setImmediate(() => done(new Error(reason)))
  }
}

/** What a history came to. */
export class Tally {
  readonly counts = new Map<string, number>()
  add(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

/** Answer to a submission. */
interface Asked {
  readonly mob: Mob
  readonly planned: Planned
  readonly at: Committed
  came: { readonly at: Committed } | { readonly error: StoreError } | undefined
}

/** A mob, its owner, and what must be readable. */
interface Mob {
  readonly name: MobId
  reference: Reference
  /** The reference with all that was submitted. */
  tip: Reference
  log: MobLog | undefined
  readonly heard: Array<StoredEvent>
  closed: StoreError["_tag"] | undefined
  answers: boolean
}

/** Plays a history on a store that `open` opens, again and again on the same medium. */
export const play = (
  open: Effect.Effect<StoreShape, unknown, Scope.Scope>,
  disk: Disk,
  tally: Tally,
  history: ReadonlyArray<Command>
) =>
  Effect.gen(function*() {
    const player = new Player(open, disk, tally)
    yield* player.open
    for (const command of history) {
      tally.add(command.type)
      disk.fates.length = 0
      yield* player.step(command)
      yield* player.check
    }
    disk.faults.length = 0
    yield* player.step({ type: "reopen" })
    yield* player.check
    yield* player.close
  })

class Player {
  readonly #open: Effect.Effect<StoreShape, unknown, Scope.Scope>
  readonly #disk: Disk
  readonly #tally: Tally
  readonly #mobs: ReadonlyArray<Mob>
  #scope: Scope.Closeable | undefined
  #store: StoreShape | undefined

  constructor(open: Effect.Effect<StoreShape, unknown, Scope.Scope>, disk: Disk, tally: Tally) {
    this.#open = open
    this.#disk = disk
    this.#tally = tally
    this.#mobs = mobs.map((name) => ({
      name,
      reference: new Reference(),
      tip: new Reference(),
      log: undefined,
      heard: [],
      closed: undefined,
      answers: false
    }))
  }

  get store(): StoreShape {
    if (this.#store === undefined) throw new Error("the store is closed")
    return this.#store
  }

  readonly open = Effect.gen({ self: this }, function*() {
    this.#scope = yield* Scope.make()
    this.#store = yield* Effect.provideService(this.#open, Scope.Scope, this.#scope)
  })

  readonly close = Effect.suspend(() => this.#scope === undefined ? Effect.void : Scope.close(this.#scope, Exit.void))

  step(command: Command): Effect.Effect<void, unknown> {
    switch (command.type) {
      case "submit":
        return this.#submit(command.all)
      case "prune":
        return this.#prune(command)
      case "acquire":
        return this.#acquire(this.#mob(command.mob), command.racing)
      case "destroy":
        return this.#destroy(this.#mob(command.mob))
      case "reopen":
        return this.#reopen
      case "fault":
        return Effect.sync(() => void this.#disk.faults.push(command.fate))
    }
  }

  /** Compares all that can be read with the reference. */
  get check(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      const there = this.#mobs.filter(({ log }) => log !== undefined).map(({ name }) => name)
      expect(yield* this.store.mobs).toEqual(there)
      for (const mob of this.#mobs) {
        const looked = yield* this.store.inspect(mob.name)
        if (mob.log === undefined) {
          expect(looked).toBeUndefined()
          continue
        }
        yield* compare(mob.log, mob.reference)
        expect(looked?.epoch).toBe(mob.log.epoch)
        if (looked !== undefined) yield* compare(looked, mob.reference)
        // What a listener heard is what can be read; events of a write that failed are not told.
        for (const event of mob.heard.splice(0)) expect(event).toEqual(mob.reference.events[event.cursor - 1])
      }
    })
  }

  #mob(index: number): Mob {
    const mob = this.#mobs[index]
    if (mob === undefined) throw new Error(`no mob ${index}`)
    return mob
  }

  /** The log of a mob; acquired if nobody owns it. */
  #logOf(mob: Mob): Effect.Effect<MobLog, unknown> {
    return mob.log === undefined ? this.#own(mob) : Effect.succeed(mob.log)
  }

  /** Asks for the mob until the store gives it. */
  #own(mob: Mob): Effect.Effect<MobLog, unknown> {
    return Effect.gen({ self: this }, function*() {
      for (;;) {
        const result = yield* Effect.result(this.store.acquire(mob.name))
        if (Result.isSuccess(result)) {
          this.#listen(mob, result.success)
          return result.success
        }
        expect(["StoreWriteFailed", "StoreFull", "StoreUnavailable"]).toContain(result.failure._tag)
        yield* Effect.sleep(50)
      }
    })
  }

  #listen(mob: Mob, log: MobLog): void {
    mob.log = log
    mob.closed = undefined
    mob.heard.length = 0
    log.listen({
      events: (events) => mob.heard.push(...events),
      closed: (error) => {
        if (mob.log === log) mob.closed = error._tag
      },
      headWanted: (aggregate) => {
        if (!mob.answers || mob.log !== log) return
        const { submission } = mob.tip.plan({ entries: [], head: { aggregate, off: 0 } })
        log.submit({ ...submission, committed: () => this.#tally.add("head answered"), failed: () => {} })
      }
    })
  }

  #submit(all: Extract<Command, { type: "submit" }>["all"]): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      for (const { mob } of all) yield* this.#logOf(this.#mob(mob))
      yield* this.#settle(all.map(({ drawn, mob }) => this.#offer(this.#mob(mob), drawn)), false)
    })
  }

  /** Submits without waiting. */
  #offer(mob: Mob, drawn: Drawn): Asked {
    const planned = mob.tip.plan(drawn)
    const asked: Asked = { mob, planned, at: mob.tip.next, came: undefined }
    if (planned.refusal === undefined) mob.tip.apply(planned)
    mob.log?.submit({
      ...planned.submission,
      committed: (at) => {
        expect(asked.came).toBeUndefined()
        asked.came = { at }
      },
      failed: (error) => {
        expect(asked.came).toBeUndefined()
        asked.came = { error }
      }
    })
    return asked
  }

  /** Waits for all answers and judges them, in submit order; after a failed write finds out what is on disk. */
  #settle(all: ReadonlyArray<Asked>, mayBeFenced: boolean): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      yield* until(() => all.every(({ came }) => came !== undefined))
      const unknown: Array<Asked> = []
      let fenced = false
      let failed = false
      for (const asked of all) {
        const { at, came, mob, planned } = asked
        if (came === undefined) continue
        if ("at" in came) {
          expect([planned.refusal, failed, fenced]).toEqual([undefined, false, false])
          expect(came.at).toEqual(at)
          mob.reference.apply(planned)
          this.#tally.add("committed")
          continue
        }
        this.#tally.add(came.error._tag)
        switch (came.error._tag) {
          case "RevisionConflict":
            expect(came.error).toMatchObject(planned.refusal ?? { aggregate: "nobody" })
            break
          case "OwnerFenced":
            expect(mayBeFenced).toBe(true)
            fenced = true
            break
          case "StoreWriteFailed":
          case "StoreFull":
            failed = true
            if (planned.refusal === undefined) unknown.push(asked)
            break
          case "StoreUnavailable":
            failed = true
            break
          default:
            throw came.error
        }
      }
      if (failed) yield* this.#recover(unknown)
      for (const mob of this.#mobs) mob.tip = new Reference(mob.reference)
    })
  }

  /** Waits until the store is open again; what of a failed write is on disk is whole, and comes before what is not. */
  #recover(unknown: ReadonlyArray<Asked>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      this.#tally.add("recovered")
      for (const { log } of this.#mobs) {
        if (log !== undefined) yield* Effect.catchTag(log.barrier("mob"), "OwnerFenced", () => Effect.void)
      }
      const there: Array<boolean> = []
      for (const asked of unknown.filter(({ planned }) => planned.submission.entries.length > 0)) {
        // Its owner may be another by now, but it was written or not before.
        const reads = yield* this.#readsOf(asked.mob)
        const found: Array<boolean> = []
        for (const { aggregate, facts } of asked.planned.submission.entries) {
          const loaded = yield* reads.load(aggregate)
          const marks = new Set(loaded && foldLoaded(loaded).marks)
          found.push(facts.every((fact) => marks.has(String(fact["mark"]))))
        }
        expect(new Set(found).size, "half a submission").toBe(1)
        there.push(found[0] === true)
        if (found[0] === true) {
          this.#tally.add("landed")
          asked.mob.reference.apply(asked.planned)
        }
      }
      expect(there).toEqual([...there].sort((a, b) => Number(b) - Number(a)))
      if (!this.#disk.fates.includes("written")) expect(there, "nothing was written").not.toContain(true)
    })
  }

  #readsOf(mob: Mob): Effect.Effect<MobReads, unknown> {
    return Effect.map(this.store.inspect(mob.name), (reads) => {
      if (reads === undefined) throw new Error(`mob ${mob.name} is gone`)
      return reads
    })
  }

  #prune(
    { answers, during, forget, mob: index, share }: Extract<Command, { type: "prune" }>
  ): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      const mob = this.#mob(index)
      const log = yield* this.#logOf(mob)
      const { reference } = mob
      const keep: Keep = { events: Math.max(1, Math.ceil(reference.events.length * share) + 1), forget }
      const ended = forget.filter((name) => reference.aggregates.get(name)?.terminal === true)
      mob.answers = answers
      const fiber = yield* Effect.forkChild(Effect.result(log.prune(keep)))
      // Others go on with what is not to be forgotten.
      const others = during.filter((drawn) => drawn.entries.every(({ aggregate }) => !forget.includes(aggregate)))
      yield* this.#settle(others.map((drawn) => this.#offer(mob, drawn)), false)
      const result = yield* Fiber.join(fiber)
      mob.answers = false
      const bound = Math.max(reference.firstCursor, Math.min(keep.events, reference.next.cursor))
      if (Result.isSuccess(result)) {
        const { firstCursor, firstPosition, forgotten } = result.success
        expect(firstCursor).toBeGreaterThanOrEqual(reference.firstCursor)
        expect(firstCursor).toBeLessThanOrEqual(bound)
        expect(firstPosition).toBeGreaterThanOrEqual(reference.firstPosition)
        expect(firstPosition).toBeLessThanOrEqual(reference.next.position)
        expect(firstCursor).toBe(reference.cursorAt(firstPosition))
        expect(forgotten).toBe(ended.length)
        if (firstPosition > reference.firstPosition) this.#tally.add("removed")
        // With a head of everything that lives nothing holds the log.
        if (share > 1 && answers && others.length === 0) {
          expect({ position: firstPosition, cursor: firstCursor }).toEqual(reference.next)
        }
        for (const name of ended) reference.aggregates.delete(name)
        if (ended.length > 0) this.#tally.add("forgot")
        reference.firstCursor = firstCursor
        reference.firstPosition = firstPosition
      } else {
        expect(["StoreWriteFailed", "StoreFull", "StoreUnavailable"]).toContain(result.failure._tag)
        yield* this.#recover([])
        const first = yield* Effect.result(log.events(0, 1))
        if (Result.isFailure(first)) {
          if (first.failure._tag !== "HistoryPruned") throw first.failure
          const cursor = first.failure.first_cursor
          expect(cursor).toBeGreaterThanOrEqual(reference.firstCursor)
          expect(cursor).toBeLessThanOrEqual(bound)
          reference.firstCursor = cursor
        }
        for (const name of ended) if ((yield* log.load(name)) === undefined) reference.aggregates.delete(name)
      }
      mob.tip = new Reference(reference)
    })
  }

  #acquire(mob: Mob, racing: ReadonlyArray<Drawn>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      const before = yield* this.#logOf(mob)
      const fiber = yield* Effect.forkChild(Effect.result(this.store.acquire(mob.name)))
      yield* Effect.yieldNow
      yield* this.#settle(racing.map((drawn) => this.#offer(mob, drawn)), true)
      const result = yield* Fiber.join(fiber)
      if (Result.isSuccess(result)) {
        expect(mob.closed).toBe("OwnerFenced")
        this.#listen(mob, result.success)
      } else {
        expect(["StoreWriteFailed", "StoreFull", "StoreUnavailable"]).toContain(result.failure._tag)
        yield* this.#own(mob)
      }
      expect(mob.log?.epoch).toBeGreaterThan(before.epoch)
      for (const late of [before.load("mob"), before.prune({ events: 1, forget: [] }), before.barrier("mob")]) {
        expect(yield* Effect.flip<unknown, StoreError, never>(late)).toMatchObject({ _tag: "OwnerFenced" })
      }
    })
  }

  #destroy(mob: Mob): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      const result = yield* Effect.result(this.store.destroy(mob.name))
      if (Result.isFailure(result)) {
        expect(["StoreWriteFailed", "StoreFull", "StoreUnavailable"]).toContain(result.failure._tag)
        yield* this.#recover([])
        // Without another log to wait for, it may still be opening.
        while ((yield* Effect.result(this.store.inspect(mob.name)))._tag === "Failure") yield* Effect.sleep(50)
        if ((yield* this.store.mobs).includes(mob.name)) return
      } else if (mob.log !== undefined) expect(mob.closed).toBe("OwnerFenced")
      mob.log = undefined
      mob.reference = new Reference()
      mob.tip = new Reference()
    })
  }

  readonly #reopen: Effect.Effect<void, unknown> = Effect.gen({ self: this }, function*() {
    yield* this.close
    for (const mob of this.#mobs) if (mob.log !== undefined) expect(mob.closed).toBe("StoreClosed")
    yield* this.open
    const there = this.#mobs.filter(({ log }) => log !== undefined)
    expect(yield* this.store.mobs).toEqual(there.map(({ name }) => name))
    for (const mob of there) {
      const { epoch = 0 } = mob.log ?? {}
      expect((yield* this.#own(mob)).epoch).toBeGreaterThan(epoch)
    }
  })
}

/** Everything that can be read of a mob. */
const compare = (reads: MobReads, reference: Reference): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const { aggregates, events, firstCursor, live } = reference
    expect(yield* reads.live).toEqual(live)
    expect(yield* reads.aggregates("")).toEqual([...aggregates.keys()].sort())
    expect(yield* reads.aggregates("run/")).toEqual([...aggregates.keys()].filter((it) => it.startsWith("run/")).sort())
    for (const name of names) {
      const loaded = yield* reads.load(name)
      const life = aggregates.get(name)
      if (life === undefined || loaded === undefined) {
        expect([name, loaded]).toEqual([name, life])
        continue
      }
      expect(foldLoaded(loaded)).toEqual({ revision: life.revision, marks: life.marks })
      const from = loaded.head?.revision ?? 0
      expect(loaded.entries).toEqual(life.entries.slice(from))
      expect(loaded.head?.terminal ?? false).toBe(life.ends.includes(from))
    }
    expect(reads.latestCursor()).toBe(events.length)
    for (const after of new Set([0, firstCursor - 2, firstCursor - 1, firstCursor, events.length - 1, events.length])) {
      if (after < 0) continue
      for (const limit of [1, 4, 1000]) {
        const read = yield* Effect.result(reads.events(after, limit))
        if (after + 1 < firstCursor) {
          expect(Result.isFailure(read) && read.failure).toMatchObject({
            _tag: "HistoryPruned",
            first_cursor: firstCursor
          })
        } else expect(Result.isSuccess(read) && read.success).toEqual(events.slice(after, after + limit))
      }
    }
  })
