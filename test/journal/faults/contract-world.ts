/**
 * A writer of one mob who plays a scenario; what is answered is held to what was acknowledged.
 */
import { Effect } from "effect"
import type { MobLog, StoreError, StoreShape } from "../../../sdk/store.ts"
import { submit, team } from "../logs.ts"
import { OtherMob } from "./contract-other.ts"
import { type Operation, slots, type Write } from "./contract-scenario.ts"
import { Truth, type Written, wrong } from "./contract-truth.ts"

/** An aggregate as the writer wants it to be: all its facts, of which the last is new. */
interface Wanted {
  readonly aggregate: string
  readonly facts: ReadonlyArray<string>
  readonly ends: boolean
}

export class World {
  readonly #truth = new Truth()
  readonly #other = new OtherMob()
  /** How many aggregates of each slot ended. */
  readonly #generations = new Map<number, number>()
  #count = 0
  /** No operation failed since all was well. */
  #well = true
  #store: StoreShape
  #log: MobLog

  private constructor(store: StoreShape, log: MobLog) {
    this.#store = store
    this.#log = log
  }

  static readonly begin = (store: StoreShape): Effect.Effect<World, StoreError> =>
    Effect.map(store.acquire(team), (log) => new World(store, log))

  /** One operation. */
  play(operation: Operation): Effect.Effect<unknown, StoreError> {
    return Effect.tapError(this.#play(operation), () =>
      Effect.sync(() => {
        this.#well = false
      }))
  }

  #play(operation: Operation): Effect.Effect<unknown, StoreError> {
    const log = this.#log
    const truth = this.#truth
    switch (operation.type) {
      case "submit":
        return this.#submitAll(operation.writes)
      case "load":
        return truth.holdAggregate(log, this.#nameOf(operation.slot))
      case "head":
        return this.#head(this.#nameOf(operation.slot))
      case "events":
        return truth.holdEvents(log, Math.max(0, log.latestCursor() - operation.back), operation.limit)
      case "prune":
        return this.#prune(log.latestCursor() - operation.back, operation.forgets)
      case "live":
        return truth.holdLive(log)
      case "aggregates":
        return log.aggregates("run/")
      case "pinned":
        return truth.holdPins(log)
      case "putBlob": {
        const text = `blob ${this.#count++}`
        return Effect.map(log.putBlob(new TextEncoder().encode(text)), ({ sha256 }) => truth.kept(sha256, text))
      }
      case "refer":
        return this.#refer()
      case "blob":
        return truth.holdBlobs(log)
      case "barrier":
        // It waits for the end of a fault that may not end.
        return this.#well ? log.barrier("keeper") : Effect.void
      case "inspect":
        return Effect.flatMap(
          this.#store.inspect(team),
          (look) => look === undefined ? wrong("there is no mob to look at") : truth.holdAll(look)
        )
      case "mobs":
        return this.#store.mobs
      case "acquire":
        return Effect.map(this.#store.acquire(team), (next) => {
          this.#log = next
        })
      case "writeOther":
        return this.#other.write(this.#store, `other ${this.#count++}`)
      case "destroyOther":
        return this.#other.destroy(this.#store)
    }
  }

  /** After a fault: waits for the store, becomes the owner again if another acquire was written, and looks at all. */
  recover(): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const waited = yield* Effect.result(this.#log.barrier("keeper"))
      if (waited._tag === "Failure") {
        if (waited.failure._tag !== "OwnerFenced") return yield* waited.failure
        this.#log = yield* this.#store.acquire(team)
      }
      this.#well = true
      yield* this.#truth.resolve(this.#log)
      yield* this.#truth.holdAll(this.#log)
    })
  }

  /** Through another opening: all that was acknowledged is there, and it can be written on. */
  reopen(store: StoreShape): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      this.#store = store
      this.#log = yield* store.acquire(team)
      yield* this.recover()
      yield* this.#truth.holdLive(this.#log)
      yield* this.#truth.holdPins(this.#log)
      yield* this.#truth.holdBlobs(this.#log)
      yield* this.#other.hold(store)
      for (let slot = 0; slot < slots; slot++) {
        yield* this.#submitAll([{ slots: [slot], ends: false, pins: false, heads: false }])
      }
      yield* this.#truth.holdAll(this.#log)
    })
  }

  /** The aggregate that stands in a slot; a new one when the last ended. */
  #nameOf(slot: number): string {
    const generation = this.#generations.get(slot) ?? 0
    const name = `run/${slot}.${generation}`
    if (!this.#truth.named(true).includes(name)) return name
    this.#generations.set(slot, generation + 1)
    return this.#nameOf(slot)
  }

  /** Submits all without waiting for the answer of the one before. */
  #submitAll(writes: ReadonlyArray<Write>): Effect.Effect<void, StoreError> {
    const ahead = new Map<string, ReadonlyArray<string>>()
    const ending = new Set<string>()
    const submissions = writes.flatMap(({ ends, heads, pins, slots }) => {
      const names = slots.map((slot) => this.#nameOf(slot)).filter((name) => !ending.has(name))
      if (names.length === 0) return []
      const wanted = names.map((aggregate, index): Wanted => {
        const facts = [...ahead.get(aggregate) ?? this.#truth.names(aggregate), `${aggregate} ${this.#count++}`]
        ahead.set(aggregate, facts)
        if (ends && index === 0) ending.add(aggregate)
        return { aggregate, facts, ends: ends && index === 0 }
      })
      return [this.#submit(wanted, pins ? (this.#count++).toString(16).padStart(64, "0") : undefined, heads)]
    })
    return Effect.gen(function*() {
      const answers = yield* Effect.all(submissions.map((it) => Effect.result(it)), { concurrency: "unbounded" })
      const failures = answers.flatMap((answer) => answer._tag === "Failure" ? [answer.failure] : [])
      // One behind a submission that failed may be told that it is ahead.
      const failure = failures.find((error) => error._tag !== "RevisionConflict") ?? failures[0]
      if (failure !== undefined) return yield* failure
    })
  }

  #submit(
    wanted: ReadonlyArray<Wanted>,
    digest: string | undefined,
    heads: boolean
  ): Effect.Effect<void, StoreError> {
    const all = wanted.map(({ aggregate, ends, facts }) => {
      const name = facts.at(-1) ?? ""
      return { aggregate, ends, name, revision: facts.length, snapshot: () => ({ names: facts }) }
    })
    const written: Written = { entries: all, digest }
    const entries = all.map(({ aggregate, ends, name, revision, snapshot }) => ({
      aggregate,
      revision,
      at: revision,
      facts: [{ name }],
      events: [{ type: "written", name }],
      snapshot,
      terminal: ends
    }))
    return submit(this.#log, entries, {
      ...(heads ? { heads: all } : {}),
      ...(digest === undefined ? {} : { pins: [{ digest, definition: { digest } }] })
    }).pipe(
      Effect.map((at) => this.#truth.committed(written, at)),
      Effect.tapError((error) => Effect.sync(() => this.#truth.failed(written, error)))
    )
  }

  #head(aggregate: string): Effect.Effect<unknown, StoreError> {
    const names = [...this.#truth.names(aggregate)]
    if (names.length === 0) return Effect.void
    return submit(this.#log, [], { heads: [{ aggregate, revision: names.length, snapshot: () => ({ names }) }] })
  }

  /** A live aggregate whose state refers to all blobs so far, so that none of them may go. */
  #refer(): Effect.Effect<void, StoreError> {
    const references = this.#truth.blobs.map((sha256) => `blob:${sha256}`).join(" ")
    const facts = [...this.#truth.names("keeper"), `keeper ${this.#count++} ${references}`]
    return Effect.map(
      this.#submit([{ aggregate: "keeper", facts, ends: false }], undefined, true),
      () => this.#truth.referred()
    )
  }

  #prune(events: number, forgets: boolean): Effect.Effect<void, StoreError> {
    const forget = forgets ? this.#truth.named(true).slice(0, 3) : []
    return this.#log.prune({ events, forget }).pipe(
      Effect.tapError(() => Effect.sync(() => this.#truth.forgotten(forget, undefined))),
      Effect.map((pruned) => this.#truth.forgotten(forget, pruned))
    )
  }
}
