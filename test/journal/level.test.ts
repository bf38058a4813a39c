/**
 * The data directory: who may hold it, what opening refuses, what a look leaves behind.
 */
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { Level } from "level"
import * as fs from "node:fs"
import { join } from "node:path"
import { MarkFile } from "../../core/journal/folder.ts"
import { inspect, JournalLevel } from "../../core/journal/index.ts"
import { metaKey } from "../../core/journal/keys.ts"
import { sealMeta } from "../../core/journal/registry.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal, type StoreShape } from "../../sdk/store.ts"
import { count, entry, folder, submit, team } from "./logs.ts"

/** Uses the store of a directory, and closes it. */
const using = <A, E>(dir: string, use: (journal: StoreShape) => Effect.Effect<A, E, Scope.Scope>, socket?: string) =>
  Effect.scoped(Effect.provide(
    Effect.flatMap(Journal, use),
    JournalLevel.layer({ dir, ...(socket === undefined ? {} : { socket }) })
  ))

/** Why the store of a directory does not open. */
const refusal = (dir: string) => Effect.flip(Effect.scoped(Effect.asVoid(Layer.build(JournalLevel.layer({ dir })))))

const write = (dir: string, entries: number) =>
  using(dir, (journal) =>
    Effect.gen(function*() {
      const log = yield* journal.acquire(team)
      const from = count(yield* log.load("mob"))
      for (let revision = from + 1; revision <= from + entries; revision++) yield* submit(log, [entry("mob", revision)])
    }))

/** Files of a directory with their text, but for LevelDB's own. */
const besides = (dir: string) =>
  fs.readdirSync(dir).filter((name) => name !== "db").map((name) => [name, fs.readFileSync(join(dir, name), "hex")])

describe("a data directory", () => {
  it.live("is made for its owner alone, and says who holds it while it is held", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "a", "data")
      yield* using(dir, () =>
        Effect.sync(() => {
          expect(fs.statSync(dir).mode & 0o777).toBe(0o700)
          const owner: unknown = JSON.parse(fs.readFileSync(join(dir, "owner.json"), "utf8"))
          expect(owner).toMatchObject({
            pid: process.pid,
            socket: "/tmp/x.sock",
            since: expect.stringMatching(/^20.*Z$/)
          })
        }), "/tmp/x.sock")
      expect(fs.existsSync(join(dir, "owner.json"))).toBe(false)
    }))

  it.live("keeps what was written, and goes on counting", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* write(dir, 3)
      yield* write(dir, 2)
      yield* using(dir, (journal) =>
        Effect.gen(function*() {
          const log = yield* journal.acquire(team)
          expect(log.epoch).toBe(3)
          expect(yield* submit(log, [entry("mob", 6)])).toEqual({ position: 6, cursor: 6 })
          expect((yield* journal.acquire(MobId.make("other"))).epoch).toBe(1)
          expect(yield* journal.mobs).toEqual(["other", "team"])
        }))
    }))

  it.live("is synced with every group commit", () =>
    Effect.gen(function*() {
      const batch = vi.spyOn(Level.prototype, "batch")
      yield* Effect.addFinalizer(() => Effect.sync(() => batch.mockRestore()))
      yield* write(yield* folder, 3)
      const options = batch.mock.calls.map((call: ReadonlyArray<unknown>) => call[1])
      // The format, the owner, three entries.
      expect(options).toEqual(Array.from({ length: 5 }, () => ({ sync: true })))
    }))

  it.live("closes after what was submitted is written", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const answers: Array<string> = []
      yield* using(dir, (journal) =>
        Effect.map(journal.acquire(team), (log) => {
          log.submit({
            entries: [entry("mob", 1)],
            committed: () => answers.push("committed"),
            failed: () => answers.push("failed")
          })
        }))
      expect(answers).toEqual(["committed"])
      yield* using(dir, (journal) =>
        Effect.map(
          Effect.flatMap(journal.acquire(team), (log) => log.load("mob")),
          (loaded) => expect(count(loaded)).toBe(1)
        ))
    }))

  it.live("is refused when it is a file or cannot be made", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "file")
      fs.writeFileSync(file, "")
      expect(yield* refusal(file)).toMatchObject({ _tag: "DataFolderUnusable", dir: file })
      expect(yield* refusal("/sys/mobwright")).toMatchObject({ _tag: "DataFolderUnusable" })
      expect(yield* Effect.flip(Effect.scoped(inspect(join(file, "below"))))).toMatchObject({
        _tag: "DataFolderUnusable"
      })
    }))

  it.live("is refused to a second holder in this process, by name", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* using(dir, () =>
        Effect.map(refusal(dir), (error) => expect(error).toMatchObject({ _tag: "StoreLocked", pid: process.pid })))
    }))

  it.live("is refused when another version or another program wrote it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* write(dir, 1)
      yield* raw(dir, (level) => level.put(metaKey, sealMeta({ format: 2, seqFloor: 0 })))
      expect(yield* refusal(dir)).toMatchObject({ _tag: "SchemaUnsupported", found: 2, supported: 1 })
      const strange = yield* folder
      yield* raw(strange, (level) => level.put(Buffer.from("k"), "v"))
      expect(yield* refusal(strange)).toMatchObject({ _tag: "StoreCorrupted" })
    }))

  it.live("is refused when acknowledged batches are missing, and still read by a look", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* write(dir, 5)
      const old = join(yield* folder, "copy")
      fs.cpSync(dir, old, { recursive: true })
      yield* write(dir, 2)
      fs.rmSync(join(dir, "db"), { recursive: true })
      fs.cpSync(join(old, "db"), join(dir, "db"), { recursive: true })
      expect(yield* refusal(dir)).toMatchObject({
        _tag: "StoreCorrupted",
        where: dir,
        what: expect.stringContaining("(2 lost)")
      })
      yield* Effect.scoped(Effect.gen(function*() {
        const look = yield* inspect(dir)
        expect(look.damage).toMatchObject({ _tag: "StoreCorrupted" })
        expect(count(yield* (yield* look.mob(team))!.load("mob"))).toBe(5)
      }))
    }))

  it.live("opens without a MARK, or with one that cannot be read: it is never synced", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* write(dir, 2)
      expect(new MarkFile(dir).read()).toBe(2)
      fs.rmSync(join(dir, "MARK"))
      yield* write(dir, 1)
      expect(new MarkFile(dir).read()).toBe(3)
      fs.writeFileSync(join(dir, "MARK"), Buffer.alloc(16, 7))
      yield* write(dir, 1)
      expect(new MarkFile(dir).read()).toBe(4)
    }))
})

describe("a look", () => {
  it.live("writes nothing of ours, and reads everything", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const digest = "0f".repeat(32)
      yield* using(dir, (journal) =>
        Effect.gen(function*() {
          const log = yield* journal.acquire(team)
          yield* submit(log, [entry("mob", 1), entry("run/b", 1), entry("run/a", 1)], {
            pins: [{ digest, definition: "pinned" }]
          })
          yield* submit(log, [entry("run/a", 2, { terminal: true })])
        }))
      const before = besides(dir)
      for (let time = 0; time < 2; time++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const look = yield* inspect(dir)
          expect(look).toMatchObject({ mobs: ["team"], seq: 2, damage: undefined })
          expect(yield* look.mob(MobId.make("nobody"))).toBeUndefined()
          const mob = (yield* look.mob(team))!
          expect([mob.epoch, mob.position, mob.latestCursor()]).toEqual([1, 4, 4])
          expect(yield* mob.live).toEqual(["mob", "run/b"])
          expect(yield* mob.aggregates("run/")).toEqual(["run/a", "run/b"])
          expect(count(yield* mob.load("run/a"))).toBe(2)
          expect((yield* mob.events(3, 5)).map((event) => event.cursor)).toEqual([4])
          expect(yield* mob.pinned(digest)).toBe("pinned")
          expect(besides(dir)).toEqual(before)
        }))
      }
      expect(besides(dir)).toEqual(before)
      yield* using(dir, (journal) => Effect.map(journal.acquire(team), (log) => expect(log.epoch).toBe(2)))
    }))

  it.live("makes no folder where there is none", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "nothing")
      expect(yield* Effect.flip(Effect.scoped(inspect(dir)))).toMatchObject({ _tag: "DataFolderUnusable" })
      expect(fs.existsSync(dir)).toBe(false)
    }))

  it.live("keeps an opening waiting only while it lasts", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      yield* write(dir, 1)
      yield* Effect.forkChild(Effect.scoped(Effect.andThen(inspect(dir), Effect.sleep(300))), {
        startImmediately: true
      })
      yield* Effect.sleep(100)
      yield* write(dir, 1)
    }))
})

/** Uses the LevelDB of a directory as it is. */
const raw = (dir: string, use: (level: Level<Buffer, string>) => Promise<unknown>) =>
  Effect.promise(async () => {
    fs.mkdirSync(join(dir, "db"), { recursive: true })
    const level = new Level<Buffer, string>(join(dir, "db"), { keyEncoding: "buffer", valueEncoding: "utf8" })
    await level.open()
    await use(level)
    await level.close()
  })
