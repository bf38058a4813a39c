/**
 * Reads all of a mob's log and compares it with its {@link Truth}.
 */
import { Effect } from "effect"
import { deepStrictEqual, ok } from "node:assert"
import type { MobReads, StoreError } from "../../../sdk/store.ts"
import { firstCursor } from "../logs.ts"
import { fold, type Standing, type Truth } from "./power-truth.ts"

/** Compares; from then on what was found is what there is. Throws an assertion's error. */
export const audit = Effect.fnUntraced(
  function*(reads: MobReads, truth: Truth): Effect.fn.Return<void, StoreError> {
    const found = new Map<string, Omit<Standing, "born">>()
    for (const name of yield* reads.aggregates("")) {
      const loaded = yield* reads.load(name)
      ok(loaded !== undefined, `${name} is listed and cannot be loaded`)
      found.set(name, fold(loaded))
    }
    truth.landed(landedOf(truth, found))
    for (const name of truth.going) if (!found.has(name)) truth.gone.add(name)
    truth.going.clear()
    const standing = truth.after(truth.acknowledged)
    const expected = new Map([...standing].filter(([name]) => !truth.gone.has(name)))
    deepStrictEqual([...found.keys()].sort(), [...expected.keys()].sort(), "aggregates")
    for (const [name, { born: _, ...rest }] of expected) deepStrictEqual(found.get(name), rest, name)
    const live = [...standing].filter(([, { terminal }]) => !terminal).sort(([, a], [, b]) => a.born - b.born)
    deepStrictEqual(yield* reads.live, live.map(([name]) => name), "live aggregates")
    yield* auditEvents(reads, truth)
    for (const { digest } of truth.sent) {
      if (digest !== undefined) {
        deepStrictEqual(yield* reads.pinned(digest), definitionOf(digest), "a pinned definition")
      }
    }
    yield* auditBlobs(reads, truth, expected)
  }
)

/** What is pinned under a digest. */
export const definitionOf = (digest: string) => ({ text: `defined ${digest}` })

/** How many submissions are there: all that were acknowledged and of the rest a prefix. */
const landedOf = (truth: Truth, found: ReadonlyMap<string, Omit<Standing, "born">>): number => {
  for (let count = truth.sent.length; count >= truth.acknowledged; count--) {
    const standing = truth.after(count)
    const differs = [...standing].some(([name, { revision }]) => {
      const there = found.get(name)
      return there === undefined ? !truth.gone.has(name) && !truth.going.has(name) : there.revision !== revision
    })
    if (!differs && [...found.keys()].every((name) => standing.has(name))) return count
  }
  const stands = [...found].map(([name, { revision }]) => `${name} ${revision}`).join(", ")
  const wanted = [...truth.after(truth.acknowledged)].map(([name, { revision }]) => `${name} ${revision}`).join(", ")
  throw new Error(
    `what is there is no prefix of the ${truth.sent.length} submissions that holds the ${truth.acknowledged} `
      + `acknowledged ones: there is [${stands}], acknowledged was [${wanted}], gone [${[...truth.gone].join(", ")}]`
  )
}

const auditEvents = Effect.fnUntraced(function*(reads: MobReads, truth: Truth): Effect.fn.Return<void, StoreError> {
  const first = yield* firstCursor(reads)
  ok(first >= truth.floor && first <= Math.max(truth.asked, truth.floor), `events start at ${first}`)
  truth.floor = truth.asked = first
  const expected = truth.sent.flatMap(({ events }) => events).map((event, index) => ({ cursor: index + 1, event }))
  deepStrictEqual(reads.latestCursor(), expected.length, "the latest cursor")
  const events = yield* reads.events(first - 1, 1_000_000)
  deepStrictEqual(events.map(({ cursor, event }) => ({ cursor, event })), expected.slice(first - 1), "events")
})

const auditBlobs = Effect.fnUntraced(function*(
  reads: MobReads,
  { blobs }: Truth,
  expected: ReadonlyMap<string, Standing>
): Effect.fn.Return<void, StoreError> {
  const wanted = new Set([...expected.values()].flatMap((standing) => standing.blobs))
  for (const [sha256, { acknowledged, bytes, swept }] of blobs) {
    const there = yield* reads.blob(sha256)
    if (there !== undefined) deepStrictEqual(Buffer.from(there), Buffer.from(bytes), "a blob")
    else ok(!wanted.has(sha256), "a blob that a record refers to is missing")
    ok(there !== undefined || !acknowledged || swept, "a blob that was kept is missing")
    if (there === undefined) blobs.delete(sha256)
  }
})
