/**
 * Back-pressure by bytes: a store whose disk is slower than its writers says so, and durable cells wait.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ActorSystem, Dispatcher } from "../../core/actor/index.ts"
import type { Aggregate } from "../../core/journal/aggregate.ts"
import { durable } from "../../core/journal/durable.ts"
import { type Commit, CommitSeam, JournalMemory } from "../../core/journal/index.ts"
import type { JsonObject } from "../../sdk/json.ts"
import type { MobLog } from "../../sdk/store.ts"
import { acquire, entry, until } from "./logs.ts"

const MEBI = 1024 * 1024
const big = "x".repeat(MEBI)

/** A disk that writes nothing while it is held, and can be told to fail. */
const slowDisk = () => {
  const disk = { held: false, fails: false, waiting: [] as Array<() => void> }
  const seam = (commit: Commit): Commit => (operations, done) => {
    const go = () => disk.fails ? done(new Error("the cable came off")) : commit(operations, done)
    if (disk.held) disk.waiting.push(go)
    else go()
  }
  const release = () => {
    disk.held = false
    for (const go of disk.waiting.splice(0)) go()
  }
  return { disk, seam, release }
}

const scenario = <A, E>(
  test: (parts: ReturnType<typeof slowDisk>) => Effect.Effect<A, E, Effect.Services<typeof acquire> | ActorSystem>
) => {
  const parts = slowDisk()
  return test(parts).pipe(
    Effect.provide(Layer.provide(JournalMemory.layer, Layer.succeed(CommitSeam, parts.seam))),
    Effect.provide(Layer.provide(ActorSystem.layer, Dispatcher.layer))
  )
}

/** Whatever is ready has run. */
const turns = Effect.promise(async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
})

const flood = (log: MobLog, from: number, to: number, heard: Array<string>) => {
  for (let index = from; index < to; index++) {
    log.submit({
      entries: [entry(`run/${index}`, 1, { events: [], facts: [{ big }] })],
      committed: () => heard.push("committed"),
      failed: (error) => heard.push(error._tag)
    })
  }
}

describe("a store that is crowded", () => {
  it.live("says so when more than 16 MiB wait, takes more all the same, and tells when there is room", () =>
    scenario(({ disk, release }) =>
      Effect.gen(function*() {
        const log = yield* acquire
        const heard: Array<string> = []
        log.listen({ room: () => heard.push(`room ${log.crowded()}`) })
        disk.held = true
        flood(log, 0, 15, heard)
        assert.isFalse(log.crowded())
        flood(log, 15, 40, heard)
        assert.isTrue(log.crowded())
        yield* turns
        release()
        yield* until(() => heard.filter((it) => it === "committed").length === 40)
        yield* turns
        assert.isFalse(log.crowded())
        assert.deepStrictEqual(heard.filter((it) => it !== "committed"), ["room false"])
      })
    ))

  it.live("is not after a failed write, as nothing waits any more", () =>
    scenario(({ disk, release }) =>
      Effect.gen(function*() {
        const log = yield* acquire
        const heard: Array<string> = []
        disk.held = true
        disk.fails = true
        flood(log, 0, 30, heard)
        assert.isTrue(log.crowded())
        yield* turns
        release()
        yield* until(() => heard.length === 30)
        assert.isFalse(log.crowded())
      })
    ))
})

/** Keeps how many messages it took. */
const counting: Aggregate<number, JsonObject> = {
  name: "run/counting",
  evolve: (state) => (state ?? 0) + 1,
  project: () => [],
  encode: (state) => state,
  decode: Number,
  decodeFact: (fact) => fact,
  isTerminal: () => false
}

describe("a durable cell", () => {
  it.live("takes no message while the store is crowded, and all of them afterwards", () =>
    scenario(({ disk, release }) =>
      Effect.gen(function*() {
        const log = yield* acquire
        const system = yield* ActorSystem
        let taken = 0
        let written = 0
        const ref = yield* system.spawn(durable<number, JsonObject, string>({
          log,
          aggregate: counting,
          closed: () => {},
          behavior: () => ({
            started: () => ({ facts: [], releases: [] }),
            handle: (_, message) => {
              taken++
              return { facts: [{ message }], releases: [{ release: () => written++ }] }
            }
          }),
          cell: { name: "counting" }
        }))
        disk.held = true
        for (let index = 0; index < 60; index++) {
          ref.tellUnsafe(big)
          // One burst a message.
          yield* turns
        }
        assert.isAbove(taken, 15)
        assert.isBelow(taken, 20)
        release()
        yield* until(() => written === 60)
        assert.strictEqual(taken, 60)
      })
    ))
})
