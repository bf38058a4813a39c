/**
 * One at a time, over processes. Whoever wants in puts a claim beside the path, and goes in if there is no other; else it
 * takes its claim back and tries again. Of two that try at once at most one goes in, as each looks after it has put its
 * claim. Claims have names of their own and never come back, so one whose process is dead is simply removed.
 */
import { Effect, Random } from "effect"
import * as fs from "node:fs"
import { ownedName, sweepOwned } from "./owned.ts"

/** Milliseconds to try for. */
const patience = 5000
/** Between two tries: at least, and at most. Of chance, so that two do not meet again and again. */
const wait = [5, 30] as const

/** Runs `use` while nobody else does so for this path; `busy` if others do all the time. `failed` says what files do. */
export const exclusive = <A, E, B, F>(
  path: string,
  use: Effect.Effect<A, E>,
  on: { readonly busy: () => B; readonly failed: (error: unknown) => F }
): Effect.Effect<A, E | B | F> =>
  Effect.gen(function*() {
    for (let waited = 0;;) {
      const entered = yield* Effect.acquireUseRelease(
        Effect.try({ try: () => claim(path), catch: on.failed }),
        (mine) => mine === undefined ? Effect.undefined : Effect.map(use, (value) => ({ value })),
        (mine) => Effect.sync(() => mine === undefined || fs.rmSync(mine, { force: true }))
      )
      if (entered !== undefined) return entered.value
      if (waited >= patience) return yield* Effect.fail(on.busy())
      const pause = yield* Random.nextBetween(...wait)
      waited += pause
      yield* Effect.sleep(pause)
    }
  })

/** The file of our claim; undefined if others have one. */
const claim = (path: string): string | undefined => {
  const mine = ownedName(path, "lock")
  fs.writeFileSync(mine, "", { flag: "wx", mode: 0o600 })
  try {
    if (sweepOwned(path, "lock").length === 1) return mine
  } catch (error) {
    fs.rmSync(mine, { force: true })
    throw error
  }
  fs.rmSync(mine, { force: true })
  return undefined
}
