/**
 * What restoring refuses, and what it leaves then: nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { backup, restore } from "../../../core/journal/copy/index.ts"
import { openCopied } from "../../../core/journal/copy/open-copied.ts"
import { restoreInto } from "../../../core/journal/copy/restore.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { readSecrets, writeSecret } from "../../../core/journal/secrets.ts"
import { entry, folder, submit, team } from "../logs.ts"
import { forge, type Line, linesOf } from "./forge.ts"
import { digest, fill, other, repairHere, using, verifyHere } from "./stores.ts"

const at = (dir: string) => holdLevel(dir, undefined)

/** A backup of both mobs, with two secrets. */
const made = Effect.gen(function*() {
  const dir = yield* folder
  const data = join(dir, "data")
  const file = join(dir, "file")
  yield* using(at(data), fill)
  yield* writeSecret(data, "constructor", "hunter2")
  yield* writeSecret(data, "__proto__", "swordfish")
  yield* backup(data, file, { includeSecrets: true })
  return { dir, data, file, target: join(dir, "target") }
})

const of = (type: string, more: (line: Line) => boolean = () => true) => (line: Line) =>
  line.type === type && more(line)
const find = (lines: ReadonlyArray<Line>, match: (line: Line) => boolean): number => {
  const index = lines.findIndex(match)
  if (index < 0) throw new Error("there is no such line")
  return index
}
/** The lines with these fields on the first that matches. */
const changed = (lines: ReadonlyArray<Line>, match: (line: Line) => boolean, fields: Partial<Line>) =>
  lines.map((line, index) => index === find(lines, match) ? { ...line, ...fields } as Line : line)
const moved = (lines: ReadonlyArray<Line>, from: number, to: number) =>
  lines.toSpliced(from, 1).toSpliced(to, 0, lines[from] ?? { type: "none" })
const mine = of("head", (line) => line["aggregate"] === "mob")
const blobAt = (at: number) => of("blob", (line) => line["at"] === at)
const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/** Backups that no store wrote, and what is said of them. */
const forged: ReadonlyArray<readonly [string, (lines: Array<Line>) => ReadonlyArray<Line | string>, RegExp]> = [
  [
    "a blob of no mob",
    (lines) => lines.toSpliced(1, 0, { type: "blob", sha256: hash, bytes: 0, at: 0, data: "" }),
    /line 2 .*of no mob/
  ],
  [
    "a blob that is cut short",
    (lines) => lines.toSpliced(find(lines, blobAt(524288)), 1),
    /line \d+ .*piece of this blob is missing/
  ],
  ["a mob that comes twice", (lines) => {
    const [from, to] = [find(lines, of("mob")), lines.findLastIndex(of("mob"))]
    return lines.toSpliced(to, 0, ...lines.slice(from, to))
  }, /line \d+ .*mob other comes twice/],
  [
    "a mob that ends early",
    (lines) => changed(lines, of("mob"), { next_position: 99 }),
    /line 2 .*goes to position 98/
  ],
  ["a name that is no mob's", (lines) => changed(lines, of("mob"), { mob: "" }), /no name of a mob/],
  ["a position below 1", (lines) => changed(lines, of("mob"), { oldest: -5 }), /line 2 .*no line of a backup/],
  [
    "a head ahead of its log",
    (lines) => changed(lines, mine, { position: 99 }),
    /does not fit together: .*head of mob/
  ],
  ["a head at another revision", (lines) => changed(lines, mine, { rev: 7 }), /does not fit together: .*head of mob/],
  [
    "a head that says another end",
    (lines) => changed(lines, of("head", (line) => line["terminal"] === true), { terminal: false }),
    /does not fit together: .*head of run/
  ],
  [
    "a head twice",
    (lines) => lines.toSpliced(find(lines, mine), 0, lines[find(lines, mine)] ?? { type: "none" }),
    /has a head already/
  ],
  [
    "a head after the entries",
    (lines) => moved(lines, find(lines, mine), find(lines, of("entry")) + 1),
    /no head line comes after entry lines/
  ],
  ["a head without its state", (lines) => changed(lines, mine, { state: undefined }), /no line of a backup/],
  [
    "an owner epoch that was never given",
    (lines) => changed(lines, of("entry"), { epoch: 9 }),
    /does not fit together: .*epoch 9/
  ],
  ["an entry that is missing", (lines) => lines.toSpliced(find(lines, of("entry")) + 1, 1), /should come here/],
  ["facts that are no objects", (lines) => changed(lines, of("entry"), { facts: [1, null] }), /no line of a backup/],
  [
    "a mob after the definitions",
    (lines) => moved(lines, find(lines, of("definition")), 1),
    /comes after definition lines/
  ],
  ["a second header", (lines) => lines.toSpliced(1, 0, lines[0] ?? { type: "none" }), /line 2 .*one header/],
  [
    "a secret whose name is none",
    (lines) => [...lines.slice(0, -1), { type: "secrets", secrets: { "../../a": "y" } }],
    /line \d+ .*no line of a backup/
  ],
  ["text that is no JSON", (lines) => [...lines, "{\"type\":\"x\"]]}"], /line \d+ .*no line of a backup/]
]

describe("a backup that no store wrote", () => {
  it.live("is refused with the line that is wrong, and nothing of it is there", () =>
    Effect.gen(function*() {
      const { dir, file, target } = yield* made
      const lines = linesOf(file)
      const before = fs.readdirSync(dir).toSorted()
      forge(file, lines)
      expect((yield* restore(file, target)).mobs).toEqual(["other", "team"])
      fs.rmSync(target, { recursive: true })
      for (const [name, change, words] of forged) {
        forge(file, change(lines))
        const error = yield* Effect.flip(restore(file, target))
        expect([name, error._tag]).toEqual([name, "StoreCorrupted"])
        expect([name, error.message]).toEqual([name, expect.stringMatching(words)])
        expect(fs.readdirSync(dir).toSorted()).toEqual(before)
      }
    }))

  it.live("nor what is no backup is read to its end", () =>
    Effect.gen(function*() {
      const { dir, file, target } = yield* made
      const zeros = join(dir, "zeros")
      fs.writeFileSync(zeros, "")
      fs.truncateSync(zeros, 4 * 1024 ** 4)
      expect(yield* Effect.flip(restore(zeros, target))).toMatchObject({ what: "this is no backup" })
      expect(yield* Effect.flip(restore("/dev/zero", target))).toMatchObject({ _tag: "BackupFileUnusable" })
      // A line that does not end, after one that does.
      const [header = ""] = fs.readFileSync(file, "utf8").split("\n")
      fs.writeFileSync(file, `${header}\n${"x".repeat(24 * 1024 * 1024)}`)
      expect(yield* Effect.flip(restore(file, target))).toMatchObject({ what: expect.stringContaining("cut short") })
    }))
})

describe("a restore", () => {
  it.live("brings secrets of any name, keeps those that are there, and takes them back if it fails", () =>
    Effect.gen(function*() {
      const { file, target } = yield* made
      yield* writeSecret(target, "OTHER", "mine")
      const medium = at(target)
      const failing = {
        ...medium,
        // The last batch makes the mobs be there.
        open: Effect.map(medium.open, (database) => ({
          ...database,
          commit: (...[operations, done]: Parameters<typeof database.commit>) =>
            operations.some(({ key, type }) => type === "put" && key[0] === 0x40)
              ? queueMicrotask(() => done(new Error("EIO")))
              : database.commit(operations, done)
        }))
      }
      yield* Effect.flip(restoreInto(failing, target, file))
      expect({ ...(yield* readSecrets(target)) }).toEqual({ OTHER: "mine" })
      const restored = yield* restore(file, target)
      expect(restored).toMatchObject({ secrets: ["constructor", "__proto__"], kept_secrets: [] })
      expect(Object.keys(yield* readSecrets(target)).toSorted()).toEqual(["OTHER", "__proto__", "constructor"])
    }))

  it.live("leaves a definition that is there, and none of its own if it fails", () =>
    Effect.gen(function*() {
      const { file, target } = yield* made
      const own = { text: "mine" }
      const pins = yield* using(at(target), (store) =>
        Effect.gen(function*() {
          const log = yield* store.acquire(other)
          yield* submit(log, [entry("mob", 1)], { pins: [{ digest, definition: own }] })
          return log.pinned(digest)
        }))
      expect(pins).toBeDefined()
      expect(yield* Effect.flip(restore(file, target))).toMatchObject({ _tag: "TargetTaken" })
      forge(
        file,
        linesOf(file).filter((line, index, lines) =>
          line.type !== "secrets" && (index === 0 || index >= lines.findLastIndex(of("mob")))
        )
      )
      yield* restore(file, target)
      yield* using(at(target), (store) =>
        Effect.gen(function*() {
          expect(yield* (yield* store.acquire(team)).pinned(digest)).toEqual(own)
        }))
    }))

  it.live("of a store that was repaired without a blob is sound as well", () =>
    Effect.gen(function*() {
      const { data, dir, target } = yield* made
      const blobs = fs.readdirSync(join(data, "blobs", "1"))
      expect(blobs).toHaveLength(3)
      for (const blob of blobs) fs.rmSync(join(data, "blobs", "1", blob))
      const repaired = join(dir, "repaired")
      const { lost } = yield* repairHere(data, repaired)
      expect(lost.map((loss) => loss.type === "blob" && loss.sha256).toSorted()).toEqual(blobs.toSorted())
      const file = join(dir, "second")
      yield* backup(repaired, file)
      yield* restore(file, target)
      for (const it of [repaired, target]) expect((yield* verifyHere(it)).findings).toEqual([])
    }))

  it.live("into a store that is open elsewhere, or has damage, changes nothing there", () =>
    Effect.gen(function*() {
      const { data, file } = yield* made
      yield* Effect.scoped(Effect.gen(function*() {
        yield* openCopied(at(data))
        expect(yield* Effect.flip(restore(file, data))).toMatchObject({ _tag: "StoreLocked" })
      }))
      expect((yield* verifyHere(data)).mobs).toHaveLength(2)
    }))
})
