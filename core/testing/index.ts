/**
 * The kit for tests of actors. `TestSystem` is an actor system in virtual time, under a seeded run queue or production's;
 * `settle` and `advance` let it work and let time pass; a probe says what was told, a recording what happened to cells;
 * `underSeeds` runs a test under many interleavings.
 *
 * It needs no test runner: what it expects and does not find is a typed failure of the effect.
 */
export { ExpectationFailed } from "./expectation.ts"
export { type SeededServices, SeedFailed, underSeeds } from "./interleavings.ts"
export { makeProbe, type Probe } from "./probe.ts"
export { type EventFields, type EventOf, type Recording, recordTap } from "./recording.ts"
export { advance, settle } from "./settle.ts"
export { TestSystem } from "./test-system.ts"
export { VirtualTime, type VirtualTimeShape } from "./virtual-time.ts"
