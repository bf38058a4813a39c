/**
 * The actor system: the root of the tree, what it looks like now, and its dead letters.
 */
import { type Cause, Clock, Context, Effect, Layer, Random } from "effect"
import { spawnCell } from "./cell.ts"
import { DeadLetterOffice, type DeadLetters } from "./dead-letters.ts"
import { Deadlines } from "./deadlines.ts"
import { Dispatcher } from "./dispatcher.ts"
import type { SpawnFailed } from "./errors.ts"
import { NactTree } from "./nact-tree.ts"
import type { Shared } from "./parts.ts"
import { DEFAULT_SUPERVISION } from "./supervision.ts"
import { Supervisor } from "./supervisor.ts"
import { type Tap, TapOffice } from "./tap.ts"
import { snapshot } from "./tree.ts"
import type { ActorRef, CellSpec, TreeNode } from "./types.ts"

/** A tree under the root that could not be kept up, and was stopped. */
export interface FailedTree {
  /** Name of its root cell. */
  readonly name: string
  readonly path: string
  /** What its root cell crashed with last. */
  readonly cause: Cause.Cause<unknown>
}

/** One tree of cells. */
export interface ActorSystemShape {
  /**
   * Starts a cell at the root, in the calling fiber, with its services. The root's supervision is one_for_one with 3
   * restarts in 5,000 ms, counted for each root cell by itself; beyond that the cell and all below it are stopped, and
   * `failed` has the cause.
   */
  readonly spawn: <S, M, E, R>(spec: CellSpec<S, M, E, R>) => Effect.Effect<ActorRef<M>, SpawnFailed, R>
  /** The whole tree as plain data, as it is now; its root is the system itself. */
  readonly snapshotTree: () => TreeNode
  /** What happens to cells, as it happens. */
  readonly tap: Tap
  /** Messages that reached nobody. */
  readonly deadLetters: DeadLetters
  /** Trees that were stopped because they crashed too often, oldest first. */
  readonly failed: Effect.Effect<ReadonlyArray<FailedTree>>
}

/**
 * Makes cells. When its layer's Scope closes, all cells are stopped in reverse order of their start, each awaited within
 * its deadline.
 */
export class ActorSystem extends Context.Service<ActorSystem, ActorSystemShape>()("mobwright/core/ActorSystem") {
  /** Time and randomness are those of the context that the layer is built in. */
  static readonly layer: Layer.Layer<ActorSystem, never, Dispatcher> = Layer.effect(
    this,
    Effect.gen(function*() {
      const fork = Effect.runForkWith(yield* Effect.context<never>())
      const clock = yield* Clock.Clock
      const shared: Shared = {
        dispatcher: yield* Dispatcher,
        clock,
        deadlines: new Deadlines(clock, fork),
        deadLetters: new DeadLetterOffice(),
        tap: new TapOffice(clock),
        tree: new NactTree(),
        random: yield* Random.Random,
        fork
      }
      const failed: Array<FailedTree> = []
      const root = new Supervisor({
        shared,
        depth: 1,
        supervision: { ...DEFAULT_SUPERVISION, counted: "each" },
        escalate: (child, cause) => {
          const { name, path } = child.inspect()
          failed.push({ name, path, cause })
          fork(Effect.logError(`${name} (${path}) crashed too often and was stopped`, cause))
          fork(child.stopAs({ _tag: "Crashed", cause }, false))
        },
        // No root cell is significant.
        autoShutdown: () => {},
        left: () => {}
      })
      const { tree, deadlines } = shared
      yield* Effect.addFinalizer(() =>
        Effect.ensuring(
          Effect.suspend(() => root.shutdown()),
          Effect.sync(() => {
            deadlines.close()
            tree.close()
          })
        )
      )
      return {
        spawn: (spec) => spawnCell(shared, root, () => tree.root, spec),
        snapshotTree: () =>
          snapshot({
            name: "system",
            path: "/",
            status: root.closed ? "stopping" : "running",
            mailbox: 0,
            processed: 0,
            restarts: 0
          }, root.children),
        tap: shared.tap,
        deadLetters: shared.deadLetters,
        failed: Effect.sync(() => failed.slice())
      }
    })
  )
}
