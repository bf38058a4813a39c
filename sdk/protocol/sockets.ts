/**
 * Sockets as transports: connecting and listening over sockets that look like Node's. The caller makes them
 * (`net.createConnection(path)`, `net.createServer()`), so that this module needs no Node.
 */
import { Effect, Schema, type Scope } from "effect"
import { fromStreams, type ReadableLike, type Transport, type WritableLike } from "./transport.ts"

/** The part of Node's `net.Socket` that is used. */
export interface SocketLike extends ReadableLike, WritableLike {
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown
  on(event: "end", listener: () => void): unknown
  on(event: "close", listener: () => void): unknown
  on(event: "error", listener: (error: Error) => void): unknown
  on(event: "connect", listener: () => void): unknown
}

/** The part of Node's `net.Server` that is used. */
export interface ServerLike {
  on(event: "listening", listener: () => void): unknown
  on(event: "connection", listener: (socket: SocketLike) => void): unknown
  on(event: "error", listener: (error: Error) => void): unknown
  listen(path: string): unknown
  close(): unknown
}

/** A socket could not be connected or listened on. */
export class SocketFailed extends Schema.TaggedError<SocketFailed>()("SocketFailed", {
  /** `ENOENT`, `ECONNREFUSED`, `EADDRINUSE`, ... or `UNKNOWN`. */
  errno: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "SOCKET_FAILED"
  override get message() {
    return `the socket failed (${this.errno}): ${this.reason}`
  }
}

const failed = (error: Error & { readonly code?: unknown }): SocketFailed =>
  new SocketFailed({ errno: typeof error.code === "string" ? error.code : "UNKNOWN", reason: error.message })

/** Awaits the connection of a socket that `open` begins to connect. The socket is destroyed with the Scope. */
export const connect = (open: () => SocketLike): Effect.Effect<Transport, SocketFailed, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(Effect.sync(open), (socket) => Effect.sync(() => socket.destroy())),
    (socket) =>
      Effect.callback((resume) => {
        socket.on("connect", () => resume(Effect.succeed(fromStreams(socket, socket))))
        socket.on("error", (error) => resume(Effect.fail(failed(error))))
      })
  )

/**
 * Listens on a Unix socket's path until the Scope closes. Each connection is handed to `accept`, at once and in order;
 * its transport must be opened (by making a peer of it) in that call or soon after. Closing stops accepting; the
 * connections live on until their peers end.
 */
export const listen = (
  server: ServerLike,
  path: string,
  accept: (transport: Transport) => void
): Effect.Effect<void, SocketFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<void, SocketFailed>((resume) => {
      server.on("listening", () => resume(Effect.void))
      server.on("error", (error) => resume(Effect.fail(failed(error))))
      server.on("connection", (socket) => accept(fromStreams(socket, socket)))
      server.listen(path)
    }),
    () => Effect.sync(() => server.close())
  )
