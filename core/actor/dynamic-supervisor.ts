/**
 * A supervisor of many alike children that come and go: OTP's `simple_one_for_one`.
 */
import { Cause, Effect } from "effect"
import { type ActorCrashed, type ActorStopped, type AskTimeout, type MailboxFull, SpawnFailed } from "./errors.ts"
import type { Restart, Supervision } from "./supervision.ts"
import type { ActorRef, CellContext, CellSpec, Reply } from "./types.ts"

/** What a dynamic supervisor understands. */
export interface StartChild<A, out N> {
  readonly argument: A
  readonly reply: Reply<ActorRef<N>, SpawnFailed>
}

/** A dynamic supervisor as data. */
export interface DynamicSupervisorOptions<A, S, N, E, R>
  extends Omit<Supervision, "strategy" | "autoShutdown" | "counted">
{
  readonly name: string
  /** Makes the spec of the child for an argument. What it throws is a failed start of that child. */
  readonly child: (argument: A) => CellSpec<S, N, E, R>
  /** `each`: children count their restarts by themselves, and one that crashes too often leaves the others alone. */
  readonly counted: "together" | "each"
  /** What its own parent does when it crashes or ends. Default `permanent`. */
  readonly restart?: Restart
  readonly significant?: boolean
}

/**
 * A cell that starts a child for each `startChild`, one after the other. Children restart by themselves and are stopped
 * all at once; a child costs the same among ten as among a hundred thousand. Its own restart begins without children.
 */
export const dynamicSupervisor = <A, S, N, E, R>(
  options: DynamicSupervisorOptions<A, S, N, E, R>
): CellSpec<void, StartChild<A, N>, never, R> => {
  const { child, name, restart, significant, ...supervision } = options
  return {
    name,
    supervision: { ...supervision, strategy: "simple_one_for_one" },
    ...(restart === undefined ? {} : { restart }),
    ...(significant === undefined ? {} : { significant }),
    init: () => Effect.void,
    behavior: (_, { argument, reply }, context: CellContext<StartChild<A, N>>) =>
      Effect.suspend(() => context.spawn(child(argument))).pipe(
        Effect.catchDefect((defect) => Effect.fail(new SpawnFailed({ actor: name, cause: Cause.die(defect) }))),
        Effect.exit,
        Effect.map((exit) => reply.done(exit))
      )
  }
}

/**
 * Starts a child under a dynamic supervisor and waits until it is up. `timeout` in milliseconds; a child may come up all
 * the same after it has passed, or after an interruption.
 */
export const startChild = <A, N>(
  supervisor: ActorRef<StartChild<A, N>>,
  argument: A,
  timeout: number
): Effect.Effect<ActorRef<N>, SpawnFailed | ActorStopped | ActorCrashed | AskTimeout | MailboxFull> =>
  supervisor.ask((reply: Reply<ActorRef<N>, SpawnFailed>) => ({ argument, reply }), timeout)
