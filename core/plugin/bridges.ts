/**
 * The bridges a runtime knows, by the id that profiles use.
 */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import type { BindFailed, BindRequest, BridgeEvent, MemberBridge, MemberConnection } from "../../sdk/bridge.ts"
import type { Json } from "../../sdk/json.ts"

/** A bridge whose configuration type is closed over: it takes the profile's JSON and decodes it itself. */
export interface AnyBridge {
  readonly id: string
  readonly lifetime: MemberBridge["lifetime"]
  /** Says what is wrong with a configuration, or nothing. */
  readonly check: (config: Json) => Effect.Effect<string | undefined>
  /** As {@link MemberBridge.bind}; the configuration was checked before. */
  readonly bind: (
    request: BindRequest<Json>,
    emit: (event: BridgeEvent) => void
  ) => Effect.Effect<MemberConnection, BindFailed, Scope.Scope>
  readonly reap: MemberBridge["reap"]
}

const close = <Config>(bridge: MemberBridge<Config>): AnyBridge => {
  const decode = Schema.decodeUnknownEffect(bridge.config)
  return {
    id: bridge.id,
    lifetime: bridge.lifetime,
    check: (config) =>
      Effect.match(decode(config), { onFailure: (error) => error.message, onSuccess: () => undefined }),
    bind: (request, emit) =>
      Effect.flatMap(
        // The same JSON passed `check` when the mob was created or opened: a failure here is a defect of the bridge.
        Effect.orDie(decode(request.config)),
        (config) => bridge.bind({ ...request, config }, emit)
      ),
    reap: bridge.reap
  }
}

/** Two bridges claim one id. */
export class BridgeIdTaken extends Schema.TaggedError<BridgeIdTaken>()("BridgeIdTaken", {
  bridge: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "BRIDGE_ID_TAKEN"
  override get message() {
    return `two bridges claim the id "${this.bridge}"; give the runtime one of them`
  }
}

/** The bridges of a runtime. */
export class Bridges extends Context.Service<Bridges, {
  readonly get: (id: string) => AnyBridge | undefined
  /** Known ids, sorted. */
  readonly ids: ReadonlyArray<string>
}>()("mobwright/core/Bridges") {
  /** Offers exactly these bridges. Fails if two claim one id. */
  static readonly layer = <const Configs extends ReadonlyArray<unknown>>(
    bridges: { readonly [K in keyof Configs]: MemberBridge<Configs[K]> }
  ): Layer.Layer<Bridges, BridgeIdTaken> =>
    Layer.effect(
      Bridges,
      Effect.gen(function*() {
        const known = new Map<string, AnyBridge>()
        // Each element closes over its own Config; the tuple's element types are not expressible one by one here.
        for (const bridge of bridges as ReadonlyArray<MemberBridge<unknown>>) {
          if (known.has(bridge.id)) return yield* new BridgeIdTaken({ bridge: bridge.id })
          known.set(bridge.id, close(bridge))
        }
        return Bridges.of({ get: (id) => known.get(id), ids: [...known.keys()].sort() })
      })
    )
}
