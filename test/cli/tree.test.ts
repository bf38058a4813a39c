/** `mob tree` of a living host: what its cells are, from their system through the control socket to the terminal. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { ActorSystem, type CellSpec } from "../../core/actor/index.ts"
import { becomeHost } from "../../core/cli/host.ts"
import { ownerSelf, writeOwner } from "../../core/journal/folder.ts"
import { MobNotFound, type MobsShape } from "../../core/mob/index.ts"
import { advance, settle, TestSystem } from "../../core/testing/index.ts"
import { MobId } from "../../sdk/ids.ts"
import type { StoreShape } from "../../sdk/store.ts"
import { dataDir, mob } from "./mob.ts"

/** The tree of a system whose clerk has crashed and waits for its restart, with work behind it. */
const troubled = Effect.gen(function*() {
  const system = yield* ActorSystem
  const clerk: CellSpec<void, string, string, never> = {
    name: "clerk",
    init: () => Effect.void,
    behavior: (_, message) => message === "print" ? Effect.fail("no paper\nleft") : Effect.void
  }
  yield* system.spawn<void, string, unknown, never>({
    name: "shop",
    supervision: {
      strategy: "one_for_one",
      intensity: 3,
      period: 60_000,
      backoff: { initial: 1_000, max: 10_000, jitter: 0, reset: 60_000 }
    },
    init: (context) =>
      Effect.gen(function*() {
        const ref = yield* context.spawn(clerk)
        yield* context.spawn({ ...clerk, name: "guard" })
        for (const message of ["greet", "print", "print", "greet", "greet"]) ref.tellUnsafe(message)
      }),
    behavior: () => Effect.void
  })
  yield* advance(1_500)
  yield* settle
  return system.snapshotTree()
}).pipe(Effect.provide(TestSystem.layerProduction()))

const mobs: Partial<MobsShape> = {
  get: () => Effect.fail(new MobNotFound({ mob: MobId.make("none") })),
  list: Effect.succeed([])
}

const store: Partial<StoreShape> = {}

it.live("mob tree prints nact's paths, and what a cell failed with last; --json prints the tree as it is", () =>
  Effect.gen(function*() {
    const { dir } = yield* Effect.acquireRelease(Effect.sync(dataDir), (it) => Effect.sync(() => it[Symbol.dispose]()))
    const tree = yield* troubled
    yield* becomeHost(dir, (data, socket) =>
      Effect.sync(() => {
        writeOwner(data, ownerSelf("2026-01-01T00:00:00Z", socket))
        // Looking at the tree asks for no more.
        return { tree: Effect.succeed(tree), mobs: mobs as MobsShape, journal: store as StoreShape }
      }))
    const [shop] = tree.children
    expect(shop?.children.map(({ path }) => path)).toEqual(["/c1/k/c2", "/c1/k/c3"])
    expect(yield* Effect.promise(() => mob("tree", "--data", dir))).toEqual({
      exit: 0,
      stderr: "",
      stdout: [
        "system  /",
        "`- shop  /c1",
        "   |- clerk  /c1/k/c2  (restarting, 2 waiting, 1 restart, 1970-01-01T00:00:01Z failed: no paper left)",
        "   `- guard  /c1/k/c3",
        ""
      ].join("\n")
    })
    const { stdout } = yield* Effect.promise(() => mob("tree", "--data", dir, "--json"))
    expect(JSON.parse(stdout)).toEqual(tree)
  }))
