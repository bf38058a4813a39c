/**
 * Where a peer's bytes come from and go to, as plain callbacks, and adapters for streams that look like Node's: a
 * child's stdio, this process' own, a Unix or TCP socket. Nothing here imports Node: whoever has a stream hands it in.
 */

/** What a transport tells its peer. */
export interface TransportEvents {
  readonly bytes: (chunk: Uint8Array) => void
  /** No more bytes will come. `cause` says why, if it was not a plain end. Called at most once. */
  readonly end: (cause: string | undefined) => void
}

/** A two-way stream of bytes. A peer owns its transport and is the only one to call it. */
export interface Transport {
  /** Begins to deliver events. Called once, first. */
  readonly open: (events: TransportEvents) => void
  /** Writes, in the order of the calls; `done` is called when the bytes are out of this process. */
  readonly write: (bytes: Uint8Array, done: (failed: boolean) => void) => void
  /** No more will be written; reading goes on. */
  readonly end: () => void
  /** Lets go of everything at once. */
  readonly destroy: () => void
}

/** The part of Node's `Readable` that is used. */
export interface ReadableLike {
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown
  on(event: "end", listener: () => void): unknown
  on(event: "close", listener: () => void): unknown
  on(event: "error", listener: (error: Error) => void): unknown
  destroy(): unknown
}

/** The part of Node's `Writable` that is used. */
export interface WritableLike {
  on(event: "error", listener: (error: Error) => void): unknown
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown
  end(): unknown
  destroy(): unknown
}

/**
 * A transport over a pair of streams, such as a child's stdout and stdin, or over a socket given twice. Errors of the
 * streams are taken from this moment on, so that none is thrown before the transport is opened.
 */
export const fromStreams = (input: ReadableLike, output: WritableLike): Transport => {
  let events: TransportEvents | undefined
  let over: { readonly cause: string | undefined } | undefined
  const end = (cause: string | undefined) => {
    if (over !== undefined) return
    over = { cause }
    events?.end(cause)
  }
  input.on("error", (error) => end(error.message))
  input.on("end", () => end(undefined))
  input.on("close", () => end(undefined))
  // A failed write is told by its own callback.
  output.on("error", () => {})
  return {
    open: (listener) => {
      events = listener
      if (over !== undefined) return listener.end(over.cause)
      input.on("data", (chunk) => listener.bytes(chunk))
    },
    write: (bytes, done) => {
      output.write(bytes, (error) => done(error !== undefined && error !== null))
    },
    end: () => {
      output.end()
    },
    destroy: () => {
      input.destroy()
      output.destroy()
    }
  }
}
