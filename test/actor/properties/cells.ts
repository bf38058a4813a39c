/**
 * The books of cells and their lives: who begins, who ends, and what may not go on after that.
 */
import type { CellContext, LifecycleEvent } from "../../../core/actor/index.ts"
import { Books, describe, name } from "./books.ts"
import type { CellPlan, Turn } from "./program.ts"
import type { Cell, Life, Message, TurnRecord } from "./records.ts"

/** A turn that can outlast an interruption. */
const isStubborn = ({ acts }: Turn): boolean => acts.some(({ type }) => type === "stubborn" || type === "spawn")

/** It has outlasted the deadline of its cell, so that others need not wait for it. */
export const isOverdue = (turn: TurnRecord, now: number): boolean => {
  const { shutdown } = turn.life.cell.plan
  if (shutdown === "infinity" || !isStubborn(turn.message.turn)) return false
  return shutdown === "brutal" || now - turn.began >= shutdown
}

export class CellBooks extends Books {
  readonly cells: Array<Cell> = []
  /** No timer is set any more. */
  calm = false
  /** Programs of cells that have begun and are not over: starts, farewells, forks. */
  readonly underWay = new Set<{ readonly what: string }>()
  /** Finalizers of Scopes that have not run. */
  readonly unreleased = new Set<string>()
  protected readonly lives = new Map<CellContext<Message>, Life>()
  private readonly byPath = new Map<string, Cell>()
  private ups = 0
  /** When the tap told something last. */
  latest = 0

  /** A life begins: its `init` is called. */
  enter(context: CellContext<Message>, plan: CellPlan, listed: boolean): Life {
    const cell = this.byPath.get(context.self.path) ?? this.enterCell(context, plan, listed)
    const number = cell.lives.length + 1
    this.note(`${name(cell)} begins life ${number}`)
    if (number > 1) this.reach("a restart")
    this.mustBeAlive(cell, "starts")
    this.must(number === 1 || plan.restart !== "temporary", "ended", () => `${name(cell)}, temporary, starts again`)
    const above = this.parentOf(cell)
    this.must(
      above === undefined || above.lives.length <= cell.lifeAbove,
      "ended",
      () => `${name(cell)} starts under a later life of its parent`
    )
    this.mustBeAlone(cell)
    const previous = cell.lives.at(-1)
    if (previous !== undefined) previous.dead = true
    const life: Life = {
      cell,
      number,
      context,
      state: {},
      up: false,
      dead: false,
      suspended: false,
      leaving: false,
      timers: new Map(),
      watches: new Map(),
      kept: []
    }
    cell.lives.push(life)
    this.lives.set(context, life)
    return life
  }

  private enterCell({ self: ref }: CellContext<Message>, plan: CellPlan, listed: boolean): Cell {
    // Between the paths of a parent and of its child stands a silent node.
    const above = ref.path.split("/").slice(0, -2).join("/")
    const lives = this.byPath.get(above)?.lives.length ?? 0
    const cell: Cell = {
      number: this.cells.length + 1,
      ref,
      plan,
      above,
      lifeAbove: listed ? lives + 1 : lives,
      lives: [],
      running: new Set(),
      queue: [],
      aside: [],
      asideOf: undefined,
      unsure: false,
      stopCalled: false,
      ended: undefined,
      crashes: 0,
      up: undefined,
      leaves: false,
      closed: false,
      envelopes: 0
    }
    this.cells.push(cell)
    this.byPath.set(ref.path, cell)
    return cell
  }

  parentOf(cell: Cell): Cell | undefined {
    return this.byPath.get(cell.above)
  }

  /** What the tap tells. */
  happened(event: LifecycleEvent): void {
    if (event._tag !== "DeadLetter") this.latest = event.at
    const cell = this.byPath.get(event.path)
    // One that did not get as far as `init`.
    if (cell === undefined) return
    const life = cell.lives.at(-1)
    switch (event._tag) {
      case "Started":
        if (life !== undefined) life.up = true
        cell.up ??= ++this.ups
        return
      case "Crashed":
        this.note(`${name(cell)} crashed`)
        if (life?.up === false) this.reach("a start that failed")
        cell.crashes++
        if (life !== undefined) life.dead = true
        return
      case "Stopped":
        this.note(`${name(cell)} ended: ${event.reason._tag}`)
        this.must(cell.ended === undefined, "ended", () => `${name(cell)} ended twice`)
        this.reach(`an end: ${event.reason._tag}`)
        cell.ended = event.reason
        if (event.reason._tag === "Shutdown") this.mustBeLast(cell)
        if (life !== undefined) life.dead = true
    }
  }

  /** Its `onStop` is called. */
  leave(life: Life): void {
    const isBelow = ({ above, lifeAbove }: Cell) => above === life.cell.ref.path && lifeAbove === life.number
    const below = this.cells.filter((it) => isBelow(it) && it.lives.some(({ up }) => up))
    this.must(life.cell.plan.shutdown !== "brutal", "stops", () => `${name(life.cell)}, brutal, says farewell`)
    this.must(
      below.every((it) => it.ended !== undefined),
      "stops",
      () => `${name(life.cell)} says farewell before ${below.filter((it) => it.ended === undefined).map(name)} ended`
    )
    this.mustBeAlone(life.cell)
  }

  /** Somebody has stopped it, and it has got to know. */
  stopCalled(cell: Cell, drain: boolean): void {
    cell.leaves = cell.closed = true
    if (drain) return
    cell.stopCalled = true
    const life = cell.lives.at(-1)
    if (life !== undefined) life.dead = true
  }

  /** It stops with its parent: those started after it have ended. */
  private mustBeLast(cell: Cell): void {
    const above = this.parentOf(cell)
    if (cell.leaves || cell.up === undefined) return
    const { up } = cell
    // A temporary one may also have stopped with its siblings; those under simple_one_for_one stop all at once.
    if (above?.lives.at(-1)?.dead !== true || cell.plan.restart === "temporary") return
    if (above.plan.supervision.strategy === "simple_one_for_one") return
    const later = this.cells.filter((it) =>
      it.above === cell.above && it.lifeAbove === cell.lifeAbove && (it.up ?? 0) > up
      && it.ended === undefined
    )
    this.must(later.length === 0, "stops", () => `${name(cell)} stops before ${later.map(name)}, started after it`)
  }

  protected mustBeAlive(cell: Cell, does: string): void {
    for (let it: Cell | undefined = cell; it !== undefined; it = this.parentOf(it)) {
      const { ended } = it
      this.must(ended === undefined, "ended", () => `${name(cell)} ${does} after the end of ${name(it)}`)
    }
  }

  /** No turn of it is running, but for one that was given up. */
  protected mustBeAlone(cell: Cell): void {
    for (const other of cell.running) {
      if (isOverdue(other, this.now())) this.reach("an overlap with a turn that was given up")
      else this.must(false, "alone", () => `${name(cell)} goes on while ${describe(other.message)} is being handled`)
    }
  }
}
