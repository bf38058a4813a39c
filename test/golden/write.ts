/**
 * Writes the golden files that are not there yet: one for the newest version of each kind (`kinds.ts`), and a backup.
 *
 *     node --conditions=mobwright-source test/golden/write.ts
 *
 * Whoever changes the shape of something that is stored makes a new version of it:
 *
 * 1. the upgrader from the version before joins the list of the kind (`core/journal/versions.ts`,
 *    `core/machine/<machine>/versions.ts`), the `v` of its schema counts one more, so does the `v` that is written;
 * 2. its examples (`examples/`) become those of the new version, with all that is new in them;
 * 3. this script writes the file of the new version. What the files of earlier versions say they are `reads` as is of
 *    the new shape now: `write.ts --reads` writes that anew, to be looked at line by line in the diff. What they have
 *    as `stored` is on people's disks: it is never written again, and never removed.
 *
 * No new version is needed for what earlier programs need not know: a fact of a new type, which they refuse by its name,
 * or an optional field that they may drop without harm. Then only the examples get it, and this script adds those that
 * have something new to the file of the newest version.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { backupVersion } from "../../core/journal/copy/lines.ts"
import type { Json } from "../../sdk/json.ts"
import { isTelling, uncovered } from "./coverage.ts"
import { readsOfBackup, writeBackups } from "./examples/backup.ts"
import { backupFile, examplesIn, fileOf, plain, writeJson } from "./files.ts"
import { type Kind, kinds } from "./kinds.ts"

const reads = process.argv.includes("--reads")

/** Those of today's examples that have something in them that the known ones have not. */
const fresh = (kind: Kind, known: ReadonlyArray<Json>): ReadonlyArray<Json> => {
  const found = known.map(kind.read)
  return kind.examples().map(plain).filter((stored) => {
    const read = kind.read(stored)
    const isFresh = known.length === 0 || (kind.schema === undefined
      ? isTelling(plain(read), found.map(plain))
      : uncovered(kind.schema, [...found, read]).length < uncovered(kind.schema, found).length)
    if (isFresh) found.push(read)
    return isFresh
  })
}

const write = (kind: Kind, version: number) => {
  const examples = examplesIn(kind, version) ?? []
  const known = examples.map(({ stored }) => stored)
  const added = version === kind.newest ? fresh(kind, known) : []
  if (known.length + added.length === 0) throw new Error(`there is no example of ${kind.name} in version ${version}`)
  if (added.length === 0 && !reads) return
  const kept = reads ? known.map((stored) => ({ stored, reads: plain(kind.read(stored)) })) : examples
  writeJson(fileOf(kind, version), [
    ...kept,
    ...added.map((stored) => ({ stored, reads: plain(kind.read(stored)) }))
  ])
}

for (const kind of kinds) {
  for (let version = 1; version <= kind.newest; version++) write(kind, version)
}

const backups = Effect.gen(function*() {
  if (!fs.existsSync(backupFile("plain", backupVersion))) {
    yield* writeBackups((name) => backupFile(name, backupVersion))
  } else if (!reads) return
  for (const name of ["plain", "secrets"] as const) {
    for (let version = 1; version <= backupVersion; version++) {
      const file = backupFile(name, version)
      writeJson(`${file}.json`, yield* readsOfBackup(file))
    }
  }
})
await Effect.runPromise(Effect.scoped(backups))
