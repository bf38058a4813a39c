/**
 * The published contracts: what an author of members, bridges and stores imports, and nothing else of ours.
 */
export { Behavior, type BehaviorOptions, type Turn } from "./behavior.ts"
export {
  BindFailed,
  type BindRequest,
  type BridgeEvent,
  type BridgeExit,
  type Delivery,
  DeliveryRefused,
  type Known,
  type MemberBridge,
  type MemberConnection,
  OutcomeKeeping,
  ProcessRecord,
  ReapFailed
} from "./bridge.ts"
export { Content, ContentBlock, mapText, OtherBlock, TextBlock, textOf } from "./content.ts"
export * from "./definition/index.ts"
export {
  type Cursor,
  type Fence,
  FlowId,
  type Generation,
  Identity,
  InputId,
  type Millis,
  MobId,
  RunId
} from "./ids.ts"
export { canonical, Json, type JsonObject } from "./json.ts"
export { Canceled, Completed, Failed, Outcome } from "./outcome.ts"
export * from "./plugin.ts"
export * from "./protocol/index.ts"
export {
  type BlobRef,
  type Committed,
  type Entry,
  type HeadOnly,
  HistoryPruned,
  Journal,
  type Keep,
  type Loaded,
  type MobLog,
  type MobReads,
  OwnerFenced,
  type Pruned,
  RevisionConflict,
  SchemaUnsupported,
  StoreClosed,
  StoreCorrupted,
  type StoredEvent,
  type StoreError,
  StoreFull,
  type StoreListener,
  StoreLocked,
  type StoreShape,
  type StoreSupports,
  StoreUnavailable,
  StoreWriteFailed,
  type Submission
} from "./store.ts"
