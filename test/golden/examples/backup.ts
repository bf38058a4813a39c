/**
 * Backups of a small store, one of them with its secrets, and what is in a store that was restored from one.
 */
import { Effect } from "effect"
import { backup, readSecrets, restore, writeSecret } from "mobwright"
import { VirtualTime } from "mobwright/testing"
import { join } from "node:path"
import { inspect } from "../../../core/journal/index.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import type { StoreShape } from "../../../sdk/store.ts"
import { digest, everything, other, shared, using } from "../../journal/copy/stores.ts"
import { entry, folder, submit, team } from "../../journal/logs.ts"

/** Two mobs: one with a definition, a blob, a head that lags and a run that ended; one whose beginning was removed. */
const fill = Effect.fnUntraced(function*(store: StoreShape) {
  const log = yield* store.acquire(team)
  const { sha256 } = yield* log.putBlob(new TextEncoder().encode("kept beside the log"))
  yield* submit(log, [entry("mob", 1)], {
    pins: [
      { digest, definition: { text: "\u2028\"ünicode\" 😀", "10": 1, "9": [null, 1e-7] } },
      { digest: shared, definition: { id: "other" } }
    ]
  })
  yield* submit(log, [
    entry("mob", 2, { facts: [{ v: 1, digest, shared, blob: `blob:${sha256}` }] }),
    entry("run/ünicode 😀", 1, { events: [] })
  ])
  yield* submit(log, [entry("mob", 3), entry("run/ünicode 😀", 2, { terminal: true })])
  const second = yield* store.acquire(other)
  for (let turn = 1; turn <= 6; turn++) {
    yield* submit(second, [entry("mob", turn, { facts: [{ v: 1, shared }] })], {
      heads: turn === 4 ? [{ aggregate: "mob", revision: 4, snapshot: () => ({ aggregate: "mob", count: 4 }) }] : []
    })
  }
  yield* second.prune({ events: 4, forget: [] })
})

/** Writes both. */
export const writeBackups = Effect.fnUntraced(function*(fileOf: (name: "plain" | "secrets") => string) {
  const time = yield* VirtualTime
  time.moveTo(Date.UTC(2025, 0, 1, 12))
  const dir = join(yield* folder, "data")
  yield* using(holdLevel(dir, undefined), fill)
  yield* writeSecret(dir, "API_KEY", "hunter2 \u2028 ünicode 😀")
  yield* writeSecret(dir, "OTHER", "")
  yield* backup(dir, fileOf("plain"))
  yield* backup(dir, fileOf("secrets"), { includeSecrets: true })
}, Effect.provide(VirtualTime.layer))

/** What a store restored from a backup holds. */
export const readsOfBackup = Effect.fnUntraced(function*(file: string) {
  const dir = join(yield* folder, "restored")
  const { secrets, ...restored } = yield* restore(file, dir)
  const { mob, mobs } = yield* inspect(dir)
  const found: { [mob: string]: unknown } = {}
  for (const name of mobs) {
    const reads = yield* mob(name)
    if (reads === undefined) continue
    const refers = [...JSON.stringify(yield* reads.load("mob")).matchAll(/blob:([0-9a-f]{64})/g)]
    found[name] = { position: reads.position, ...(yield* everything(reads, refers.map(([, sha256]) => sha256 ?? ""))) }
  }
  return { ...restored, secrets: [...secrets], kept: yield* readSecrets(dir), store: found }
}, Effect.scoped)
