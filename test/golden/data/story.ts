/**
 * The store that `write.ts` keeps as a golden data directory: four mobs whose lives have everything in them that is
 * stored, written over two holdings of the directory, and left as a `kill -9` leaves it, with runs and work in flight.
 * Through public calls alone, so that the same story can be told by any version of this program.
 */
import { Effect, Fiber, Layer } from "effect"
import {
  Bridges,
  digestOf,
  JournalLevel,
  loadDefinition,
  type LoadedDefinition,
  type MobHandle,
  Mobs,
  mobsLayer
} from "mobwright"
import { localBridge } from "mobwright/plugins/local"
import { Behavior, MobId } from "mobwright/sdk"
import { advance, settle, TestSystem, VirtualTime } from "mobwright/testing"
import { fileURLToPath } from "node:url"
import { journalTasks } from "../../../core/runtime.ts"
import { FakeMembers } from "../../mob/fake-members.ts"

/** When it begins, in milliseconds: noon of a day long ago. */
const BEGIN = Date.UTC(2025, 0, 1, 12)

/** A line of the newsroom's writers. They never finish what is `slow` in the story, and do when it goes on. */
const writer = (slow: boolean) =>
  Behavior.make("write", {
    run: (topic) => {
      if (topic === "slow" && slow) return Effect.never
      return topic.trim() === "" ? Effect.fail(new Error("a writer needs a topic")) : Effect.succeed(`On ${topic}.`)
    }
  })

const editor = Behavior.make("edit", { run: (drafts) => Effect.succeed(`edited ${drafts}`) })

/** The runtime of the story over a data directory, on virtual time. */
export const newsroom = (dir: string, members: FakeMembers, slow: boolean, seed: number) =>
  mobsLayer.pipe(
    Layer.provideMerge(Layer.mergeAll(
      JournalLevel.layer({ dir }).pipe(Layer.provide(journalTasks)),
      Bridges.layer([localBridge({ behaviors: { write: writer(slow), edit: editor } }), members.bridge])
    )),
    Layer.provideMerge(TestSystem.layer(seed))
  )

/** Waits for an answer while time passes: the disk is a real one. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    yield* settle
    while (fiber.pollUnsafe() === undefined) yield* advance("10 millis")
    return yield* Fiber.join(fiber)
  })

const load = (path: string, more: Partial<LoadedDefinition["definition"]> = {}) =>
  Effect.gen(function*() {
    const loaded = yield* loadDefinition(fileURLToPath(new URL(path, import.meta.url)))
    const definition = { ...loaded.definition, ...more }
    // No folder of the machine that wrote it.
    return { ...loaded, base: `/srv/${definition.id}`, definition, digest: yield* digestOf(definition) }
  })

/** What the members of the press say, by the beginning of the message. */
const say = (members: FakeMembers, answers: { readonly [beginning: string]: () => string | undefined }) => {
  members.answer = ({ content }) => {
    const text = String(content)
    const found = Object.entries(answers).find(([beginning]) => text.startsWith(beginning))
    return found === undefined ? `did ${text}` : found[1]()
  }
}

const finish = (mob: MobHandle, flow: string, params: { readonly [name: string]: string | ReadonlyArray<string> }) =>
  Effect.gen(function*() {
    const { run_id } = yield* mob.runFlow(flow, params)
    return yield* mob.awaitRun(run_id)
  })

const firstHolding = (members: FakeMembers) =>
  Effect.gen(function*() {
    const mobs = yield* Mobs
    const news = yield* mobs.create(yield* load("../../../examples/effect-program/mob.toml"))
    yield* news.spawn({ identity: "grace", profile: "writer", labels: { desk: "culture" } })
    const work = yield* news.submit("ada", "actors", { key: "first words" })
    yield* news.outcome("ada", work.work_ref)
    const empty = yield* news.submit("grace", " ")
    yield* news.outcome("grace", empty.work_ref)
    yield* finish(news, "article", { topics: ["supervision", "fences", "journals"] })
    yield* news.spawn({ identity: "temp", profile: "writer" })
    yield* news.retire("temp")
    // Enough entries for a checkpoint, each of them small.
    for (let pause = 0; pause < 256; pause++) {
      yield* news.stop
      yield* news.resume
    }

    members.refuseBind.set("b-1", "it has no hammer")
    const press = yield* mobs.create(yield* load("press.toml"))
    let reviews = 0
    say(members, {
      Review: () => ++reviews === 1 ? "again" : "passes",
      Look: () => JSON.stringify({ severity: "low" })
    })
    yield* finish(press, "polish", { topic: "fences" })
    yield* finish(press, "triage", { issue: "smudges" })
    yield* finish(press, "spread", { pages: ["1", "2", "3"] })
    members.answer = () => ({ status: "failed", code: "no_ink", reason: "no ink" })
    yield* finish(press, "triage", { issue: "no ink" })
    members.answer = () => undefined
    const hanging = yield* press.runFlow("triage", { issue: "nobody" })
    yield* advance("1 second")
    yield* press.cancel(hanging.run_id)
    members.crash("w-2")
    // Long enough for the builder to be given up.
    yield* advance("10 minutes")
    yield* press.stop
    yield* press.resume

    for (const [id, end] of [["archive", "complete"], ["bulletin", "destroy"]] as const) {
      const mob = yield* mobs.create(yield* load("../../../examples/effect-program/mob.toml", { id }))
      yield* finish(mob, "article", { topics: [id] })
      yield* mob[end]
      yield* advance("1 second")
    }
  })

const secondHolding = (members: FakeMembers) =>
  Effect.gen(function*() {
    const mobs = yield* Mobs
    const news = yield* mobs.open(MobId.make("newsroom"))
    yield* news.submit("grace", "slow", { key: "late words" })
    yield* news.runFlow("article", { topics: ["trees", "slow", "clocks"] }, { key: "in flight" })

    members.refuseBind.clear()
    const press = yield* mobs.open(MobId.make("press"))
    let reviews = 0
    say(members, { Review: () => ++reviews === 1 ? "again" : undefined, Set: () => undefined })
    yield* press.runFlow("polish", { topic: "journals" }, { key: "second iteration" })
    yield* advance("1 second")
    yield* press.submit("w-1", "Review the type", { key: "overdue", timeout_ms: 1_000 })
    yield* advance("5 seconds")
    yield* press.runFlow("spread", { pages: ["4", "5", "6", "7"] }, { key: "items" })
    yield* advance("1 second")
  })

/** Tells the story in a data directory that is not there yet, up to the moment before the kill; then calls `kill`. */
export const tell = (dir: string, kill: (now: number) => void) =>
  Effect.gen(function*() {
    const members = new FakeMembers({ processes: true })
    const first = Effect.gen(function*() {
      const time = yield* VirtualTime
      time.moveTo(BEGIN)
      yield* passing(firstHolding(members))
      return time.now()
    }).pipe(Effect.scoped, Effect.provide(newsroom(dir, members, true, 1)))
    const end = yield* first
    const second = Effect.gen(function*() {
      const time = yield* VirtualTime
      time.moveTo(end + 60_000)
      yield* passing(secondHolding(members))
      kill(time.now())
    }).pipe(Effect.scoped, Effect.provide(newsroom(dir, members, true, 2)))
    yield* second
  })
