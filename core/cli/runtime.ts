/**
 * The runtime that `mob` runs: the whole of it over a data directory, with the first-party bridges. The one place where
 * the CLI puts layers together.
 */
import { Effect, Layer } from "effect"
import type { Plugin } from "../../sdk/plugin.ts"
import { Journal } from "../../sdk/store.ts"
import { ActorSystem } from "../actor/index.ts"
import { Mobs } from "../mob/index.ts"
import { runtime } from "../runtime.ts"
import type { OpenRuntime } from "./host.ts"

/** Plugins that need not be named. Data, by package name: the runtime has no private door to them. */
const defaultPlugins = ["mobwright/plugins/local", "mobwright/plugins/subprocess"]

/** The bridges of the default plugins. */
export const defaultBridges: Effect.Effect<Plugin["contributes"]["bridges"]> = Effect.map(
  Effect.promise(() => Promise.all(defaultPlugins.map((it) => import(it) as Promise<{ readonly default: Plugin }>))),
  (plugins) => plugins.flatMap(({ default: plugin }) => plugin.contributes.bridges)
)

/** Opens a data directory with everything that a mob needs. */
export const openRuntime: OpenRuntime = (dataDir, socket) =>
  Effect.gen(function*() {
    const bridges = yield* defaultBridges
    const context = yield* Layer.build(runtime({ dir: dataDir, socket, bridges }))
    return yield* Effect.gen(function*() {
      const { snapshotTree } = yield* ActorSystem
      return { mobs: yield* Mobs, tree: Effect.sync(snapshotTree), journal: yield* Journal }
    }).pipe(Effect.provideContext(context))
  })
