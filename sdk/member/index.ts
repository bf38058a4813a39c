/**
 * What members are made of: behaviours, the runtime that queues and deduplicates their inputs, and serving them over
 * the member protocol.
 */
export { Behavior, type BehaviorOptions, type Turn } from "../behavior.ts"
export { MemberRuntime, type TurnEvent } from "./runtime.ts"
export { serveMember } from "./serve.ts"
