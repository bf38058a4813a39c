/**
 * Flips bits of one of LevelDB's files, one at a time, and reads everything each time. A process of its own, because
 * LevelDB aborts on some of them. Arguments: base directory, file, first flip, number of flips. Prints one line a flip:
 * `same` as before, `found`, or `silent`.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { JournalLevel } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal } from "../../sdk/store.ts"
import { count, firstCursor } from "./logs.ts"

const mobs = ["team", "other"].map((name) => MobId.make(name))

/** Everything that can be read of a directory, as text. */
const everything = Effect.gen(function*() {
  const journal = yield* Journal
  const found: Array<unknown> = [yield* journal.mobs]
  for (const mob of mobs) {
    const log = yield* journal.acquire(mob)
    for (const name of yield* log.aggregates("")) {
      const loaded = yield* log.load(name)
      found.push([name, count(loaded), loaded?.head?.terminal])
    }
    const first = yield* firstCursor(log)
    found.push(yield* log.live, first, yield* log.events(first - 1, 100_000), yield* log.pinned("0f".repeat(32)))
  }
  return JSON.stringify(found)
})

const read = (dir: string) => Effect.result(Effect.scoped(Effect.provide(everything, JournalLevel.layer({ dir }))))

const [base = "", file = "", first = "0", flips = "0"] = process.argv.slice(2)
const bytes = fs.readFileSync(join(base, "db", file))
const copy = `${base}-${first}`
const copied = (content: Buffer) => {
  fs.rmSync(copy, { recursive: true, force: true })
  fs.cpSync(base, copy, { recursive: true })
  fs.writeFileSync(join(copy, "db", file), content)
  return Effect.runPromise(read(copy))
}
const before = await copied(bytes)
if (before._tag === "Failure") throw before.failure
for (let flip = Number(first); flip < Number(first) + Number(flips); flip++) {
  const at = (flip * 2654435761 + 12345) % (bytes.length * 8)
  const flipped = Buffer.from(bytes)
  flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7))
  const after = await copied(flipped)
  fs.writeSync(
    1,
    after._tag === "Failure"
      ? `found ${String(after.failure)}\n`
      : after.success === before.success
      ? "same\n"
      : `silent at bit ${at}\n`
  )
}
