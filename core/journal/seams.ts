/**
 * Where the journal meets its surroundings: who runs its tasks, and who may stand in front of its commits. Both are
 * References with a production default, so that a layer needs neither and a test or a host can give either.
 */
import { Context } from "effect"
import type { Key } from "./keys.ts"

/** Runs the journal's tasks. The run queue's Dispatcher fits. */
export interface TaskPort {
  /** Runs `task` once, soon, after what is ready now; never within the call. */
  readonly later: (task: () => void) => void
  /** Says that something is under way; call the result when it ended. `settle` waits for it. */
  readonly begin: () => () => void
}

/** The task port of a journal. Default: microtasks, and nobody counts what is under way. */
export const JournalTasks: Context.Reference<TaskPort> = Context.Reference<TaskPort>(
  "mobwright/core/journal/JournalTasks",
  {
    defaultValue: () => ({ later: queueMicrotask, begin: () => () => {} })
  }
)

/** Text, or its UTF-8 bytes; those hold until the batch is done. */
export type Value = string | Buffer

/** A value as text. */
export const textOf = (value: Value): string => typeof value === "string" ? value : value.toString()

/** One change of a batch. */
export type Operation =
  | { readonly type: "put"; readonly key: Key; readonly value: Value }
  | { readonly type: "del"; readonly key: Key }

/** Writes a batch: all of it, synced, or nothing. `done` is called once, later; an error means "outcome unknown". */
export type Commit = (operations: ReadonlyArray<Operation>, done: (error?: unknown) => void) => void

/**
 * Stands in front of every commit of a journal, once each time it is (re)opened. For faults from outside: a host that
 * kills itself before or after a commit, a test whose disk fails. Default: nothing.
 */
export const CommitSeam: Context.Reference<(commit: Commit) => Commit> = Context.Reference<(commit: Commit) => Commit>(
  "mobwright/core/journal/CommitSeam",
  { defaultValue: () => (commit) => commit }
)
