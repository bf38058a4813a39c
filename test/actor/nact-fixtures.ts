/**
 * What tests of nact's functions share: cells made of them, queries, and promises that a test resolves.
 */
import { Cause, Effect, Exit } from "effect"
import { dispatch, query } from "nact"
import {
  type ActorRef,
  Behavior,
  type CellSpec,
  type NactFunction,
  type NactRef,
  nactRef,
  type Reply
} from "../../core/actor/index.ts"
import { settle } from "../../core/testing/index.ts"

/** A cell of a nact function. */
export const ported = <S, M>(
  name: string,
  initial: S,
  fn: NactFunction<S, M>,
  options: Partial<CellSpec<S, M, never, never>> = {}
): CellSpec<S, M, never, never> => ({
  name,
  init: () => Effect.succeed(initial),
  behavior: Behavior.fromNact(fn),
  ...options
})

/** nact's `dispatch` with its third argument, which its types leave out. */
export const dispatchFrom = dispatch as <M>(to: NactRef<M>, message: M, sender: unknown) => void

/** nact's `query`; its time limit is never reached. */
export const queryOf = <M, A>(
  to: ActorRef<M>,
  message: (from: NactRef<A>) => M
): Effect.Effect<Exit.Exit<A, unknown>> =>
  Effect.exit(
    Effect.tryPromise({
      // nact infers the answer from the type of the reference, and that is ours.
      try: () => query(nactRef(to), message, 5_000) as Promise<A>,
      catch: (error) => error
    })
  )

/** The tag of what an exit failed with, if it has one. */
export const tagOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Reflect.get(Object(Cause.squash(exit.cause)), "_tag") : undefined

/** What nact hands over arrives a round later than what a cell does. */
export const settleNact = Effect.andThen(settle, settle)

export type Order =
  | { readonly type: "add"; readonly by: number }
  | { readonly type: "get"; readonly reply: Reply<number> }
  | { readonly type: "fail"; readonly reply?: Reply<number> }

export const add = (by: number): Order => ({ type: "add", by })
export const get = (reply: Reply<number>): Order => ({ type: "get", reply })
export const fail = (reply: Reply<number>): Order => ({ type: "fail", reply })

/** A counter as a nact program has it. */
export const count = (sum: number, order: Order): number => {
  switch (order.type) {
    case "add":
      return sum + order.by
    case "get":
      order.reply.done(Exit.succeed(sum))
      return sum
    case "fail":
      throw new Error("boom")
  }
}

/** Promises that a test settles, by name. */
export const makeGates = () => {
  const gates = new Map<string, PromiseWithResolvers<void>>()
  const gate = (name: string) => {
    const found = gates.get(name) ?? Promise.withResolvers<void>()
    gates.set(name, found)
    return found
  }
  return {
    pass: (name: string) => gate(name).promise,
    open: (name: string) => Effect.andThen(Effect.sync(() => gate(name).resolve()), settle),
    fail: (name: string, error: unknown) => Effect.andThen(Effect.sync(() => gate(name).reject(error)), settle)
  }
}

/** Appends each message to its state behind the gate of that name; writes when it begins and when it ends. */
export const gated = (log: Array<string>, pass: (name: string) => Promise<void>) =>
async (
  state: string,
  name: string
): Promise<string> => {
  log.push(`begin ${name}`)
  await pass(name)
  log.push(`end ${name}`)
  return state + name
}
