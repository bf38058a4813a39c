/** Mobs: making, opening, commanding them. */
export * from "./errors.ts"
export { layer as mobsLayer } from "./service.ts"
export { readPinned, readRunPin, storedMob, storedRun, storedRuns } from "./stored.ts"
export {
  type CommandError,
  type MemberView,
  type MobHandle,
  type MobPhase,
  Mobs,
  type MobsShape,
  type MobStatus,
  type RunRecord,
  type RunStarted,
  type StepRecord,
  type WorkAccepted
} from "./types.ts"
export { memberViews, mobStatus } from "./views.ts"
