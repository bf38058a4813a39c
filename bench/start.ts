/**
 * What a start costs before anything runs: opening the store.
 */
import { Effect } from "effect"
import { benchOpening } from "./journal/opening.ts"

/** Measures and prints. */
export const benchStart = (): Promise<void> => Effect.runPromise(benchOpening)
