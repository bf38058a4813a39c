/** Crashes cells from outside: an actor system that can make the next turn of a named cell die. */
import { Effect, Layer } from "effect"
import { ActorSystem, type CellContext, type CellSpec } from "mobwright"

/** Names of cells (or their beginnings) whose next turn dies, one crash each. */
export class Saboteur {
  readonly crashes: Array<string> = []
  /** Names of cells (or their beginnings) that die whenever they start. */
  readonly stillborn = new Set<string>()

  /** Wraps the actor system of the layer below. */
  readonly layer: Layer.Layer<ActorSystem, never, ActorSystem> = Layer.effect(
    ActorSystem,
    Effect.map(ActorSystem, (system) => ({
      ...system,
      spawn: <S, M, E, R>(spec: CellSpec<S, M, E, R>) => system.spawn(this.wrap(spec))
    }))
  )

  private dies(name: string): boolean {
    const at = this.crashes.findIndex((it) => name.startsWith(it))
    if (at >= 0) this.crashes.splice(at, 1)
    return at >= 0
  }

  private wrap<S, M, E, R>(spec: CellSpec<S, M, E, R>): CellSpec<S, M, E, R> {
    return {
      ...spec,
      init: (context) =>
        [...this.stillborn].some((it) => spec.name.startsWith(it))
          ? Effect.die(new Error(`${spec.name} was sabotaged at its start`))
          : spec.init(this.context(context)),
      behavior: (state, message, context) =>
        this.dies(spec.name)
          ? Effect.die(new Error(`${spec.name} was sabotaged`))
          : spec.behavior(state, message, this.context(context))
    }
  }

  private context<M>(context: CellContext<M>): CellContext<M> {
    return new Proxy(context, {
      get: (target, key) => {
        if (key === "spawn") return <S, N, E, R>(spec: CellSpec<S, N, E, R>) => target.spawn(this.wrap(spec))
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === "function" ? value.bind(target) : value
      }
    })
  }
}
