/**
 * What can go wrong between two peers, and the codes of error answers.
 */
import { Schema } from "effect"

/** Codes of error answers: those of JSON-RPC 2.0, and ours from the range it leaves to servers. */
export const ErrorCode = {
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** The request was understood and is refused for good. */
  refused: -32000,
  /** The name is reserved and this peer has not been given the right to use it. */
  notGranted: -32001
} as const

/** The other side answered a call with an error; a handler fails with it to answer so. */
export class RpcError extends Schema.TaggedError<RpcError>()("RpcError", {
  method: Schema.String,
  /** Number in the answer; see {@link ErrorCode}. */
  rpc_code: Schema.Int,
  reason: Schema.String,
  /** What the answer says beyond that, if anything; any JSON. */
  data: Schema.optionalKey(Schema.Json)
}) {
  /** Stable code of this error. */
  readonly code = "RPC_ERROR"
  override get message() {
    return `the call ${this.method} was answered with error ${this.rpc_code}: ${this.reason}`
  }
}

/** The connection ended before the call was answered, or had ended before it was made. */
export class PeerClosed extends Schema.TaggedError<PeerClosed>()("PeerClosed", {
  /** Why it ended. */
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "PEER_CLOSED"
  override get message() {
    return `the connection is closed: ${this.reason}`
  }
}

/** What was to be sent is longer than a document may be. Nothing was sent and the connection lives. */
export class DocumentTooLarge extends Schema.TaggedError<DocumentTooLarge>()("DocumentTooLarge", {
  method: Schema.String,
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  /** Stable code of this error. */
  readonly code = "DOCUMENT_TOO_LARGE"
  override get message() {
    return `${this.method} would be a document of ${this.bytes} bytes, more than the ${this.limit} that one may have; `
      + "pass a reference (a path, a key) instead of the value"
  }
}

/** The other side broke the protocol. Its connection is closed; nobody else is touched. */
export class ProtocolViolation extends Schema.TaggedError<ProtocolViolation>()("ProtocolViolation", {
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "PROTOCOL_VIOLATION"
  override get message() {
    return `the other side broke the protocol: ${this.reason}`
  }
}

/** Why a connection is over. */
export type PeerEnd =
  /** This side closed it. */
  | { readonly reason: "closed" }
  /** The other side closed it, or the transport failed; `cause` says how, if it is known. */
  | { readonly reason: "ended"; readonly cause: string | undefined }
  | { readonly reason: "violation"; readonly violation: ProtocolViolation }
