/**
 * The `local` bridge: members that are behaviours in this process.
 *
 * A connection is a {@link MemberRuntime}: outcomes are kept in memory, so for as long as the connection lives. It has
 * no process and never exits by itself; closing its Scope interrupts the turn that runs and awaits its finalizers.
 */
import { Clock, Context, Effect, Schema, Scope } from "effect"
import type { Behavior } from "../../sdk/behavior.ts"
import {
  BindFailed,
  type Delivery,
  type MemberBridge,
  type MemberConnection,
  type OutcomeKeeping
} from "../../sdk/bridge.ts"
import type { InputId } from "../../sdk/ids.ts"
import { MemberRuntime } from "../../sdk/member/index.ts"
import { behaviorFinder } from "./behaviors.ts"

/** The rest of a profile's `bridge` table. */
export const LocalConfig = Schema.Struct({
  /** A registered name, or the path of a module relative to the definition. */
  behavior: Schema.String
})
export type LocalConfig = typeof LocalConfig.Type

/** What a local bridge is made with. */
export interface LocalBridgeOptions<R> {
  /** Behaviours by the name that profiles use. */
  readonly behaviors?: { readonly [name: string]: Behavior<R> }
}

/** As {@link LocalBridgeOptions}, with the services that the behaviours need. */
export interface LocalBridgeServices<R> extends LocalBridgeOptions<R> {
  /** Given to every behaviour, those loaded from files included. */
  readonly services: Context.Context<R>
}

/** A connection; its methods stand on the prototype, for there may be a hundred thousand of them. */
class LocalConnection implements MemberConnection {
  readonly #runtime: MemberRuntime

  constructor(runtime: MemberRuntime) {
    this.#runtime = runtime
  }

  get outcomes(): OutcomeKeeping {
    return "memory"
  }

  get process() {
    return undefined
  }

  get observed() {
    return nothingObserved
  }

  get retire() {
    return Effect.void
  }

  deliver(delivery: Delivery) {
    return Effect.sync(() => this.#runtime.deliver(delivery))
  }

  settled(input: InputId) {
    return Effect.sync(() => this.#runtime.settled(input))
  }

  interrupt(input: InputId) {
    return Effect.sync(() => this.#runtime.interrupt(input))
  }

  cancel(input: InputId) {
    return Effect.sync(() => this.#runtime.cancel(input))
  }
}

const nothingObserved: MemberConnection["observed"] = []

/**
 * The services of a binding as behaviours get them: what the caller provides (its Clock, for one) and what the bridge
 * was made with, without the binding's Scope. Members bound under one Clock share one Context.
 */
const sharedServices = (provided: Context.Context<never>): Effect.Effect<Context.Context<never>> => {
  let last: { readonly clock: Clock.Clock; readonly services: Context.Context<never> } | undefined
  return Effect.contextWith((ambient: Context.Context<never>) => {
    const clock = Context.get(ambient, Clock.Clock)
    if (last?.clock !== clock) {
      last = { clock, services: Context.merge(Context.omit(Scope.Scope)(ambient), provided) }
    }
    return Effect.succeed(last.services)
  })
}

/**
 * Makes a local bridge. A behaviour that is not registered and is no file fails the binding with `behavior_missing`,
 * a module without a behaviour with `behavior_invalid`.
 */
export function localBridge(options?: LocalBridgeOptions<never>): MemberBridge<LocalConfig>
export function localBridge<R>(options: LocalBridgeServices<R>): MemberBridge<LocalConfig>
export function localBridge<R>(
  options: LocalBridgeOptions<R> & Partial<LocalBridgeServices<R>> = {}
): MemberBridge<LocalConfig> {
  const find = behaviorFinder(options.behaviors ?? {})
  const services = sharedServices(options.services ?? Context.empty())
  return {
    id: "local",
    config: LocalConfig,
    lifetime: "host",
    bind: (request, emit) =>
      Effect.gen(function*() {
        const { base, config, identity } = request
        const behavior = yield* Effect.mapError(
          find(config.behavior, base),
          (cause) => new BindFailed({ identity, ...cause, log: [] })
        )
        const runtime = new MemberRuntime(behavior, yield* services, emit)
        yield* Effect.addFinalizer(() => runtime.close)
        return new LocalConnection(runtime)
      })
  }
}
