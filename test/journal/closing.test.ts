import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { JournalLevel, JournalMemory } from "../../core/journal/index.ts"
import { Journal, type MobLog, type StoreListener } from "../../sdk/store.ts"
import { acquire, count, entry, folder, media, submit, team, until } from "./logs.ts"

/** A store in a scope of its own, which the test closes. */
const opened = <E>(layer: Layer.Layer<Journal, E>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
    return { log: yield* Effect.provideContext(acquire, context), close: Scope.close(scope, Exit.void) }
  })

/** Submits revisions one after the other, each when the one before is committed, for as long as they are taken. */
const goOn = (log: MobLog, revision: number, done: Array<string>): void =>
  log.submit({
    entries: [entry("mob", revision)],
    committed: () => {
      done.push(`committed ${revision}`)
      goOn(log, revision + 1, done)
    },
    failed: (error) => done.push(`failed ${revision} ${error._tag}`)
  })

describe("closing", () => {
  for (const { layer, name } of media) {
    it.live(`does not wait for a writer that goes on, on ${name}`, () =>
      Effect.gen(function*() {
        const { close, log } = yield* opened(layer)
        const done: Array<string> = []
        goOn(log, 1, done)
        yield* close
        assert.deepStrictEqual(done, ["committed 1", "failed 2 StoreClosed"])
      }))

    it.live(`writes what was submitted before it, in order, on ${name}`, () =>
      Effect.gen(function*() {
        const { close, log } = yield* opened(layer)
        const done: Array<string> = []
        for (let revision = 1; revision <= 2000; revision++) {
          log.submit({
            entries: [entry("mob", revision)],
            committed: (at) => done.push(`${at.position}`),
            failed: (error) => done.push(error._tag)
          })
        }
        yield* close
        assert.deepStrictEqual(done, Array.from({ length: 2000 }, (_, index) => String(index + 1)))
      }))

    it.live(`after it everything is StoreClosed, and one who listens only then hears so, on ${name}`, () =>
      Effect.gen(function*() {
        const { close, log } = yield* opened(layer)
        yield* submit(log, [entry("mob", 1)])
        yield* close
        for (
          const call of [
            submit(log, [entry("mob", 2)]),
            log.load("mob"),
            log.live,
            log.events(0, 1),
            log.barrier("mob"),
            log.prune({ events: 2, forget: [] }),
            log.putBlob(new Uint8Array(1))
          ]
        ) {
          const error = yield* Effect.flip(Effect.asVoid(call as Effect.Effect<unknown, { readonly _tag: string }>))
          assert.strictEqual(error._tag, "StoreClosed")
        }
        const heard: Array<string> = []
        const listener: StoreListener = { closed: (error) => heard.push(error._tag) }
        log.listen(listener)
        log.listen({ closed: () => heard.push("was removed") })()
        assert.deepStrictEqual(heard, [])
        yield* until(() => heard.length > 0)
        assert.deepStrictEqual(heard, ["StoreClosed"])
      }))
  }
})

describe("a sweep of blobs", () => {
  it.live("removes nothing once its store was closed: the folder may be another's", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      const first = yield* opened(JournalLevel.layer({ dir }))
      for (let index = 0; index < 300; index++) yield* first.log.putBlob(new Uint8Array([index, index >> 8]))
      yield* submit(first.log, [entry("mob", 1)])
      yield* first.close
      const second = yield* opened(JournalLevel.layer({ dir }))
      const blobs = join(dir, "blobs", "1")
      // Closed as soon as the first is gone.
      yield* Effect.forkChild(Effect.result(second.log.prune({ events: 1, forget: [] })))
      yield* until(() => fs.readdirSync(blobs).length < 300)
      yield* second.close
      const left = fs.readdirSync(blobs).length
      yield* Effect.sleep(20)
      assert.strictEqual(fs.readdirSync(blobs).length, left)
    }))
})

describe("a data directory", () => {
  it.live("that was copied open to all is closed to others when it is opened", () =>
    Effect.gen(function*() {
      const dir = join(yield* folder, "data")
      fs.mkdirSync(join(dir, "db"), { recursive: true })
      fs.mkdirSync(join(dir, "blobs"))
      for (const name of ["db", "blobs"]) fs.chmodSync(join(dir, name), 0o755)
      const { close } = yield* opened(JournalLevel.layer({ dir }))
      for (const name of ["db", "blobs"]) assert.strictEqual(fs.statSync(join(dir, name)).mode & 0o777, 0o700)
      yield* close
    }))
})

describe("a mob that is being destroyed", () => {
  for (const { layer, name } of media) {
    it.live(`is acquired when nothing is left of it, by whoever asks meanwhile, on ${name}`, () =>
      Effect.gen(function*() {
        const journal = yield* Journal
        const log = yield* acquire
        yield* submit(log, [entry("mob", 1)])
        const both = yield* Effect.all([journal.destroy(team), journal.acquire(team)], { concurrency: 2 })
        assert.strictEqual(count(yield* both[1].load("mob")), 0)
        assert.strictEqual((yield* submit(both[1], [entry("mob", 1)])).position, 1)
      }).pipe(Effect.provide(layer)))
  }
})

describe("a prune", () => {
  it.live("asks for a head only whose aggregate it is, and who hears of all", () =>
    Effect.gen(function*() {
      const log = yield* acquire
      const asked: Array<string> = []
      for (let index = 0; index < 50; index++) {
        const aggregate = `run/${index}`
        yield* submit(log, [entry(aggregate, 1)])
        yield* submit(log, [entry(aggregate, 2)])
        log.listen({ aggregate, headWanted: (of) => asked.push(`${aggregate} ${of}`) })
      }
      log.listen({ headWanted: (of) => asked.push(`any ${of}`) })
      yield* log.prune({ events: 1_000, forget: [] })
      const names = Array.from({ length: 50 }, (_, index) => `run/${index}`)
      assert.deepStrictEqual(asked.sort(), names.flatMap((name) => [`any ${name}`, `${name} ${name}`]).sort())
    }).pipe(Effect.provide(JournalMemory.layer)))
})
