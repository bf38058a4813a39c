/**
 * Sends messages to cells, and enters in the books what came of that.
 */
import { Cause, Effect, Exit, Fiber } from "effect"
import { describe } from "./books.ts"
import type { Ledger } from "./ledger.ts"
import type { Target, Turn } from "./program.ts"
import type { Cell, Refused, Strand, Work } from "./records.ts"

/** Forks that run at once, until they first wait, and outlive who forked them. */
export const launch = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Fiber.Fiber<A, E>> =>
  Effect.forkDetach(effect, { startImmediately: true })

/** Waits for `fiber`, and takes it along when it is interrupted. */
const follow = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<void> =>
  Effect.onInterrupt(Effect.asVoid(Fiber.await(fiber)), () => Fiber.interrupt(fiber))

/** The cell that is meant, as seen by `self`. */
export const pick = (ledger: Ledger, { among, number }: Target, self?: Cell): Cell | undefined => {
  if (among === "self" && self !== undefined) return self
  const above = self === undefined ? undefined : ledger.parentOf(self)
  if (among === "parent" && above !== undefined) return above
  const { cells } = ledger
  const from = among === "all" ? cells : cells.filter(({ ended }) => ended === undefined)
  return from[number % from.length]
}

/** Tells without waiting for room. */
export const tellNow = (ledger: Ledger, to: Cell, strand: Strand, turn: Turn): void => {
  const work = ledger.offer(to, strand, turn)
  if (to.ref.tellUnsafe(work)) return ledger.accept(work, true)
  mustBeLost(ledger, work)
}

const mustBeLost = (ledger: Ledger, work: Work): void =>
  ledger.must(work.letters.length === 1, "conserved", () => `${describe(work)} was refused, and is no dead letter`)

/** Tells, and waits for room. */
export const tell = (ledger: Ledger, to: Cell, strand: Strand, turn: Turn): Effect.Effect<void> =>
  Effect.gen(function*() {
    const work = ledger.offer(to, strand, turn)
    const fiber = yield* launch(to.ref.tell(work))
    const atOnce = fiber.pollUnsafe() !== undefined
    if (!atOnce) work.sending = "waiting"
    fiber.addObserver((exit) => told(ledger, work, exit, atOnce))
    yield* follow(fiber)
  })

const told = (ledger: Ledger, work: Work, exit: Exit.Exit<void, unknown>, atOnce: boolean): void => {
  if (Exit.isSuccess(exit)) {
    // `drop` says nothing to the sender.
    if (work.letters.length === 0 || work.turns.length > 0) ledger.accept(work, atOnce)
    return
  }
  if (!Cause.hasInterruptsOnly(exit.cause)) return mustBeLost(ledger, work)
  ledger.reach("a sender that gave up")
  if (work.sending === "waiting") work.sending = "gone"
}

/** Asks; gives the fiber that waits for the answer. */
export const ask = (
  ledger: Ledger,
  to: Cell,
  strand: Strand,
  turn: Turn,
  options: { readonly timeout: number; readonly impatient: boolean }
): Effect.Effect<Fiber.Fiber<number, unknown>> =>
  Effect.gen(function*() {
    const work = ledger.offer(to, strand, turn)
    const asking = ledger.ask(work, options.timeout, options.impatient)
    const fiber = yield* launch(to.ref.ask((reply: Exclude<Work["reply"], undefined>) => {
      work.reply = reply
      return work
    }, options.timeout))
    if (fiber.pollUnsafe() === undefined) {
      if (to.plan.mailbox.overflow === "backpressure") work.sending = "waiting"
      else ledger.accept(work, true)
    }
    fiber.addObserver((exit) => ledger.outcome(asking, outcomeOf(exit)))
    return fiber
  })

/** Asks, and waits for the answer. */
export const askAndWait = (
  ledger: Ledger,
  to: Cell,
  strand: Strand,
  turn: Turn,
  timeout: number
): Effect.Effect<void> => Effect.flatMap(ask(ledger, to, strand, turn, { timeout, impatient: true }), follow)

/** The first answer counts; later ones must do nothing. */
export const answer = (ledger: Ledger, work: Work, exit: Exit.Exit<number, Refused>): void => {
  ledger.answered(work, outcomeOf(exit))
  work.reply?.done(exit)
}

const outcomeOf = (exit: Exit.Exit<number, unknown>): string => {
  if (Exit.isSuccess(exit)) return `answer ${exit.value}`
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  const error = Cause.squash(exit.cause)
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : `defect ${String(error)}`
}

/** Stops a cell, in a fiber of its own. */
export const stop = (ledger: Ledger, cell: Cell, drain: boolean): Effect.Effect<Fiber.Fiber<void>> =>
  Effect.gen(function*() {
    ledger.note(`${drain ? "drain" : "stop"} cell ${cell.number}`)
    const fiber = yield* launch(cell.ref.stop({ drain }))
    ledger.stopCalled(cell, drain)
    return fiber
  })
