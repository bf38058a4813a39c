/**
 * What a check finds: each kind of damage by itself, and all of it at once.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { entryLine, sealBlock } from "../../../core/journal/block.ts"
import { sealCheckpoint } from "../../../core/journal/checkpoint.ts"
import { sealHead } from "../../../core/journal/head.ts"
import { blockKey, checkpointKey, headKey, metaKey, mobKey, pinKey } from "../../../core/journal/keys.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { sealMeta, sealMob } from "../../../core/journal/registry.ts"
import type { Operation } from "../../../core/journal/seams.ts"
import { entry, folder, team } from "../logs.ts"
import { fill, using, verifyHere } from "./stores.ts"

const put = (key: Operation["key"], value: string): Operation => ({ type: "put", key, value })
const block = (position: number, seq: number, revisions: ReadonlyArray<number>, epoch = 1, name = "mob") =>
  put(
    blockKey(1, position),
    sealBlock(
      blockKey(1, position),
      { seq, position, cursor: position },
      revisions.map((it) => entryLine(entry(name, it), epoch))
    )
  )
const head = (revision: number, position: number, terminal = false) =>
  put(
    headKey(1, "mob"),
    sealHead(1, "mob", { revision, position, born: 1, terminal, text: "{\"count\":1}" })
  )
const checkpoint = (
  nextPosition: number,
  rev: number,
  more: { readonly oldest?: number; readonly need?: number } = {}
) =>
  put(
    checkpointKey(1),
    sealCheckpoint(1, {
      nextPosition,
      nextCursor: nextPosition,
      oldest: more.oldest ?? 1,
      firstCursor: more.oldest ?? 1,
      settledSeq: 0,
      live: [{ aggregate: "mob", born: 1, rev, position: rev, need: more.need ?? 2 }],
      cursors: [[1, 1]],
      distance: 1024
    })
  )
const meta = put(metaKey, sealMeta({ format: 1, seqFloor: 0 }))
const owner = put(mobKey(team), sealMob(team, { mobNo: 1, epoch: 1 }))
const whole = [meta, owner, head(1, 1), checkpoint(4, 3), block(1, 1, [1]), block(2, 2, [2, 3]), block(4, 3, [4])]

/** The whole mob with some records replaced, or left out. */
const found = Effect.fnUntraced(function*(without: ReadonlyArray<Operation["key"]>, instead: ReadonlyArray<Operation>) {
  const dir = join(yield* folder, "data")
  const medium = holdLevel(dir, undefined)
  const database = yield* medium.open
  const kept = whole.filter(({ key }) => !without.some((it) => it.equals(key)))
  yield* Effect.callback<void>((resume) => database.commit([...kept, ...instead], () => resume(Effect.void)))
  yield* medium.leave
  yield* database.close
  return (yield* verifyHere(dir)).findings.map(({ where, what }) => `${where}: ${what}`)
})

const cases: ReadonlyArray<
  readonly [string, ReadonlyArray<Operation["key"]>, ReadonlyArray<Operation>, ReadonlyArray<RegExp>]
> = [
  ["nothing is wrong", [], [], []],
  ["a block is missing", [blockKey(1, 2)], [], [/positions 2 to 3 before it are missing/, /group commits 2 to 2/]],
  ["blocks before the checkpoint are missing", [blockKey(1, 2), blockKey(1, 4)], [], [/positions 2 to 3 are missing/]],
  ["a block's bit is flipped", [], [put(blockKey(1, 4), `${block(4, 3, [4]).type} x`)], [/block 4.*header line/]],
  ["a revision is missing", [], [block(4, 3, [5])], [/mob has revision 5 after 3/]],
  ["a seq is used twice", [], [block(4, 2, [4])], [/seq is not above/]],
  ["a cursor is wrong", [], [
    put(
      blockKey(1, 4),
      sealBlock(blockKey(1, 4), { seq: 3, position: 4, cursor: 9 }, [entryLine(entry("mob", 4), 1)])
    )
  ], [/first cursor is 9, not 4/]],
  ["an epoch was never acquired", [], [block(4, 3, [4], 7)], [/epoch 7 has written/]],
  ["a head is missing", [headKey(1, "mob")], [], [/the head of mob .* is missing/]],
  ["a head is ahead of the log", [], [head(9, 9)], [/stands at position 9, the log ends at 4/]],
  ["a head names another entry", [], [head(2, 1)], [/does not stand on the entry/]],
  ["a head says that it has ended", [], [head(4, 4, true)], [/says that mob has ended/]],
  ["the checkpoint has another revision", [], [checkpoint(4, 2)], [/stands at revision 2, the log says 3/]],
  ["the checkpoint needs a block that is not there", [], [checkpoint(4, 3, { need: 3 })], [/needs block 3/]],
  ["a live aggregate is not in the checkpoint", [], [
    block(2, 2, [1, 2], 1, "run/1"),
    checkpoint(4, 1)
  ], [/does not know run\/1/]],
  ["blocks stand before the beginning", [], [checkpoint(4, 3, { oldest: 2 })], [/is before position 2/]],
  ["the meta record is missing", [metaKey], [], [/the meta record/]],
  ["the mob's record is missing", [mobKey(team)], [], [/no record says which mob/]],
  ["the mob's record cannot be read", [], [put(mobKey(team), "{}")], [/the record of mob team/]],
  ["a definition cannot be read", [], [put(pinKey("0f".repeat(32)), "{}\n")], [/header line cannot be read/]],
  ["a record of no kind is there", [], [put(Buffer.of(0x30, 1), "x")], [/no such record/]]
]

describe("a check of a store", () => {
  for (const [name, without, instead, words] of cases) {
    it.live(`says so when ${name}`, () =>
      Effect.gen(function*() {
        const list = yield* found(without, instead)
        for (const word of words) expect(list).toContainEqual(expect.stringMatching(word))
        if (words.length === 0) expect(list).toEqual([])
      }))
  }

  it.live("goes on after the first finding, and changes not a byte", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const blobs = yield* using(holdLevel(dir, undefined), (store) => Effect.map(fill(store), (it) => it.blobs))
      const [first = "", second = ""] = blobs
      fs.rmSync(join(dir, "blobs", "1", first))
      fs.writeFileSync(join(dir, "blobs", "1", second), "other")
      fs.writeFileSync(join(dir, "secrets.json"), "{}", { mode: 0o644 })
      const state = () =>
        fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort().map((name) => {
          const stat = fs.statSync(join(dir, name))
          return [
            name,
            stat.mtimeMs,
            stat.size,
            stat.isFile() ? fs.readFileSync(join(dir, name)).toString("base64") : ""
          ]
        })
      const before = state()
      const { findings, mobs } = yield* verifyHere(dir)
      expect(state()).toEqual(before)
      expect(mobs.map(({ mob }) => mob).sort()).toEqual(["other", "team"])
      expect(findings.map(({ where }) => where).sort()).toEqual(
        ["SecretsUnsafe", join(dir, "blobs", "1", first), join(dir, "blobs", "1", second)].sort()
      )
      expect(fs.readdirSync(join(dir, ".."))).toEqual(["data"])
    }))
})
