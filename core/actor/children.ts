/**
 * Children as data, and the supervisor that does nothing but have them.
 */
import { Effect } from "effect"
import type { AnySpec } from "./parts.ts"
import type { Restart, Supervision } from "./supervision.ts"
import type { CellSpec, ChildSpec } from "./types.ts"

/** A spec whose types are in its type alone. */
class Listed<in N, out R> implements ChildSpec<N, R> {
  declare readonly _types?: { readonly message: (message: N) => void; readonly services: () => R }
  readonly spec: AnySpec

  constructor(spec: AnySpec) {
    this.spec = spec
  }

  get name(): string {
    return this.spec.name
  }
}

/**
 * A cell as one of the `children` of another. Keep it: `context.child` gives the reference that belongs to it.
 *
 * The same one may be listed under several parents; each starts its own.
 */
export const child = <S, M, E, R>(spec: CellSpec<S, M, E, R>): ChildSpec<M, R> =>
  // The layer below is blind to state and messages; the type of what it gives says them.
  new Listed<M, R>(spec as unknown as AnySpec)

/** The spec behind it; undefined if `child` did not make it. */
export const specOf = (child: ChildSpec<never, unknown>): AnySpec | undefined =>
  child instanceof Listed ? child.spec : undefined

/** A supervisor as data. */
export interface SupervisorOptions<R> extends Supervision {
  readonly name: string
  /** Started in order. */
  readonly children: ReadonlyArray<ChildSpec<never, R>>
  /** What its own parent does when it crashes or ends. Default `permanent`. */
  readonly restart?: Restart
  readonly significant?: boolean
  readonly startTimeout?: number | "infinity"
}

/**
 * A cell that has children and nothing else to do, as an OTP supervisor.
 */
export const supervisor = <R>(options: SupervisorOptions<R>): CellSpec<void, never, never, R> => {
  const { children, name, restart, significant, startTimeout, ...supervision } = options
  return {
    name,
    children,
    supervision,
    ...(restart === undefined ? {} : { restart }),
    ...(significant === undefined ? {} : { significant }),
    ...(startTimeout === undefined ? {} : { startTimeout }),
    init: () => Effect.void,
    behavior: () => Effect.void
  }
}
