/**
 * What backup, restore and verify of a store of 200,000 entries of 256 B take. Once each: they are long, and nothing is
 * promised of them.
 */
import { Effect } from "effect"
import { statSync } from "node:fs"
import { join } from "node:path"
import { backup, restore, verify } from "../../core/journal/copy/index.ts"
import { MobId } from "../../sdk/ids.ts"
import { Journal } from "../../sdk/store.ts"
import { folder } from "../disk.ts"
import { report } from "../measure.ts"
import { append, fill } from "./filling.ts"
import { payloadsOf } from "./workload.ts"

const ENTRIES = 200_000
const BLOCK = 64

const write = Effect.gen(function*() {
  const next = payloadsOf(256)
  const log = yield* (yield* Journal).acquire(MobId.make("bench"))
  for (let revision = 1; revision <= ENTRIES; revision += BLOCK) {
    yield* append(
      log,
      Array.from({ length: BLOCK }, (_, index) => ({
        aggregate: "mob",
        revision: revision + index,
        at: revision,
        facts: [next().fact],
        events: [],
        snapshot: () => ({ revision }),
        terminal: false
      }))
    )
  }
})

/** Measures and prints. */
export const benchCopying: Effect.Effect<void, unknown> = Effect.scoped(Effect.gen(function*() {
  const dir = yield* folder
  const store = join(dir, "store")
  const file = join(dir, "backup")
  yield* fill(store, write)
  const measured = Effect.fnUntraced(function*(name: string, task: Effect.Effect<unknown, unknown>) {
    const begin = performance.now()
    yield* task
    const seconds = (performance.now() - begin) / 1_000
    const { size } = statSync(file)
    report(
      `${name} of ${ENTRIES.toLocaleString("en")} entries`,
      `${seconds.toFixed(2)} s, ${(size / seconds / 1e6).toFixed(0)} MB of the backup's text a second`
    )
  })
  yield* measured("backup", backup(store, file))
  yield* measured("restore", restore(file, join(dir, "restored")))
  yield* measured(
    "verify",
    Effect.tap(
      verify(store),
      ({ findings }) =>
        findings.length === 0 ? Effect.void : Effect.die(new Error(`verify found ${JSON.stringify(findings)}`))
    )
  )
}))
