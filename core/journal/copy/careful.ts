/**
 * Reading a database that may be damaged: every key that LevelDB still finds, whatever it fails at between them.
 */
import { Effect } from "effect"
import { Buffer } from "node:buffer"
import type { Key, KeyRange } from "../keys.ts"
import type { DatabaseReads } from "../medium.ts"
import type { Find } from "./finding.ts"

/** Records read at once while nothing fails. */
const most = 256

/** Calls `each` with every record of a range that can be read, in the order of keys. */
export const eachRecord = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    range: KeyRange,
    find: Find,
    each: (key: Key, value: string) => void
  ): Effect.fn.Return<void> {
    // Read to its end in one go, LevelDB says whether it left something out.
    const whole = yield* Effect.result(reads.scan(range, most, () => true))
    if (whole._tag === "Failure") {
      find(`the records from key ${range.gte.toString("hex")} on`, `not all can be read: ${whole.failure.message}`)
    }
    let { gte } = range
    for (let limit = most;;) {
      const found = yield* Effect.result(reads.keys({ gte, lt: range.lt }, limit))
      if (found._tag === "Failure") {
        // One at a time it gets past what it cannot read, to the last key that it can.
        if (limit === 1) return
        limit = 1
        continue
      }
      const keys = found.success
      if (keys.some((key, index) => Buffer.compare(index === 0 ? gte : keys[index - 1] ?? gte, key) > 0)) {
        return find(`the records from key ${gte.toString("hex")} on`, "their keys are not in order")
      }
      const last = keys.at(-1)
      if (last === undefined) return
      for (const [key, value] of yield* valuesOf(reads, keys, find)) each(key, value)
      gte = Buffer.concat([last, Buffer.of(0)])
      limit = Math.min(most, limit * 2)
    }
  }
)

const valuesOf = Effect.fnUntraced(
  function*(
    reads: DatabaseReads,
    keys: ReadonlyArray<Key>,
    find: Find
  ): Effect.fn.Return<ReadonlyArray<readonly [Key, string]>> {
    const values = yield* Effect.result(reads.get(keys))
    if (values._tag === "Failure" && keys.length > 1) {
      const each: Array<readonly [Key, string]> = []
      for (const key of keys) each.push(...(yield* valuesOf(reads, [key], find)))
      return each
    }
    const found: Array<readonly [Key, string]> = []
    for (const [index, key] of keys.entries()) {
      const value = values._tag === "Success" ? values.success[index] : undefined
      if (value !== undefined) found.push([key, value])
      else find(key, values._tag === "Failure" ? `it cannot be read: ${values.failure.message}` : "it cannot be read")
    }
    return found
  }
)
