/**
 * What copies, checks and repairs answer on a disk that is nearly full. Arguments: an empty file system of 12 MB, and a
 * file elsewhere for a backup. Prints the tags of their failures, what is left on the disk, and how many findings there
 * are when there is room again.
 */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { join } from "node:path"
import { backup, repair, restore, verify } from "../../../core/journal/copy/index.ts"
import { openCopied } from "../../../core/journal/copy/open-copied.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { entry, submit, team } from "../logs.ts"

const [disk = "", elsewhere = ""] = process.argv.slice(2)
const data = join(disk, "data")
const filler = join(disk, "filler")

/** Fills the disk but for this. */
const leave = (bytes: number) => {
  fs.rmSync(filler, { force: true })
  const { bavail, bsize } = fs.statfsSync(disk)
  fs.writeFileSync(filler, randomBytes(bavail * bsize - bytes))
}

const tagOf = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.match(effect, { onFailure: ({ _tag }) => _tag, onSuccess: () => "it went" })

const program = Effect.gen(function*() {
  yield* Effect.scoped(Effect.gen(function*() {
    const store = yield* openCopied(holdLevel(data, undefined))
    const log = yield* store.acquire(team)
    // All of it is in LevelDB's log, and takes as much room in a table.
    for (let revision = 1; revision <= 30; revision++) {
      yield* submit(log, [entry("mob", revision, { facts: [{ text: randomBytes(50_000).toString("base64") }] })])
    }
  }))
  yield* backup(data, elsewhere)
  // A copy of the log fits, the table that LevelDB makes of it does not.
  leave(2_500_000)
  const looks = {
    verify: yield* tagOf(verify(data)),
    repair: yield* tagOf(repair(data, join(disk, "new")))
  }
  leave(1_000_000)
  const full = {
    ...looks,
    backup: yield* tagOf(backup(data, join(disk, "file"))),
    restore: yield* tagOf(restore(elsewhere, join(disk, "new"))),
    left: fs.readdirSync(disk).sort()
  }
  fs.rmSync(filler)
  return { ...full, later: (yield* verify(data)).findings.length }
})
process.stdout.write(JSON.stringify(await Effect.runPromise(program)))
