/**
 * Reading a database that may be damaged: every key that LevelDB still finds, whatever it fails at between them.
 */
import { Effect } from "effect"
import { Buffer } from "node:buffer"
import { after, describeKey, type Key, type KeyRange } from "../keys.ts"
import type { DatabaseReads } from "../medium.ts"
import type { Find, Gap, Unread } from "./finding.ts"

/** Records read at once while nothing fails. */
const most = 256

/** Calls `each` with every record of a range that can be read, in the order of keys. */
export const eachRecord = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    of: Unread,
    range: KeyRange,
    find: Find,
    each: (key: Key, value: string) => void
  ): Effect.fn.Return<void> {
    // Read to its end in one go, LevelDB says whether it left something out.
    const whole = yield* Effect.result(reads.scan(range, most, () => true))
    const there: Array<Key> = []
    let { gte } = range
    for (let limit = most;;) {
      const found = yield* Effect.result(reads.keys({ gte, lt: range.lt }, limit))
      if (found._tag === "Failure") {
        // One at a time it gets past what it cannot read, to the last key that it can.
        if (limit === 1) break
        limit = 1
        continue
      }
      const keys = found.success
      if (keys.some((key, index) => Buffer.compare(index === 0 ? gte : keys[index - 1] ?? gte, key) > 0)) {
        const unread = { of, after: there.at(-1), before: undefined }
        return find(whereOf(unread), "their keys are not in order", { unread })
      }
      const last = keys.at(-1)
      if (last === undefined) break
      for (const [key, value] of yield* valuesOf(reads, of, keys, find)) each(key, value)
      if (whole._tag === "Failure") there.push(...keys)
      gte = after(last)
      limit = Math.min(most, limit * 2)
    }
    if (whole._tag === "Success") return
    const what = `not all can be read: ${whole.failure.message}`
    const gaps = yield* gapsIn(reads, range, there)
    // Read in parts nothing fails: then it may be anywhere.
    for (const [low, high] of gaps.length === 0 ? [[undefined, undefined] as const] : gaps) {
      const unread = { of, after: low, before: high }
      find(whereOf(unread), what, { unread })
    }
  }
)

/** The neighbours between which LevelDB cannot read; one part of the range for all that follow each other. */
const gapsIn = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    { gte, lt }: KeyRange,
    there: ReadonlyArray<Key>
  ): Effect.fn.Return<ReadonlyArray<readonly [low: Key | undefined, high: Key | undefined]>> {
    const gaps: Array<readonly [Key | undefined, Key | undefined]> = []
    // Numbers of keys: -1 is where the range begins, the length is where it ends.
    const parts: Array<readonly [number, number]> = [[-1, there.length]]
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const [low, high] = part
      const read = yield* Effect.result(reads.scan({ gte: there[low] ?? gte, lt: there[high] ?? lt }, most, () => true))
      if (read._tag === "Success") continue
      if (high - low === 1) {
        const [before] = low >= 0 && gaps.at(-1)?.[1] === there[low] ? gaps.splice(-1) : []
        gaps.push([before === undefined ? there[low] : before[0], there[high]])
        continue
      }
      const middle = Math.floor((low + high) / 2)
      parts.push([middle, high], [low, middle])
    }
    return gaps
  }
)

const whereOf = ({ after, before, of }: Gap): string => {
  const names = of === "meta" ? "the meta record" : of === "mobs" ? "the records of mobs" : of
  if (after === undefined) return before === undefined ? names : `${names} before ${describeKey(before)}`
  return before === undefined
    ? `${names} after ${describeKey(after)}`
    : `${names} between ${describeKey(after)} and ${describeKey(before)}`
}

const valuesOf = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    of: Unread,
    keys: ReadonlyArray<Key>,
    find: Find
  ): Effect.fn.Return<ReadonlyArray<readonly [Key, string]>> {
    const values = yield* Effect.result(reads.get(keys))
    if (values._tag === "Failure" && keys.length > 1) {
      const each: Array<readonly [Key, string]> = []
      for (const key of keys) each.push(...(yield* valuesOf(reads, of, [key], find)))
      return each
    }
    const found: Array<readonly [Key, string]> = []
    for (const [index, key] of keys.entries()) {
      const value = values._tag === "Success" ? values.success[index] : undefined
      if (value !== undefined) {
        found.push([key, value])
        continue
      }
      find(key, values._tag === "Failure" ? `it cannot be read: ${values.failure.message}` : "it cannot be read", {
        unread: { of, after: key, before: key }
      })
    }
    return found
  }
)
