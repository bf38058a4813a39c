/**
 * What a nact program dispatches to a cell whose behaviour is a nact function: a message that has a sender, and perhaps
 * a query that waits for its answer.
 */
import { dispatch, Nobody } from "nact"
import { Envelope } from "./envelope.ts"
import { ActorStopped } from "./errors.ts"
import type { NactRef } from "./nact-tree.ts"

/** The sender of what has none. */
const NOBODY: unknown = new Nobody()

const nactBehaviors = new WeakSet<object>()

/** Says that a behaviour asks for the sender of each message. */
export const markNact = <F extends object>(behavior: F): F => {
  nactBehaviors.add(behavior)
  return behavior
}

/** The behaviour asks for senders. */
export const takesSender = (behavior: object): boolean => nactBehaviors.has(behavior)

let opened = NOBODY

/** The sender of the message that the behaviour is called with. Only once, and first thing in the behaviour. */
export const takeSender = (): unknown => {
  const sender = opened
  opened = NOBODY
  return sender
}

/** A message with its sender. The behaviour is called right after it is opened, and takes the sender. */
export class Dispatched extends Envelope {
  private readonly message: unknown
  private readonly sender: unknown
  private readonly to: { readonly name: string; readonly path: string }

  constructor(message: unknown, sender: unknown, to: { readonly name: string; readonly path: string }) {
    super()
    this.message = message
    this.sender = sender
    this.to = to
  }

  open(): unknown {
    opened = this.sender
    return this.message
  }

  override lost(): unknown {
    const { name: actor, path } = this.to
    refuse(this.sender, () => new ActorStopped({ actor, path }))
    return this.message
  }
}

/** Nact's reference to whoever waits for the answer to a query. */
const isQuery = (sender: unknown): sender is NactRef<unknown> =>
  typeof sender === "object" && sender !== null && Reflect.get(sender, "type") === "temp"

/** A query will get no answer: it is rejected now, and not by its timeout. Other senders hear nothing. */
export const refuse = (sender: unknown, error: () => unknown): void => {
  if (!isQuery(sender)) return
  const refused = Promise.reject(error())
  // Nobody may wait any more.
  refused.catch(() => {})
  // nact resolves the query with what is dispatched to its reference, and so with the rejection.
  dispatch(sender, refused)
}
