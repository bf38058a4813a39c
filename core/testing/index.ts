/**
 * For tests of actors: virtual time under a seed, `settle` and `advance`, probe cells.
 */
export { makeProbe, type Probe } from "./probe.ts"
export { advance, settle } from "./settle.ts"
export { TestSystem } from "./test-system.ts"
export { VirtualTime, type VirtualTimeShape } from "./virtual-time.ts"
