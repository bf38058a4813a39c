/**
 * What the journal costs, in sections: `append` against raw LevelDB, SQLite and a file; `open`, opening and full replay;
 * `prune`, and what those who write meanwhile feel of it; `copy`, backup, restore and verify.
 */
import { Effect } from "effect"
import { loadavg } from "node:os"
import { benchAppend } from "./journal/append.ts"
import { benchCopying } from "./journal/copying.ts"
import { benchOpening } from "./journal/opening.ts"
import { benchPruning } from "./journal/pruning.ts"
import { benchReplay } from "./journal/replay.ts"

const sections: Readonly<Record<string, Effect.Effect<void, unknown>>> = {
  append: benchAppend,
  open: Effect.andThen(benchOpening, benchReplay),
  prune: benchPruning,
  copy: benchCopying
}

/** Measures and prints all rows, or those of the section that the command line names. */
export const benchJournal = async (): Promise<void> => {
  const { 3: only } = process.argv
  const names = Object.keys(sections)
  if (only !== undefined && !names.includes(only)) {
    console.error(`there is no section ${only}; there are ${names.join(", ")}`)
    process.exitCode = 2
  }
  for (const [name, section] of Object.entries(sections)) {
    if (only !== undefined && only !== name) continue
    console.log(`journal ${name} (load ${loadavg().map((it) => it.toFixed(1)).join(", ")})`)
    await Effect.runPromise(section)
  }
}
