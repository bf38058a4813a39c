/**
 * nact's actor functions as behaviours of cells: a program that was written for nact, under our mailboxes and our
 * supervision.
 */
import { Cause, Effect, Exit, type LogLevel } from "effect"
import type { ActorContext, ActorPath, Logger } from "nact"
import { Cell, cellOf } from "./cell.ts"
import { markNact, refuse, takeSender } from "./dispatched.ts"
import { NOTHING } from "./envelope.ts"
import { ActorCrashed } from "./errors.ts"
import { Incarnation } from "./incarnation.ts"
import { nactPathOf, type NactRef, parentOf } from "./nact-tree.ts"
import type { CellContext } from "./types.ts"

/**
 * What a nact function gets beside its message; it is its `this`, too. `name` is the name in the cell's spec; references
 * and `path` have nact's, which are ordinals.
 *
 * `children` are the cells below, by the names in their specs, and the actors that nact's `spawn` has hung below
 * `self`, by theirs. Both end with the incarnation. `log` writes to Effect's logger.
 */
export interface NactContext<M> extends ActorContext<M, NactRef<unknown>> {
  /** Who dispatched the message, or waits for the answer of a `query`; nact's `Nobody` if it did not come from nact. */
  readonly sender: NactRef<unknown>
}

/** An actor function of nact: the next state, or a promise of it. */
export type NactFunction<S, M> = (
  this: NactContext<M>,
  state: S,
  message: M,
  context: NactContext<M>
) => S | PromiseLike<S>

/**
 * Lets an actor function of nact be the behaviour of a cell. Its result is the next state; a promise of it holds up the
 * mailbox. What it throws, or rejects with, crashes the cell; then nact's `query` rejects with `ActorCrashed`.
 *
 * A promise cannot be interrupted. Whatever ends the incarnation waits for it within the cell's `shutdown`; beyond that
 * the next incarnation may start beside it, unless `shutdown` is `infinity`. nact's `stop(self)` stops the cell for good.
 *
 * Give it to `behavior` as it is: what wraps it does not hear of senders.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Behavior } from "mobwright"
 *
 * const counter = {
 *   name: "counter",
 *   init: () => Effect.succeed(0),
 *   behavior: Behavior.fromNact((count: number, by: number) => count + by)
 * }
 * ```
 */
const fromNact = <S, M>(
  fn: NactFunction<S, M>
): (state: S, message: M, context: CellContext<M>) => Effect.Effect<S> =>
  markNact((state: S, message: M, context: CellContext<M>): Effect.Effect<S> => {
    const sender = takeSender()
    const call = () => run(fn, state, message, context, sender)
    // What the function does may end its own cell, and so interrupt the fiber that it runs in.
    return insideFiber(context) ? Effect.uninterruptible(Effect.suspend(call)) : call()
  })

/**
 * The same for a function without state, which nact starts by `spawnStateless`. One at a time, as nact does; but what it
 * throws is not swallowed.
 */
const fromNactStateless = <M>(
  fn: (this: NactContext<M>, message: M, context: NactContext<M>) => void | PromiseLike<void>
): (state: void, message: M, context: CellContext<M>) => Effect.Effect<void> =>
  fromNact<void, M>(function(_, message) {
    return fn.call(this, message, this)
  })

/** Behaviours of cells that are made of what others wrote. */
export const Behavior = { fromNact, fromNactStateless }

const isPromise = <S>(next: S | PromiseLike<S>): next is PromiseLike<S> =>
  typeof next === "object" && next !== null && typeof Reflect.get(next, "then") === "function"

/** Calls it, and waits for its promise. To be run to its end: an end that comes meanwhile takes nothing back. */
const run = <S, M>(
  fn: NactFunction<S, M>,
  state: S,
  message: M,
  context: CellContext<M>,
  sender: unknown
): Effect.Effect<S> => {
  const cell = cellOf(context.self)
  const given = new MessageContext<M>(cell, context, sender)
  let next: S | PromiseLike<S>
  try {
    next = fn.call(given, state, message, given)
  } catch (error) {
    return crashed(cell, sender, error)
  }
  if (!isPromise(next)) return handled(cell, context, next)
  // Seen at once: what rejects later than anybody waits would end the process.
  const exit = Promise.resolve(next).then(
    (it) => handled(cell, context, it),
    (error: unknown) => crashed(cell, sender, error)
  )
  return Effect.uninterruptible(Effect.callback<S>((resume) => void exit.then(resume)))
}

const crashed = (cell: Cell, sender: unknown, error: unknown): Exit.Exit<never> => {
  const cause = Cause.die(error)
  refuse(sender, () => new ActorCrashed({ actor: cell.name, path: cell.path, cause }))
  return Exit.failCause(cause)
}

const handled = <S, M>(cell: Cell, context: CellContext<M>, next: S): Exit.Exit<S> => {
  // The function has stopped its own actor: it gets no more messages. The cell hears of it from nact, in the next round.
  if (!cell.shared.tree.has(cell.nact)) context.suspend()
  if (context instanceof Incarnation) {
    // Its turn may have been interrupted meanwhile; the message is handled all the same.
    context.state = next
    context.message = NOTHING
  }
  return Exit.succeed(next)
}

const insideFiber = <M>(context: CellContext<M>): boolean =>
  context instanceof Incarnation && context.fiber !== undefined

/** One for each message, as it has the sender. */
class MessageContext<M> implements NactContext<M> {
  readonly parent: NactRef<unknown>
  readonly path: ActorPath
  readonly self: NactRef<M>
  readonly name: string
  readonly sender: NactRef<unknown>
  readonly #cell: Cell
  readonly #context: CellContext<M>
  #children: Map<string, NactRef<unknown>> | undefined = undefined

  constructor(cell: Cell, context: CellContext<M>, sender: unknown) {
    const { name, nact } = cell
    this.parent = parentOf(nact)
    this.path = nactPathOf(nact)
    this.self = nact
    this.name = name
    this.sender = sender as NactRef<unknown> // nact leaves it to the dispatcher what that is
    this.#cell = cell
    this.#context = context
  }

  /** Made when it is asked for: nact's copy for every message is what makes its large families slow. */
  get children(): Map<string, NactRef<unknown>> {
    return this.#children ??= childrenOf(this.#cell)
  }

  get log(): Logger {
    return logOf(this.#cell, this.#context)
  }
}

const childrenOf = (cell: Cell): Map<string, NactRef<unknown>> => {
  const children = new Map<string, NactRef<unknown>>()
  for (const child of cell.below()) if (child instanceof Cell) children.set(child.name, child.nact)
  for (const [name, guest] of cell.shared.tree.guests(cell.nact)) children.set(name, guest)
  return children
}

const logOf = <M>({ name: actor, path }: Cell, context: CellContext<M>): Logger => {
  const at = (level: LogLevel.Severity) => (...message: ReadonlyArray<unknown>) =>
    context.fork(Effect.annotateLogs(Effect.logWithLevel(level)(...message), { actor, path }))
  return {
    trace: at("Trace"),
    debug: at("Debug"),
    info: at("Info"),
    warn: at("Warn"),
    error: at("Error"),
    critical: at("Fatal"),
    event: at("Info"),
    metric: at("Info"),
    exception: at("Error")
  }
}
