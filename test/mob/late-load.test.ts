/**
 * A durable cell whose loads answer late: only the newest one begins it, and before that it hears nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Random } from "effect"
import { type ActorRef, ActorSystem, Journal, type Reply } from "mobwright"
import {
  type JsonObject,
  type Loaded,
  MobId,
  type MobLog,
  StoreCorrupted,
  type StoreError,
  StoreUnavailable
} from "mobwright/sdk"
import { advance, settle } from "mobwright/testing"
import { type Aggregate, causeText, loadAggregate } from "../../core/journal/aggregate.ts"
import { type Abandoned, durable } from "../../core/journal/durable.ts"
import { seeds } from "../actor/fixtures.ts"
import { FakeMembers } from "./fake-members.ts"
import { StoredOtherwise } from "./stored-otherwise.ts"
import { makeDisk, world } from "./world.ts"

interface Added extends JsonObject {
  readonly add: number
}

interface Message {
  readonly add: number
  readonly reply: Reply<number, Abandoned>
}

const sum: Aggregate<number, Added> = {
  name: "run/sum",
  evolve: (state, { add }) => (state ?? 0) + add,
  project: () => [],
  encode: (state) => state,
  decode: Number,
  decodeFact: (fact) => ({ add: Number(fact["add"]) }),
  isTerminal: () => false
}

/** A cell that adds, and says what it starts with. */
const adder = (log: MobLog, starts: Array<number | undefined>, crashes: Array<string> = []) =>
  durable<number, Added, Message>({
    log,
    aggregate: sum,
    closed: () => {},
    crashed: (cause) => crashes.push(causeText(cause)),
    behavior: () => ({
      started: (state) => {
        starts.push(state)
        return { facts: [], releases: [] }
      },
      handle: (state, { add, reply }) => ({
        facts: [{ add }],
        releases: [{
          release: () => reply.done(Exit.succeed((state ?? 0) + add)),
          abandon: (abandoned) => reply.done(Exit.fail(abandoned))
        }]
      })
    }),
    cell: { name: "sum" }
  })

/** A log whose loads, and whose store, are the test's: what is submitted is committed at once. */
class Log {
  readonly loads: Array<Deferred.Deferred<Loaded | undefined, StoreError>> = []
  private listener: Parameters<MobLog["listen"]>[0] = {}
  private readonly real: MobLog

  constructor(real: MobLog) {
    this.real = real
  }

  get log(): MobLog {
    return {
      ...this.real,
      load: () =>
        Effect.suspend(() => {
          const load = Deferred.makeUnsafe<Loaded | undefined, StoreError>()
          this.loads.push(load)
          return Deferred.await(load)
        }),
      barrier: () => Effect.void,
      listen: (listener) => {
        this.listener = listener
        return () => {}
      },
      submit: ({ committed }) => committed({ position: 1, cursor: 1 })
    }
  }

  /** Ends one of the loads: the sum stands at `state`. */
  answer(load: number, state: number) {
    return this.end(load, Exit.succeed({ head: { revision: state, state, terminal: false }, entries: [] }))
  }

  end(load: number, exit: Exit.Exit<Loaded | undefined, StoreError>) {
    const waiting = this.loads[load]
    if (waiting === undefined) throw new Error(`there was no load ${load}`)
    Deferred.doneUnsafe(waiting, exit)
    return settle
  }

  /** The store is lost. */
  readonly lost = Effect.suspend(() => {
    this.listener.lost?.(new StoreUnavailable({ reason: "a test" }))
    return settle
  })

  /** It is there again. */
  readonly reopened = Effect.suspend(() => {
    this.listener.reopened?.()
    return settle
  })
}

const asked = (ref: ActorRef<Message>, add: number) =>
  Effect.forkChild(Effect.exit(ref.ask<number, Abandoned>((reply) => ({ add, reply }), 600_000)), {
    startImmediately: true
  })

/** A cell that runs, with the sum 1, on a log of the test's. */
const running = Effect.gen(function*() {
  const store = new Log(yield* (yield* Journal).acquire(MobId.make("late")))
  const starts: Array<number | undefined> = []
  const crashes: Array<string> = []
  const spawning = yield* Effect.forkChild((yield* ActorSystem).spawn(adder(store.log, starts, crashes)))
  yield* settle
  yield* store.answer(0, 1)
  return { store, starts, crashes, ref: yield* Fiber.join(spawning) }
})

type Services = Effect.Services<typeof running> | Effect.Services<ReturnType<typeof advance>>

const provided = <A, E>(effect: Effect.Effect<A, E, Services>) => Effect.provide(effect, world(new FakeMembers()))

describe("a durable cell", () => {
  it.live("that is loaded again before it was loaded begins with the second load, and hears nothing before it", () =>
    provided(Effect.gen(function*() {
      const store = new Log(yield* (yield* Journal).acquire(MobId.make("late")))
      const starts: Array<number | undefined> = []
      const spawning = yield* Effect.forkChild((yield* ActorSystem).spawn(adder(store.log, starts)))
      yield* settle
      yield* store.lost
      yield* store.reopened
      expect(store.loads).toHaveLength(2)
      yield* store.answer(0, 10)
      expect(starts).toEqual([])
      const ref = yield* Fiber.join(spawning)
      const reply = yield* asked(ref, 5)
      yield* advance("10 seconds")
      expect([starts, reply.pollUnsafe()]).toEqual([[], undefined])
      yield* store.answer(1, 20)
      expect(starts).toEqual([20])
      expect(yield* Fiber.join(reply)).toEqual(Exit.succeed(25))
    })))

  it.live("that is loaded again before it was loaded is not begun twice when the first load answers last", () =>
    provided(Effect.gen(function*() {
      const store = new Log(yield* (yield* Journal).acquire(MobId.make("late")))
      const starts: Array<number | undefined> = []
      const spawning = yield* Effect.forkChild((yield* ActorSystem).spawn(adder(store.log, starts)))
      yield* settle
      yield* store.lost
      yield* store.reopened
      yield* store.answer(1, 20)
      yield* store.answer(0, 10)
      const ref = yield* Fiber.join(spawning)
      const reply = yield* asked(ref, 5)
      yield* settle
      expect(starts).toEqual([20])
      expect(yield* Fiber.join(reply)).toEqual(Exit.succeed(25))
    })))

  it.live("is not begun, nor resumed, by a load that another one followed", () =>
    provided(Effect.gen(function*() {
      const { ref, starts, store } = yield* running
      yield* store.lost
      yield* store.reopened
      const reply = yield* asked(ref, 5)
      yield* store.lost
      yield* store.reopened
      expect(store.loads).toHaveLength(3)
      yield* store.answer(1, 10)
      yield* advance("10 seconds")
      expect([starts, reply.pollUnsafe()]).toEqual([[1], undefined])
      yield* store.answer(2, 20)
      expect(starts).toEqual([1, 20])
      expect(yield* Fiber.join(reply)).toEqual(Exit.succeed(25))
    })))

  it.live("is not begun, nor resumed, by a load that answers while the store is lost again", () =>
    provided(Effect.gen(function*() {
      const { ref, starts, store } = yield* running
      yield* store.lost
      yield* store.reopened
      yield* store.lost
      const reply = yield* asked(ref, 5)
      yield* store.answer(1, 10)
      yield* advance("10 seconds")
      expect([starts, reply.pollUnsafe()]).toEqual([[1], undefined])
      yield* store.reopened
      yield* store.answer(2, 20)
      expect(starts).toEqual([1, 20])
      expect(yield* Fiber.join(reply)).toEqual(Exit.succeed(25))
    })))

  it.live("goes on undisturbed when a load answers that is long out of date", () =>
    provided(Effect.gen(function*() {
      const { ref, starts, store } = yield* running
      for (let again = 0; again < 2; again++) {
        yield* store.lost
        yield* store.reopened
      }
      yield* store.answer(2, 20)
      expect(yield* Fiber.join(yield* asked(ref, 5))).toEqual(Exit.succeed(25))
      yield* store.answer(1, 10)
      expect(yield* Fiber.join(yield* asked(ref, 5))).toEqual(Exit.succeed(30))
      expect(starts).toEqual([1, 20])
    })))

  it.live("that is suspended for a newer load stays so when an older one answers after it was asked for", () =>
    provided(Effect.gen(function*() {
      const { ref, starts, store } = yield* running
      for (let again = 0; again < 5; again++) {
        yield* store.lost
        yield* store.reopened
      }
      const reply = yield* asked(ref, 5)
      for (const load of [3, 1, 4, 2]) yield* store.answer(load, load * 10)
      yield* advance("10 seconds")
      expect([starts, reply.pollUnsafe()]).toEqual([[1], undefined])
      yield* store.answer(5, 50)
      expect(yield* Fiber.join(reply)).toEqual(Exit.succeed(55))
      expect(starts).toEqual([1, 50])
    })))

  it.live("loads until the store answers, and is not begun by what it could not read", () =>
    provided(Effect.gen(function*() {
      const { crashes, ref, starts, store } = yield* running
      yield* store.lost
      yield* store.reopened
      const reply = yield* asked(ref, 5)
      for (let load = 1; load <= 6; load++) {
        yield* store.end(load, Exit.fail(new StoreUnavailable({ reason: "a test" })))
        yield* advance("5 seconds")
        expect(store.loads).toHaveLength(load + 2)
      }
      expect([starts, reply.pollUnsafe()]).toEqual([[1], undefined])
      yield* store.answer(7, 70)
      expect(yield* Fiber.join(reply)).toEqual(Exit.succeed(75))
      expect(crashes).toEqual([])
    })))

  it.live("goes on when a load that is long out of date fails for good", () =>
    provided(Effect.gen(function*() {
      const { crashes, ref, starts, store } = yield* running
      for (let again = 0; again < 2; again++) {
        yield* store.lost
        yield* store.reopened
      }
      yield* store.answer(2, 20)
      yield* store.end(1, Exit.fail(new StoreCorrupted({ where: "run/sum", what: "it is of before", remedy: "none" })))
      const reply = yield* asked(ref, 5)
      yield* settle
      expect(yield* Fiber.join(reply)).toEqual(Exit.succeed(25))
      expect([starts, crashes]).toEqual([[1, 20], []])
    })))
})

describe("a durable cell whose loads take their time, on a disk that fails now and then", () => {
  it.live.each(seeds(20, 1_000))("seed %i: answers what is on disk, once", (seed) => {
    const disk = makeDisk()
    const store = new StoredOtherwise()
    return Effect.gen(function*() {
      const random = yield* Random.Random
      const below = (count: number) => Math.floor(random.nextDoubleUnsafe() * count)
      const log = yield* (yield* Journal).acquire(MobId.make("late"))
      const starts: Array<number | undefined> = []
      const ref = yield* (yield* ActorSystem).spawn(adder(log, starts))
      store.waits = () => Effect.sleep(below(4) * 150)
      store.fails = () => below(5) === 0 ? new StoreUnavailable({ reason: "a test" }) : undefined
      const replies: Array<{ readonly add: number; readonly fiber: Fiber.Fiber<Exit.Exit<number, unknown>> }> = []
      for (let turn = 0; turn < 40; turn++) {
        if (below(3) === 0) disk.next.push(below(2) === 0 ? "lost" : "landed")
        // Each is a digit of its own, so that the sum says which of them are in it.
        for (let asks = below(3); asks > 0; asks--) {
          const add = 2 ** replies.length
          if (replies.length < 50) replies.push({ add, fiber: yield* asked(ref, add) })
        }
        if (below(2) === 0) yield* advance(below(400))
      }
      disk.next.length = 0
      store.fails = () => undefined
      yield* advance("1 minute")
      store.waits = () => Effect.void
      const end = BigInt((yield* loadAggregate(log, sum))?.state ?? 0)
      let before = 0n
      for (const { add, fiber } of replies) {
        const exit = yield* Fiber.join(fiber)
        if (Exit.isFailure(exit)) continue
        const said = BigInt(exit.value)
        expect(said & BigInt(add), "it is in its own answer").toBe(BigInt(add))
        expect(said & before, "so is all that was answered before").toBe(before)
        expect(end & said, "and all of it is on disk").toBe(said)
        before = said
      }
      expect(end).toBeLessThan(2n ** BigInt(replies.length))
      expect(starts.length).toBeGreaterThan(1)
    }).pipe(Effect.provide(world(new FakeMembers(), disk, seed, store)))
  })
})
