/**
 * Damages a data directory at one place after the other, and each time reads everything that the opening gives. A
 * process of its own, because LevelDB aborts on some damage. Arguments: base directory, first place, number of places.
 * Prints one line a place: how it was damaged, and `same` as before; `found` with the error; `shorter`, an intact
 * beginning without the error; `silent`, a gap without the error; `wrong`, another value.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { JournalLevel } from "../../../core/journal/index.ts"
import { Journal, type Loaded, type StoredEvent } from "../../../sdk/store.ts"
import { count, firstCursor } from "../logs.ts"
import { Random } from "./random.ts"

/** All that can be read of one mob. */
interface Contents {
  readonly aggregates: ReadonlyMap<string, number>
  /** Facts by aggregate and revision, and heads by aggregate. */
  readonly facts: ReadonlyMap<string, unknown>
  readonly heads: ReadonlyMap<string, Loaded["head"]>
  readonly live: ReadonlyArray<string>
  readonly first: number
  readonly events: ReadonlyArray<StoredEvent>
  readonly pin: unknown
}

const everything = Effect.gen(function*() {
  const journal = yield* Journal
  const found = new Map<string, Contents>()
  for (const mob of yield* journal.mobs) {
    const log = yield* journal.acquire(mob)
    const aggregates = new Map<string, number>()
    const facts = new Map<string, unknown>()
    const heads = new Map<string, Loaded["head"]>()
    for (const name of yield* log.aggregates("")) {
      const loaded = yield* log.load(name)
      aggregates.set(name, count(loaded))
      heads.set(name, loaded?.head)
      for (const entry of loaded?.entries ?? []) facts.set(`${name} ${entry.revision}`, entry)
    }
    const first = yield* firstCursor(log)
    const events = yield* log.events(first - 1, 100_000)
    const live = (yield* log.live).toSorted()
    found.set(mob, { aggregates, facts, heads, live, first, events, pin: yield* log.pinned("0f".repeat(32)) })
  }
  return found
})

const read = (dir: string) =>
  Effect.runPromise(Effect.result(Effect.scoped(Effect.provide(everything, JournalLevel.layer({ dir })))))

/** Names of the files that may be damaged, below the data directory. */
const filesOf = (dir: string) =>
  [...fs.readdirSync(join(dir, "db")).map((name) => join("db", name)), "MARK"].filter((name) =>
    /(\.log|\.ldb|MANIFEST-\d+|CURRENT|MARK)$/.test(name) && fs.statSync(join(dir, name)).size > 0
  )

const isLarge = (name: string) => /\.(log|ldb)$/.test(name)

/** Damages one place; says how. */
const damage = (dir: string, place: number): string => {
  const random = new Random(place)
  const largest = place % 5 < 3
  const files = filesOf(dir).filter((name) => isLarge(name) === largest)
  const sizes = files.map((name) => largest ? fs.statSync(join(dir, name)).size : 1)
  let drawn = random.below(sizes.reduce((sum, size) => sum + size, 0))
  const name = files[sizes.findIndex((size) => (drawn -= size) < 0)] ?? ""
  const bytes = fs.readFileSync(join(dir, name))
  const at = random.below(bytes.length)
  if (place % 5 === 2 || place % 5 === 4) {
    fs.writeFileSync(join(dir, name), bytes.subarray(0, at))
    if (place % 10 !== 7) return `cut ${name} ${at}`
    fs.rmSync(join(dir, "MARK"))
    return `cut-without-MARK ${name} ${at}`
  }
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
  fs.writeFileSync(join(dir, name), bytes)
  return `flip ${name} ${at}`
}

/** What is left of a mob is its beginning: no gap, and nothing that was not written. It may not be pruned yet. */
const isBeginning = (after: Contents | undefined, before: Contents): boolean => {
  if (after === undefined) return true
  const { aggregates, events, first } = after
  const newest = new Map<unknown, unknown>()
  for (const { event } of events) newest.set(event["aggregate"], event["revision"])
  return (first === before.first || first === 1)
    && events.every(({ cursor }, index) => cursor === first + index)
    && [...aggregates].every(([name, revision]) => revision === (newest.get(name) ?? before.aggregates.get(name)))
    && [...newest].every(([name]) => aggregates.has(String(name)) || first > 1)
}

/** Nothing in it was never written. */
const isTrue = (after: Contents, before: Contents | undefined): boolean =>
  before !== undefined
  && after.events.every((event) =>
    event.cursor < before.first || isDeepStrictEqual(event, before.events[event.cursor - before.first])
  )
  && [...after.aggregates].every(([name, revision]) => revision <= (before.aggregates.get(name) ?? revision))
  && [...after.facts].every(([name, entry]) => isDeepStrictEqual(entry, before.facts.get(name) ?? entry))
  && (after.pin === undefined || isDeepStrictEqual(after.pin, before.pin))

const [base = "", first = "0", places = "0"] = process.argv.slice(2)
const copy = `${base}-${first}`
const copied = () => {
  fs.rmSync(copy, { recursive: true, force: true })
  fs.cpSync(base, copy, { recursive: true })
}

copied()
const before = await read(copy)
if (before._tag === "Failure") throw before.failure
const truth = before.success

for (let place = Number(first); place < Number(first) + Number(places); place++) {
  copied()
  const how = damage(copy, place)
  const after = await read(copy)
  let line: string
  if (after._tag === "Failure") {
    const { _tag } = after.failure
    line = `found ${_tag} at ${"where" in after.failure ? after.failure.where : ""}: ${after.failure.message}`
  } else if (isDeepStrictEqual(after.success, truth)) line = "same"
  else if (![...after.success].every(([mob, contents]) => isTrue(contents, truth.get(mob)))) line = "wrong"
  else if ([...truth].every(([mob, contents]) => isBeginning(after.success.get(mob), contents))) line = "shorter"
  else line = "silent"
  fs.writeSync(1, `${how}: ${line.replaceAll("\n", " ")}\n`)
}
