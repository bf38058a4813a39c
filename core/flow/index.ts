/** Runs as cells, and what surrounds the run machine. */
export { type CommandLost, runAggregateOf, runCell, type RunMessage, type RunSurroundings } from "./cell.ts"
export { DEFAULT_ORPHANS, OrphanSlots } from "./orphans.ts"
export { validateSchema } from "./schema.ts"
