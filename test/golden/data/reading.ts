/**
 * All that is in a data directory, as JSON that a person can read: what `write.ts` has the program say that wrote it, and
 * what the tests have today's program say. Looking changes nothing of ours.
 */
import { Effect } from "effect"
import { digestOf } from "mobwright"
import type { MobReads } from "mobwright/sdk"
import { runAggregateOf, validateSchema } from "../../../core/flow/index.ts"
import { type Aggregate, loadAggregate } from "../../../core/journal/aggregate.ts"
import { inspect } from "../../../core/journal/index.ts"
import { compileFlow } from "../../../core/machine/run/index.ts"
import { inboxAggregateOf } from "../../../core/member/index.ts"
import { mobAggregate } from "../../../core/mob/coordinator.ts"
import { readPinned, readRunPin, storedRuns } from "../../../core/mob/stored.ts"
import { Identity, RunId } from "../../../sdk/ids.ts"
import type { Json, JsonObject } from "../../../sdk/json.ts"

/** What is done with an aggregate, whatever its state and facts are. */
type WithAggregate<A> = <S, F extends JsonObject>(aggregate: Aggregate<S, F>) => A

/** Gives `body` the aggregate of this name; a run's plan is made of the definition that it is pinned to. */
export const aggregateNamed = <A>(
  log: Pick<MobReads, "load" | "pinned">,
  name: string,
  body: WithAggregate<A>
) =>
  Effect.gen(function*() {
    if (name === "mob") return body(mobAggregate)
    const id = name.slice(name.indexOf("/") + 1)
    if (name.startsWith("inbox/")) return body(inboxAggregateOf(Identity.make(id)))
    const run = RunId.make(id)
    const pin = yield* readRunPin(log, run)
    if (pin === undefined) return yield* Effect.die(`${name} has no entry`)
    const definition = yield* readPinned(log, pin.digest)
    return body(runAggregateOf(compileFlow(definition, pin.flow_id, pin.digest, validateSchema), run))
  })

/** One mob: where its log stands, its events, the state of each aggregate as head and tail give it, its runs. */
const readMob = Effect.fnUntraced(function*(reads: MobReads & { readonly position: number }) {
  const aggregates: { [name: string]: Json } = {}
  const names = ["mob", ...(yield* reads.aggregates("inbox/")), ...(yield* reads.aggregates("run/"))]
  for (const name of names) {
    const found = yield* Effect.flatten(
      aggregateNamed(
        reads,
        name,
        (aggregate) =>
          Effect.map(
            loadAggregate(reads, aggregate),
            (it) => it === undefined ? null : { revision: it.revision, state: aggregate.encode(it.state) }
          )
      )
    )
    aggregates[name] = found
  }
  const { runs, unreadable } = yield* storedRuns(reads)
  const digests = new Set<string>()
  JSON.stringify(aggregates, (key, value: unknown) => {
    if (key === "digest" && typeof value === "string") digests.add(value)
    return value
  })
  const definitions: { [digest: string]: string } = {}
  for (const digest of digests) definitions[digest] = yield* digestOf(yield* readPinned(reads, digest))
  return {
    epoch: reads.epoch,
    position: reads.position,
    latest_cursor: reads.latestCursor(),
    live: yield* reads.live,
    definitions,
    runs: Object.fromEntries(runs.map(({ run_id, ...run }) => [run_id, run])),
    unreadable,
    aggregates,
    events: yield* reads.events(0, 100_000)
  }
})

/** Everything in a data directory. */
export const readStore = Effect.fnUntraced(function*(dir: string) {
  const { damage, mob, mobs, seq } = yield* inspect(dir)
  const found: { [mob: string]: unknown } = {}
  for (const name of mobs) {
    const reads = yield* mob(name)
    found[name] = reads === undefined ? null : yield* readMob(reads)
  }
  return { damage: damage?.message ?? null, seq: seq ?? null, mobs: found }
}, Effect.scoped)
