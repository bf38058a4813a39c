/**
 * A durable cell whose own code throws, whose facts cannot be written, or whose log cannot be read.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { type ActorRef, ActorSystem, Journal, MobId, type Reply } from "mobwright"
import type { JsonObject, MobLog } from "mobwright/sdk"
import { settle } from "mobwright/testing"
import type { Aggregate } from "../../core/journal/aggregate.ts"
import { type Abandoned, durable } from "../../core/journal/durable.ts"
import { FakeMembers } from "./fake-members.ts"
import { Saboteur } from "./saboteur.ts"
import { makeDisk, world } from "./world.ts"

interface Added extends JsonObject {
  readonly add: number
}

interface Message {
  readonly add: unknown
  /** The release of this message throws. */
  readonly bomb?: boolean
  readonly reply: Reply<number, Abandoned>
}

const sum: Aggregate<number, Added> = {
  name: "run/sum",
  evolve: (state, fact) => (state ?? 0) + Number(fact.add),
  project: () => [],
  encode: (state) => state,
  decode: Schema.decodeUnknownSync(Schema.Number),
  decodeFact: (fact) => ({ add: Number(fact["add"]) }),
  isTerminal: () => false
}

class Counter {
  readonly starts: Array<number | undefined> = []
  readonly crashes: Array<string> = []
  private readonly log: MobLog

  constructor(log: MobLog) {
    this.log = log
  }

  get spec() {
    return durable<number, Added, Message>({
      log: this.log,
      aggregate: sum,
      closed: () => {},
      crashed: (cause) => this.crashes.push(String(cause)),
      behavior: () => ({
        started: (state) => {
          this.starts.push(state)
          return { facts: [], releases: [] }
        },
        handle: (state, { add, bomb, reply }) => ({
          // What a caller in JavaScript may give.
          facts: [{ add: add as number }],
          releases: [{
            release: () => {
              if (bomb === true) throw new Error("bomb")
              reply.done(Exit.succeed((state ?? 0) + Number(add)))
            },
            abandon: (abandoned) => reply.done(Exit.fail(abandoned))
          }]
        })
      }),
      cell: { name: "sum" }
    })
  }
}

const asks = (ref: ActorRef<Message>, message: Pick<Message, "add" | "bomb">) =>
  Effect.exit(ref.ask<number, Abandoned>((reply) => ({ ...message, reply }), 1_000))

describe("a durable cell", () => {
  it.live("whose release throws crashes, answers who waits, and goes on from what is committed", () =>
    Effect.gen(function*() {
      const counter = new Counter(yield* (yield* Journal).acquire(MobId.make("durable")))
      const ref = yield* (yield* ActorSystem).spawn(counter.spec)
      expect(yield* asks(ref, { add: 1 })).toEqual(Exit.succeed(1))
      const both = yield* Effect.all([asks(ref, { add: 2, bomb: true }), asks(ref, { add: 3 })], { concurrency: 2 })
      expect(both.map((it) => it._tag)).toEqual(["Failure", "Failure"])
      yield* settle
      // Both were on disk before anything was released.
      expect(counter.starts).toEqual([undefined, 6])
      expect(counter.crashes).toHaveLength(1)
      expect(yield* asks(ref, { add: 4 })).toEqual(Exit.succeed(10))
    }).pipe(Effect.provide(world(new FakeMembers()))))

  it.live("whose facts cannot be written crashes instead of waiting for ever", () =>
    Effect.gen(function*() {
      const counter = new Counter(yield* (yield* Journal).acquire(MobId.make("durable")))
      const ref = yield* (yield* ActorSystem).spawn(counter.spec)
      expect(yield* asks(ref, { add: 1 })).toEqual(Exit.succeed(1))
      expect((yield* asks(ref, { add: 1n }))._tag).toBe("Failure")
      expect(yield* asks(ref, { add: 2 })).toEqual(Exit.succeed(3))
      expect(counter.starts).toEqual([undefined, 1])
    }).pipe(Effect.provide(world(new FakeMembers()))))

  it.live("that cannot be loaded listens to nothing any more", () => {
    const saboteur = new Saboteur()
    return Effect.gen(function*() {
      const log = yield* (yield* Journal).acquire(MobId.make("durable"))
      let listening = 0
      const counted: MobLog = {
        ...log,
        listen: (listener) => {
          const forget = log.listen(listener)
          listening += 1
          return () => {
            listening -= 1
            forget()
          }
        }
      }
      saboteur.unreadable.add("run/sum")
      const counter = new Counter(counted)
      expect((yield* Effect.exit((yield* ActorSystem).spawn(counter.spec)))._tag).toBe("Failure")
      expect(listening).toBe(0)
      expect(counter.crashes).toHaveLength(1)
      saboteur.unreadable.clear()
      const ref = yield* (yield* ActorSystem).spawn(counter.spec)
      expect(listening).toBe(1)
      yield* ref.stop()
      expect(listening).toBe(0)
    }).pipe(Effect.provide(world(new FakeMembers(), makeDisk(), 1, saboteur)))
  })
})
