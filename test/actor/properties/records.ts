/**
 * What one run writes down of its cells, their lives, and the messages between them.
 */
import type { ActorRef, CellContext, DeadLetter, Reply, StopReason } from "../../../core/actor/index.ts"
import type { CellPlan, Turn } from "./program.ts"

/** The typed failure of a reply. */
export class Refused {
  readonly _tag = "Refused"
}

/** Whoever sends one message after the other: a sender outside, one turn, one fork. */
export class Strand {
  sent = 0
  /** The place of the last one that a cell began. */
  readonly begun = new Map<Cell, number>()
  /** The cell whose turn or fork it is. */
  readonly of: Cell | undefined

  constructor(of?: Cell) {
    this.of = of
  }
}

/** A message that somebody sent, told apart by its number. */
export class Work {
  readonly kind = "work"
  /** Where it stands among those of its sender. */
  readonly place: number
  readonly turns: Array<TurnRecord> = []
  readonly letters: Array<DeadLetter["reason"]> = []
  reply: Reply<number, Refused> | undefined = undefined
  ask: Ask | undefined = undefined
  /** `waiting`: for room, or for all we know. `gone`: its sender gave up before it was in. */
  sending: "offered" | "accepted" | "waiting" | "refused" | "gone" = "offered"
  readonly number: number
  readonly to: Cell
  readonly strand: Strand
  readonly turn: Turn

  constructor(number: number, to: Cell, strand: Strand, turn: Turn) {
    this.number = number
    this.to = to
    this.strand = strand
    this.turn = turn
    this.place = ++strand.sent
  }
}

/** What a timer sends. */
export class Tick {
  readonly kind = "tick"
  readonly turns: Array<TurnRecord> = []
  cancelled = false
  readonly life: Life
  readonly key: string
  readonly millis: number
  readonly periodic: boolean
  readonly turn: Turn
  readonly since: number

  constructor(life: Life, key: string, millis: number, periodic: boolean, turn: Turn, since: number) {
    this.life = life
    this.key = key
    this.millis = periodic ? Math.max(1, millis) : millis
    this.periodic = periodic
    this.turn = turn
    this.since = since
  }
}

/** What one watch comes to. */
export class News {
  readonly kind = "news"
  readonly turns: Array<TurnRecord> = []
  cancelled = false
  /** How often it was made into a message. */
  made = 0
  /** Messages sent before it was made. */
  after = 0
  reason: StopReason | undefined = undefined
  readonly life: Life
  readonly target: Cell
  readonly turn: Turn = { acts: [], ending: "done", plain: true }

  constructor(life: Life, target: Cell) {
    this.life = life
    this.target = target
  }
}

/** What cells of a run understand. */
export type Message = Work | Tick | News

/** One question, and what came back. */
export interface Ask {
  readonly work: Work
  readonly at: number
  readonly timeout: number
  /** The asker may go away before it is answered. */
  readonly impatient: boolean
  readonly outcomes: Array<string>
  /** Its cell crashed while it held the message, and nobody had answered. */
  crashed: boolean
  /** What the cell answered first, and whether the asker was still there. */
  answer: { readonly text: string; readonly inTime: boolean } | undefined
}

/** One message that a behaviour began. */
export interface TurnRecord {
  readonly life: Life
  readonly message: Message
  readonly began: number
  /** Crashes of the cell before it. */
  readonly crashes: number
  /** One whose program was not even started stays `begun`. */
  over: "begun" | "running" | "handled" | "failed" | "interrupted"
  /** It came to an ending that is an interruption of its own; `alive` if nothing else had ended its life by then. */
  interruptsItself: "no" | "alive" | "dead"
  /** It was still running when its message became a dead letter. */
  abandoned: boolean
  /** Its message was put aside. */
  aside: boolean
  /** The life may have ended meanwhile without our knowing. */
  unsure: boolean
}

/** One life of a cell. */
export interface Life {
  readonly cell: Cell
  readonly number: number
  readonly context: CellContext<Message>
  /** What the cell's state must be when the next message begins. */
  state: object
  up: boolean
  /** We know that it has ended. */
  dead: boolean
  suspended: boolean
  /** It ends by itself when its turn is over. */
  leaving: boolean
  readonly timers: Map<string, Tick>
  readonly watches: Map<Cell, News>
  /** Work whose reply it owes. */
  kept: Array<Work>
}

/** One cell, as long as its reference is the same. */
export interface Cell {
  readonly number: number
  readonly ref: ActorRef<Message>
  readonly plan: CellPlan
  /** Where its parent is, or will be: children that a spec lists begin before it. */
  readonly above: string
  /** The number of the parent's life that it belongs to. */
  readonly lifeAbove: number
  readonly lives: Array<Life>
  readonly running: Set<TurnRecord>
  /** What must be in its mailbox, in order. */
  queue: Array<Work>
  /** What must be aside, in order. */
  aside: Array<Work>
  /** The life that those aside belong to. */
  asideOf: Life | undefined
  /** We cannot know the order of its mailbox any more. */
  unsure: boolean
  /** Somebody stopped it, without drain. */
  stopCalled: boolean
  ended: StopReason | undefined
  crashes: number
  /** Its place among all cells, by when they were first up. */
  up: number | undefined
  /** It ended by itself, or somebody stopped it alone. */
  leaves: boolean
  /** Somebody stopped it, with drain or without. */
  closed: boolean
  /** Timers and watches that it ever had: what is in its mailbox beside messages is no more than that. */
  envelopes: number
}

/** What must hold in every run. */
export const PROPERTIES = {
  answers: "an ask is answered exactly once, by what became of its message",
  conserved: "a message is handled, waits in a mailbox, or is a dead letter: exactly one of them",
  once: "a message begins once, and once more only after it was put aside",
  order: "messages begin in the order they were sent, across restarts, stash and waiting for room",
  alone: "one behaviour of a cell runs at a time, on the state that the one before left",
  watches: "a watch is told exactly once of an end that happened, and not after it was forgotten",
  ticks: "a tick comes when it is due, and not after its timer was cancelled, replaced or ended",
  progress: "a cell that could handle something does, a suspended one does not; who waits for room finds none",
  stops: "children stop before their parent, those started last first; a brutal end runs no onStop",
  ended: "after the end of a cell nothing of it runs, nor of those below it, and it does not start again",
  clean: "a stopped tree leaves no fiber, no timer, no nact actor and no open Scope"
} as const

export type Property = keyof typeof PROPERTIES

/** A property that did not hold. */
export interface Violation {
  readonly property: Property
  readonly text: string
}
