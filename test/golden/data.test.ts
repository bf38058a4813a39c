/**
 * Data directories as each version of this program left them, killed in the middle of its work: today's program reads in
 * them what was written, and goes on with it. They are copied before they are touched.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { backup, Mobs, restore, verify } from "mobwright"
import { type Json, type JsonObject, MobId } from "mobwright/sdk"
import { advance, VirtualTime } from "mobwright/testing"
import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Aggregate, loadAggregate } from "../../core/journal/aggregate.ts"
import type { EntryLine, HeadLine } from "../../core/journal/copy/lines.ts"
import { readBackup } from "../../core/journal/copy/read-lines.ts"
import { inspect } from "../../core/journal/index.ts"
import { format } from "../../core/journal/registry.ts"
import { folder } from "../journal/logs.ts"
import { FakeMembers } from "../mob/fake-members.ts"
import { aggregateNamed, readStore } from "./data/reading.ts"
import { newsroom, passing } from "./data/story.ts"
import { plain } from "./files.ts"

const here = fileURLToPath(new URL("data/", import.meta.url))
const versions = Array.from({ length: format }, (_, index) => `v${index + 1}`)

/** What its writer said of a directory. */
interface Said {
  /** When it was killed. */
  readonly now: number
  readonly damage: null
  readonly seq: number
  readonly mobs: {
    readonly [mob: string]: {
      readonly epoch: number
      readonly latest_cursor: number
      readonly runs: { readonly [id: string]: JsonObject }
      readonly aggregates: { readonly [name: string]: { readonly revision: number; readonly state: Json } }
      readonly events: ReadonlyArray<JsonObject>
    }
  }
}

// Written by `write.ts`.
const said = (version: string) => JSON.parse(fs.readFileSync(join(here, `${version}.json`), "utf8")) as Said

/** Mobs without the states of their aggregates: those are of the version of whoever says them. */
const withoutStates = (mobs: Said["mobs"]) =>
  Object.entries(mobs).map(([name, { aggregates, ...mob }]) => ({
    ...mob,
    name,
    aggregates: Object.entries(aggregates).map(([aggregate, { revision }]) => [aggregate, revision])
  }))

/** A copy of one's own. */
const copyOf = (version: string) =>
  Effect.map(folder, (parent) => {
    const dir = join(parent, "data")
    fs.cpSync(join(here, version), dir, { recursive: true })
    return dir
  })

/** Every entry and head of every mob, as they stand. */
const linesOf = Effect.fnUntraced(function*(dir: string) {
  const file = join(yield* folder, "backup")
  yield* backup(dir, file)
  const mobs = new Map<string, { readonly entries: Array<EntryLine>; readonly heads: Array<HeadLine> }>()
  let mob = ""
  yield* readBackup(file, (lines) =>
    Effect.sync(() => {
      for (const { line } of lines) {
        if (line.type === "mob") mobs.set(mob = line.mob, { entries: [], heads: [] })
        if (line.type === "entry") mobs.get(mob)?.entries.push(line)
        if (line.type === "head") mobs.get(mob)?.heads.push(line)
      }
    }))
  return mobs
})

/** States after each entry, encoded, and the events of each, from revision 1. */
const replay = <S, F extends JsonObject>(aggregate: Aggregate<S, F>, entries: ReadonlyArray<EntryLine>) => {
  const { decodeFact, encode, evolve, project } = aggregate
  let state: S | undefined
  const states: Array<Json> = []
  const events = entries.map(({ facts }) => {
    const told: Array<JsonObject> = []
    for (const stands of facts) {
      const fact = decodeFact(stands as JsonObject) // parsed as JSON, and an object when it was written
      const before = state
      state = evolve(before, fact)
      told.push(...project(before, fact, state))
    }
    if (state === undefined) throw new Error("an entry without a fact at the beginning")
    states.push(encode(state))
    return told
  })
  return { states, events }
}

it("there is a data directory of each format", () => {
  for (const version of versions) expect(fs.readdirSync(here), "run test/golden/data/write.ts").toContain(version)
})

for (const version of versions.filter((it) => fs.existsSync(join(here, it)))) {
  describe(`a data directory of format ${version}`, () => {
    const { now, ...written } = said(version)

    it.live("is read as its writer read it", () =>
      Effect.gen(function*() {
        const { mobs, ...store } = plain(yield* readStore(yield* copyOf(version))) as typeof written // as it was written
        expect({ ...store, mobs: withoutStates(mobs) }).toEqual({ ...written, mobs: withoutStates(written.mobs) })
      }))

    it.live("is sound", () =>
      Effect.gen(function*() {
        const { findings, mobs } = yield* verify(yield* copyOf(version))
        expect(findings).toEqual([])
        expect(mobs.map(({ mob }) => mob)).toEqual(Object.keys(written.mobs))
      }))

    it.live("gives by head and tail what the full replay gives, and the events that were told", () =>
      Effect.gen(function*() {
        const dir = yield* copyOf(version)
        const lines = yield* linesOf(dir)
        const { mob } = yield* inspect(dir)
        const tails: Array<string> = []
        for (const [name, { entries, heads }] of lines) {
          const reads = yield* mob(MobId.make(name))
          if (reads === undefined) return yield* Effect.die(`no mob ${name}`)
          for (const [aggregate, { revision, state }] of Object.entries(written.mobs[name]?.aggregates ?? {})) {
            const own = entries.filter((entry) => entry.aggregate === aggregate)
            const where = `${aggregate} of ${name}`
            expect(own.map(({ rev }) => rev), where).toEqual(own.map((_, index) => index + 1))
            yield* Effect.flatten(aggregateNamed(reads, aggregate, (it) =>
              Effect.gen(function*() {
                const { events, states } = replay(it, own)
                const found = yield* loadAggregate(reads, it)
                expect(found?.revision, where).toBe(own.length)
                expect(found && it.encode(found.state), where).toEqual(states.at(-1))
                // What its writer says is a head as it would have stored it.
                expect([revision, it.encode(it.decode(state))], where).toEqual([own.length, states.at(-1)])
                expect(events, where).toEqual(own.map((entry) => entry.events))
                const head = heads.find((head) => head.aggregate === aggregate)
                if (head === undefined) return
                expect(it.encode(it.decode(head.state as Json)), where).toEqual(states[head.rev - 1]) // it is JSON
                if (head.rev < own.length) tails.push(where)
              })))
          }
        }
        // Not all of them are their head alone.
        expect(tails.length).toBeGreaterThan(3)
      }).pipe(Effect.scoped))

    it.live("goes on: what was in flight ends well, what has ended stays as it was", () =>
      Effect.gen(function*() {
        const members = new FakeMembers({ processes: true })
        members.answer = ({ content }) => String(content).startsWith("Review") ? "passes" : `did ${String(content)}`
        yield* Effect.gen(function*() {
          const time = yield* VirtualTime
          time.moveTo(now + 3_600_000)
          yield* passing(Effect.gen(function*() {
            const mobs = yield* Mobs
            const news = yield* mobs.open(MobId.make("newsroom"))
            const press = yield* mobs.open(MobId.make("press"))
            yield* advance("1 minute")
            const late = yield* news.submit("grace", "another text", { key: "late words" })
            expect(late.existing).toBe(true)
            expect(yield* news.outcome("grace", late.work_ref)).toEqual({ status: "completed", output: "On slow." })
            const first = yield* news.submit("ada", "another text", { key: "first words" })
            expect(yield* news.outcome("ada", first.work_ref)).toEqual({ status: "completed", output: "On actors." })
            const overdue = yield* press.submit("w-1", "another text", { key: "overdue" })
            expect(yield* press.outcome("w-1", overdue.work_ref)).toMatchObject({ status: "failed" })

            const article = yield* news.runFlow("article", {}, { key: "in flight" })
            expect(article.existing).toBe(true)
            expect((yield* news.awaitRun(article.run_id)).output).toEqual({
              steps: {
                draft: ["On trees.", "On slow.", "On clocks."],
                edit: `edited ["On trees.","On slow.","On clocks."]`
              }
            })
            const polish = yield* press.runFlow("polish", {}, { key: "second iteration" })
            expect((yield* press.awaitRun(polish.run_id)).output).toEqual({
              steps: {
                draft: { "lead-1": "did Draft journals" },
                review: "passes",
                revise: { "w-1": "did Revise after passes", "w-2": "did Revise after passes" },
                print: { "lead-1": "did Print" }
              }
            })
            const items = yield* press.runFlow("spread", {}, { key: "items" })
            expect((yield* press.awaitRun(items.run_id)).steps["set"]?.output).toEqual(
              ["4", "5", "6", "7"].map((page) => `did Set ${page}`)
            )
            // Of the members of the press one was given up, and stays so.
            expect((yield* press.members).map(({ identity, phase }) => [identity, phase])).toEqual([
              ["b-1", "broken"],
              ["lead-1", "active"],
              ["w-1", "active"],
              ["w-2", "active"]
            ])
            // Whoever was here before goes on counting.
            expect(yield* news.spawn({ identity: "temp", profile: "writer" })).toMatchObject({ generation: 2 })

            for (const [mob, handle] of [["newsroom", news], ["press", press]] as const) {
              const before = written.mobs[mob]
              const runs = new Map((yield* handle.runs()).map(({ run_id, ...run }) => [String(run_id), run]))
              for (const [id, run] of Object.entries(before?.runs ?? {})) {
                if (run["status"] === "running") expect(runs.get(id)?.status, id).toBe("completed")
                else expect(runs.get(id), id).toEqual(run)
              }
              const events = yield* handle.pollEvents(0, 1_000)
              expect(events.slice(0, before?.events.length)).toEqual(before?.events)
              expect(events.map(({ cursor }) => cursor)).toEqual(events.map((_, index) => index + 1))
            }
            for (const [id, phase] of [["archive", "completed"], ["bulletin", "destroyed"]] as const) {
              expect((yield* (yield* mobs.open(MobId.make(id))).status).phase).toBe(phase)
            }
          }))
        }).pipe(Effect.scoped, Effect.provide(newsroom(yield* copyOf(version), members, false, 3)))
      }))

    it.live("goes into a backup, and out of it into a store of today that says the same", () =>
      Effect.gen(function*() {
        const dir = yield* copyOf(version)
        const target = join(yield* folder, "restored")
        const file = join(yield* folder, "backup")
        yield* backup(dir, file)
        yield* restore(file, target)
        const before = plain(yield* readStore(dir)) as typeof written // as it was written
        const again = plain(yield* readStore(target)) as typeof written
        for (const [mob, { epoch: _, ...it }] of Object.entries(before.mobs)) expect(again.mobs[mob]).toMatchObject(it)
        expect(Object.keys(again.mobs)).toEqual(Object.keys(written.mobs))
      }))
  })
}
