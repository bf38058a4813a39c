/**
 * The run machine: the pure kernel of flows. A run is one aggregate; `decideRun` turns a command into facts and
 * messages, `evolveRun` folds facts into state, `projectRun` gives the public events of a fact. No clock, no IO:
 * times and rosters come in with the context, randomness is not needed.
 */
export { decodeRun, encodeRun } from "./codec.ts"
export { decideRun, type RunCommand } from "./decide.ts"
export { RunUnreadable } from "./errors.ts"
export { evolveRun } from "./evolve.ts"
export { decodeRunFact, type RunFact } from "./fact.ts"
export { endOfHead, pinOfFact, pinOfHead, type RunPin } from "./pin.ts"
export { compileFlow, type FlowPlan, type ValidateSchema } from "./plan.ts"
export { projectRun } from "./project.ts"
export { type RunRecord, runRecord, type StepRecord } from "./record.ts"
export { isTerminal, type RunState } from "./state.ts"
export { type RunContext } from "./turn.ts"
export { nextDeadline, type Unfinished, unfinished } from "./view.ts"
