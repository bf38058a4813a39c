/**
 * Two transports joined in memory, and what a test wants to see or hold back on the way.
 */
import type { Transport, TransportEvents } from "../../../sdk/protocol/index.ts"

/** One end, with a tap on what it writes and a valve. */
export interface End extends Transport {
  /** Everything written on this end so far, as text. */
  readonly written: () => string
  /** Bytes written on this end that the other has not been given. */
  readonly held: () => number
  /** Keeps what is written from now on, as a reader that does not read would. */
  readonly hold: () => void
  /** Lets it go again. */
  readonly release: () => void
}

const makeEnd = (
  other: () => TransportEvents | undefined
): { readonly end: End; readonly mine: () => TransportEvents | undefined } => {
  let events: TransportEvents | undefined
  let written = ""
  let holding = false
  let waiting: Array<{ readonly bytes: Uint8Array; readonly done: (failed: boolean) => void }> = []
  const decoder = new TextDecoder()
  const pass = (bytes: Uint8Array, done: (failed: boolean) => void) =>
    queueMicrotask(() => {
      other()?.bytes(bytes)
      done(false)
    })
  const end: End = {
    open: (listener) => {
      events = listener
    },
    write: (bytes, done) => {
      written += decoder.decode(bytes)
      if (holding) waiting.push({ bytes, done })
      else pass(bytes, done)
    },
    end: () => queueMicrotask(() => other()?.end(undefined)),
    destroy: () => {
      events = undefined
      queueMicrotask(() => other()?.end(undefined))
    },
    written: () => written,
    held: () => waiting.reduce((sum, { bytes }) => sum + bytes.length, 0),
    hold: () => {
      holding = true
    },
    release: () => {
      holding = false
      for (const { bytes, done } of waiting.splice(0)) pass(bytes, done)
    }
  }
  return { end, mine: () => events }
}

/** Two joined ends. */
export const pipe = (): readonly [End, End] => {
  const left = makeEnd(() => right.mine())
  const right = makeEnd(() => left.mine())
  return [left.end, right.end]
}

/** An end whose other side is the test itself: `send` gives the peer raw text. */
export const raw = (): {
  readonly transport: End
  readonly send: (text: string) => void
  readonly close: () => void
} => {
  const { end, mine } = makeEnd(() => undefined)
  const encoder = new TextEncoder()
  return {
    transport: end,
    send: (text) => mine()?.bytes(encoder.encode(text)),
    close: () => mine()?.end(undefined)
  }
}
