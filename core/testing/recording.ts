/**
 * What happens to cells, written down from the tap, and what a test expects of that.
 */
import { Effect } from "effect"
import { isDeepStrictEqual } from "node:util"
import { ActorSystem, type Dispatcher, type LifecycleEvent } from "../actor/index.ts"
import { ExpectationFailed, shown } from "./expectation.ts"
import { settle } from "./settle.ts"

/** An event of that kind. */
export type EventOf<Tag extends LifecycleEvent["_tag"]> = Extract<LifecycleEvent, { readonly _tag: Tag }>

/** Some fields of an event of that kind; those that are left out may be anything. */
export type EventFields<Tag extends LifecycleEvent["_tag"]> = Partial<Omit<EventOf<Tag>, "_tag">>

/**
 * The events since it was made. Expectations settle first, then look behind the last event that was expected; one that
 * fails changes nothing. Fields are equal if Node's `isDeepStrictEqual` says so.
 */
export interface Recording {
  /** All events so far, in order, whether expected or not. */
  readonly events: () => ReadonlyArray<LifecycleEvent>
  /** There is such an event: goes behind the first one and gives it. Those before it are passed over. */
  readonly expect: <Tag extends LifecycleEvent["_tag"]>(
    tag: Tag,
    fields?: EventFields<Tag>
  ) => Effect.Effect<EventOf<Tag>, ExpectationFailed, Dispatcher>
  /** There is no such event. */
  readonly expectNone: <Tag extends LifecycleEvent["_tag"]>(
    tag: Tag,
    fields?: EventFields<Tag>
  ) => Effect.Effect<void, ExpectationFailed, Dispatcher>
}

/**
 * Writes down what the system's tap tells, until the system ends. Expectations are in order: each one begins behind the
 * event of the one before.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ActorSystem } from "mobwright"
 * import { advance, recordTap, TestSystem } from "mobwright/testing"
 * import { strictEqual } from "node:assert"
 *
 * const program = Effect.gen(function*() {
 *   const system = yield* ActorSystem
 *   const recording = yield* recordTap
 *   const worker = yield* system.spawn<void, "work", string, never>({
 *     name: "worker",
 *     init: () => Effect.void,
 *     behavior: () => Effect.andThen(Effect.sleep(200), Effect.fail("no paper"))
 *   })
 *   worker.tellUnsafe("work")
 *   yield* recording.expect("Started", { name: "worker", incarnation: 1 })
 *   yield* recording.expectNone("Crashed")
 *   yield* advance("1 second")
 *   const crashed = yield* recording.expect("Crashed", { name: "worker" })
 *   strictEqual(crashed.at, 200)
 *   yield* recording.expect("Restarting", { path: worker.path, delay: 0 })
 *   yield* recording.expect("Started", { incarnation: 2 })
 *   yield* recording.expectNone("Stopped")
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TestSystem.layer()))
 * ```
 */
export const recordTap: Effect.Effect<Recording, never, ActorSystem> = Effect.gen(function*() {
  const { tap } = yield* ActorSystem
  const events: Array<LifecycleEvent> = []
  /** Behind the last one that was expected. */
  let next = 0
  tap.subscribe((event) => events.push(event))

  const find = (tag: string, fields: object) =>
    Effect.map(settle, () => events.findIndex((event, index) => index >= next && fits(event, tag, fields)))
  const failed = (expected: string, tag: string, fields: object) =>
    new ExpectationFailed({
      subject: "the tap",
      expected: `${expected} ${tag} ${shown(fields)}`,
      actual: events.slice(next)
    })

  return {
    events: () => events.slice(),
    expect: <Tag extends LifecycleEvent["_tag"]>(tag: Tag, fields: EventFields<Tag> = {}) =>
      Effect.flatMap(find(tag, fields), (found) => {
        if (found < 0) return Effect.fail(failed("a", tag, fields))
        next = found + 1
        return Effect.succeed(events[found] as EventOf<Tag>) // `find` compared the tag
      }),
    expectNone: (tag, fields = {}) =>
      Effect.flatMap(find(tag, fields), (found) => found < 0 ? Effect.void : Effect.fail(failed("no", tag, fields)))
  }
})

const fits = (event: LifecycleEvent, tag: string, fields: object): boolean => {
  if (event._tag !== tag) return false
  const all: { readonly [field: string]: unknown } = { ...event }
  return Object.entries(fields).every(([field, value]) => isDeepStrictEqual(all[field], value))
}
