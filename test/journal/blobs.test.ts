/**
 * Blobs: kept beside the log, checked when read, removed by a prune when nothing refers to them.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import mutable from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { inspect, JournalLevel, JournalTasks } from "../../core/journal/index.ts"
import type { Medium } from "../../core/journal/medium.ts"
import { memoryMedium } from "../../core/journal/memory.ts"
import { openStore } from "../../core/journal/store.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal, type MobLog } from "../../sdk/store.ts"
import { acquire, entry, folder, media, submit, team, until } from "./logs.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)
const hashOf = (text: string) => createHash("sha256").update(text).digest("hex")
const all = { events: 1, forget: [] }

/** An entry whose facts refer to a blob. */
const referring = (aggregate: string, revision: number, sha256: string) =>
  entry(aggregate, revision, { facts: [{ revision, output: `blob:${sha256}` }] })

describe.each(media)("blobs on $name", ({ layer }) => {
  const test = <E>(body: Effect.Effect<void, E, Journal | Scope.Scope>) => () =>
    Effect.scoped(Effect.provide(body, layer))

  it.live(
    "are found under their hash, each mob's by itself",
    test(Effect.gen(function*() {
      const journal = yield* Journal
      const log = yield* acquire
      const bytes = bytesOf("x".repeat(100_000))
      const kept = log.putBlob(bytes)
      expect(yield* kept).toEqual({ sha256: hashOf("x".repeat(100_000)), bytes: 100_000 })
      const ref = yield* kept
      expect(yield* log.blob(ref.sha256)).toEqual(bytes)
      expect(yield* log.putBlob(new Uint8Array(0))).toEqual({ sha256: hashOf(""), bytes: 0 })
      expect(yield* log.blob(hashOf(""))).toHaveLength(0)
      const other = yield* journal.acquire(MobId.make("other"))
      for (const sha256 of [ref.sha256, hashOf("no"), "no hash", "../../owner.json"]) {
        expect(yield* other.blob(sha256)).toBeUndefined()
      }
      expect(yield* (yield* journal.inspect(team))!.blob(ref.sha256)).toEqual(bytes)
    }))
  )

  it.live(
    "are what they were when they were given, whatever becomes of the caller's bytes",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const bytes = bytesOf("first")
      const keeping = yield* Effect.forkChild(log.putBlob(bytes), { startImmediately: true })
      bytes.fill(0)
      yield* until(() => keeping.pollUnsafe() !== undefined)
      expect(yield* log.blob(hashOf("first"))).toEqual(bytesOf("first"))
    }))
  )

  it.live(
    "that were kept since the opening stay, whether or not a record refers to them",
    test(Effect.gen(function*() {
      const log = yield* acquire
      const { sha256 } = yield* log.putBlob(bytesOf("new"))
      expect(yield* log.prune(all)).toMatchObject({ blobs: 0 })
      expect(yield* log.blob(sha256)).toBeDefined()
    }))
  )
})

const memory = Effect.map(JournalTasks, memoryMedium)
const acquireOn = (medium: Medium) => Effect.flatMap(openStore(medium), (store) => store.acquire(team))

/** Keeps blobs of these texts. */
const keep = (log: MobLog, ...texts: ReadonlyArray<string>) =>
  Effect.forEach(texts, (text) => Effect.map(log.putBlob(bytesOf(text)), ({ sha256 }) => sha256))

describe("a prune after the next opening", () => {
  it.effect("removes what no fact, event, head or pin refers to", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      const log = yield* acquireOn(medium)
      const [fact, event, head, pin, none] = yield* keep(log, "fact", "event", "head", "pin", "none")
      yield* submit(log, [
        referring("run/a", 1, fact!),
        entry("run/b", 1, { events: [{ type: "e", deep: [{ at: `see blob:${event!}.` }] }] }),
        entry("run/c", 1, { terminal: true, snapshot: () => ({ output: `blob:${head!}` }) })
      ], { pins: [{ digest: "ab".repeat(32), definition: { schema: `blob:${pin!}` } }] })
      const again = yield* acquireOn(medium)
      expect(yield* again.prune(all)).toMatchObject({ blobs: 1 })
      expect(yield* medium.blobs.names(1)).toEqual([fact, event, head, pin].toSorted())
      expect(yield* again.blob(none!)).toBeUndefined()
      // With the head goes the last that refers to it.
      expect(yield* again.prune({ events: 1, forget: ["run/c"] })).toMatchObject({ blobs: 1 })
      expect(yield* again.blob(head!)).toBeUndefined()
    }))

  it.effect("leaves what is kept again, and what a record refers to that is written while it looks", () =>
    Effect.gen(function*() {
      const medium = yield* memory
      yield* keep(yield* acquireOn(medium), "again", "during", "late", "none")
      let during: Effect.Effect<void> = Effect.void
      const slow: Medium = {
        ...medium,
        open: Effect.map(medium.open, (database) => ({
          ...database,
          scan: (range, chunk, each) =>
            Effect.flatMap(database.scan(range, chunk, each), () => {
              const now = during
              during = Effect.void
              return now
            })
        }))
      }
      const log = yield* acquireOn(slow)
      yield* keep(log, "again")
      during = Effect.gen(function*() {
        yield* Effect.orDie(submit(log, [referring("run/a", 1, hashOf("during"))]))
        yield* Effect.orDie(keep(log, "late"))
      })
      expect(yield* log.prune(all)).toMatchObject({ blobs: 1 })
      expect(yield* medium.blobs.names(1)).toEqual(["again", "during", "late"].map(hashOf).toSorted())
    }))
})

describe("blobs of a data directory", () => {
  const using = <A, E>(dir: string, use: (log: MobLog) => Effect.Effect<A, E, Scope.Scope>) =>
    Effect.scoped(Effect.provide(Effect.flatMap(acquire, use), JournalLevel.layer({ dir })))

  it.live("are files for their owner alone, and stand when the process is gone", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const [sha256] = yield* using(dir, (log) => keep(log, "kept"))
      const path = join(dir, "blobs", "1", sha256!)
      expect(fs.readFileSync(path, "utf8")).toBe("kept")
      expect(fs.statSync(path).mode & 0o777).toBe(0o600)
      expect(fs.statSync(join(dir, "blobs", "1")).mode & 0o777).toBe(0o700)
      expect(fs.readdirSync(join(dir, "blobs"))).toEqual(["1"])
      yield* using(dir, (log) => Effect.map(log.blob(sha256!), (bytes) => expect(bytes).toHaveLength(4)))
      yield* Effect.scoped(Effect.gen(function*() {
        const mob = (yield* (yield* inspect(dir)).mob(team))!
        expect(yield* mob.blob(sha256!)).toHaveLength(4)
      }))
      yield* using(dir, (log) => Effect.map(log.prune(all), ({ blobs }) => expect(blobs).toBe(1)))
      expect(fs.existsSync(path)).toBe(false)
    }))

  it.live("that are damaged are named", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      yield* using(dir, (log) =>
        Effect.gen(function*() {
          const [sha256] = yield* keep(log, "kept")
          const path = join(dir, "blobs", "1", sha256!)
          fs.writeFileSync(path, "kepT")
          expect(yield* Effect.flip(log.blob(sha256!))).toMatchObject({ _tag: "StoreCorrupted", where: path })
          // Kept again it is mended.
          yield* keep(log, "kept")
          expect(yield* log.blob(sha256!)).toHaveLength(4)
        }))
    }))

  it.live("that a dead process left half written go at the next opening", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      yield* using(dir, (log) => keep(log, "kept"))
      fs.writeFileSync(join(dir, "blobs", "new-1-0"), "ke")
      yield* using(dir, () => Effect.void)
      expect(fs.readdirSync(join(dir, "blobs"))).toEqual(["1"])
    }))

  it.live("go with their mob", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      yield* Effect.scoped(Effect.gen(function*() {
        const journal = yield* Journal
        yield* keep(yield* acquire, "kept")
        yield* journal.destroy(team)
        expect(fs.readdirSync(join(dir, "blobs"))).toEqual([])
        const log = yield* acquire
        const [sha256] = yield* keep(log, "kept")
        expect(fs.readdirSync(join(dir, "blobs"))).toEqual(["2"])
        expect(yield* log.blob(sha256!)).toHaveLength(4)
      })).pipe(Effect.provide(JournalLevel.layer({ dir })))
    }))

  it.live("are durable when they are answered: the file, its name and its folder's name are synced", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      yield* using(dir, (log) =>
        Effect.gen(function*() {
          const synced: Array<string> = []
          const opening = fs.promises.open
          const openingNow = fs.openSync
          const opened = new Map<number, string>()
          const syncing = fs.fsyncSync
          const named = (path: unknown) => String(path).slice(dir.length + 1).replace(/new-.*/, "new")
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              fs.promises.open = async (path, ...rest) => {
                const file = await opening(path, ...rest)
                const sync = file.sync.bind(file)
                file.sync = () => {
                  synced.push(named(path))
                  return sync()
                }
                return file
              }
              mutable.openSync = (path, ...rest) => {
                const file = openingNow(path, ...rest)
                opened.set(file, named(path))
                return file
              }
              mutable.fsyncSync = (file) => {
                synced.push(opened.get(file) ?? "?")
                syncing(file)
              }
              syncBuiltinESMExports()
            }),
            () =>
              Effect.sync(() => {
                fs.promises.open = opening
                mutable.openSync = openingNow
                mutable.fsyncSync = syncing
                syncBuiltinESMExports()
              })
          )
          yield* keep(log, "kept")
          expect(synced).toEqual(["", "blobs", "blobs/new", "blobs/1"])
        }))
    }))
})

it.live("a layer says whether what it acknowledges outlives the process", () =>
  Effect.gen(function*() {
    for (const { layer, name } of media) {
      const { supports } = yield* Effect.scoped(Effect.map(Layer.build(layer), (context) =>
        // The layer gives a Journal and nothing else.
        context.mapUnsafe.get(Journal.key) as { readonly supports: unknown }))
      expect(supports).toEqual({ durable: name === "LevelDB", shared: false })
    }
  }))
