/**
 * What is in a mailbox beside messages: something that is a message only when it is taken out, and may be nothing by
 * then. A cell counts those that wait in its mailbox, so that a cell without any pays one comparison.
 */

/** It was cancelled meanwhile. */
export const NOTHING: unique symbol = Symbol("nothing")

/** A message to be. */
export abstract class Envelope {
  /** Called once, when its turn has come. Must not throw. */
  abstract open(): unknown

  /** What a dead letter has of it, when nobody will open it; NOTHING if nobody misses it. */
  lost(): unknown {
    return NOTHING
  }
}
