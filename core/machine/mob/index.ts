/**
 * The mob machine: phase, roster, fences, restarts, admission of runs, the sagas of retire and ending. Pure.
 */
export { decodeMob, encodeMob } from "./codec.ts"
export type { EndedRun, MemberSpec, MobCommand, MobReply, RunStatus } from "./commands.ts"
export { decideMob, type MobDecision } from "./decide.ts"
export { evolveMob } from "./evolve.ts"
export { decodeMobFact, type MobFact } from "./facts.ts"
export { projectMob } from "./project.ts"
export { activeRuns, nextRestart, rosterView, runWithKey } from "./roster.ts"
export type { ActiveRun, Cause, MemberState, MobState, Phase } from "./state.ts"
