import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { type ActorRef, ActorSystem, type LifecycleEvent } from "../../core/actor/index.ts"
import { TapOffice } from "../../core/actor/tap.ts"
import { advance, settle } from "../../core/testing/index.ts"
import { everySystem, type Order, recorder } from "./fixtures.ts"

/** The tap, and how often it was told of something. */
const spied = Effect.gen(function*() {
  const { tap } = yield* ActorSystem
  assert.instanceOf(tap, TapOffice)
  const calls: Array<object> = []
  const { tell } = tap
  tap.tell = (happening) => {
    calls.push(happening)
    tell.call(tap, happening)
  }
  return { tap, calls }
})

/** A cell that has ended: each message to it is one event. */
const ended = Effect.gen(function*() {
  const system = yield* ActorSystem
  const ref = yield* system.spawn(recorder("ended", []))
  yield* ref.stop()
  return ref
})

const note = (ref: ActorRef<Order>, text: string | number) => ref.tellUnsafe({ type: "note", text: String(text) })

/** The text of a letter. */
const textOf = (event: LifecycleEvent): string => {
  assert.strictEqual(event._tag, "DeadLetter")
  const { message } = event as Extract<LifecycleEvent, { readonly _tag: "DeadLetter" }> // as asserted
  return (message as { readonly text: string }).text // these tests tell notes only
}

for (const [systemName, layer] of everySystem) {
  describe(`listeners of the tap, ${systemName}`, () => {
    /** One event of each kind. */
    const everything = Effect.gen(function*() {
      const system = yield* ActorSystem
      const ref = yield* system.spawn(recorder("cell", []))
      ref.tellUnsafe({ type: "fail", error: "boom" })
      yield* settle
      yield* ref.stop()
      note(ref, "late")
    })
    const kinds = ["Started", "DeadLetter", "Crashed", "Restarting", "Started", "Stopped", "DeadLetter"]

    it.effect("none: no event is made, before the first and after the last", () =>
      Effect.gen(function*() {
        const { calls, tap } = yield* spied
        yield* everything
        assert.lengthOf(calls, 0)
        const seen: Array<string> = []
        const end = tap.subscribe((event) => seen.push(event._tag))
        const other = tap.subscribe(() => {})
        yield* everything
        assert.deepStrictEqual(seen, kinds)
        assert.lengthOf(calls, kinds.length)
        end()
        yield* everything
        assert.lengthOf(calls, kinds.length * 2)
        other()
        yield* everything
        assert.lengthOf(calls, kinds.length * 2)
        assert.deepStrictEqual(seen, kinds)
      }).pipe(Effect.provide(layer)))

    it.effect("one that throws is told on, and disturbs neither the cell nor the others", () =>
      Effect.gen(function*() {
        const { tap } = yield* ActorSystem
        const seen: Array<string> = []
        let thrown = 0
        tap.subscribe(() => {
          thrown++
          throw new Error("listener")
        })
        tap.subscribe((event) => seen.push(event._tag))
        yield* everything
        assert.deepStrictEqual(seen, kinds)
        assert.strictEqual(thrown, kinds.length)
        assert.deepStrictEqual(yield* (yield* ActorSystem).failed, [])
      }).pipe(Effect.provide(layer)))

    it.effect("two are told the same events, in the order of their subscription", () =>
      Effect.gen(function*() {
        const { tap } = yield* ActorSystem
        const seen: Array<readonly [number, LifecycleEvent]> = []
        for (const listener of [1, 2]) tap.subscribe((event) => seen.push([listener, event]))
        yield* everything
        assert.deepStrictEqual(seen.map(([, { _tag }]) => _tag), kinds.flatMap((kind) => [kind, kind]))
        for (const [index, [listener, event]] of seen.entries()) {
          assert.strictEqual(listener, index % 2 + 1)
          assert.strictEqual(event, seen[index - index % 2]?.[1])
        }
      }).pipe(Effect.provide(layer)))

    it.effect("the same function may listen twice; each subscription ends by itself, and ending it again is harmless", () =>
      Effect.gen(function*() {
        const ref = yield* ended
        const { tap } = yield* ActorSystem
        const seen: Array<string> = []
        const listener = (event: LifecycleEvent) => void seen.push(textOf(event))
        const ends = [tap.subscribe(listener), tap.subscribe(listener)]
        note(ref, 1)
        ends[0]?.()
        ends[0]?.()
        note(ref, 2)
        ends[1]?.()
        note(ref, 3)
        assert.deepStrictEqual(seen, ["1", "1", "2"])
      }).pipe(Effect.provide(layer)))

    it.effect("one that ends itself, or another, in the middle of an event is told no more", () =>
      Effect.gen(function*() {
        const ref = yield* ended
        const { tap } = yield* ActorSystem
        const seen: Array<string> = []
        const ends: Array<() => void> = []
        ends.push(tap.subscribe((event) => {
          seen.push(`first ${textOf(event)}`)
          for (const end of ends) end()
        }))
        ends.push(tap.subscribe((event) => void seen.push(`second ${textOf(event)}`)))
        note(ref, 1)
        note(ref, 2)
        assert.deepStrictEqual(seen, ["first 1"])
      }).pipe(Effect.provide(layer)))

    it.effect("events carry the time of the system's clock, to the part of a millisecond", () =>
      Effect.gen(function*() {
        const ref = yield* ended
        const { tap } = yield* ActorSystem
        const seen: Array<number> = []
        tap.subscribe(({ at }) => void seen.push(at))
        for (const millis of [0, 1, 0.25, 86_400_000]) {
          yield* advance(millis)
          note(ref, "")
        }
        assert.deepStrictEqual(seen, [0, 1, 1.25, 86_400_001.25])
      }).pipe(Effect.provide(layer)))
  })

  describe(`the tap's stream, ${systemName}`, () => {
    it.effect("has the events from the moment it is run, and listens no more once it is interrupted", () =>
      Effect.gen(function*() {
        const { calls, tap } = yield* spied
        const ref = yield* ended
        note(ref, "before")
        const seen: Array<string> = []
        const reading = yield* Effect.forkChild(
          Stream.runForEach(tap.events, (event) => Effect.sync(() => void seen.push(textOf(event)))),
          { startImmediately: true }
        )
        for (const text of ["1", "2", "3"]) note(ref, text)
        yield* settle
        note(ref, "4")
        yield* settle
        assert.deepStrictEqual(seen, ["1", "2", "3", "4"])
        yield* Fiber.interrupt(reading)
        note(ref, "after")
        yield* settle
        assert.deepStrictEqual(seen, ["1", "2", "3", "4"])
        assert.lengthOf(calls, 4)
        assert.isFalse(tap.listening)
      }).pipe(Effect.provide(layer)))

    it.effect("listens no more once its reader has enough, and each reader has its own", () =>
      Effect.gen(function*() {
        const { tap } = yield* spied
        const ref = yield* ended
        const read = (count: number) =>
          Effect.forkChild(Stream.runCollect(Stream.take(tap.events, count)), { startImmediately: true })
        const two = yield* read(2)
        const three = yield* read(3)
        for (const text of ["1", "2"]) note(ref, text)
        yield* settle
        assert.deepStrictEqual((yield* Fiber.join(two)).map(textOf), ["1", "2"])
        assert.isTrue(tap.listening)
        note(ref, "3")
        assert.deepStrictEqual((yield* Fiber.join(three)).map(textOf), ["1", "2", "3"])
        assert.isFalse(tap.listening)
      }).pipe(Effect.provide(layer)))

    it.effect("a reader that is more than 16,384 events behind loses the oldest, and a cell does not wait for it", () =>
      Effect.gen(function*() {
        const { tap } = yield* ActorSystem
        const ref = yield* ended
        const gate = yield* Deferred.make<void>()
        const seen: Array<number> = []
        yield* Effect.forkChild(
          Stream.runForEach(
            tap.events,
            (event) => Effect.andThen(Effect.sync(() => void seen.push(Number(textOf(event)))), Deferred.await(gate))
          ),
          { startImmediately: true }
        )
        note(ref, 0)
        yield* settle
        const count = 17_000
        for (let index = 1; index <= count; index++) note(ref, index)
        assert.deepStrictEqual(seen, [0])
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.lengthOf(seen, 16_385)
        assert.deepStrictEqual(seen.slice(1), Array.from({ length: 16_384 }, (_, index) => count - 16_383 + index))
      }).pipe(Effect.provide(layer)))
  })
}
