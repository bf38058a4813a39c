/**
 * Real processes: who is killed loses nothing that it acknowledged; who holds the directory is named; a full disk is
 * survived.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { inspect, JournalLevel } from "../../core/journal/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal } from "../../sdk/store.ts"
import { count, firstCursor, folder, soak, team, until } from "./logs.ts"
import { child, limitFiles, type Running } from "./processes.ts"

/** Finds every acknowledgement in the log, once, unless it was pruned. */
const findAll = (dir: string, lines: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const log = yield* journal.acquire(team)
    const first = yield* firstCursor(log)
    const events = yield* log.events(first - 1, 10_000_000)
    expect(events.map((event) => event.cursor))
      .toEqual(Array.from({ length: log.latestCursor() - first + 1 }, (_, index) => first + index))
    const newest = new Map<string, number>()
    let found = 0
    for (const line of lines) {
      const [kind, aggregate = "", revision, , cursor] = line.split(" ")
      if (kind !== "ack") continue
      found++
      newest.set(aggregate, Math.max(newest.get(aggregate) ?? 0, Number(revision)))
      if (Number(cursor) < first) continue
      const event = events[Number(cursor) - first]
      if (event?.event["aggregate"] !== aggregate || event.event["revision"] !== Number(revision)) {
        expect([line, event]).toBe("found")
      }
    }
    for (const [aggregate, revision] of newest) {
      expect(count(yield* log.load(aggregate))).toBeGreaterThanOrEqual(revision)
    }
    return found
  }).pipe(Effect.provide(JournalLevel.layer({ dir })), Effect.scoped)

const acks = (writer: Running) => writer.lines.reduce((sum, line) => sum + (line.startsWith("ack") ? 1 : 0), 0)

it.live("kill -9 at any moment: every acknowledgement is found", () =>
  Effect.gen(function*() {
    const dir = join(yield* folder, "data")
    const lines: Array<string> = []
    const rounds = soak ? 100 : 4
    for (let round = 0; round < rounds; round++) {
      yield* Effect.scoped(Effect.gen(function*() {
        const writer = yield* child("writer.ts", [dir, String(1 + (round * 7) % 40)])
        yield* until(() => acks(writer) > 200 + (round * 131) % 700)
        yield* Effect.sleep((round * 7) % 13)
        writer.kill()
        yield* Effect.promise(() => writer.ended)
        lines.push(...writer.lines)
      }))
      expect(yield* findAll(dir, lines)).toBeGreaterThan(200 * (round + 1))
    }
  }), 600_000)

it.live(
  "kill -9 while it prunes: what is left is whole, and every acknowledgement after the floor is found",
  () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const lines: Array<string> = []
      for (let round = 0; round < (soak ? 60 : 3); round++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const writer = yield* child("writer.ts", [dir, "3", "prune"])
          yield* until(() => acks(writer) > 250 + (round * 131) % 700)
          yield* Effect.sleep((round * 7) % 13)
          writer.kill()
          yield* Effect.promise(() => writer.ended)
          lines.push(...writer.lines)
        }))
        yield* findAll(dir, lines)
      }
      const floors = lines.filter((line) => line.startsWith("pruned")).map((line) => Number(line.split(" ")[1]))
      expect(Math.max(...floors)).toBeGreaterThan(100)
    }),
  600_000
)

it.live(
  "kill -9 while it destroys: the mob is there or it is not, and the others are whole",
  () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const lines: Array<string> = []
      for (let round = 0; round < (soak ? 60 : 3); round++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const writer = yield* child("writer.ts", [dir, "2", "destroy"])
          const destroyed = () => writer.lines.filter((line) => line === "destroyed").length
          yield* until(() => destroyed() > 5 + round % 3)
          yield* Effect.sleep((round * 3) % 17)
          writer.kill()
          yield* Effect.promise(() => writer.ended)
          lines.push(...writer.lines)
        }))
        yield* findAll(dir, lines)
        yield* Effect.gen(function*() {
          const log = yield* (yield* Journal).acquire(MobId.make("short"))
          expect((yield* log.events(0, 100)).length).toBe(count(yield* log.load("mob")))
        }).pipe(Effect.provide(JournalLevel.layer({ dir })), Effect.scoped)
      }
    }),
  600_000
)

it.live("names the process that holds the directory, and forgets a dead one", () =>
  Effect.gen(function*() {
    const dir = join(yield* folder, "data")
    const opening = Effect.scoped(Effect.asVoid(Layer.build(JournalLevel.layer({ dir }))))
    yield* Effect.scoped(Effect.gen(function*() {
      const writer = yield* child("writer.ts", [dir, "1"])
      yield* until(() => writer.lines.length > 0)
      const facts = {
        _tag: "StoreLocked",
        dir,
        pid: writer.pid,
        since: expect.stringMatching(/^20/),
        socket: "/nowhere.sock"
      }
      expect(yield* Effect.flip(opening)).toMatchObject(facts)
      expect(yield* Effect.flip(Effect.scoped(inspect(dir)))).toMatchObject(facts)
    }))
    expect(fs.existsSync(join(dir, "owner.json"))).toBe(true)
    yield* opening
    expect(fs.existsSync(join(dir, "owner.json"))).toBe(false)
  }))

it.live("waits 3 s for a lock without a live owner, then says so", () =>
  Effect.gen(function*() {
    const dir = join(yield* folder, "data")
    yield* Effect.scoped(Effect.gen(function*() {
      const writer = yield* child("writer.ts", [dir, "1"])
      yield* until(() => writer.lines.length > 0)
      // A pid that was used again: same number, other start.
      const owner = JSON.parse(fs.readFileSync(join(dir, "owner.json"), "utf8")) as { readonly start_ticks: number }
      fs.writeFileSync(join(dir, "owner.json"), JSON.stringify({ ...owner, start_ticks: owner.start_ticks - 1 }))
      const begun = performance.now()
      const error = yield* Effect.flip(Effect.scoped(Effect.asVoid(Layer.build(JournalLevel.layer({ dir })))))
      expect(error).toMatchObject({ _tag: "StoreLocked", dir })
      expect(error).not.toHaveProperty("pid")
      expect(performance.now() - begun).toBeGreaterThan(2900)
    }))
  }))

it.live(
  "a disk that is full for a while: waiting submissions hear outcome unknown, every acknowledgement stands",
  () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const lines = yield* Effect.scoped(Effect.gen(function*() {
        const writer = yield* child("writer.ts", [dir, "8"])
        const failures = () => writer.lines.filter((line) => line.startsWith("fail")).length
        for (let round = 0; round < (soak ? 20 : 2); round++) {
          const before = acks(writer)
          yield* until(() => acks(writer) > before + 100)
          const failed = failures()
          limitFiles(writer.pid, 160 * 1024)
          yield* until(() => failures() >= failed + 8)
          yield* Effect.sleep(250)
          const then = acks(writer)
          limitFiles(writer.pid, undefined)
          yield* until(() => acks(writer) > then + 300)
        }
        writer.kill()
        yield* Effect.promise(() => writer.ended)
        return writer.lines
      }))
      expect(lines.filter((line) => line.startsWith("fail StoreFull")).every((line) => line.endsWith(" unknown")))
        .toBe(true)
      expect(lines.filter((line) => line.startsWith("fail StoreFull")).length).toBeGreaterThanOrEqual(8)
      expect(yield* findAll(dir, lines)).toBeGreaterThan(400)
    }),
  600_000
)
