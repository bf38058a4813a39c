/**
 * A second process that reads what one before it wrote to a data directory. Argument: directory. Prints what it found of
 * the mob, `read <revision> <events> <drafts>`: its newest revision, how many events stand in it without a gap, and how
 * many files were left half written.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { JournalLevel } from "../../../core/journal/index.ts"
import { Journal } from "../../../sdk/store.ts"
import { count, team } from "../logs.ts"

const [dir = ""] = process.argv.slice(2)

await Effect.runPromise(
  Effect.gen(function*() {
    const log = yield* (yield* Journal).acquire(team)
    const events = yield* log.events(0, 1_000_000)
    const gap = events.findIndex(({ cursor, event }, index) => cursor !== index + 1 || event["revision"] !== index + 1)
    const blobs = join(dir, "blobs")
    const drafts = fs.existsSync(blobs) ? fs.readdirSync(blobs).filter((name) => !/^\d+$/.test(name)) : []
    console.log(`read ${count(yield* log.load("mob"))} ${gap < 0 ? events.length : gap} ${drafts.length}`)
  }).pipe(Effect.provide(JournalLevel.layer({ dir })))
)
