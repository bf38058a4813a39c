/**
 * What somebody who listens to the tap costs: messages nothing, for they are no events; cells two events each.
 */
import { Effect } from "effect"
import { ActorSystem } from "../../core/actor/index.ts"
import { spawnFamilies, stopFamilies } from "./families.ts"
import { most, NOISE, type Sample, share } from "./rows.ts"
import { cellSample } from "./tell.ts"

const CELLS = 10_000

/** Measures and prints. */
export const benchTap = Effect.gen(function*() {
  const system = yield* ActorSystem
  let events = 0
  /** `sample` while somebody listens, who must be told of so many events. */
  const heard = (sample: Sample, expected: number): Sample => async () => {
    events = 0
    const end = system.tap.subscribe(({ _tag }) => {
      // What the stopped ones are told, to see that they are, does not count.
      if (_tag !== "DeadLetter") events++
    })
    const took = await sample()
    end()
    if (events !== expected) throw new Error(`${events} events were told, not ${expected}`)
    return took
  }
  const tell = yield* cellSample
  const run = Effect.runPromiseWith(yield* Effect.context<ActorSystem>())
  const cell = () =>
    run(Effect.gen(function*() {
      const families = yield* spawnFamilies({ families: 1, children: CELLS })
      return families.spawned.worked + (yield* stopFamilies(families)).worked
    }))
  yield* Effect.promise(async () => {
    await share("tell with a listener on the tap, share of the time without", heard(tell, 0), tell, most(NOISE))
    await share(
      "spawn and stop with a listener on the tap, share of the time without",
      heard(cell, 2 * (CELLS + 1)),
      cell
    )
  })
})
