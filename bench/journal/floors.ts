/**
 * What the journal's appends are compared with: programs that make the same payloads durable and keep nothing else of
 * them. The text of a payload is ready; the journal has to make it.
 */
import { Effect, type Scope } from "effect"
import { Level } from "level"
import { close, fdatasync, openSync, write } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Appender, Payload } from "./workload.ts"

type Next = () => Payload

/** Makes an appender in a folder. */
export type Floor = (dir: string, next: Next) => Effect.Effect<Appender, never, Scope.Scope>

/** What waits is written as one; one flush in flight. */
const gathered = (name: string, next: Next, flush: (texts: ReadonlyArray<string>) => Promise<void>): Appender => {
  let waiting: Array<{ readonly text: string; readonly done: () => void; readonly failed: (error: unknown) => void }> =
    []
  let busy = false
  let commits = 0
  const begin = () => {
    if (waiting.length === 0) {
      busy = false
      return
    }
    const taken = waiting
    waiting = []
    commits++
    flush(taken.map(({ text }) => text)).then(
      () => {
        for (const { done } of taken) done()
        // Behind those who were just told, so that what they append is one flush.
        queueMicrotask(begin)
      },
      (error: unknown) => {
        for (const { failed } of taken) failed(error)
      }
    )
  }
  return {
    name,
    append: (_, done, failed) => {
      waiting.push({ text: next().text, done, failed })
      if (busy) return
      busy = true
      queueMicrotask(begin)
    },
    commits: () => commits
  }
}

const openLevel = (dir: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const level = new Level<Buffer, string>(join(dir, "db"), { keyEncoding: "buffer", valueEncoding: "utf8" })
      await level.open()
      return level
    }),
    (level) => Effect.promise(() => level.close())
  )

/** A key of 12 bytes a payload; they grow, as positions do. */
const growingKeys = () => {
  let written = 0
  return () => {
    const key = Buffer.allocUnsafe(12)
    key.writeUIntBE(0, 0, 6)
    key.writeUIntBE(written++, 6, 6)
    return key
  }
}

/** LevelDB: each writer puts its payload under a key of its own, synced. */
export const rawPut: Floor = Effect.fnUntraced(function*(dir, next) {
  const level = yield* openLevel(dir)
  const key = growingKeys()
  let commits = 0
  return {
    name: "raw LevelDB, one synced put each",
    append: (_, done, failed) => {
      commits++
      level.put(key(), next().text, { sync: true }).then(done, failed)
    },
    commits: () => commits
  }
})

/** LevelDB: all that waits as one synced batch, a key each; one batch in flight. */
export const rawBatch: Floor = Effect.fnUntraced(function*(dir, next) {
  const level = yield* openLevel(dir)
  const key = growingKeys()
  return gathered(
    "raw LevelDB, one synced batch a flush",
    next,
    (texts) => level.batch(texts.map((value) => ({ type: "put" as const, key: key(), value })), { sync: true })
  )
})

/** SQLite in WAL mode, synchronous FULL: all that waits as one transaction. It blocks the thread until it is synced. */
export const sqlite: Floor = Effect.fnUntraced(function*(dir, next) {
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(join(dir, "sqlite.db"))),
    (database) => Effect.sync(() => database.close())
  )
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
  database.exec("CREATE TABLE log (position INTEGER PRIMARY KEY, value TEXT NOT NULL)")
  const insert = database.prepare("INSERT INTO log (value) VALUES (?)")
  return gathered("node:sqlite, one transaction a tick", next, async (texts) => {
    database.exec("BEGIN")
    for (const text of texts) insert.run(text)
    database.exec("COMMIT")
  })
})

/** A file: all that waits as one write, then fdatasync, both beside the main thread. */
export const file: Floor = Effect.fnUntraced(function*(dir, next) {
  const descriptor = yield* Effect.acquireRelease(
    Effect.sync(() => openSync(join(dir, "log"), "a")),
    (descriptor) => Effect.promise(() => new Promise<void>((resolve) => close(descriptor, () => resolve())))
  )
  return gathered("append and fdatasync", next, (texts) =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(texts.join("\n") + "\n")
      write(descriptor, bytes, 0, bytes.length, null, (error, written) => {
        if (error !== null || written !== bytes.length) return reject(error ?? new Error("the file took only a part"))
        fdatasync(descriptor, (error) => error === null ? resolve() : reject(error))
      })
    }))
})
