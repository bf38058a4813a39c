/**
 * What a repair says is lost: by name what is known by name, and between which records where nothing tells.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { findings } from "../../../core/journal/copy/finding.ts"
import { lossesIn } from "../../../core/journal/copy/loss.ts"
import { survey } from "../../../core/journal/copy/survey.ts"
import { blockKeys, headKey, mobKey } from "../../../core/journal/keys.ts"
import { holdLevel, lookAtLevel } from "../../../core/journal/level.ts"
import type { DatabaseReads } from "../../../core/journal/medium.ts"
import { corrupted } from "../../../core/journal/seal.ts"
import type { Operation } from "../../../core/journal/seams.ts"
import { entry, folder, submit, team } from "../logs.ts"
import { other, repairHere, using, verifyHere } from "./stores.ts"

const at = (dir: string) => holdLevel(dir, undefined)

/** Runs of team that take turns, so that each of them is in each part of the log. */
const filled = Effect.gen(function*() {
  const dir = yield* folder
  const data = join(dir, "data")
  yield* using(at(data), (store) =>
    Effect.gen(function*() {
      const log = yield* store.acquire(team)
      for (let revision = 1; revision <= 6; revision++) {
        for (const name of ["mob", "run/1", "run/2"]) {
          yield* submit(log, [entry(name, revision, { terminal: revision === 6 && name === "run/2" })])
        }
      }
      yield* submit(yield* store.acquire(other), [entry("mob", 1)])
    }))
  return { data, repaired: join(dir, "repaired") }
})

/** Changes records from outside. */
const tamper = Effect.fnUntraced(
  function*(data: string, change: (reads: DatabaseReads) => Effect.Effect<ReadonlyArray<Operation>, unknown>) {
    const medium = at(data)
    const database = yield* medium.open
    const operations = yield* change(database)
    yield* Effect.callback<void>((resume) => database.commit(operations, () => resume(Effect.void)))
    yield* medium.leave
    yield* database.close
  }
)

const blocks = (reads: DatabaseReads) => reads.keys(blockKeys(1, 0))

describe("what a repair lists", () => {
  it.live("of entries that are gone: which revisions of whom, as far as those behind them tell", () =>
    Effect.gen(function*() {
      const { data, repaired } = yield* filled
      yield* tamper(
        data,
        (reads) => Effect.map(blocks(reads), (keys) => keys.slice(4, 8).map((key): Operation => ({ type: "del", key })))
      )
      const { lost } = yield* repairHere(data, repaired)
      expect(lost).toContainEqual({
        type: "entries",
        mob: "team",
        first: 5,
        last: 8,
        aggregates: [
          { aggregate: "run/2", first: 2, last: 2 },
          { aggregate: "mob", first: 3, last: 3 },
          { aggregate: "run/1", first: 2, last: 3 }
        ]
      })
      expect(lost.filter(({ type }) => type === "records")).toEqual([])
    }))

  it.live("of mobs without a record: name and number at once where there is one of both, and how to save it", () =>
    Effect.gen(function*() {
      const { data, repaired } = yield* filled
      yield* tamper(data, () => Effect.succeed([{ type: "put", key: mobKey(team), value: "{}" }]))
      const { lost, mobs } = yield* repairHere(data, repaired)
      expect(lost).toContainEqual({ type: "mob", mob: "team", number: 1 })
      expect(lost.filter(({ type }) => type === "mob")).toHaveLength(1)
      expect(mobs.map(({ mob }) => mob)).toEqual(["other"])
      for (const names of [[[1, "other"]], [[1, "both"], [9, "both"]]] as const) {
        expect(yield* Effect.flip(repairHere(data, `${repaired}-${names.length}`, { names: new Map(names) })))
          .toMatchObject({ _tag: "NameUnusable" })
      }
      const again = yield* repairHere(data, `${repaired}-again`, { names: new Map([[1, "team"]]) })
      expect(again.mobs.map(({ mob }) => mob)).toEqual(["team", "other"])
      expect((yield* verifyHere(`${repaired}-again`)).findings).toEqual([])
    }))

  it.live("of what cannot be read: between which records that stood", () =>
    Effect.gen(function*() {
      const { data } = yield* filled
      const { find, gaps, list } = findings()
      const database = yield* lookAtLevel(data).open
      const [low, high] = [headKey(1, "run/1"), headKey(1, "run/2")]
      // A database that cannot read what stands between these two.
      const broken: DatabaseReads = {
        ...database,
        scan: (range, chunk, each) =>
          Buffer.compare(range.gte, low) <= 0 && Buffer.compare(range.lt, high) >= 0
            ? Effect.fail(corrupted("a table", "bad block"))
            : database.scan(range, chunk, each)
      }
      const found = yield* survey(broken, find)
      yield* database.close
      expect(list.map(({ kind, where }) => [kind, where])).toEqual([
        ["unread", "heads between the head of run/1 in mob number 1 and the head of run/2 in mob number 1"]
      ])
      expect(lossesIn(gaps, found)).toEqual([
        { type: "records", of: "heads", after: "run/1 of mob team", before: "run/2 of mob team" }
      ])
    }))

  it.live("when LevelDB could not open its files: that more can be missing than is named", () =>
    Effect.gen(function*() {
      const { data, repaired } = yield* filled
      fs.writeFileSync(join(data, "db", "CURRENT"), "MANIFEST-999999\n")
      const { lost, mobs } = yield* repairHere(data, repaired)
      expect(lost).toEqual([{ type: "records", of: "everything", after: undefined, before: undefined }])
      expect(mobs.map(({ mob }) => mob)).toEqual(["team", "other"])
    }))
})
