/**
 * The whole runtime as layers: run queue, actor system, journal, bridges, mobs.
 */
import { Effect, Layer } from "effect"
import type { MemberBridge } from "../sdk/index.ts"
import { ActorSystem, Dispatcher } from "./actor/index.ts"
import { JournalLevel, JournalTasks } from "./journal/index.ts"
import { mobsLayer } from "./mob/index.ts"
import { Bridges } from "./plugin/index.ts"

/** Lets the committer flush behind the run queue's slice, and `settle` wait for it. */
export const journalTasks: Layer.Layer<never, never, Dispatcher> = Layer.effect(
  JournalTasks,
  Effect.map(Dispatcher, ({ begin, later }) => ({ begin, later }))
)

/** Options of the runtime on disk. */
export interface RuntimeOptions<Configs extends ReadonlyArray<unknown>> {
  /** The data directory; made when it is not there, held by this process until the layer closes. */
  readonly dir: string
  /** Path of a control socket, told to others in `owner.json`. */
  readonly socket?: string
  readonly bridges: { readonly [K in keyof Configs]: MemberBridge<Configs[K]> }
}

/**
 * The runtime over a data directory: gives `Mobs`, and what is below it. When the layer closes, mobs are closed: runs
 * are suspended as they are, members get their stop ladder, and the next open continues.
 */
export const runtime = <const Configs extends ReadonlyArray<unknown>>(
  { bridges, ...where }: RuntimeOptions<Configs>
) =>
  mobsLayer.pipe(
    Layer.provideMerge(Layer.mergeAll(
      ActorSystem.layer,
      JournalLevel.layer(where).pipe(Layer.provide(journalTasks)),
      Bridges.layer<Configs>(bridges)
    )),
    Layer.provideMerge(Dispatcher.layer)
  )
