/**
 * The inbox machine: work submitted to one member, owned across its generations. Pure.
 */
export { decodeInbox, encodeInbox } from "./codec.ts"
export {
  decideInbox,
  type InboxCommand,
  type InboxDecision,
  type InboxReply,
  nextDeadline,
  workOutcome
} from "./decide.ts"
export { evolveInbox, projectInbox } from "./evolve.ts"
export { decodeInboxFact, type InboxFact } from "./facts.ts"
export { inboxInitial, type InboxState, type WorkItem } from "./state.ts"
