/** Members as cells: door, inbox, incarnations. */
export {
  type Accepted,
  inboxAggregateOf,
  memberCell,
  type MemberFailed,
  type MemberMessage,
  type MemberSurroundings
} from "./cell.ts"
export { jsonFault } from "./sound.ts"
