/**
 * XState, if it is installed here: `npm ci --prefix bench/peers`. The bench must type-check without it, so what is used of
 * it is said here.
 */

/** What we send. */
export interface Numbered {
  readonly type: "number"
  readonly number: number
}

/** A running actor. */
export interface XStateActor {
  readonly start: () => void
  readonly stop: () => void
  /** Handles the event on the sender's stack. */
  readonly send: (event: Numbered) => void
}

declare const logic: unique symbol

/** What an actor does. */
export interface XStateLogic {
  readonly [logic]: never
}

/** What is used of the package. */
export interface XState {
  readonly createActor: (logic: XStateLogic) => XStateActor
  readonly fromTransition: (step: (count: number, event: Numbered) => number, initial: number) => XStateLogic
  readonly createMachine: (config: {
    readonly context: { readonly count: number }
    readonly on: { readonly number: { readonly actions: XStateAction } }
  }) => XStateLogic
  readonly assign: (
    step: (
      from: { readonly context: { readonly count: number }; readonly event: Numbered }
    ) => { readonly count: number }
  ) => XStateAction
}

/** What `assign` gives. */
interface XStateAction {
  readonly [logic]: never
}

/** The package, or undefined where it is not installed. */
export const loadXState = async (): Promise<XState | undefined> => {
  // Not a literal: the compiler must not look for it.
  const name: string = "xstate"
  try {
    return await import(name)
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined
    throw error
  }
}
