/**
 * Clauses of blobs: bytes beside the log.
 */
import { Effect, Fiber } from "effect"
import type { MobLog } from "../../store.ts"
import { same } from "./check.ts"
import { type Clause, opened, required } from "./clause.ts"
import { bytesOf, entry, sha256Of, submit, team } from "./writing.ts"

export const blobs: ReadonlyArray<Clause> = [
  required(
    "STORE-037",
    "a blob is kept under its sha256 in lower-case hex, with its length; what is not kept is undefined",
    Effect.fnUntraced(function*({ open }) {
      const store = yield* open
      const log = yield* store.acquire(team)
      const contents = [bytesOf("a text"), new Uint8Array(0), Uint8Array.from({ length: 70_000 }, (_, at) => at % 251)]
      for (const bytes of contents) {
        const sha256 = yield* sha256Of(new Uint8Array(bytes))
        yield* same(yield* log.blob(sha256), undefined, "a blob that is not kept yet")
        for (const _ of ["first", "again"]) {
          yield* same(yield* log.putBlob(bytes), { sha256, bytes: bytes.length }, "what putBlob answers")
        }
        yield* same(yield* log.blob(sha256), bytes, "the bytes read back")
        yield* same(yield* (yield* store.inspect(team))?.blob(sha256) ?? Effect.undefined, bytes, "the bytes inspected")
      }
      for (const name of ["", "no hash", "../../x", "ab".repeat(32).toUpperCase()]) {
        yield* same(yield* log.blob(name), undefined, `the blob ${name}`)
      }
    })
  ),

  required(
    "STORE-038",
    "a blob is what it was when it was given, and when it was read, whatever becomes of those bytes",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const bytes = bytesOf("as it was given")
      const keeping = yield* Effect.forkChild(log.putBlob(bytes), { startImmediately: true })
      bytes.fill(0)
      const { sha256 } = yield* Fiber.join(keeping)
      const read = yield* log.blob(sha256)
      yield* same(read, bytesOf("as it was given"), "read back")
      read?.fill(0)
      yield* same(yield* log.blob(sha256), bytesOf("as it was given"), "read back again")
    })
  ),

  required(
    "STORE-039",
    "a blob that a record of its owner refers to stays through every prune",
    Effect.fnUntraced(function*({ open }) {
      const log = yield* (yield* open).acquire(team)
      const hashes = yield* refer(log)
      for (const _ of ["first", "again"]) {
        yield* log.prune({ events: 1, forget: [] })
        for (const [by, sha256] of hashes) {
          yield* same(yield* log.blob(sha256), bytesOf(by), `the blob that a ${by} refers to`)
        }
      }
    })
  ),

  required(
    "STORE-040",
    "a prune after the next opening removes and counts the blobs that no record refers to, and leaves the others",
    Effect.fnUntraced(function*(bench) {
      const before = yield* opened(bench, (store) =>
        Effect.gen(function*() {
          const log = yield* store.acquire(team)
          const kept = yield* refer(log)
          const [lost, again] = [yield* log.putBlob(bytesOf("lost")), yield* log.putBlob(bytesOf("again"))]
          return { kept, lost, again }
        }))
      const log = yield* (yield* bench.open).acquire(team)
      yield* log.putBlob(bytesOf("again"))
      yield* same((yield* log.prune({ events: 1, forget: [] })).blobs, 1, "blobs that the prune says it removed")
      yield* same(yield* log.blob(before.lost.sha256), undefined, "the blob that no record refers to")
      yield* same(yield* log.blob(before.again.sha256), bytesOf("again"), "one that was kept again since")
      for (const [by, sha256] of before.kept) {
        yield* same(yield* log.blob(sha256), bytesOf(by), `the blob that a ${by} refers to`)
      }
      yield* same((yield* log.prune({ events: 1, forget: ["run/ended"] })).blobs, 1, "blobs that went with a state")
    }),
    "durable"
  )
]

/** Keeps a blob for each kind of record and refers to it there. */
const refer = Effect.fnUntraced(function*(log: MobLog) {
  const hashes: Array<readonly [string, string]> = []
  const keep = Effect.fnUntraced(function*(by: string) {
    const { sha256 } = yield* log.putBlob(bytesOf(by))
    hashes.push([by, sha256])
    return `blob:${sha256}`
  })
  const [fact, event, state, definition] = [
    yield* keep("fact"),
    yield* keep("event"),
    yield* keep("state"),
    yield* keep("definition")
  ]
  yield* submit(log, [
    entry("run/live", 1, { facts: [{ deep: [{ output: fact }] }], snapshot: () => ({ output: fact }) }),
    entry("run/live", 2, { events: [{ type: "written", text: `see ${event}.` }], snapshot: () => ({ output: fact }) }),
    entry("run/ended", 1, { snapshot: () => ({ output: state }), terminal: true })
  ], { pins: [{ digest: "0d".repeat(32), definition: { schema: definition } }] })
  return hashes
})
