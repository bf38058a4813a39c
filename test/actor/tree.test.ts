import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Random } from "effect"
import {
  type ActorRef,
  ActorSystem,
  type CellContext,
  type CellSpec,
  dynamicSupervisor,
  startChild,
  type TreeNode
} from "../../core/actor/index.ts"
import type { Child } from "../../core/actor/parts.ts"
import { snapshot } from "../../core/actor/tree.ts"
import { advance, settle, underSeeds } from "../../core/testing/index.ts"
import { effort, everySystem, type Notes, type Order, recorder } from "./fixtures.ts"

const boom: Order = { type: "fail", error: "boom" }

/** The nodes of a tree, parents before their children. */
const nodes = (root: TreeNode): ReadonlyArray<TreeNode> => {
  const all = [root]
  for (const node of all) all.push(...node.children)
  return all
}

/** The node of a cell. */
const nodeOf = (root: TreeNode, ref: ActorRef<never>): TreeNode | undefined =>
  nodes(root).find(({ path }) => path === ref.path)

/** The tree now; it must be plain data. */
const tree = Effect.map(ActorSystem, (system) => {
  const root = system.snapshotTree()
  assert.deepStrictEqual(JSON.parse(JSON.stringify(root)), root)
  return root
})

/** What the tree says of one cell. */
const about = (ref: ActorRef<never>) => Effect.map(tree, (root) => nodeOf(root, ref))

/** A parent with one child, both of which write down what they do; and their contexts. */
const pair = (child: Partial<CellSpec<Notes, Order, unknown, never>> = {}, intensity = 9) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const refs: Array<ActorRef<Order>> = []
    const contexts: Array<CellContext<Order>> = []
    const empty = { texts: [], kept: [] }
    const backoff = { initial: 100, max: 100, jitter: 0, reset: 60_000 }
    const parent = yield* system.spawn(recorder("parent", [], {
      supervision: { strategy: "one_for_one", intensity, period: 60_000, backoff },
      init: (context) => {
        const spec = recorder("child", [], {
          init: (context) => {
            contexts.push(context)
            return Effect.succeed(empty)
          },
          ...child
        })
        return Effect.map(context.spawn(spec), (ref) => {
          refs.push(ref)
          return empty
        })
      }
    }))
    return { parent, child: refs[0]!, context: contexts[0]!, refs }
  })

for (const [systemName, layer] of everySystem) {
  describe(`a snapshot of the tree, ${systemName}`, () => {
    it.effect("is the system, with root cells and those below in the order of their start, as plain data", () =>
      Effect.gen(function*() {
        const quiet = { status: "running", mailbox: 0, processed: 0, restarts: 0 } as const
        assert.deepStrictEqual(yield* tree, { name: "system", path: "/", ...quiet, children: [] })
        const { child, parent } = yield* pair()
        const other = yield* (yield* ActorSystem).spawn(recorder("other", []))
        assert.deepStrictEqual(yield* tree, {
          name: "system",
          path: "/",
          ...quiet,
          children: [
            {
              name: "parent",
              path: parent.path,
              ...quiet,
              children: [{ name: "child", path: child.path, ...quiet, children: [] }]
            },
            { name: "other", path: other.path, ...quiet, children: [] }
          ]
        })
        assert.match(child.path, /^\/c1\/k\/c\d+$/)
      }).pipe(Effect.provide(layer)))

    it.effect("is of its moment: what happens later does not change it", () =>
      Effect.gen(function*() {
        const { child, parent } = yield* pair()
        const before = yield* tree
        const copy: unknown = JSON.parse(JSON.stringify(before))
        child.tellUnsafe(boom)
        yield* advance(100)
        yield* parent.stop()
        assert.deepStrictEqual(before, copy)
        assert.deepStrictEqual((yield* tree).children, [])
      }).pipe(Effect.provide(layer)))

    it.effect("status: running, suspended, restarting until it is up again, stopping until it has ended", () =>
      Effect.gen(function*() {
        const end = yield* Deferred.make<void>()
        const { child, context, refs } = yield* pair({ onStop: () => Deferred.await(end), shutdown: "infinity" })
        const [first] = refs
        assert.strictEqual((yield* about(child))?.status, "running")
        context.suspend()
        assert.strictEqual((yield* about(child))?.status, "suspended")
        context.resume()
        assert.strictEqual((yield* about(child))?.status, "running")
        child.tellUnsafe(boom)
        yield* advance(1_000)
        assert.strictEqual((yield* about(child))?.status, "restarting", "its onStop holds it up")
        yield* Deferred.succeed(end, undefined)
        yield* advance(99)
        assert.strictEqual((yield* about(child))?.status, "restarting", "the back-off")
        yield* advance(1)
        assert.strictEqual((yield* about(child))?.status, "running")
        assert.strictEqual(refs[0], first)
      }).pipe(Effect.provide(layer)))

    it.effect("status: a cell that stops, and one that drains, is stopping; its parent is not", () =>
      Effect.gen(function*() {
        for (const drain of [true, false]) {
          const end = yield* Deferred.make<void>()
          const { child, parent } = yield* pair()
          child.tellUnsafe({ type: "run", effect: Effect.uninterruptible(Deferred.await(end)) })
          child.tellUnsafe({ type: "note", text: "1" })
          yield* settle
          const stopping = yield* Effect.forkChild(child.stop({ drain }), { startImmediately: true })
          yield* settle
          assert.deepInclude(yield* about(child), { status: "stopping", mailbox: 1 })
          assert.strictEqual((yield* about(parent))?.status, "running")
          yield* Deferred.succeed(end, undefined)
          yield* Fiber.join(stopping)
          assert.isUndefined(yield* about(child))
        }
      }).pipe(Effect.provide(layer)))

    it.effect("status: a system that closes is stopping, with the cells that are still there", () =>
      Effect.gen(function*() {
        const seen: Array<TreeNode> = []
        yield* Effect.provide(
          Effect.gen(function*() {
            const system = yield* ActorSystem
            const look = { onStop: () => Effect.sync(() => void seen.push(system.snapshotTree())) }
            yield* system.spawn(recorder("first", [], look))
            yield* system.spawn(recorder("second", [], look))
          }),
          layer,
          { local: true }
        )
        const shape = (root: TreeNode) => [root.status, ...root.children.map(({ name, status }) => `${name} ${status}`)]
        assert.deepStrictEqual(seen.map(shape), [
          ["stopping", "first running", "second stopping"],
          ["stopping", "first stopping"]
        ])
      }))

    it.effect("mailbox: what waits, put aside included; processed: what was handled, over all incarnations", () =>
      Effect.gen(function*() {
        let puts = true
        const { child } = yield* pair({
          behavior: (state, order, context) =>
            Effect.sync(() => {
              if (order.type === "fail") throw new Error("boom")
              if (order.type === "end") context.suspend()
              else if (puts) context.stash()
              return state
            })
        })
        const told = (...types: ReadonlyArray<"note" | "fail" | "end">) =>
          Effect.gen(function*() {
            for (const type of types) child.tellUnsafe({ type, text: "", error: "" })
            yield* settle
            const { mailbox, processed } = (yield* about(child))!
            return { mailbox, processed }
          })
        assert.deepStrictEqual(yield* told(), { mailbox: 0, processed: 0 })
        assert.deepStrictEqual(yield* told("note", "note", "note"), { mailbox: 3, processed: 0 })
        assert.deepStrictEqual(yield* told("end"), { mailbox: 3, processed: 1 })
        assert.deepStrictEqual(yield* told("note"), { mailbox: 4, processed: 1 })
        puts = false
        yield* Effect.sync(() => child.tellUnsafe(boom))
        assert.deepStrictEqual(yield* told(), { mailbox: 5, processed: 1 })
      }).pipe(Effect.provide(layer)))

    it.effect("mailbox and processed: what was aside comes back with a restart, and the crashed one counts as handled", () =>
      Effect.gen(function*() {
        let puts = true
        const { child } = yield* pair({
          behavior: (state, order, context) => {
            if (order.type === "fail") return Effect.fail("boom")
            if (puts) context.stash()
            return Effect.succeed(state)
          }
        })
        for (const text of ["1", "2"]) child.tellUnsafe({ type: "note", text })
        yield* settle
        assert.deepInclude(yield* about(child), { mailbox: 2, processed: 0 })
        child.tellUnsafe(boom)
        yield* settle
        assert.deepInclude(yield* about(child), { mailbox: 2, processed: 1, status: "restarting" })
        puts = false
        yield* advance(100)
        assert.deepInclude(yield* about(child), { mailbox: 0, processed: 3, status: "running" })
      }).pipe(Effect.provide(layer)))

    it.effect("processed: not what nobody handled, such as the message of a timer that was cancelled", () =>
      Effect.gen(function*() {
        const { child, context } = yield* pair()
        context.suspend()
        context.setTimer("later", 5, { type: "note", text: "" })
        yield* advance(5)
        assert.deepInclude(yield* about(child), { mailbox: 1, processed: 0 })
        context.cancelTimer("later")
        context.resume()
        yield* settle
        assert.deepInclude(yield* about(child), { mailbox: 0, processed: 0 })
      }).pipe(Effect.provide(layer)))

    it.effect("restarts and lastFailure: one more with each crash, the newest failure with its time; none before", () =>
      Effect.gen(function*() {
        const { child, parent } = yield* pair()
        assert.notProperty(yield* about(child), "lastFailure")
        yield* advance(7)
        const crashes: ReadonlyArray<readonly [Order, string]> = [
          [boom, "boom"],
          [{ type: "throw", defect: new Error("bang") }, "bang"],
          [{ type: "fail", error: { code: "NO_PAPER" } }, "{\"code\":\"NO_PAPER\"}"]
        ]
        for (const [index, [order, message]] of crashes.entries()) {
          child.tellUnsafe(order)
          yield* settle
          const at = 7 + index * 100
          assert.deepInclude(yield* about(child), { restarts: index, lastFailure: { at, message } })
          yield* advance(100)
          assert.deepInclude(yield* about(child), { restarts: index + 1, lastFailure: { at, message } })
        }
        assert.notProperty(yield* about(parent), "lastFailure")
      }).pipe(Effect.provide(layer)))

    it.effect("lastFailure: a start that failed, at a restart", () =>
      Effect.gen(function*() {
        let starts = 0
        const { child } = yield* pair({
          init: () => ++starts === 2 ? Effect.fail("no paper") : Effect.succeed({ texts: [], kept: [] })
        })
        child.tellUnsafe(boom)
        yield* advance(100)
        const lastFailure = { at: 100, message: "no paper" }
        assert.deepInclude(yield* about(child), { status: "restarting", restarts: 1, lastFailure })
        yield* advance(100)
        assert.deepInclude(yield* about(child), { status: "running", restarts: 2, lastFailure })
      }).pipe(Effect.provide(layer)))

    it.effect("lastFailure: a parent that could not keep its child up has the child's", () =>
      Effect.gen(function*() {
        const { child, parent, refs } = yield* pair({}, 0)
        child.tellUnsafe(boom)
        yield* settle
        assert.deepInclude(yield* about(parent), { restarts: 1, lastFailure: { at: 0, message: "boom" } })
        assert.isUndefined(yield* about(child))
        assert.deepInclude(yield* about(refs[1]!), { restarts: 0, processed: 0 })
      }).pipe(Effect.provide(layer)))

    it.effect("an end without a crash leaves no failure", () =>
      Effect.gen(function*() {
        const { child } = yield* pair()
        child.tellUnsafe({ type: "end" })
        yield* advance(100)
        const node = yield* about(child)
        assert.deepInclude(node, { restarts: 1, status: "running" })
        assert.notProperty(node, "lastFailure")
      }).pipe(Effect.provide(layer)))

    it.effect("a cell is in it once it is up, and the children of one that is still starting are not", () =>
      Effect.gen(function*() {
        const system = yield* ActorSystem
        const go = yield* Deferred.make<void>()
        const slow = recorder("slow", [], {
          init: (context) =>
            Effect.andThen(context.spawn(recorder("below", [])), Deferred.await(go)).pipe(
              Effect.as({ texts: [], kept: [] })
            )
        })
        const starting = yield* Effect.forkChild(system.spawn(slow), { startImmediately: true })
        yield* settle
        assert.lengthOf(nodes(yield* tree), 1)
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(starting)
        assert.deepStrictEqual(nodes(yield* tree).map(({ name }) => name), ["system", "slow", "below"])
      }).pipe(Effect.provide(layer)))
  })
}

describe("a snapshot of the tree", () => {
  it("overflows no stack: of a tree 20,000 deep and one 200,000 wide", () => {
    const node = { name: "x", path: "/x", status: "running", mailbox: 0, processed: 0, restarts: 0 } as const
    const above = (children: ReadonlyArray<Child>): Child => {
      const cell: Partial<Child> = { inspect: () => node, below: () => children }
      return cell as Child // what a snapshot looks at
    }
    let deep: ReadonlyArray<Child> = []
    for (let depth = 0; depth < 20_000; depth++) deep = [above(deep)]
    assert.lengthOf(nodes(snapshot(node, deep)), 20_001)
    assert.lengthOf(snapshot(node, Array.from({ length: 200_000 }, () => above([]))).children, 200_000)
  })

  it.effect("is whole at any moment while cells start, crash and stop", () => {
    const seen = new Set<string>()
    return Effect.map(
      underSeeds(
        effort(40, 400),
        Effect.gen(function*() {
          const system = yield* ActorSystem
          let looks = 0
          const look = Effect.sync(() => {
            looks++
            const root = system.snapshotTree()
            const all = nodes(root)
            assert.strictEqual(new Set(all.map(({ path }) => path)).size, all.length, "paths are unique")
            for (const { children, mailbox, path, processed } of all) {
              assert.isAtLeast(Math.min(mailbox, processed), 0)
              for (const below of children) assert.isTrue(below.path.startsWith(path), `${below.path} is below ${path}`)
            }
            for (const { name, status } of all) seen.add(name === "system" ? "" : status)
            assert.deepStrictEqual(JSON.parse(JSON.stringify(root)), root)
          })
          const looking = (name: string): CellSpec<Notes, Order, unknown, never> =>
            recorder(name, [], {
              init: () => Effect.as(Effect.andThen(look, Effect.yieldNow), { texts: [], kept: [] }),
              onStop: () => Effect.andThen(look, Effect.yieldNow)
            })
          const pool = yield* system.spawn(
            dynamicSupervisor({ name: "pool", intensity: 2, period: 60_000, counted: "each", child: looking })
          )
          const refs: Array<ActorRef<Order>> = []
          for (let step = 0; step < 40; step++) {
            const ref = refs[yield* Random.nextIntBetween(0, Math.max(1, refs.length))]
            const dice = yield* Random.next
            if (ref === undefined || dice < 0.3) refs.push(yield* startChild(pool, `child ${step}`, 1_000))
            else if (dice < 0.5) ref.tellUnsafe({ type: "note", text: "" })
            else if (dice < 0.8) ref.tellUnsafe(boom)
            else yield* Effect.forkChild(ref.stop(), { startImmediately: true })
            yield* look
            yield* Effect.yieldNow
          }
          yield* settle
          yield* look
          yield* pool.stop()
          assert.deepStrictEqual(system.snapshotTree().children, [])
          assert.isAbove(looks, 40)
        })
      ),
      () => assert.sameMembers([...seen], ["", "running", "restarting", "stopping"])
    )
  })
})
