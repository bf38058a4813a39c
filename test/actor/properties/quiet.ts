/**
 * What must hold when nothing moves, and when all is over.
 */
import type { TreeNode } from "../../../core/actor/index.ts"
import { describe, name } from "./books.ts"
import type { Ledger } from "./ledger.ts"
import type { Cell, Life, Work } from "./records.ts"

/** Milliseconds. */
const LONG = 1_000

/** Nothing moves until time passes. */
export const lookAround = (ledger: Ledger, tree: TreeNode): void => {
  const nodes = new Map<string, TreeNode>()
  const enter = (node: TreeNode) => {
    nodes.set(node.path, node)
    node.children.forEach(enter)
  }
  enter(tree)
  const sent = new Map<Cell, Array<Work>>()
  for (const work of ledger.works) sent.set(work.to, [...sent.get(work.to) ?? [], work])
  for (const cell of ledger.cells) {
    const node = nodes.get(cell.ref.path)
    const works = sent.get(cell) ?? []
    if (cell.ended !== undefined) {
      ledger.must(node === undefined, "ended", () => `${name(cell)} has ended, and is in the tree`)
      const open = works.filter(({ ask }) => ask?.outcomes.length === 0)
      ledger.must(open.length === 0, "answers", () => `nobody answers ${open.map(describe)}`)
      for (const work of works) mustHaveOneFate(ledger, work)
    } else if (node !== undefined) lookAt(ledger, cell, node, works)
  }
}

const lookAt = (ledger: Ledger, cell: Cell, node: TreeNode, works: ReadonlyArray<Work>): void => {
  count(ledger, cell, node, works)
  const life = cell.lives.at(-1)
  if (node.status !== "running" || life === undefined) {
    ledger.reach(`at rest: ${node.status}`)
    return
  }
  const lost = works.filter(({ ask, turns }) => {
    const last = turns.at(-1)
    return ask?.outcomes.length === 0 && last !== undefined && !last.aside && last.life !== life
  })
  for (const turn of cell.running) {
    ledger.must(
      turn.life === life || turn.abandoned || turn.aside,
      "conserved",
      () => `${describe(turn.message)} was given up with its life, and is no dead letter`
    )
  }
  ledger.must(lost.length === 0, "answers", () => `nobody answers ${lost.map(describe)}: the life that had it is over`)
  if (cell.running.size > 0) return
  ledger.must(node.mailbox === cell.aside.length, "progress", () => `${name(cell)} is idle, and ${node.mailbox} wait`)
  const waiting = works.filter(({ ask, sending }) => sending === "waiting" && ask === undefined)
  ledger.must(waiting.length === 0, "progress", () => `there is room for ${waiting.map(describe)}`)
  lookForMissing(ledger, life)
}

/** Nothing has happened to any cell for longer than any start, end or back-off takes. */
export const lookForDown = (ledger: Ledger, tree: TreeNode): void => {
  if (ledger.now() - ledger.latest < LONG) return
  const look = ({ children, path, status }: TreeNode): void => {
    ledger.must(status !== "restarting", "progress", () => `${path} is down, and nobody starts it`)
    children.forEach(look)
  }
  look(tree)
}

/** What is in the mailbox, what is aside, what was handled. */
const count = (ledger: Ledger, cell: Cell, node: TreeNode, works: ReadonlyArray<Work>): void => {
  const left = (work: Work) => work.turns.length > 0 || work.letters.length > 0
  const unplaced = works.filter((it) => !left(it) && !cell.queue.includes(it))
  const least = cell.queue.length + cell.aside.length + unplaced.filter(({ sending }) => sending === "accepted").length
  // Who asked, and found the mailbox full, may still wait for room; and who knows how many ticks are in it.
  const most = least + cell.envelopes + unplaced.filter(({ sending }) => sending === "waiting").length
  ledger.must(
    node.mailbox >= least && node.mailbox <= most,
    "conserved",
    () => `${name(cell)} has ${node.mailbox} messages, and should have ${least} to ${most}`
  )
  if (least === most) ledger.reach("a mailbox counted exactly")
  const back = [...cell.queue, ...cell.aside].filter(({ turns }) => turns.length > 0).length
  const begun = works.filter(({ turns }) => turns.length > 0).length
  ledger.must(
    cell.envelopes > 0 || node.processed === begun - back,
    "conserved",
    () => `${name(cell)} has handled ${node.processed}, and begun ${begun}, of which ${back} went back`
  )
}

/** It is idle with an empty mailbox: what is due has come. */
const lookForMissing = (ledger: Ledger, life: Life): void => {
  const now = ledger.now()
  for (const tick of life.timers.values()) {
    const first = tick.since + tick.millis
    const missing = now >= first && tick.turns.length === 0
    ledger.must(!missing, "ticks", () => `${describe(tick)} was due at ${first}, and has not come`)
  }
  for (const [target, news] of life.watches) {
    ledger.must(target.ended === undefined, "watches", () => `${describe(news)} have not come`)
  }
}

/** Its cell has ended: it was handled, or is a dead letter, and not both. */
const mustHaveOneFate = (ledger: Ledger, work: Work): void => {
  const { ask, letters, sending, turns } = work
  const last = turns.at(-1)
  const interrupted = last?.over === "interrupted" && last.interruptsItself !== "no" && letters.length === 0
  const ends = turns.filter(({ abandoned, aside, over }) => over === "handled" && !aside && !abandoned).length
  const fates = ends + letters.length + (interrupted ? 1 : 0)
  // Who gave up asking may have waited for room, or for an answer: nobody can know.
  const unknown = sending === "waiting" && ask !== undefined && turns.length === 0
  ledger.must(
    fates === (sending === "gone" ? 0 : 1) || (unknown && fates === 0),
    "conserved",
    () =>
      `message ${work.number} to ${
        name(work.to)
      } was handled ${ends} times, ${sending}; dead letters: ${letters.join()}`
  )
}

/** All is over. */
export const lookBack = (ledger: Ledger): void => {
  for (const work of ledger.works) {
    const { ask, turns } = work
    mustHaveOneFate(ledger, work)
    if (ask === undefined) continue
    const { outcomes } = ask
    ledger.must(
      outcomes.length === 1,
      "answers",
      () => `the ask of ${describe(work)} has the answers ${outcomes.join()}`
    )
    if (outcomes[0] !== "ActorCrashed") continue
    const crashed = turns.some((turn) => turn.life.cell.crashes > turn.crashes)
    ledger.must(crashed, "answers", () => `the ask of ${describe(work)} crashed, and the cell did not`)
  }
  for (const news of ledger.told) {
    const { reason, target } = news
    ledger.must(target.ended === reason, "watches", () => `${describe(news)} came, and ${name(target)} did not end so`)
  }
  for (const cell of ledger.cells) {
    ledger.must(cell.running.size === 0, "clean", () => `${name(cell)} still handles something`)
    ledger.must(cell.ended !== undefined, "clean", () => `${name(cell)} has not ended`)
  }
  const { underWay, unreleased } = ledger
  ledger.must(underWay.size === 0, "clean", () => `still under way: ${[...underWay].map(({ what }) => what).join()}`)
  ledger.must(unreleased.size === 0, "clean", () => `not released: ${[...unreleased].join()}`)
}
