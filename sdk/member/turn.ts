/**
 * One turn as its behaviour sees it.
 */
import { Effect } from "effect"
import type { Turn } from "../behavior.ts"
import type { Delivery } from "../bridge.ts"
import type { Json } from "../json.ts"

/** @internal A turn under way. Its functions are made when they are first asked for: most turns never do. */
export class RunningTurn implements Turn {
  readonly #delivery: Delivery
  readonly #tell: (note: string) => void
  /** Why the turn was asked to stop; set, it stops at its next boundary. */
  stopReason: string | undefined = undefined

  constructor(delivery: Delivery, tell: (note: string) => void) {
    this.#delivery = delivery
    this.#tell = tell
  }

  get inputId() {
    return this.#delivery.input
  }

  get fence() {
    return this.#delivery.fence
  }

  get content() {
    return this.#delivery.content
  }

  get memos() {
    return this.#delivery.memos
  }

  get once(): Turn["once"] {
    return <A extends Json, E, R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      this.#boundary(() => {
        const memo = Object.hasOwn(this.memos, key) ? this.memos[key] : undefined
        // The memo is what this key's effect gave before; that it is the same type is the behaviour's own promise.
        return memo === undefined ? effect : Effect.succeed(memo as A)
      })
  }

  get progress(): Turn["progress"] {
    return (note) => this.#boundary(() => Effect.sync(() => this.#tell(note)))
  }

  #boundary<A, E, R>(next: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => this.stopReason !== undefined ? Effect.interrupt : next())
  }
}
