/**
 * Backups and what comes of them.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { backup, exportMob } from "../../../core/journal/copy/index.ts"
import { inspect } from "../../../core/journal/inspect.ts"
import { writeSecret } from "../../../core/journal/secrets.ts"
import { MobId } from "../../../sdk/ids.ts"
import { entry, folder, soak, submit, team } from "../logs.ts"
import { digest, everything, fill, goOn, media, other, restoreAt, shared, using } from "./stores.ts"

for (const { make, name } of media) {
  describe(`a backup on ${name}`, () => {
    it.live("restored, reads as the original did, and goes on above it", () =>
      Effect.gen(function*() {
        const file = join(yield* folder, "backup")
        const medium = yield* make
        const before = yield* using(medium, (store) =>
          Effect.gen(function*() {
            const { blobs } = yield* fill(store)
            const written = yield* backup(store, file)
            expect(written.mobs.map(({ epoch, mob }) => [mob, epoch])).toEqual([["other", 1], ["team", 1]])
            expect([written.blobs, written.definitions]).toEqual([3, 2])
            const [first, second] = [yield* store.inspect(team), yield* store.inspect(other)]
            if (first === undefined || second === undefined) return yield* Effect.die("no mob")
            return { blobs, team: yield* everything(first, blobs), other: yield* everything(second) }
          }))
        expect(before.other.first).toBe(9)
        expect(fs.statSync(file).mode & 0o777).toBe(0o600)
        const target = yield* make
        expect(yield* restoreAt(target, file)).toMatchObject({ mobs: ["other", "team"] })
        yield* using(target, (store) =>
          Effect.gen(function*() {
            const [first, second] = [yield* store.acquire(team), yield* store.acquire(other)]
            expect([first.epoch, second.epoch]).toEqual([2, 2])
            expect(yield* everything(first, before.blobs)).toEqual(before.team)
            expect(yield* everything(second)).toEqual(before.other)
            const [last] = before.team.events.slice(-1)
            expect((yield* goOn(first, 61)).cursor).toBe((last?.cursor ?? 0) + 1)
            expect(yield* goOn(second, 21)).toEqual({ position: 21, cursor: 21 })
          }))
        // Opened once more, from what is on disk.
        yield* using(target, (store) =>
          Effect.gen(function*() {
            expect((yield* store.acquire(other)).latestCursor()).toBe(21)
          }))
      }))

    it.live("of one mob has the definitions that it refers to, and no others", () =>
      Effect.gen(function*() {
        const file = join(yield* folder, "backup")
        const medium = yield* make
        yield* using(medium, (store) =>
          Effect.gen(function*() {
            yield* fill(store)
            expect(yield* exportMob(store, other, file)).toMatchObject({ definitions: 1, blobs: 0, entries: 11 })
            expect(yield* Effect.flip(exportMob(store, MobId.make("nobody"), file))).toMatchObject({
              _tag: "MobNotStored"
            })
          }))
        const target = yield* make
        yield* restoreAt(target, file)
        yield* using(target, (store) =>
          Effect.gen(function*() {
            const log = yield* store.acquire(other)
            expect(yield* log.pinned(shared)).toBeDefined()
            expect(yield* log.pinned(digest)).toBeUndefined()
            expect(yield* store.mobs).toEqual([other])
          }))
      }))

    it.live("comes beside other mobs, but not over one of its own, and then nothing of it does", () =>
      Effect.gen(function*() {
        const dir = yield* folder
        const [one, all] = [join(dir, "one"), join(dir, "all")]
        const medium = yield* make
        yield* using(medium, (store) =>
          Effect.gen(function*() {
            yield* fill(store)
            yield* exportMob(store, team, one)
            yield* backup(store, all)
          }))
        const target = yield* make
        yield* using(target, (store) =>
          Effect.gen(function*() {
            const log = yield* store.acquire(other)
            yield* submit(log, [entry("mob", 1)])
          }))
        yield* restoreAt(target, one)
        const read = using(target, (store) =>
          Effect.gen(function*() {
            const log = yield* store.inspect(team)
            const mine = yield* store.inspect(other)
            return { mobs: yield* store.mobs, team: log && (yield* everything(log)), mine: mine?.latestCursor() }
          }))
        const before = yield* read
        expect(before).toMatchObject({ mobs: [other, team], mine: 1 })
        expect(yield* Effect.flip(restoreAt(target, all))).toMatchObject({ _tag: "TargetTaken" })
        expect(yield* read).toEqual(before)
      }))

    it.live("restored over a mob that was destroyed, its epoch is above both", () =>
      Effect.gen(function*() {
        const file = join(yield* folder, "backup")
        const medium = yield* make
        yield* using(medium, (store) =>
          Effect.gen(function*() {
            yield* fill(store)
            yield* exportMob(store, team, file)
            for (let again = 0; again < 4; again++) yield* store.acquire(team)
            yield* store.destroy(team)
          }))
        yield* restoreAt(medium, file)
        yield* using(medium, (store) =>
          Effect.gen(function*() {
            const log = yield* store.acquire(team)
            expect(log.epoch).toBe(7)
            expect((yield* everything(log)).events.length).toBeGreaterThan(60)
          }))
      }))

    it.live("under 64 writers is their history up to one point", () =>
      Effect.gen(function*() {
        const file = join(yield* folder, "backup")
        const medium = yield* make
        const writers = Array.from({ length: 64 }, (_, index) => `run/${index}`)
        const rounds = soak ? 40 : 4
        const acknowledged: Array<{ readonly aggregate: string; readonly revision: number; readonly cursor: number }> =
          []
        for (let round = 0; round < rounds; round++) {
          const counts = yield* using(medium, (store) =>
            Effect.gen(function*() {
              const log = yield* store.acquire(team)
              let copied = false
              const write = Effect.fnUntraced(function*(aggregate: string) {
                const loaded = yield* log.load(aggregate)
                let revision = loaded?.entries.at(-1)?.revision ?? loaded?.head?.revision ?? 0
                while (!copied) {
                  const at = yield* submit(log, [entry(aggregate, revision + 1)])
                  acknowledged.push({ aggregate, revision: ++revision, cursor: at.cursor })
                  // On memory nothing else lets the copy go on.
                  yield* Effect.yieldNow
                }
              })
              const copy = Effect.gen(function*() {
                while (acknowledged.length < 200 * (round + 1)) yield* Effect.promise(() => new Promise(setImmediate))
                const least = acknowledged.length
                const written = yield* backup(store, file)
                copied = true
                return { least, written, most: acknowledged.length }
              })
              const [counts] = yield* Effect.all([copy, Effect.forEach(writers, write, { concurrency: "unbounded" })], {
                concurrency: "unbounded"
              })
              return counts
            }))
          const target = yield* make
          yield* restoreAt(target, file)
          yield* using(target, (store) =>
            Effect.gen(function*() {
              const log = yield* store.acquire(team)
              const events = yield* log.events(0, 1_000_000)
              expect(events.length).toBe(counts.written.mobs[0]?.cursor)
              // Every acknowledgement heard before the copy began is in it.
              expect(events.length).toBeGreaterThanOrEqual(counts.least)
              const revisions = new Map<string, number>()
              for (const { aggregate, cursor, revision } of acknowledged) {
                if (cursor > events.length) continue
                const event = events[cursor - 1]?.event
                if (event?.["aggregate"] !== aggregate || event["revision"] !== revision) expect(event).toBe(aggregate)
                revisions.set(aggregate, Math.max(revision, revisions.get(aggregate) ?? 0))
              }
              // And each aggregate stands exactly where these events leave it.
              for (const [aggregate, revision] of revisions) {
                const loaded = yield* log.load(aggregate)
                expect(loaded?.entries.at(-1)?.revision ?? loaded?.head?.revision).toBe(revision)
              }
              expect([...revisions.values()].reduce((sum, revision) => sum + revision, 0)).toBe(events.length)
            }))
        }
      }), 300_000)
  })
}

describe("a backup of a data directory that nobody holds", () => {
  it.live("changes nothing of what it holds, and is the same as of the open store", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const data = join(dir, "data")
      const [open, closed] = [join(dir, "open"), join(dir, "closed")]
      const { holdLevel } = yield* Effect.promise(() => import("../../../core/journal/level.ts"))
      yield* using(holdLevel(data, undefined), (store) => Effect.andThen(fill(store), backup(store, open)))
      yield* backup(data, closed)
      const records = (file: string) =>
        fs.readFileSync(file, "utf8").split("\n").slice(1, -2).map((line) => line.replace(/,"crc":\d+\}$/, ""))
      expect(records(closed)).toEqual(records(open))
      const mobs = yield* Effect.scoped(Effect.map(inspect(data), (inspection) => inspection.mobs))
      expect(mobs).toEqual([other, team])
      expect(fs.readdirSync(dir).sort()).toEqual(["closed", "data", "open"])
    }))

  it.live("has its secrets only when asked, and a restore leaves those that are there", () =>
    Effect.gen(function*() {
      const { restore } = yield* Effect.promise(() => import("../../../core/journal/copy/index.ts"))
      const { holdLevel } = yield* Effect.promise(() => import("../../../core/journal/level.ts"))
      const dir = yield* folder
      const [data, file, target] = [join(dir, "data"), join(dir, "file"), join(dir, "target")]
      yield* using(holdLevel(data, undefined), (store) => Effect.asVoid(fill(store)))
      yield* writeSecret(data, "API_KEY", "hunter2")
      yield* writeSecret(data, "OTHER", "swordfish")
      yield* backup(data, file)
      expect(fs.readFileSync(file, "utf8")).not.toContain("hunter2")
      expect(yield* backup(data, file, { includeSecrets: true })).toMatchObject({ secrets: ["API_KEY", "OTHER"] })
      expect(fs.statSync(file).mode & 0o777).toBe(0o600)
      yield* writeSecret(target, "OTHER", "mine")
      expect(yield* restore(file, target)).toMatchObject({ secrets: ["API_KEY"], kept_secrets: ["OTHER"] })
      expect(JSON.parse(fs.readFileSync(join(target, "secrets.json"), "utf8")).secrets).toEqual({
        API_KEY: "hunter2",
        OTHER: "mine"
      })
      expect(fs.statSync(join(target, "secrets.json")).mode & 0o777).toBe(0o600)
    }))
})
