/**
 * The memory layer of the store contract.
 */
import { Effect, Layer } from "effect"
import { Journal } from "../../sdk/store.ts"
import { openCopied } from "./copy/open-copied.ts"
import { memoryMedium } from "./memory.ts"
import { JournalTasks } from "./seams.ts"

/**
 * A store that lives as long as its Scope, for tests: the same guards, heads, events, reopening as on disk. Each layer
 * built is a store of its own. Commits end in a later task of the journal's task port.
 */
export const JournalMemory = {
  layer: Layer.effect(Journal, Effect.flatMap(JournalTasks, (tasks) => Effect.orDie(openCopied(memoryMedium(tasks)))))
}
