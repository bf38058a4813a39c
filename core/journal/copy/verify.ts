/**
 * Checking a data directory: all of it is read, everything that is wrong is told, nothing is changed.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { MobId } from "../../../sdk/ids.ts"
import { blobFiles } from "../blob-files.ts"
import { readBlob } from "../blobs.ts"
import type { DataFolderUnusable } from "../errors.ts"
import { MarkFile } from "../folder.ts"
import { mobKey } from "../keys.ts"
import type { DatabaseReads, Shelf } from "../medium.ts"
import { openMob } from "../open-mob.ts"
import { isThere } from "../registry.ts"
import { readSecrets } from "../secrets.ts"
import { missingCommits } from "./commits.ts"
import type { NoRoom } from "./errors.ts"
import { type Find, type Finding, findings } from "./finding.ts"
import { lostBlobs } from "./lost-blobs.ts"
import { References } from "./references.ts"
import { openShadow } from "./shadow.ts"
import { type Survey, survey } from "./survey.ts"

/** What a check found. */
export interface Verified {
  readonly dir: string
  readonly mobs: ReadonlyArray<{
    readonly mob: string
    readonly epoch: number
    /** First and newest entry and event that are kept; the newest is before the first if there are none. */
    readonly first_position: number
    readonly position: number
    readonly first_cursor: number
    readonly cursor: number
    readonly aggregates: number
  }>
  /** Mobs that were being restored or destroyed when a process ended; the next opening removes what is there of them. */
  readonly unfinished: ReadonlyArray<string>
  /** Nothing if the store is sound. */
  readonly findings: ReadonlyArray<Finding>
}

/** Checks a data directory by its shadow. */
export const verifyShadow = (
  dir: string,
  shadow: string,
  rescueFirst: boolean
): Effect.Effect<Verified, NoRoom | DataFolderUnusable> =>
  Effect.scoped(Effect.gen(function*() {
    const { find, list } = findings((text) => text.replaceAll(shadow, dir))
    const reads = yield* openShadow(dir, shadow, find, rescueFirst)
    yield* Effect.catch(
      readSecrets(dir),
      (error) => Effect.sync(() => find(error._tag, error.message, { remedy: "see there" }))
    )
    if (reads === undefined) return { dir, mobs: [], unfinished: [], findings: list }
    const found = yield* survey(reads, find)
    const mark = readMark(shadow, find)
    for (const [first, last] of missingCommits(found, mark)) {
      find(dir, `group commits ${first} to ${last} were acknowledged and are missing`)
    }
    const lost = lostBlobs(dir)
    return {
      dir,
      mobs: yield* checkMobs(found, reads, blobFiles(shadow), lost, find, list),
      unfinished: Array.from(found.registry).flatMap(([name, { destroyed }]) => destroyed === "begun" ? [name] : []),
      findings: list
    }
  }))

const readMark = (shadow: string, find: Find): number | undefined => {
  const mark = new MarkFile(shadow).read()
  const path = join(shadow, "MARK")
  // Not synced, it may be empty or zeros after a loss of power.
  if (mark === undefined && fs.existsSync(path) && fs.readFileSync(path).some((byte) => byte !== 0)) {
    find(path, "it is not what was written, so nobody knows whether the newest commits are there", {
      remedy: "if the newest events are those that you expect, remove it"
    })
  }
  return mark
}

/** Whether what there is belongs to a mob, opens, and has its blobs. */
const checkMobs = Effect.fnUntraced(
  function*(
    found: Survey,
    reads: DatabaseReads,
    shelf: Shelf,
    lost: ReadonlySet<string>,
    find: Find,
    list: ReadonlyArray<Finding>
  ): Effect.fn.Return<Verified["mobs"]> {
    const mobs: Array<Verified["mobs"][number]> = []
    const named = new Map<number, string>()
    const optional = new References()
    for (const text of found.pins.values()) optional.add(text)
    const pinned = without(optional.blobs, lost)
    for (const [name, registered] of found.registry) {
      const { epoch, mobNo } = registered
      const twin = named.get(mobNo)
      if (twin !== undefined) find(mobKey(name), `it has the number of mob ${twin}`)
      named.set(mobNo, name)
      if (!isThere(registered)) continue
      const mob = found.mobs.get(mobNo)
      if (mob === undefined) continue
      if (mob.epoch > epoch) {
        find(mobKey(name), `it says owner epoch ${epoch}, but epoch ${mob.epoch} has written`)
      }
      const before = list.length
      const opened = yield* Effect.result(openMob(reads, MobId.make(name), mobNo, epoch))
      // What it stumbles over is mostly known by now, and told in more detail.
      if (opened._tag === "Failure" && before === 0) find(mobKey(name), `it does not open: ${opened.failure.message}`)
      yield* checkBlobs(shelf, mobNo, without(mob.references.blobs, lost), pinned, find)
      const first = mob.blocks.at(0) ?? mob.first
      const { cursor, position } = mob.blocks.at(-1)?.next ?? mob.end
      mobs.push({
        mob: name,
        epoch,
        first_position: first.position,
        position: position - 1,
        first_cursor: first.cursor,
        cursor: cursor - 1,
        aggregates: mob.heads.size
      })
    }
    for (const sha256 of pinned) find(`blob ${sha256}`, "it is missing, and a definition refers to it")
    for (const [mobNo, mob] of found.mobs) {
      if (named.has(mobNo)) {
        const gone = found.registry.get(named.get(mobNo) ?? "")?.destroyed === "done"
        if (gone && (mob.blocks.length > 0 || mob.heads.size > 0 || mob.checkpoint !== undefined)) {
          find(`mob number ${mobNo}`, "it was destroyed, and not all of it is gone")
        }
      } else find(`mob number ${mobNo}`, nameless(found.unreadable))
    }
    return mobs
  }
)

const without = (all: ReadonlySet<string>, some: ReadonlySet<string>) => new Set([...all].filter((it) => !some.has(it)))

const nameless = (unreadable: ReadonlyArray<string>): string =>
  `no record says which mob has this number${
    unreadable.length === 0 ? "" : `; the record of ${unreadable.join(", ")} cannot be read`
  }`

const checkBlobs = Effect.fnUntraced(
  function*(
    shelf: Shelf,
    mobNo: number,
    wanted: ReadonlySet<string>,
    pinned: Set<string>,
    find: Find
  ): Effect.fn.Return<void> {
    const missing = new Set(wanted)
    const names = yield* Effect.result(shelf.names(mobNo))
    if (names._tag === "Failure") return find(`the blobs of mob number ${mobNo}`, names.failure.message)
    for (const sha256 of names.success) {
      missing.delete(sha256)
      pinned.delete(sha256)
      const read = yield* Effect.result(readBlob(shelf, mobNo, sha256))
      if (read._tag === "Success") continue
      find(
        shelf.describe(mobNo, sha256),
        read.failure._tag === "StoreCorrupted" ? read.failure.what : read.failure.message
      )
    }
    for (const sha256 of missing) {
      find(shelf.describe(mobNo, sha256), "it is missing, and a record refers to it")
    }
  }
)
