/**
 * Our own JSON-RPC 2.0 peer and the member protocol that is spoken over it; `PROTOCOL.md` tells a stranger the same in
 * words.
 */
export { BUFFER_LIMIT, ByteBudget, DEPTH_LIMIT, DOCUMENT_LIMIT } from "./budget.ts"
export {
  type Decoded,
  encodeError,
  encodeRequest,
  encodeResult,
  type ErrorObject,
  LineDecoder,
  type Message,
  parse,
  type RequestId
} from "./codec.ts"
export { DocumentTooLarge, ErrorCode, PeerClosed, type PeerEnd, ProtocolViolation, RpcError } from "./errors.ts"
export { HandshakeFailed, linkMember, type MemberLink, type MemberLinkOptions } from "./link.ts"
export { hostToMember, MEMBER_PROTOCOL, memberToHost, toOutcome, WireOutcome } from "./member.ts"
export { makePeer, type Peer, type PeerOptions } from "./peer.ts"
export { connect, listen, type ServerLike, SocketFailed, type SocketLike } from "./sockets.ts"
export {
  call,
  type CallMethod,
  type CallName,
  type Handlers,
  type MethodTable,
  NoParams,
  notification,
  type NotificationMethod,
  type NotificationName,
  type ParamsOf,
  type ResultOf
} from "./table.ts"
export { fromStreams, type ReadableLike, type Transport, type TransportEvents, type WritableLike } from "./transport.ts"
