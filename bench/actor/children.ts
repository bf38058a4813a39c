/**
 * What a message costs a cell that has 0, 100 or 10,000 children, and one whose parent has as many others: the same.
 */
import { Effect } from "effect"
import { dispatch } from "nact"
import { type ActorRef, ActorSystem, nactRef } from "../../core/actor/index.ts"
import { idle } from "./families.ts"
import { BURST, bursts, most, NOISE, orLost, type Sample, share, Tally } from "./rows.ts"

/** How a receiver is sent its messages. */
interface Samples {
  readonly burst: Sample
  readonly single: Sample
  /** By nact: its turn is as slow as the children of the nact actor are many. */
  readonly nact: Sample
}

/** Each wakes the run queue. */
const singly = (tally: Tally, tell: (number: number) => void): Sample => () =>
  orLost((async () => {
    const begin = performance.now()
    const handled = tally.burst()
    for (let number = 1; number <= BURST; number++) {
      tell(number)
      // Behind the microtask of the run queue.
      await undefined
    }
    await handled
    tally.check()
    return (performance.now() - begin) * 1_000 / BURST
  })())

/** A receiver with so many children, or so many siblings. */
const receiver = (counts: { readonly children: number; readonly siblings: number }) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const tally = new Tally()
    const found = Promise.withResolvers<ActorRef<number>>()
    yield* system.spawn<number, never, unknown, never>({
      name: "parent",
      init: (parent) =>
        Effect.gen(function*() {
          yield* Effect.replicateEffect(parent.spawn(idle), counts.siblings, { discard: true })
          const ref = yield* parent.spawn<number, number, unknown, never>({
            name: "receiver",
            init: (context) =>
              Effect.as(Effect.replicateEffect(context.spawn(idle), counts.children, { discard: true }), 0),
            behavior: (count, number) => {
              tally.saw(number)
              return Effect.succeed(count + 1)
            }
          })
          found.resolve(ref)
          return 0
        }),
      behavior: (count) => Effect.succeed(count)
    })
    const ref = yield* Effect.promise(() => found.promise)
    const below = nactRef(ref)
    return {
      burst: bursts(20, tally, (number) => ref.tellUnsafe(number)),
      single: singly(tally, (number) => ref.tellUnsafe(number)),
      nact: bursts(1, tally, (number) => dispatch(below, number))
    } satisfies Samples
  })

/** Measures and prints. */
export const benchChildren = Effect.gen(function*() {
  const alone = yield* receiver({ children: 0, siblings: 0 })
  const hundred = yield* receiver({ children: 100, siblings: 0 })
  const tenThousand = yield* receiver({ children: 10_000, siblings: 0 })
  const amongHundred = yield* receiver({ children: 0, siblings: 100 })
  const amongTenThousand = yield* receiver({ children: 0, siblings: 10_000 })
  const compare = (name: string, many: Samples) =>
    Effect.promise(async () => {
      await share(
        `message to a cell with ${name} to one with none, told 10,000 at once`,
        many.burst,
        alone.burst,
        most(NOISE)
      )
      await share("  told one by one", many.single, alone.single, most(NOISE))
      await share("  dispatched by nact", many.nact, alone.nact, most(NOISE))
    })
  yield* compare("100 children", hundred)
  yield* compare("10,000 children", tenThousand)
  yield* compare("100 siblings", amongHundred)
  yield* compare("10,000 siblings", amongTenThousand)
})
