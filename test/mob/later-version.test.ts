/**
 * A mob with records that a later program wrote: it closes with that reason and records nothing of them, so that the later
 * program goes on where it was. Damage is another matter: what is damaged is let go, the others live.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { Mobs } from "mobwright"
import { SchemaUnsupported, StoreCorrupted, StoreUnavailable } from "mobwright/sdk"
import { advance, settle } from "mobwright/testing"
import { FakeMembers } from "./fake-members.ts"
import { laterFact, laterHead, StoredOtherwise, unknownFact } from "./stored-otherwise.ts"
import { chain, define, host, leftUnderWay, makeDisk, world } from "./world.ts"

type Services = Effect.Services<ReturnType<typeof host>> | Effect.Services<ReturnType<typeof advance>>

const scenario = <A, E>(
  test: (parts: { readonly members: FakeMembers; readonly store: StoredOtherwise }) => Effect.Effect<A, E, Services>,
  seed = 1
) => {
  const members = new FakeMembers()
  const store = new StoredOtherwise()
  return test({ members, store }).pipe(Effect.provide(world(members, makeDisk(), seed, store)))
}

/** What makes a record one of a later program. */
const ways = [["head", laterHead], ["fact", laterFact], ["fact of a kind there is not yet", unknownFact]] as const

const definition = (more: Parameters<typeof define>[0]["limits"] = {}) =>
  define({
    members: ["w-1", { identity: "o-1", profile: "other" }],
    flows: [["main", chain(2)], ["other", chain(1, "other")]],
    limits: more
  })

/** The mob of these tests, left under way. */
const left = (members: FakeMembers) => Effect.flatMap(definition(), (loaded) => leftUnderWay(loaded, members))

/** The mob has closed, for what a later program wrote of `what`. */
const expectClosed = Effect.fnUntraced(
  function*(mob: { readonly status: Effect.Effect<unknown, unknown> }, what: string) {
    const error = yield* Effect.flip(mob.status)
    expect(error).toMatchObject({ _tag: "MobClosed" })
    const { message } = new SchemaUnsupported({ what: "it", found: 900, supported: 1 })
    expect(String((error as Error).message)).toContain(what)
    expect(String((error as Error).message)).toContain(message.slice(message.indexOf("; ")))
    expect(yield* (yield* Mobs).list).toEqual([])
  }
)

for (const [way, alter] of ways) {
  describe(`a later program's ${way}`, () => {
    it.live("of a run closes the mob that is opened, and nothing of the run is recorded", () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const { loaded, main, other, work } = yield* left(members)
          const count = store.facts.length
          store.alter = (name, it) => name === `run/${main}` ? alter(it) : it
          const { crash, mob } = yield* host(loaded)
          yield* advance("10 minutes")
          yield* expectClosed(mob, "of a run")
          expect(store.since(count).filter((it) => it.includes("unreadable") || it.startsWith(`run/${main}`))).toEqual(
            []
          )
          yield* crash

          store.alter = (_, it) => it
          const again = yield* host(loaded)
          yield* advance("10 seconds")
          expect((yield* again.mob.run(main)).status).toBe("completed")
          expect((yield* again.mob.run(other)).status).toBe("completed")
          expect(yield* again.mob.outcome("w-1", work)).toMatchObject({ status: "completed" })
          expect((yield* again.mob.status).active_runs).toEqual([])
        })
      ))

    it.live("of an inbox closes the mob that is opened, and its member is not broken", () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const { loaded, main, work } = yield* left(members)
          const count = store.facts.length
          store.alter = (name, it) => name === "inbox/w-1" ? alter(it) : it
          const { crash, mob } = yield* host(loaded)
          yield* advance("10 minutes")
          yield* expectClosed(mob, "of an inbox")
          expect(store.since(count).filter((it) => it.includes("broken") || it.startsWith("inbox/w-1"))).toEqual([])
          yield* crash

          store.alter = (_, it) => it
          const again = yield* host(loaded)
          yield* advance("10 seconds")
          expect((yield* again.mob.members).map(({ phase }) => phase)).toEqual(["active", "active"])
          expect(yield* again.mob.outcome("w-1", work)).toMatchObject({ status: "completed" })
          expect((yield* again.mob.run(main)).status).toBe("completed")
        })
      ))

    it.live("of the mob itself refuses to open it, and nothing is recorded", () =>
      scenario(({ members, store }) =>
        Effect.gen(function*() {
          const { loaded, main } = yield* left(members)
          const count = store.facts.length
          store.alter = (name, it) => name === "mob" ? alter(it) : it
          const error = yield* Effect.flip(host(loaded))
          expect(error).toMatchObject({ _tag: "SchemaUnsupported" })
          expect(store.since(count)).toEqual([])

          store.alter = (_, it) => it
          const { mob } = yield* host(loaded)
          yield* advance("10 seconds")
          expect((yield* mob.run(main)).status).toBe("completed")
        })
      ))
  })
}

describe("a later program's definition", () => {
  it.live("that a run is pinned to closes the mob, and nothing of the run is recorded", () =>
    scenario(({ members, store }) =>
      Effect.gen(function*() {
        const { loaded, main } = yield* left(members)
        // In force for new runs; the old ones stay with theirs.
        const revised = yield* definition({ max_step_retries: 3 })
        members.answer = () => undefined
        const first = yield* host(revised)
        yield* first.crash
        const count = store.facts.length
        store.fails = (name) =>
          name === loaded.digest ? new SchemaUnsupported({ what: "the key", found: 900, supported: 1 }) : undefined
        // It may close before whoever opens it has it.
        const opened = yield* Effect.result(host(revised))
        yield* advance("10 minutes")
        if (Result.isSuccess(opened)) yield* expectClosed(opened.success.mob, "the key")
        else expect(opened.failure.message).toContain("the key has version 900")
        expect(store.since(count).filter((it) => it.includes("unreadable") || it.startsWith(`run/${main}`))).toEqual([])
        if (Result.isSuccess(opened)) yield* opened.success.crash

        store.fails = () => undefined
        members.answer = () => "done"
        const again = yield* host(revised)
        yield* advance("10 seconds")
        expect((yield* again.mob.run(main)).status).toBe("completed")
      })
    ))
})

describe("when a mob closes because of a later program's record", () => {
  it.live("whoever waits for anything of it is told, and the other mobs live", () =>
    scenario(({ members, store }) =>
      Effect.gen(function*() {
        const { loaded, main, other, work } = yield* left(members)
        const bystander = yield* host(
          yield* define({ members: ["w-9"], flows: [["main", chain(1)]], more: { id: "by" } })
        )
        members.answer = () => undefined
        // It can be read until it is woken.
        let woken = false
        store.alter = (name, it) => woken && name === `run/${main}` ? laterHead(it) : it
        store.fails = (name) =>
          !woken && name === `run/${main}` ? new StoreUnavailable({ reason: "not yet" }) : undefined
        const { mob } = yield* host(loaded)
        const outcome = yield* Effect.forkChild(Effect.flip(mob.outcome("w-1", work)))
        const end = yield* Effect.forkChild(Effect.flip(mob.awaitRun(other)))
        yield* settle
        expect([outcome.pollUnsafe(), end.pollUnsafe()]).toEqual([undefined, undefined])
        woken = true
        yield* advance("1 minute")
        expect([outcome.pollUnsafe(), end.pollUnsafe()]).not.toContain(undefined)
        expect([(yield* Fiber.join(outcome))._tag, (yield* Fiber.join(end))._tag]).toEqual(["MobClosed", "MobClosed"])
        members.answer = () => "done"
        const { run_id } = yield* bystander.mob.runFlow("main")
        expect((yield* bystander.mob.awaitRun(run_id)).status).toBe("completed")
      })
    ))
})

describe("damage", () => {
  it.live("of a run is recorded, whoever waits is told, and the others live", () =>
    scenario(({ members, store }) =>
      Effect.gen(function*() {
        const { loaded, main, other, work } = yield* left(members)
        const count = store.facts.length
        const damaged = new StoreCorrupted({ where: `run/${main}`, what: "it is damaged", remedy: "none" })
        store.fails = (name) => name === `run/${main}` ? damaged : undefined
        const { mob } = yield* host(loaded)
        yield* advance("10 seconds")
        expect(store.since(count).filter((it) => it === "mob run_unreadable")).toHaveLength(1)
        expect(store.facts.findLast(({ fact }) => fact["type"] === "run_unreadable")?.fact).toMatchObject({
          run_id: main,
          cause: damaged.message
        })
        expect(yield* Effect.flip(mob.awaitRun(main))).toBe(damaged)
        expect((yield* mob.run(other)).status).toBe("completed")
        expect(yield* mob.outcome("w-1", work)).toMatchObject({ status: "completed" })
        const next = yield* mob.runFlow("main", {}, { key: "next" })
        expect((yield* mob.awaitRun(next.run_id)).status).toBe("completed")
        expect((yield* mob.status).active_runs).toEqual([])
      })
    ))

  it.live("that only folding finds is recorded as well", () =>
    scenario(({ members, store }) =>
      Effect.gen(function*() {
        const { loaded, main, other } = yield* left(members)
        const count = store.facts.length
        store.alter = (name, it) =>
          name === `run/${main}` && it.head !== undefined ? { ...it, head: { ...it.head, state: { v: 1 } } } : it
        const { mob } = yield* host(loaded)
        yield* advance("10 seconds")
        expect(store.since(count).filter((it) => it === "mob run_unreadable")).toHaveLength(1)
        expect((yield* mob.run(other)).status).toBe("completed")
      })
    ))

  it.live("of an inbox breaks its member, and the others live", () =>
    scenario(({ members, store }) =>
      Effect.gen(function*() {
        const { loaded, main, other } = yield* left(members)
        const count = store.facts.length
        store.alter = (name, it) => name === "inbox/w-1" ? { ...it, head: undefined, entries: [nonsense] } : it
        const { mob } = yield* host(loaded)
        yield* advance("10 minutes")
        expect(store.since(count).filter((it) => it === "mob member_broken")).toHaveLength(1)
        expect((yield* mob.members).map(({ identity, phase }) => [identity, phase])).toEqual([
          ["o-1", "active"],
          ["w-1", "broken"]
        ])
        expect((yield* mob.run(other)).status).toBe("completed")
        expect((yield* mob.run(main)).status).toBe("failed")
      })
    ))
})

const nonsense = { revision: 1, at: 0, facts: [{ v: 1, type: "work_ended", work_ref: "never accepted" }] }
