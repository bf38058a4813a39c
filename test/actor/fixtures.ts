/**
 * What tests of actors share: both run queues, seeds by effort, a cell that writes down what happens to it.
 */
import { Effect, Exit, type Layer } from "effect"
import type { ActorSystem, CellSpec, Dispatcher, Reply, StopReason } from "../../core/actor/index.ts"
import { TestSystem, type VirtualTime } from "../../core/testing/index.ts"

const SOAK = process.env.MOB_EFFORT === "soak"

/** `gate` times, or `soak` times under MOB_EFFORT=soak. */
export const effort = (gate: number, soak: number): number => SOAK ? soak : gate

/** Seeds 1 to n. */
export const seeds = (gate: number, soak: number): ReadonlyArray<number> =>
  Array.from({ length: effort(gate, soak) }, (_, index) => index + 1)

/** A few seeds, and production. */
export const everySystem: ReadonlyArray<readonly [string, Layer.Layer<ActorSystem | Dispatcher | VirtualTime>]> = [
  ["production run queue", TestSystem.layerProduction()],
  ...seeds(3, 100).map((seed) => [`seed ${seed}`, TestSystem.layer(seed)] as const)
]

/** What a recorder understands. */
export type Order =
  /** Writes `handled <name> <text>`. */
  | { readonly type: "note"; readonly text: string }
  | { readonly type: "fail"; readonly error: unknown }
  | { readonly type: "die"; readonly defect: unknown }
  | { readonly type: "throw"; readonly defect: unknown }
  | { readonly type: "end" }
  | { readonly type: "get"; readonly reply: Reply<ReadonlyArray<string>> }
  /** Keeps the reply, unanswered. */
  | { readonly type: "keep"; readonly reply: Reply<string> }
  | { readonly type: "answerKept" }
  | { readonly type: "suspend" }
  | { readonly type: "run"; readonly effect: Effect.Effect<void> }

/** A recorder's state: what it noted in this incarnation. */
export interface Notes {
  readonly texts: ReadonlyArray<string>
  readonly kept: ReadonlyArray<Reply<string>>
}

export const reasonName = (reason: StopReason): string => reason._tag.toLowerCase()

/** A cell that writes its starts, stops and notes to `log`. */
export const recorder = (
  name: string,
  log: Array<string>,
  options: Partial<CellSpec<Notes, Order, unknown, never>> = {}
): CellSpec<Notes, Order, unknown, never> => ({
  name,
  init: () => {
    log.push(`start ${name}`)
    return Effect.succeed({ texts: [], kept: [] })
  },
  behavior: (notes, order, context) => {
    switch (order.type) {
      case "note":
        log.push(`handled ${name} ${order.text}`)
        return Effect.succeed({ ...notes, texts: [...notes.texts, order.text] })
      case "fail":
        return Effect.fail(order.error)
      case "die":
        return Effect.andThen(Effect.yieldNow, Effect.die(order.defect))
      case "throw":
        throw order.defect
      case "end":
        context.end()
        return Effect.succeed(notes)
      case "get":
        order.reply.done(Exit.succeed(notes.texts))
        return Effect.succeed(notes)
      case "keep":
        return Effect.succeed({ ...notes, kept: [...notes.kept, order.reply] })
      case "answerKept":
        for (const reply of notes.kept) reply.done(Exit.succeed("answered"))
        return Effect.succeed({ ...notes, kept: [] })
      case "suspend":
        context.suspend()
        return Effect.succeed(notes)
      case "run":
        return Effect.as(order.effect, notes)
    }
  },
  onStop: (_, reason) =>
    Effect.sync(() => {
      log.push(`stop ${name} ${reasonName(reason)}`)
    }),
  ...options
})

/** Asks a recorder what it noted. */
export const notes = (reply: Reply<ReadonlyArray<string>>): Order => ({ type: "get", reply })
