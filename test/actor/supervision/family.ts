/**
 * What the tests of supervision share: a family of cells that write down their starts and their stops with reasons.
 */
import { Cause, Effect } from "effect"
import {
  type ActorRef,
  ActorSystem,
  type CellContext,
  type CellSpec,
  type StopReason,
  type Strategy,
  type Supervision
} from "../../../core/actor/index.ts"
import { type Notes, type Order, recorder } from "../fixtures.ts"

/** A member as data. */
export type Spec = CellSpec<Notes, Order, unknown, never>

/** What a member does beyond recording. */
export interface MemberOptions extends Partial<Spec> {
  /** Started in order by its init. */
  readonly kids?: ReadonlyArray<Spec>
  /** The rest of its nth start, from 1. */
  readonly starts?: (attempt: number, context: CellContext<Order>) => Effect.Effect<unknown, unknown>
  /** What the stop of its nth incarnation does before it is written down. */
  readonly stops?: (attempt: number) => Effect.Effect<void>
}

/** Does it in the first incarnation only: what a test slows down must not hold up the end of the test. */
export const once = (effect: Effect.Effect<void>) => (attempt: number): Effect.Effect<void> =>
  attempt === 1 ? effect : Effect.void

const causeText = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (!(error instanceof Error)) return String(error)
  return "_tag" in error ? String(error._tag) : error.message
}

/** `normal`, `shutdown`, or `crashed` and what with. */
export const reasonText = (reason: StopReason): string =>
  reason._tag === "Crashed" ? `crashed ${causeText(reason.cause)}` : reason._tag.toLowerCase()

/** Members of one test, by name. */
export class Family {
  /** `start <name>` for each attempt, `stop <name> <reason>` for each end of an incarnation that was up. */
  readonly log: Array<string> = []
  private readonly contexts = new Map<string, CellContext<Order>>()
  private readonly tried = new Map<string, number>()

  member(name: string, { kids = [], starts, stops, ...options }: MemberOptions = {}): Spec {
    const nothing: Notes = { texts: [], kept: [] }
    return recorder(name, this.log, {
      init: (context) => {
        this.log.push(`start ${name}`)
        this.contexts.set(name, context)
        const attempt = this.attempts(name) + 1
        this.tried.set(name, attempt)
        // Without a fiber where there is nothing to do: supervision has a shorter way for that.
        if (kids.length === 0 && starts === undefined) return Effect.succeed(nothing)
        const spawned = Effect.forEach(kids, (kid) => context.spawn(kid), { discard: true })
        return Effect.as(Effect.andThen(spawned, starts?.(attempt, context) ?? Effect.void), nothing)
      },
      onStop: (_, reason) =>
        Effect.andThen(
          stops?.(this.attempts(name)) ?? Effect.void,
          Effect.sync(() => void this.log.push(`stop ${name} ${reasonText(reason)}`))
        ),
      ...options
    })
  }

  /** The context of the newest incarnation of that name. */
  context(name: string): CellContext<Order> {
    const context = this.contexts.get(name)
    if (context === undefined) throw new Error(`${name} was never started`)
    return context
  }

  /** How often it was started, or was tried to. */
  attempts(name: string): number {
    return this.tried.get(name) ?? 0
  }

  ref(name: string): ActorRef<Order> {
    return this.context(name).self
  }

  crash(name: string, cause = "boom"): void {
    this.context(name).crash(Cause.fail(cause))
  }

  /** What was written down since it was last taken. */
  take(): ReadonlyArray<string> {
    return this.log.splice(0)
  }
}

/** A parent with three members `a`, `b`, `c`, at the root; nothing of their start is in the log. */
export const trio = (
  strategy: Strategy,
  supervision: Partial<Supervision> = {},
  members: { readonly [name in "parent" | "a" | "b" | "c"]?: MemberOptions } = {},
  family = new Family()
) =>
  Effect.gen(function*() {
    const system = yield* ActorSystem
    const { parent: options, ...others } = members
    const parent = yield* system.spawn(
      family.member("parent", {
        kids: (["a", "b", "c"] as const).map((name) => family.member(name, others[name])),
        supervision: { strategy, intensity: 3, period: 5_000, ...supervision },
        ...options
      })
    )
    family.take()
    return { family, parent, system }
  })
