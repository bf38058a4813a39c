/**
 * The LevelDB medium: the database stands in `<dir>/db`; `owner.json`, `MARK` and `blobs` beside it.
 */
import { Clock, Effect } from "effect"
import { Level } from "level"
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { type StoreError, StoreLocked } from "../../sdk/store.ts"
import { attempt, readFailure, reasonOf } from "./attempt.ts"
import { blobFiles, removeDrafts } from "./blob-files.ts"
import { DataFolderUnusable } from "./errors.ts"
import { closeToOthers, makeFolder } from "./files.ts"
import { isSame, lives, MarkFile, type Owner, ownerSelf, readOwner, removeOwner, writeOwner } from "./folder.ts"
import { saysFull, writeFailure } from "./full.ts"
import type { Key } from "./keys.ts"
import { causeOf, damageOf } from "./level-errors.ts"
import type { Database, DatabaseReads, Medium } from "./medium.ts"
import { hasRoom, removeTry } from "./room.ts"
import { corrupted } from "./seal.ts"
import type { Operation } from "./seams.ts"

/** How long to try for a lock whose holder is not a live owner: a look, or a process that is just ending. */
const lockPatience = 3000
const lockEvery = 50

/** A medium that holds the directory: makes it if need be, says so in `owner.json`. */
export const holdLevel = (dir: string, socket: string | undefined): Medium => {
  const mark = new MarkFile(dir)
  let owner: Owner | undefined
  return {
    name: dir,
    supports,
    open: Effect.gen(function*() {
      yield* unlessUnusable(dir, () => {
        // Each by itself: a process that was killed may have made the one and not the other.
        makeFolder(dir)
        makeFolder(join(dir, "db"))
        for (const name of ["db", "blobs"]) closeToOthers(join(dir, name))
      })
      const level = yield* openLevel(dir)
      const now = new Date(yield* Clock.currentTimeMillis).toISOString()
      yield* unlessUnusable(dir, () => {
        if (owner === undefined) {
          removeDrafts(dir)
          removeTry(dir)
        }
        owner ??= ownerSelf(now, socket)
        const found = readOwner(dir)
        if (found === undefined || !isSame(found, owner)) writeOwner(dir, owner)
      }).pipe(Effect.onError(() => closeLevel(level)))
      return levelDatabase(dir, level)
    }),
    hasRoom: hasRoom(dir),
    blobs: blobFiles(dir),
    readMark: () => mark.read(),
    writeMark: (seq) => mark.write(seq),
    leave: Effect.sync(() => {
      mark.close()
      if (owner !== undefined) removeOwner(dir, owner)
    })
  }
}

/** A medium that only looks: takes the lock, but makes no folder, writes no `owner.json` and no `MARK`. */
export const lookAtLevel = (dir: string): Medium => {
  const mark = new MarkFile(dir)
  return {
    name: dir,
    supports,
    open: Effect.gen(function*() {
      // LevelDB makes a folder even when told not to create a database.
      yield* unlessUnusable(dir, () => {
        if (!statSync(join(dir, "db", "CURRENT"), { throwIfNoEntry: false })?.isFile()) {
          throw new Error("there is no store in it")
        }
      })
      return levelDatabase(dir, yield* openLevel(dir))
    }),
    hasRoom: Effect.succeed(true),
    blobs: blobFiles(dir),
    readMark: () => mark.read(),
    writeMark: () => {},
    leave: Effect.void
  }
}

const supports = { durable: true, shared: false }

type Handle = Level<Key, string>
type Snapshot = ReturnType<Handle["snapshot"]>
/** Under Node `Level` is classic-level's class; its type leaves out what a browser does not have. */
type Compacting = Handle & {
  readonly approximateSize: (start: Key, end: Key) => Promise<number>
  readonly compactRange: (start: Key, end: Key) => Promise<void>
}

const openLevel = Effect.fnUntraced(function*(dir: string) {
  yield* refuseHeadless(join(dir, "db"))
  for (let waited = 0;; waited += lockEvery) {
    const level: Handle = new Level(join(dir, "db"), { keyEncoding: "buffer", valueEncoding: "utf8" })
    const opened = yield* Effect.result(Effect.tryPromise({ try: () => level.open(), catch: (error) => error }))
    if (opened._tag === "Success") return level
    const damage = damageOf(opened.failure, dir)
    if (damage !== undefined) return yield* damage
    const cause = causeOf(opened.failure)
    if (cause.code !== "LEVEL_LOCKED") return yield* unusable(dir, opened.failure)
    const owner = readOwner(dir)
    if (owner !== undefined && lives(owner)) {
      const { pid, since, socket } = owner
      return yield* new StoreLocked({ dir, pid, since, ...(socket === undefined ? {} : { socket }) })
    }
    if (waited >= lockPatience) return yield* new StoreLocked({ dir })
    yield* Effect.sleep(lockEvery)
  }
})

/** Without `CURRENT` LevelDB begins anew, and removes the tables and logs that it finds as left over from before. */
const refuseHeadless = (db: string) =>
  Effect.suspend(() => {
    if (existsSync(join(db, "CURRENT")) || !existsSync(db)) return Effect.void
    const holds = readdirSync(db).some((name) => /\.(?:ldb|sst|log)$/.test(name))
    return holds
      ? Effect.fail(corrupted(join(db, "CURRENT"), "it is missing, and the tables and logs beside it are not"))
      : Effect.void
  })

const levelDatabase = (dir: string, level: Handle): Database => ({
  ...levelReads(level, undefined),
  commit: (operations, done) => {
    // Copies keys and values before it returns.
    level.batch(operations.map(encoded), { sync: true }).then(() => done(), done)
  },
  getSync: (key) => level.getSync(key),
  snapshot: (read) =>
    Effect.acquireUseRelease(
      attempt(() => level.snapshot()),
      (snapshot) => read(levelReads(level, snapshot)),
      (snapshot) => Effect.promise(() => snapshot.close())
    ),
  settle: Effect.gen(function*() {
    const before = logsOf(dir)
    // Of a range that holds no key: LevelDB moves its log into a table and compacts nothing.
    yield* Effect.tryPromise({ try: () => (level as Compacting).compactRange(nowhere, nowhere), catch: notWritten })
    // It does not say when that fails.
    const after = new Set(logsOf(dir))
    if (before.some((name) => after.has(name))) {
      return yield* notWritten(new Error("LevelDB could not move its log into a table"))
    }
  }),
  reclaim: ({ gte, lt }) =>
    Effect.ignore(Effect.tryPromise(async () => {
      // It merges tables by how full its levels are, and what marks a key as removed fills none: the data stay for long.
      if (await (level as Compacting).approximateSize(gte, lt) >= worthReclaiming) {
        await (level as Compacting).compactRange(gte, lt)
      }
    })),
  close: closeLevel(level)
})

/** As classic-level takes it: text by the encoding of the database, bytes as they are. */
const encoded = (operation: Operation) =>
  operation.type === "del" || typeof operation.value === "string"
    ? operation
    : { ...operation, valueEncoding: "buffer" }

const levelReads = (level: Handle, snapshot: Snapshot | undefined): DatabaseReads => ({
  get: (keys) => Effect.tryPromise({ try: () => level.getMany([...keys], { snapshot }), catch: readFailure }),
  scan: (range, chunk, each) =>
    Effect.tryPromise({
      try: async (signal) => {
        const values = level.values({ ...range, snapshot, highWaterMarkBytes: 1024 * 1024 })
        try {
          let size = chunk
          for (let next = values.nextv(size);;) {
            const found = await next
            if (found.length === 0 || signal.aborted) return
            next = values.nextv(size)
            // Who wants more than two reads on: fewer trips to LevelDB's thread.
            size = Math.min(Math.max(chunk, 1000), 4 * size)
            // Looked at in the next round, or not at all.
            next.catch(() => {})
            if (!each(found)) return
          }
        } finally {
          await values.close()
        }
      },
      catch: readFailure
    }),
  keys: (range, limit = -1) =>
    Effect.tryPromise({ try: () => level.keys({ ...range, snapshot, limit }).all(), catch: readFailure })
})

/** Bytes of tables. Less is not worth merging what stands beside it. */
const worthReclaiming = 16 * 1024 * 1024
const nowhere: Key = Buffer.from([0x00])
const logsOf = (dir: string) => readdirSync(join(dir, "db")).filter((name) => name.endsWith(".log"))
const notWritten = (cause: unknown) => writeFailure(cause, "not_written")

const closeLevel = (level: Handle): Effect.Effect<void> => Effect.promise(() => level.close().catch(() => {}))

const unlessUnusable = (dir: string, use: () => void): Effect.Effect<void, DataFolderUnusable | StoreError> =>
  Effect.try({ try: use, catch: (error) => unusable(dir, error) })

const unusable = (dir: string, error: unknown): DataFolderUnusable | StoreError =>
  saysFull(error) ? notWritten(error) : new DataFolderUnusable({ dir, reason: reasonOf(error) })
