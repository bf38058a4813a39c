import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { join } from "node:path"
import { JournalLevel } from "../../core/journal/index.ts"
import { Identity, MobId } from "../../sdk/ids.ts"
import { type Entry, Journal, type StoreWriteFailed } from "../../sdk/store.ts"
import { acquire, count, entry, folder, media, submit } from "./logs.ts"

const digest = "0f".repeat(32)
// Branded without a check, as a JavaScript caller gives them.
const halves = ["\ud800", "\ud801", "\ufffd"] as ReadonlyArray<unknown> as ReadonlyArray<MobId>

/** What no type lets through, and JavaScript does. */
const garbage: ReadonlyArray<readonly [string, Partial<Record<keyof Entry, unknown>>]> = [
  ["a time that is no number", { at: NaN }],
  ["a time without end", { at: Infinity }],
  ["no time", { at: undefined }],
  ["no facts", { facts: undefined }],
  ["facts that are no list", { facts: { type: "x" } }],
  ["no events", { events: undefined }],
  ["a fact that is no JSON", { facts: [{ big: 1n }] }],
  ["half of a surrogate pair in its aggregate's name", { aggregate: "inbox/\ud800" }]
]

const refused = (error: unknown) => {
  assert.strictEqual((error as StoreWriteFailed)._tag, "StoreWriteFailed")
  assert.strictEqual((error as StoreWriteFailed).outcome, "not_written")
}

describe("garbage", () => {
  it("half of a surrogate pair is no part of an id: all halves are the same on disk", () => {
    for (const schema of [MobId, Identity]) {
      assert.isFalse(Schema.is(schema)("a\ud800"))
      assert.isTrue(Schema.is(schema)("a\ud83d\ude00"))
    }
  })

  for (const { layer, name } of media) {
    describe(name, () => {
      it.effect("an entry that could not be read again is refused, and nothing is written", () =>
        Effect.gen(function*() {
          const log = yield* acquire
          yield* submit(log, [entry("mob", 1)])
          for (const [what, part] of garbage) {
            // The point of the test.
            const wrong = { ...entry("run/1", 1), ...part } as Entry
            refused(yield* Effect.flip(submit(log, [entry("mob", 2), wrong])))
            assert.strictEqual(count(yield* log.load("mob")), 1, what)
          }
          assert.strictEqual((yield* submit(log, [entry("mob", 2)])).position, 2)
        }).pipe(Effect.provide(layer)))

      it.effect("a digest is 64 hexadecimal digits: others keep nothing and find nothing", () =>
        Effect.gen(function*() {
          const log = yield* acquire
          for (const wrong of ["", "zz-not-hex", digest.slice(2), digest.toUpperCase(), `${digest}00`]) {
            refused(yield* Effect.flip(submit(log, [entry("mob", 1)], { pins: [{ digest: wrong, definition: 1 }] })))
            assert.strictEqual(yield* log.pinned(wrong), undefined)
          }
          yield* submit(log, [entry("mob", 1)], { pins: [{ digest, definition: 1 }] })
          assert.strictEqual(yield* log.pinned(digest), 1)
          assert.strictEqual(yield* log.pinned(digest.toUpperCase()), undefined)
        }).pipe(Effect.provide(layer)))

      it.effect("a mob whose name has half of a surrogate pair is refused", () =>
        Effect.gen(function*() {
          const journal = yield* Journal
          for (const half of halves.slice(0, 2)) refused(yield* Effect.flip(journal.acquire(half)))
          assert.deepStrictEqual(yield* journal.mobs, [])
        }).pipe(Effect.provide(layer)))

      it.effect("pruning up to what is no cursor removes nothing; reading after one before the first reads all", () =>
        Effect.gen(function*() {
          const log = yield* acquire
          for (let revision = 1; revision <= 20; revision++) yield* submit(log, [entry("mob", revision)])
          // The point of the test.
          for (const wrong of [NaN, -1, 0, undefined as unknown as number]) {
            assert.strictEqual((yield* log.prune({ events: wrong, forget: [] })).firstCursor, 1)
          }
          assert.lengthOf(yield* log.events(-5, 100), 20)
        }).pipe(Effect.provide(layer)))
    })
  }

  it.effect("names that are one in UTF-8 do not keep the directory from opening again", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const layer = Layer.fresh(JournalLevel.layer({ dir }))
      yield* Effect.gen(function*() {
        const journal = yield* Journal
        for (const name of halves) {
          yield* Effect.ignore(Effect.flatMap(journal.acquire(name), (log) => submit(log, [entry("mob", 1)])))
        }
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(
        yield* Effect.flatMap(Journal, ({ mobs }) => mobs).pipe(Effect.provide(layer)),
        [MobId.make("\ufffd")]
      )
    }))
})
