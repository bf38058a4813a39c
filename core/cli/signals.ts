/**
 * SIGINT and SIGTERM. The first asks a command to end in order, the second ends the process at once.
 */
import { Context, type Effect } from "effect"

/** A signal that asks to end. */
export type Signal = "SIGINT" | "SIGTERM"

/** Signals to this process. A command that awaits `first` ends itself; any other is interrupted by it. */
export class Signals extends Context.Service<Signals, {
  /** Waits for the first signal. From the moment this is called, it no longer interrupts the command. */
  readonly first: Effect.Effect<Signal>
}>()("mobwright/core/cli/Signals") {}
