/**
 * What the owner of one mob does while there is power: submissions in bursts, blobs, heads, prunes, another acquire,
 * destroying and beginning anew. Whatever it hears is written down in the mob's {@link Truth} at once.
 */
import { Effect, Fiber } from "effect"
import { deepStrictEqual, ok } from "node:assert"
import { createHash } from "node:crypto"
import { MobId } from "../../../sdk/ids.ts"
import type { BlobRef, MobLog, StoreError, StoreShape } from "../../../sdk/store.ts"
import { audit, definitionOf } from "./power-audit.ts"
import { type Draft, Truth } from "./power-truth.ts"
import type { Random } from "./random.ts"

/** A mob as its owners know it, from life to life. */
export interface Mob {
  readonly name: MobId
  truth: Truth
  /** Whether the store has it; `perhaps` while that was asked for and not answered. */
  there: "yes" | "no" | "perhaps"
  epoch: number
  /** Blobs of mobs of this name that were destroyed. */
  readonly former: Set<string>
}

/** What a script has around it. */
export interface Surroundings {
  readonly life: number
  readonly store: StoreShape
  readonly random: Random
  /** Whether there is power; without it nothing that is heard counts. */
  readonly isOn: () => boolean
  /** Whether writes may fail now. */
  readonly mayFail: () => boolean
  /** Something was acknowledged, and written down. */
  readonly heard: (what: string) => void
  /** Something happened that must not. */
  readonly violated: (error: unknown) => void
}

/** The failures of a write whose outcome is unknown, and of those that come until the store is open again. */
const failures = new Set(["StoreWriteFailed", "StoreUnavailable"])

const nobody = MobId.make("nobody")

const soon = Effect.sleep(1)

/** The owner of one mob in one life. */
export class Owner {
  readonly mob: Mob
  readonly #around: Surroundings
  #log: MobLog | undefined
  #open = 0
  #broken = false
  /** Kept under this owner, and not referred to yet. */
  #fresh: Array<string> = []

  constructor(mob: Mob, around: Surroundings) {
    this.mob = mob
    this.#around = around
  }

  /** What is there when the life begins; whatever was asked for before has come to something. */
  readonly begin: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    yield* this.settleWhetherThere
    if (this.mob.there === "no") return
    const looked = yield* this.#around.store.inspect(this.mob.name)
    ok(looked !== undefined, "a mob that is listed cannot be looked at")
    yield* audit(looked, this.mob.truth)
    yield* this.acquire
    if (this.#log !== undefined) yield* audit(this.#log, this.mob.truth)
  })

  /** Does some things. */
  readonly act: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    const { random } = this.#around
    for (let commands = 2 + random.below(9); commands > 0; commands--) {
      if (this.#broken) yield* this.recover
      if (this.#log === undefined) yield* this.acquire
      const log = this.#log
      if (log === undefined || this.#broken) continue
      const draw = random.below(40)
      if (draw < 22) yield* this.#burst(log, 1 + random.below(4))
      else if (draw < 26) yield* this.#keep(log)
      else if (draw < 32) yield* this.#prune(log)
      else if (draw < 35) yield* this.#succeed(log)
      else if (draw < 37) yield* this.destroy
      else if (draw < 38) yield* this.#burst(log, 40)
      else yield* soon
    }
  })

  /** Waits for all answers, and looks whether all of it is there. */
  readonly end: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    yield* this.#answered
    if (this.#broken) yield* this.recover
    if (this.#log !== undefined) yield* audit(this.#log, this.mob.truth)
  })

  /** Sends submissions one behind the other; waits for the last of them, or not. */
  #burst(log: MobLog, count: number): Effect.Effect<void> {
    const { random } = this.#around
    for (; count > 0; count--) this.#send(log, random.oneIn(60) ? 15 : 1 + random.below(2))
    return random.oneIn(3) ? Effect.void : this.#answered
  }

  #send(log: MobLog, entries: number): void {
    const { heard, isOn, mayFail, random, violated } = this.#around
    const { truth } = this.mob
    const drafts = Array.from({ length: entries }, () => this.#draft())
    const digest = random.oneIn(12) ? hex(random) : undefined
    const { entries: made, sent } = truth.send(drafts, digest)
    this.#open++
    log.submit({
      entries: made,
      ...(digest === undefined ? {} : { pins: [{ digest, definition: definitionOf(digest) }] }),
      committed: (at) => {
        if (!isOn()) return
        this.#open--
        try {
          ok(truth.sent[truth.acknowledged] === sent, "submissions are not acknowledged in order")
          deepStrictEqual(at, { position: sent.position, cursor: sent.cursor })
        } catch (error) {
          violated(error)
        }
        truth.acknowledged++
        heard("committed")
      },
      failed: (error) => {
        if (!isOn()) return
        this.#open--
        this.#broken = true
        if (!mayFail() || !failures.has(error._tag)) violated(error)
      }
    })
  }

  #draft(): Draft {
    const { random } = this.#around
    const { truth } = this.mob
    // One that ended may come back to life, but not while it is being forgotten.
    const known = [...truth.after(truth.sent.length)].filter(([name, { terminal }]) =>
      !terminal || !truth.gone.has(name) && !truth.going.has(name) && random.oneIn(8)
    )
    const [name = ""] = known[random.below(known.length)] ?? []
    return {
      aggregate: name === "" || random.oneIn(5) ? `run/${++truth.births}` : name,
      events: random.below(3),
      filler: random.pick([0, 50, 300, 9000]),
      terminal: random.oneIn(5),
      blob: random.oneIn(2) ? this.#fresh.pop() : undefined
    }
  }

  #keep(log: MobLog): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const { heard, life, random } = this.#around
      const bytes = Buffer.alloc(20 + random.below(200), `${hex(random)} `)
      const { truth } = this.mob
      const sha256 = createHash("sha256").update(bytes).digest("hex")
      truth.blobs.set(sha256, { bytes, acknowledged: false, life, swept: false })
      const kept: BlobRef = yield* log.putBlob(bytes)
      deepStrictEqual(kept, { sha256, bytes: bytes.length })
      truth.blobs.set(sha256, { bytes, acknowledged: true, life, swept: false })
      this.#fresh.push(sha256)
      heard("kept")
    })
  }

  #prune(log: MobLog): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const { heard, life, random } = this.#around
      const { truth } = this.mob
      const ended = truth.ended.filter(() => random.oneIn(2))
      const events = 1 + random.below(truth.next.cursor)
      truth.asked = Math.max(truth.asked, events)
      for (const name of ended) truth.going.add(name)
      for (const kept of truth.blobs.values()) if (kept.life < life) kept.swept = true
      const answers = random.oneIn(2)
      const unlisten = log.listen({
        headWanted: (aggregate) => {
          const head = answers ? truth.head(aggregate) : undefined
          if (head !== undefined) log.submit({ entries: [], heads: [head], committed: () => {}, failed: () => {} })
        }
      })
      const fiber = yield* Effect.forkChild(Effect.result(log.prune({ events, forget: ended })))
      if (random.oneIn(2)) yield* this.#burst(log, 1 + random.below(3))
      const pruned = yield* Fiber.join(fiber)
      unlisten()
      if (pruned._tag === "Failure") return yield* this.#failed(pruned.failure)
      deepStrictEqual(pruned.success.forgotten, ended.length, "forgotten")
      ok(pruned.success.firstCursor >= truth.floor && pruned.success.firstCursor <= Math.max(truth.asked, truth.floor))
      truth.floor = pruned.success.firstCursor
      for (const name of ended) {
        truth.going.delete(name)
        truth.gone.add(name)
      }
      heard("pruned")
    })
  }

  /** Another owner takes over: what the one before submits from then on is refused. */
  #succeed(before: MobLog): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const { heard, mayFail, violated } = this.#around
      yield* this.acquire
      if (this.#log === before || this.#log === undefined) return
      before.submit({
        entries: [{
          aggregate: "late",
          revision: 1,
          at: 1,
          facts: [],
          events: [],
          snapshot: () => null,
          terminal: false
        }],
        committed: () => violated(new Error("an owner that was fenced has written")),
        failed: (error) => {
          if (error._tag !== "OwnerFenced" && !mayFail()) violated(error)
        }
      })
      heard("succeeded")
    })
  }

  private readonly acquire: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    const { heard, store } = this.#around
    const { mob } = this
    yield* this.#answered
    if (this.#broken) return
    if (mob.there === "no") mob.there = "perhaps"
    const acquired = yield* Effect.result(store.acquire(mob.name))
    if (acquired._tag === "Failure") return yield* this.#failed(acquired.failure)
    ok(acquired.success.epoch > mob.epoch, `epoch ${acquired.success.epoch} after ${mob.epoch}`)
    mob.epoch = acquired.success.epoch
    mob.there = "yes"
    this.#log = acquired.success
    this.#fresh = []
    for (const sha256 of mob.former) ok((yield* this.#log.blob(sha256)) === undefined, "a blob of a destroyed mob")
    heard("acquired")
  })

  private readonly destroy: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    const { heard, store } = this.#around
    yield* this.#answered
    if (this.#broken) return
    this.mob.there = "perhaps"
    const destroyed = yield* Effect.result(store.destroy(this.mob.name))
    if (destroyed._tag === "Failure") return yield* this.#failed(destroyed.failure)
    this.#isGone()
    heard("destroyed")
  })

  #isGone(): void {
    const { mob } = this
    mob.there = "no"
    for (const sha256 of mob.truth.blobs.keys()) mob.former.add(sha256)
    mob.truth = new Truth()
    this.#log = undefined
  }

  #failed(error: StoreError): Effect.Effect<void, StoreError> {
    if (!this.#around.mayFail() || !failures.has(error._tag)) return Effect.fail(error)
    this.#broken = true
    return Effect.void
  }

  readonly #answered: Effect.Effect<void> = Effect.suspend(() =>
    this.#open === 0 ? Effect.void : Effect.andThen(soon, this.#answered)
  )

  /** After a failed write: what is on disk is what there is. */
  private readonly recover: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    yield* this.#answered
    this.#broken = false
    // It is open again when it can be asked for a change; this one changes nothing.
    while ((yield* Effect.result(this.#around.store.destroy(nobody)))._tag === "Failure") yield* Effect.sleep(50)
    yield* this.settleWhetherThere
    this.#log = undefined
    if (this.mob.there === "no") return
    yield* this.acquire
    if (this.#log !== undefined) yield* audit(this.#log, this.mob.truth)
  })

  private readonly settleWhetherThere: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    const { mob } = this
    const listed = (yield* this.#around.store.mobs).includes(mob.name)
    ok(mob.there === "perhaps" || listed === (mob.there === "yes"), `${mob.name} is ${listed ? "" : "not "}there`)
    if (listed) mob.there = "yes"
    else this.#isGone()
  })
}

/** A digest, as text. */
const hex = (random: Random) => Array.from({ length: 64 }, () => random.below(16).toString(16)).join("")
