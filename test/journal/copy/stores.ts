/**
 * What the tests of copies share: stores on both media that can be copied while they are open, mobs with everything in
 * them, and everything that can be read of a mob.
 */
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { openCopied } from "../../../core/journal/copy/open-copied.ts"
import { type RepairOptions, repairShadow } from "../../../core/journal/copy/repair.ts"
import { type Restored, restoreInto } from "../../../core/journal/copy/restore.ts"
import { shadowOf } from "../../../core/journal/copy/shadow.ts"
import { verifyShadow } from "../../../core/journal/copy/verify.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import type { Medium } from "../../../core/journal/medium.ts"
import { memoryMedium } from "../../../core/journal/memory.ts"
import { MobId } from "../../../sdk/ids.ts"
import type { MobLog, MobReads, StoreShape } from "../../../sdk/store.ts"
import { entry, folder, submit, team } from "../logs.ts"

export const other = MobId.make("other")
export const digest = "0f".repeat(32)
export const shared = "ab".repeat(32)

/** A medium that can be opened again and again. */
export const media: ReadonlyArray<{ readonly name: string; readonly make: Effect.Effect<Medium, never, Scope.Scope> }> =
  [
    { name: "memory", make: Effect.sync(() => memoryMedium({ later: queueMicrotask, begin: () => () => {} })) },
    { name: "LevelDB", make: Effect.map(folder, (dir) => holdLevel(join(dir, "data"), undefined)) }
  ]

/** Opens a medium, uses its store, closes it. */
export const using = <A, E>(medium: Medium, use: (store: StoreShape) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(Effect.flatMap(openCopied(medium), use))

/** Restores into a medium without secrets. */
export const restoreAt = (medium: Medium, file: string): Effect.Effect<Restored, unknown> =>
  restoreInto(medium, undefined, file)

/** Checks in this process, which LevelDB may end. */
export const verifyHere = (dir: string) =>
  Effect.scoped(Effect.flatMap(shadowOf(dir), (shadow) => verifyShadow(dir, shadow, false)))

/** Repairs in this process; `to` is made as it goes. */
export const repairHere = (from: string, to: string, options: RepairOptions = {}) =>
  Effect.scoped(
    Effect.flatMap(shadowOf(from), (shadow) => repairShadow({ from, shadow, draft: to, to }, options, false))
  )

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** Two mobs with turns, ended runs, definitions, blobs; one of them pruned. */
export const fill = Effect.fnUntraced(function*(store: StoreShape, turns = 60) {
  const log = yield* store.acquire(team)
  const big = new Uint8Array(1_300_000).map((_, index) => index * 7)
  const small = new TextEncoder().encode("small")
  const refs = [yield* log.putBlob(big), yield* log.putBlob(small), yield* log.putBlob(new Uint8Array(0))]
  const facts = [{ revision: 1, digest, shared, blobs: refs.map((ref) => `blob:${ref.sha256}`) }]
  yield* submit(log, [entry("mob", 1, { facts })], {
    pins: [{ digest, definition: { text: "z".repeat(300), "10": 1, "9": [null, -0, 1e-7] } }, {
      digest: shared,
      definition: { text: `blob:${hash(small)}` }
    }]
  })
  for (let turn = 2; turn <= turns; turn++) {
    const entries = [entry("mob", turn, { facts: [{ revision: turn, filler: "é\u2028\"\\".repeat(turn * 13 % 200) }] })]
    if (turn % 5 === 0) entries.push(entry(`run/${turn}`, 1, { terminal: turn % 10 === 0 }))
    if (turn % 5 === 2 && turn > 10) entries.push(entry(`run/${turn - 2}`, turn % 10 === 2 ? 2 : 2, { events: [] }))
    yield* submit(log, entries.filter((it) => it.revision === 1 || it.aggregate === "mob"))
  }
  const second = yield* store.acquire(other)
  for (let turn = 1; turn <= 20; turn++) {
    yield* submit(second, [entry("mob", turn, { facts: [{ revision: turn, shared }] })], {
      heads: turn === 15 ? [{ aggregate: "mob", revision: 15, snapshot: () => ({ aggregate: "mob", count: 15 }) }] : []
    })
  }
  yield* second.prune({ events: 10, forget: [] })
  return { log, second, blobs: refs.map((ref) => ref.sha256) }
})

/** Everything that can be read of a mob but its epoch. */
export const everything = Effect.fnUntraced(function*(log: MobReads, blobs: ReadonlyArray<string> = []) {
  const loads: Array<unknown> = []
  for (const name of yield* log.aggregates("")) loads.push([name, yield* log.load(name)])
  const first = yield* log.events(0, 1).pipe(
    Effect.as(0),
    Effect.catchTag("HistoryPruned", ({ first_cursor }) => Effect.succeed(first_cursor - 1))
  )
  const kept: Array<string | undefined> = []
  for (const sha256 of blobs) {
    const bytes = yield* log.blob(sha256)
    kept.push(bytes && hash(bytes))
  }
  return {
    loads,
    live: [...(yield* log.live)].sort(),
    first,
    events: yield* log.events(first, 1_000_000),
    latest: log.latestCursor(),
    pins: [yield* log.pinned(digest), yield* log.pinned(shared)],
    kept
  }
})

/** Takes one more turn of the aggregate `mob`, and gives where it landed. */
export const goOn = (log: MobLog, revision: number) => submit(log, [entry("mob", revision)])
