/**
 * A random program as data: a tree of cells, and what is done to it. What a message does when it is handled travels in
 * the message, so that one behaviour serves all cells.
 */
import type { Overflow, Supervision } from "../../../core/actor/index.ts"

/** What the `init` of one life does; beyond the list of a cell, `plain`. */
export type Start = "plain" | "yields" | "slow" | "stubborn" | "fails" | "throws" | "ends" | "hangs"

/** What an `onStop` does. */
export type Farewell = "none" | "plain" | "slow" | "stubborn" | "dies"

/** A cell with those below it. */
export interface CellPlan {
  readonly restart: "permanent" | "transient" | "temporary"
  readonly significant: boolean
  readonly supervision: Supervision
  readonly mailbox: { readonly capacity: number; readonly overflow: Overflow }
  readonly shutdown: number | "brutal" | "infinity"
  readonly starts: ReadonlyArray<Start>
  readonly farewell: Farewell
  /** Finalizers in the Scope of each life. */
  readonly finalizers: number
  /** Its children are in its spec; else `init` spawns them. */
  readonly listed: boolean
  readonly children: ReadonlyArray<CellPlan>
}

/** Which cell: `number` counts, round and round, those that there are now, or those that there ever were. */
export interface Target {
  readonly among: "self" | "parent" | "living" | "all"
  readonly number: number
}

/** What a fork does after some time. */
export type Errand =
  | { readonly type: "nothing" | "never" | "fail" | "resume" | "unstash" }
  | { readonly type: "tell"; readonly to: Target; readonly turn: Turn }

/** One thing that a turn does. */
export type Act =
  | { readonly type: "sleep" | "stubborn"; readonly millis: number }
  | { readonly type: "yield" | "answer" | "refuse" | "keep" | "answerKept" | "stash" | "unstash" }
  | { readonly type: "suspend" | "end" | "shutdown" | "crashSelf" }
  | { readonly type: "tell"; readonly to: Target; readonly turn: Turn; readonly waits: boolean }
  | { readonly type: "ask"; readonly to: Target; readonly turn: Turn; readonly timeout: number }
  | { readonly type: "spawn"; readonly plan: CellPlan }
  | { readonly type: "watch" | "unwatch" | "crash" | "stop" | "drain"; readonly to: Target }
  | {
    readonly type: "timer"
    readonly key: string
    readonly millis: number
    readonly periodic: boolean
    readonly turn: Turn
  }
  | { readonly type: "cancel"; readonly key: string }
  | { readonly type: "fork"; readonly millis: number; readonly stubborn: boolean; readonly errand: Errand }

/** How a turn is over. `interrupts` is an interruption of its own. */
export type Ending = "done" | "fails" | "dies" | "throws" | "interrupts"

/** What one message does. */
export interface Turn {
  readonly acts: ReadonlyArray<Act>
  readonly ending: Ending
  /** It answers an Exit where it can. */
  readonly plain: boolean
}

/** What is done from outside, one after the other. */
export type Step =
  | { readonly type: "tellNow"; readonly to: Target; readonly turns: ReadonlyArray<Turn> }
  /** By one of three senders, each of which waits for room. */
  | { readonly type: "tell"; readonly sender: number; readonly to: Target; readonly turns: ReadonlyArray<Turn> }
  | {
    readonly type: "ask"
    readonly to: Target
    readonly turn: Turn
    readonly timeout: number
    /** The asker goes away after so long. */
    readonly patience: number
  }
  | {
    readonly type: "crash" | "end" | "shutdown" | "suspend" | "resume" | "stop" | "drain"
    readonly to: Target
  }
  | { readonly type: "spawn"; readonly to: Target; readonly plan: CellPlan }
  | { readonly type: "yield" | "settle" }
  | { readonly type: "advance"; readonly millis: number }

/** One run. */
export interface Program {
  /** Of the run queue. */
  readonly seed: number
  readonly roots: ReadonlyArray<CellPlan>
  readonly steps: ReadonlyArray<Step>
  /** How all of it ends. */
  readonly finish: "stop" | "drain" | "close"
}
