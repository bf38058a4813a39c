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
import { child, limitFiles, run, type Running } from "./processes.ts"

/** What a process that was killed had acknowledged, and what must be found of it. */
class Acknowledged {
  /** Newest revision of each `mob aggregate`. */
  readonly newest = new Map<string, number>()
  /** `aggregate revision` of each event of the mob that is not pruned, by cursor. */
  readonly events = new Map<number, string>()
  /** First cursor of the mob that is pruned. */
  floor = 1
  /** Cursors of the mob that is not pruned up to here were compared before. */
  #compared = 0
  /** Newest cursor of that mob. */
  #last = 0

  hear(lines: ReadonlyArray<string>): void {
    for (const line of lines) {
      const [kind, mob = "", aggregate = "", revision, , cursor] = line.split(" ")
      if (kind === "pruned") this.floor = Math.max(this.floor, Number(mob))
      if (kind !== "ack") continue
      const name = `${mob} ${aggregate}`
      this.newest.set(name, Math.max(this.newest.get(name) ?? 0, Number(revision)))
      if (mob !== team) continue
      this.events.set(Number(cursor), `${aggregate} ${revision}`)
      this.#last = Math.max(this.#last, Number(cursor))
    }
  }

  /** Looks for all of it; of the events only for those that came since, or for all from the first on. */
  readonly find = (dir: string, anew: boolean) =>
    Effect.gen({ self: this }, function*() {
      const journal = yield* Journal
      const kept = yield* journal.acquire(team)
      if (anew) this.#compared = 0
      const events = yield* kept.events(this.#compared, 10_000_000)
      expect(events.length).toBe(kept.latestCursor() - this.#compared)
      for (const [index, { cursor, event }] of events.entries()) {
        const found = `${event["aggregate"]} ${event["revision"]}`
        if (cursor !== this.#compared + 1 + index || (this.events.get(cursor) ?? found) !== found) {
          expect([cursor, found]).toEqual([this.#compared + 1 + index, this.events.get(cursor)])
        }
      }
      this.#compared = kept.latestCursor()
      expect(this.#last).toBeLessThanOrEqual(this.#compared)
      const pruned = yield* journal.acquire(MobId.make("pruned"))
      const first = yield* firstCursor(pruned)
      expect(first).toBeGreaterThanOrEqual(this.floor)
      expect((yield* pruned.events(first - 1, 1_000_000)).length).toBe(pruned.latestCursor() - first + 1)
      for (const [name, revision] of this.newest) {
        const [mob, aggregate = ""] = name.split(" ")
        const log = mob === team ? kept : pruned
        const loaded = yield* log.load(aggregate)
        if (count(loaded) < revision) expect([name, count(loaded)]).toEqual([name, revision])
        for (const [, sha256 = ""] of JSON.stringify(loaded).matchAll(/blob:([0-9a-f]{64})/g)) {
          expect(yield* log.blob(sha256), name).toBeDefined()
        }
      }
      if (!(yield* journal.mobs).includes(short)) return
      const destroyed = yield* journal.acquire(short)
      expect((yield* destroyed.events(0, 100)).length).toBe(count(yield* destroyed.load("mob")))
    }).pipe(Effect.provide(JournalLevel.layer({ dir })), Effect.scoped)
}

const short = MobId.make("short")

const acks = (writer: Running) => writer.lines.reduce((sum, line) => sum + (line.startsWith("ack") ? 1 : 0), 0)

it.live(
  "kill -9 at any moment of 64 writers, while it prunes, destroys and keeps blobs: every acknowledgement is found",
  () =>
    Effect.gen(function*() {
      const home = yield* folder
      const dir = join(home, "data")
      // What a process costs here is its start: its code is compiled by one that ends in peace, and each is started while
      // the one before it writes.
      process.env["NODE_COMPILE_CACHE"] ??= join(home, "compiled")
      yield* run("writer.ts", dir, "0")
      const acknowledged = new Acknowledged()
      const rounds = soak ? 1000 : 10
      const start = (round: number) => child("writer.ts", [dir, "64", "all", join(home, `go-${round}`)])
      let waiting = yield* start(0)
      let heard = 0
      for (let round = 0; round < rounds; round++) {
        const writer = waiting
        fs.writeFileSync(join(home, `go-${round}`), "")
        if (round + 1 < rounds) waiting = yield* start(round + 1)
        // Some before they have acknowledged anything, while they open what the one before left.
        if (round % 5 === 2) yield* until(() => writer.lines.some((line) => /^pruned (?!1$)/.test(line)))
        else if (round % 5 !== 4) yield* until(() => acks(writer) > (round * 131) % 500)
        yield* Effect.sleep(round % 5 === 4 ? (round * 3) % 40 : (round * 7) % 13)
        writer.kill()
        yield* Effect.promise(() => writer.ended)
        expect(writer.lines.filter((line) => line.startsWith("fail"))).toEqual([])
        acknowledged.hear(writer.lines)
        heard += acks(writer)
        yield* acknowledged.find(dir, round + 1 === rounds)
      }
      console.info(`${rounds} rounds, ${heard} acknowledgements, pruned up to ${acknowledged.floor}`)
      expect(heard).toBeGreaterThan(100 * rounds)
      expect(acknowledged.floor).toBeGreaterThan(100)
    }),
  1_800_000
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
      const acknowledged = new Acknowledged()
      acknowledged.hear(lines)
      expect(acknowledged.events.size).toBeGreaterThan(400)
      yield* acknowledged.find(dir, true)
    }),
  600_000
)
