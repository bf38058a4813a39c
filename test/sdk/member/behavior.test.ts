import { describe, expect, it } from "@effect/vitest"
import { Context, Data, Effect, Exit, Schema } from "effect"
import type { Content } from "../../../sdk/content.ts"
import { InputId } from "../../../sdk/ids.ts"
import { Behavior, type Turn } from "../../../sdk/member/index.ts"

const turn = (content: Content): Turn => ({
  inputId: InputId.make("r/1"),
  fence: 1,
  content,
  memos: {},
  once: (_key, effect) => effect,
  progress: () => Effect.void
})

class Refused extends Data.TaggedError("Refused")<{ readonly code: string; readonly message: string }> {}

describe("a behaviour", () => {
  it.effect("takes the text of the message and gives text, by default", () =>
    Effect.gen(function*() {
      const shout = Behavior.make("shout", { run: (text) => Effect.succeed(text.toUpperCase()) })
      expect(yield* shout.perform(turn("a"))).toEqual({ status: "completed", output: "A" })
      const blocks = [{ type: "text", text: "a" }, { type: "image", url: "u" }, { type: "text", text: "b" }] as const
      expect(yield* shout.perform(turn(blocks))).toEqual({ status: "completed", output: "A\nB" })
    }))

  it.effect("whose work has ended when it answers needs no fiber", () =>
    Effect.sync(() => {
      const shout = Behavior.make("shout", { run: (text) => Effect.succeed(text.toUpperCase()) })
      expect(Exit.isExit(shout.perform(turn("a")))).toBe(true)
    }))

  it.effect("takes JSON that its Schema describes, and fails the turn on anything else", () =>
    Effect.gen(function*() {
      const area = Behavior.make("area", {
        input: Schema.Struct({ width: Schema.Number, height: Schema.Number }),
        run: ({ height, width }) => Effect.succeed(width * height)
      })
      expect(yield* area.perform(turn(`{"width":2,"height":3}`))).toEqual({
        status: "completed",
        output: "6",
        structured: 6
      })
      expect(yield* area.perform(turn(`{"width":2}`))).toMatchObject({ status: "failed", code: "input_invalid" })
      expect(yield* area.perform(turn("two by three"))).toMatchObject({ status: "failed", code: "input_invalid" })
    }))

  it.effect("takes a text as it is if its Schema is of texts, also one that looks like JSON", () =>
    Effect.gen(function*() {
      const plain = Behavior.make("plain", { input: Schema.String, run: (text) => Effect.succeed(text) })
      expect(yield* plain.perform(turn(`"7"`))).toMatchObject({ output: `"7"` })
      const number = Behavior.make("number", { input: Schema.NumberFromString, run: (n) => Effect.succeed(n + 1) })
      expect(yield* number.perform(turn("41"))).toMatchObject({ structured: 42 })
      const word = Behavior.make("word", {
        input: Schema.Literals(["go", "stop"]),
        run: (text) => Effect.succeed(text)
      })
      expect(yield* word.perform(turn("go"))).toMatchObject({ output: "go" })
    }))

  it.effect("gives what its Schema encodes: a text, or a structured value and its JSON", () =>
    Effect.gen(function*() {
      const date = Behavior.make("date", {
        output: Schema.Struct({ at: Schema.NumberFromString }),
        run: () => Effect.succeed({ at: 7 })
      })
      expect(yield* date.perform(turn(""))).toEqual({
        status: "completed",
        output: `{"at":"7"}`,
        structured: { at: "7" }
      })
      const nothing = Behavior.make("nothing", { run: () => Effect.void })
      expect(yield* nothing.perform(turn(""))).toEqual({ status: "completed", output: "" })
      const invalid = Behavior.make("invalid", { output: Schema.Int, run: () => Effect.succeed(1.5) })
      expect(yield* invalid.perform(turn(""))).toMatchObject({ status: "failed", code: "output_invalid" })
      const bigint = Behavior.make("bigint", { run: () => Effect.succeed(1n) })
      expect(yield* bigint.perform(turn(""))).toMatchObject({ status: "failed", code: "output_invalid" })
    }))

  it.effect("fails the turn with the code and the message of its error", () =>
    Effect.gen(function*() {
      const refuses = Behavior.make("refuses", { run: () => new Refused({ code: "NO_MONEY", message: "pay first" }) })
      expect(yield* refuses.perform(turn(""))).toEqual({ status: "failed", code: "NO_MONEY", reason: "pay first" })
      const fails = Behavior.make("fails", { run: () => Effect.fail("plainly") })
      expect(yield* fails.perform(turn(""))).toEqual({ status: "failed", code: "behavior_failed", reason: "plainly" })
      const later = Behavior.make("later", { run: () => Effect.andThen(Effect.yieldNow, Effect.fail("later")) })
      expect(yield* later.perform(turn(""))).toEqual({ status: "failed", code: "behavior_failed", reason: "later" })
    }))

  it.effect("leaves a defect to its caller, and says what services it needs", () =>
    Effect.gen(function*() {
      class Money extends Context.Service<Money, { readonly amount: number }>()("test/Money") {}
      const pays = Behavior.make("pays", { run: () => Effect.map(Money, ({ amount }) => amount) })
      expect(yield* Effect.provideService(pays.perform(turn("")), Money, { amount: 5 })).toMatchObject({
        structured: 5
      })
      const crashes = Behavior.make("crashes", { run: () => Effect.die("boom") })
      expect(yield* Effect.exit(crashes.perform(turn("")))).toEqual(Exit.die("boom"))
    }))

  it("is recognised by its mark", () => {
    expect(Behavior.isBehavior(Behavior.make("a", { run: () => Effect.void }))).toBe(true)
    expect([undefined, null, {}, () => {}].some(Behavior.isBehavior)).toBe(false)
  })
})
