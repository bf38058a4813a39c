/**
 * The file of a backup: what it replaces, who writes it at the same time, and what does not become one.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { backup, restore } from "../../../core/journal/copy/index.ts"
import { openCopied } from "../../../core/journal/copy/open-copied.ts"
import { MarkFile } from "../../../core/journal/folder.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { ownedName } from "../../../core/journal/owned.ts"
import { entry, folder, submit, team } from "../logs.ts"
import { ofDeadProcess } from "./dead.ts"
import { fill, media, other, restoreAt, using } from "./stores.ts"

/** A small store and a folder for its backups. */
const small = Effect.gen(function*() {
  const dir = yield* folder
  const data = join(dir, "data")
  yield* using(
    holdLevel(data, undefined),
    (store) => Effect.flatMap(store.acquire(team), (log) => submit(log, [entry("mob", 1)]))
  )
  return { dir, data, file: join(dir, "file") }
})

describe("the file of a backup", () => {
  it.live("is not written of a store that misses what it acknowledged", () =>
    Effect.gen(function*() {
      const { data, dir, file } = yield* small
      new MarkFile(data).write(1000)
      expect(yield* Effect.flip(backup(data, file))).toMatchObject({
        _tag: "StoreCorrupted",
        what: expect.stringContaining("999 lost")
      })
      expect(fs.readdirSync(dir)).toEqual(["data"])
    }))

  it.live("is whole also when several write it at once", () =>
    Effect.gen(function*() {
      const { dir } = yield* small
      const file = join(dir, "file")
      yield* using(holdLevel(join(dir, "large"), undefined), (store) =>
        Effect.gen(function*() {
          yield* fill(store)
          const written = yield* Effect.all(Array.from({ length: 6 }, () => backup(store, file)), {
            concurrency: "unbounded"
          })
          expect(written.map(({ mobs }) => mobs.length)).toEqual([2, 2, 2, 2, 2, 2])
        }))
      expect(fs.readdirSync(dir).sort()).toEqual(["data", "file", "large"])
      expect((yield* restore(file, join(dir, "again"))).mobs).toEqual(["other", "team"])
    }))

  it.live("replaces a backup, also one that was cut short, and nothing else", () =>
    Effect.gen(function*() {
      const { data, dir, file } = yield* small
      yield* backup(data, file)
      const text = fs.readFileSync(file, "utf8")
      for (const left of [text.slice(0, 200), text.slice(0, 20), ""]) {
        fs.writeFileSync(file, left)
        yield* backup(data, file)
        expect(fs.readFileSync(file, "utf8")).toMatch(/\n\{"type":"end",[^\n]*\n$/)
      }
      const definition = join(dir, "mob.toml")
      fs.writeFileSync(definition, "[mob]\nid = \"team\"\n")
      const before = fs.readFileSync(join(data, "MARK"))
      for (const taken of [definition, join(data, "MARK"), join(data, "db", "CURRENT"), dir, "/dev/null"]) {
        const error = yield* Effect.flip(backup(data, taken))
        expect(error).toMatchObject({ _tag: "BackupFileUnusable", file: taken })
        expect(error.message).toMatch(/nothing was written/)
      }
      expect(fs.readFileSync(definition, "utf8")).toBe("[mob]\nid = \"team\"\n")
      expect(fs.readFileSync(join(data, "MARK"))).toEqual(before)
      // LevelDB removes files there that look like its own.
      expect(yield* Effect.flip(backup(data, join(data, "db", "000099.ldb")))).toMatchObject({
        _tag: "BackupFileUnusable"
      })
      expect((yield* backup(data, file)).mobs).toHaveLength(1)
    }))

  it.live("is written where a link leads, and the link stays", () =>
    Effect.gen(function*() {
      const { data, dir, file } = yield* small
      yield* backup(data, file)
      fs.mkdirSync(join(dir, "far"))
      fs.renameSync(file, join(dir, "far", "file"))
      fs.symlinkSync(join("far", "file"), file)
      const before = fs.statSync(file).ino
      yield* backup(data, file)
      expect(fs.lstatSync(file).isSymbolicLink()).toBe(true)
      expect(fs.statSync(file).ino).not.toBe(before)
      expect(fs.readdirSync(join(dir, "far"))).toEqual(["file"])
    }))

  it.live("has nothing beside it of a process that was killed; what another one writes now stays", () =>
    Effect.gen(function*() {
      const { data, dir, file } = yield* small
      const [live, dead] = [ownedName(file, "part"), ofDeadProcess(ownedName(file, "part"))]
      for (const draft of [live, dead]) fs.writeFileSync(draft, "half")
      const mine = `${file}.part-of-mine`
      fs.writeFileSync(mine, "precious")
      yield* backup(data, file)
      expect(fs.readdirSync(dir).map((name) => join(dir, name)).sort()).toEqual([data, file, live, mine].sort())
    }))
})

for (const { make, name } of media) {
  describe(`a backup on ${name}`, () => {
    it.live("of a mob that was asked for twice has it once", () =>
      Effect.gen(function*() {
        const file = join(yield* folder, "backup")
        const medium = yield* make
        yield* using(medium, (store) =>
          Effect.gen(function*() {
            yield* fill(store, 5)
            yield* backup(store, file, { mobs: [other, team, other] })
          }))
        const target = yield* make
        expect(yield* restoreAt(target, file)).toMatchObject({ mobs: ["other", "team"] })
      }))

    it.live("goes on when the store opens its database anew under it", () =>
      Effect.gen(function*() {
        const file = join(yield* folder, "file")
        const medium = yield* make
        let commits = 0
        const failing = {
          ...medium,
          open: Effect.map(medium.open, (database) => ({
            ...database,
            commit: (...[operations, done]: Parameters<typeof database.commit>) =>
              ++commits % 10 === 0 ? queueMicrotask(() => done(new Error("EIO"))) : database.commit(operations, done)
          }))
        }
        yield* Effect.scoped(Effect.gen(function*() {
          const store = yield* openCopied(failing)
          const log = yield* store.acquire(team)
          let copied = false
          const write = Effect.gen(function*() {
            for (let revision = 1; !copied;) {
              const written = yield* Effect.result(submit(log, [entry("mob", revision)]))
              if (written._tag === "Success") revision++
              else yield* Effect.sleep(1)
            }
          })
          const copy = Effect.gen(function*() {
            while (commits < 45) yield* backup(store, file)
            copied = true
          })
          yield* Effect.all([write, copy], { concurrency: "unbounded" })
        }))
        const target = yield* make
        expect(yield* restoreAt(target, file)).toMatchObject({ mobs: ["team"] })
      }))
  })
}
