/** What tests of the tap share: events as lines, and a family of cells to which they happen. */
import { Cause, Effect } from "effect"
import {
  type ActorRef,
  ActorSystem,
  type CellContext,
  type CellSpec,
  child,
  type LifecycleEvent,
  type Supervision
} from "../../core/actor/index.ts"
import { recordTap } from "../../core/testing/index.ts"
import { type Notes, type Order, recorder } from "./fixtures.ts"

/** A cell of the fixtures. */
export type Recorder = CellSpec<Notes, Order, unknown, never>

/** An event as a line. */
export const line = (event: LifecycleEvent): string => {
  const what = () => {
    switch (event._tag) {
      case "Started":
        return event.incarnation
      case "Crashed":
        return Cause.prettyErrors(event.cause)[0]?.message
      case "Restarting":
        return event.delay
      case "Stopped":
        return event.reason._tag
      case "DeadLetter":
        return event.reason
    }
  }
  return `${event._tag} ${event.name} ${what()}`
}

/** Lines of what happens from now on. */
export const told = Effect.map(recordTap, (recording) => () => recording.events().map(line))

/** A parent with the children a, b and c, which `options` make different. */
export const family = (
  supervision: Partial<Supervision>,
  options: { readonly [name in "a" | "b" | "c"]?: Partial<Recorder> } = {}
) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const children = (["a", "b", "c"] as const).map((name) => child(recorder(name, [], options[name])))
    const refs: Array<ActorRef<Order>> = []
    const contexts: Array<CellContext<Order>> = []
    const parent = yield* system.spawn<void, Order, unknown, never>({
      name: "parent",
      children,
      supervision: { strategy: "one_for_one", intensity: 3, period: 5_000, ...supervision },
      init: (context) =>
        Effect.sync(() => {
          contexts.push(context)
          refs.splice(0, 3, ...children.map((it) => context.child(it)))
        }),
      behavior: () => Effect.void
    })
    const [a, b, c] = refs as [ActorRef<Order>, ActorRef<Order>, ActorRef<Order>]
    return { a, b, c, parent, context: contexts[0]!, system }
  })

/** Crashes a recorder. */
export const boom: Order = { type: "fail", error: "boom" }
