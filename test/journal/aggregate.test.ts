/**
 * Folding an aggregate from what the store gives, what its failures mean, and waiting until the store can be read.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { advance, settle, TestSystem, VirtualTime } from "mobwright/testing"
import { type Aggregate, causeText, loadAggregate, unreadOf, untilReadable } from "../../core/journal/aggregate.ts"
import type { JsonObject } from "../../sdk/json.ts"
import {
  HistoryPruned,
  type Loaded,
  OwnerFenced,
  RevisionConflict,
  SchemaUnsupported,
  StoreClosed,
  StoreCorrupted,
  type StoreError,
  StoreFull,
  StoreLocked,
  StoreUnavailable,
  StoreWriteFailed
} from "../../sdk/store.ts"

interface Said extends JsonObject {
  readonly say: string
}

/** All that was said, in one text. */
const text: Aggregate<string, Said> = {
  name: "run/text",
  evolve: (state, fact) => `${state ?? ""}${fact.say}`,
  project: () => [],
  encode: (state) => ({ text: state }),
  decode: (json) => (json as { readonly text: string }).text, // as `encode` made it
  decodeFact: (fact) => {
    const { say } = fact
    if (typeof say !== "string") throw new Error("it says nothing")
    return { say }
  },
  isTerminal: () => false
}

const head = (revision: number, state: string): NonNullable<Loaded["head"]> => ({
  revision,
  state: { text: state },
  terminal: false
})
const entry = (revision: number, ...facts: ReadonlyArray<string>): Loaded["entries"][number] => ({
  revision,
  at: revision,
  facts: facts.map((say) => ({ say }))
})

const load = (loaded: Loaded | undefined, aggregate = text) =>
  loadAggregate({ load: (name) => Effect.sync(() => name === aggregate.name ? loaded : undefined) }, aggregate)

const later = new SchemaUnsupported({ what: "the fact say of a text", found: 2, supported: 1 })
const damaged = new StoreCorrupted({ where: "run/text", what: "it is missing", remedy: "none" })
const unavailable = new StoreUnavailable({ reason: "it is being opened again" })

describe("an aggregate", () => {
  it.effect("without an entry is none", () =>
    Effect.gen(function*() {
      expect(yield* load(undefined)).toBeUndefined()
      expect(yield* load({ head: undefined, entries: [] })).toBeUndefined()
    }))

  it.effect("is its head, with the facts of the entries after it, in order", () =>
    Effect.gen(function*() {
      expect(yield* load({ head: head(3, "abc"), entries: [] })).toEqual({ state: "abc", revision: 3 })
      expect(yield* load({ head: undefined, entries: [entry(1, "a", "b"), entry(2, "c")] })).toEqual({
        state: "abc",
        revision: 2
      })
      expect(yield* load({ head: head(3, "abc"), entries: [entry(4, "d"), entry(5, "e", "f")] })).toEqual({
        state: "abcdef",
        revision: 5
      })
    }))

  for (
    const [where, broken, loaded] of [
      ["head", { ...text, decode: () => fail() }, { head: head(1, "a"), entries: [] }],
      ["fact", { ...text, decodeFact: () => fail() }, { head: head(1, "a"), entries: [entry(2, "b")] }],
      ["fold", { ...text, evolve: () => fail() }, { head: undefined, entries: [entry(1, "b")] }]
    ] as const
  ) {
    it.effect(`whose ${where} is of a later program fails with what that says, untouched`, () =>
      Effect.gen(function*() {
        thrown = later
        expect(yield* Effect.flip(load(loaded, broken))).toBe(later)
      }))

    it.effect(`whose ${where} cannot be read is damaged, and its name and the reason are told`, () =>
      Effect.gen(function*() {
        thrown = new Error("the sentence has no end")
        const error = yield* Effect.flip(load(loaded, broken))
        expect(error).toMatchObject({ _tag: "StoreCorrupted", where: "run/text" })
        expect(error.message).toContain("the sentence has no end")
      }))
  }

  it.effect("that cannot be read just now fails with what the store says", () =>
    Effect.gen(function*() {
      for (const error of [unavailable, damaged, later]) {
        expect(yield* Effect.flip(loadAggregate({ load: () => Effect.fail(error) }, text))).toBe(error)
      }
    }))
})

/** What a broken part of an aggregate throws. */
let thrown: Error = damaged
const fail = (): never => {
  throw thrown
}

const others: ReadonlyArray<StoreError> = [
  new StoreLocked({ dir: "/data" }),
  new StoreWriteFailed({ outcome: "unknown", reason: "a test" }),
  new StoreFull({ outcome: "unknown", reason: "a test" }),
  new OwnerFenced({ mob: "team", ours: 1, current: 2 }),
  new RevisionConflict({ aggregate: "mob", expected: 1, actual: 2 }),
  new HistoryPruned({ first_cursor: 7 }),
  new StoreClosed()
]

describe("waiting until the store can be read", () => {
  const patient = (failures: number, error: StoreError = unavailable) => {
    const tries: Array<number> = []
    const read = Effect.gen(function*() {
      tries.push((yield* VirtualTime).now())
      if (tries.length <= failures) return yield* error
      return "read"
    })
    return { tries, read }
  }

  it.live("tries again after 0.1 s, then later and later, at last every 5 s, for as long as it takes", () =>
    Effect.gen(function*() {
      const { read, tries } = patient(1_000)
      const time = yield* VirtualTime
      const fiber = yield* Effect.forkChild(untilReadable(Effect.provideService(read, VirtualTime, time)))
      yield* advance("1 hour")
      expect(fiber.pollUnsafe()).toBeUndefined()
      expect(tries.slice(0, 9)).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300])
      expect(tries.length).toBe(9 + Math.floor((3_600_000 - 16_300) / 5_000))
      yield* advance("2 hours")
      expect(yield* Fiber.join(fiber)).toBe("read")
    }).pipe(Effect.provide(TestSystem.layerTime())))

  it.live("gives up at once on everything that lasts", () =>
    Effect.gen(function*() {
      const time = yield* VirtualTime
      for (const error of [damaged, later, ...others]) {
        const { read, tries } = patient(5, error)
        const fiber = yield* Effect.forkChild(
          Effect.flip(untilReadable(Effect.provideService(read, VirtualTime, time)))
        )
        yield* settle
        expect(fiber.pollUnsafe(), error._tag).toBeDefined()
        expect(yield* Fiber.join(fiber)).toBe(error)
        expect(tries).toHaveLength(1)
      }
    }).pipe(Effect.provide(TestSystem.layerTime())))

  it.live("can be interrupted", () =>
    Effect.gen(function*() {
      const time = yield* VirtualTime
      const { read, tries } = patient(1_000)
      const fiber = yield* Effect.forkChild(untilReadable(Effect.provideService(read, VirtualTime, time)))
      yield* advance("1 second")
      yield* Fiber.interrupt(fiber)
      const { length } = tries
      yield* advance("1 minute")
      expect(tries).toHaveLength(length)
    }).pipe(Effect.provide(TestSystem.layerTime())))
})

describe("a cell that could not start", () => {
  it("says of its records what lasts: that they are damaged, or of a later program", () => {
    expect(unreadOf(Cause.fail(later))).toEqual({ type: "unsupported", error: later })
    expect(unreadOf(Cause.fail(damaged))).toEqual({ type: "unreadable", message: damaged.message })
    expect(unreadOf(Cause.die(new Error("a bug")))).toEqual({ type: "unreadable", message: "a bug" })
    expect(unreadOf(Cause.die("a bug"))).toEqual({ type: "unreadable", message: "a bug" })
  })

  it("says nothing of them when the store could not be read, is another's, or the cell was ended", () => {
    for (const error of [unavailable, ...others]) expect(unreadOf(Cause.fail(error)), error._tag).toBeUndefined()
    expect(unreadOf(Cause.interrupt())).toBeUndefined()
  })

  it("of a later program, says so whatever else went wrong beside it", () => {
    const both = Cause.combine(Cause.interrupt(), Cause.fail(later))
    expect(unreadOf(both)).toEqual({ type: "unsupported", error: later })
  })

  it("tells its cause as one line", () => {
    expect(causeText(Cause.fail(damaged))).toBe(damaged.message)
    expect(causeText(Cause.fail("plain"))).toBe("plain")
  })
})
