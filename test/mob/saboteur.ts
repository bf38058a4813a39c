/** Crashes cells from outside: an actor system that can make the next turn of a named cell die. */
import { Effect, Layer } from "effect"
import { ActorSystem, type CellContext, type CellSpec } from "mobwright"
import { Journal, type MobId, type MobLog, StoreCorrupted } from "mobwright/sdk"

/** Names of cells (or their beginnings) whose next turn dies, one crash each. */
export class Saboteur {
  readonly crashes: Array<string> = []
  /** Names of aggregates (or their beginnings) that cannot be read. */
  readonly unreadable = new Set<string>()

  /** Wraps the actor system of the layer below. */
  readonly layer: Layer.Layer<ActorSystem, never, ActorSystem> = Layer.effect(
    ActorSystem,
    Effect.map(ActorSystem, (system) => ({
      ...system,
      spawn: <S, M, E, R>(spec: CellSpec<S, M, E, R>) => system.spawn(this.wrap(spec))
    }))
  )

  /** Wraps the journal of the layer below. */
  readonly journal: Layer.Layer<Journal, never, Journal> = Layer.effect(
    Journal,
    Effect.map(Journal, (journal) => ({
      ...journal,
      acquire: (mob: MobId) => Effect.map(journal.acquire(mob), (log) => this.log(log))
    }))
  )

  private log(log: MobLog): MobLog {
    return {
      ...log,
      load: (aggregate) =>
        [...this.unreadable].some((it) => aggregate.startsWith(it))
          ? Effect.fail(new StoreCorrupted({ where: aggregate, what: "it was sabotaged", remedy: "none" }))
          : log.load(aggregate)
    }
  }

  private dies(name: string): boolean {
    const at = this.crashes.findIndex((it) => name.startsWith(it))
    if (at >= 0) this.crashes.splice(at, 1)
    return at >= 0
  }

  private wrap<S, M, E, R>(spec: CellSpec<S, M, E, R>): CellSpec<S, M, E, R> {
    return {
      ...spec,
      init: (context) => spec.init(this.context(context)),
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
