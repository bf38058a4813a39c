/**
 * What turns and forks do, one act after the other.
 */
import { Cause, Effect, Exit, Fiber } from "effect"
import type { CellSpec } from "../../../core/actor/index.ts"
import type { Ledger } from "./ledger.ts"
import type { Act, CellPlan, Errand } from "./program.ts"
import { type Life, type Message, News, Refused, Strand, Tick, type TurnRecord } from "./records.ts"
import { answer, askAndWait, pick, stop, tell, tellNow } from "./sending.ts"

/** Makes a cell from a plan. */
export type MakeCell = (plan: CellPlan) => CellSpec<{ readonly life: Life }, Message, string, never>

/** `effect`, in the books until it is over. */
export const tracked = <A, E>(ledger: Ledger, what: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const program = { what }
    ledger.underWay.add(program)
    return Effect.ensuring(effect, Effect.sync(() => void ledger.underWay.delete(program)))
  })

/** How often one message is put aside. */
const STASHED_AT_MOST = 3

/** Cells of one run at most, but for those of its trees. */
const CELLS = 40

/** Does an act that waits for nothing; false if it may wait, and nothing is done. */
export const performNow = (ledger: Ledger, turn: TurnRecord, strand: Strand, act: Act): boolean => {
  const { life, message } = turn
  const { cell, context } = life
  switch (act.type) {
    case "answer":
      if (message.kind === "work") answer(ledger, message, Exit.succeed(message.number))
      return true
    case "refuse":
      if (message.kind === "work") answer(ledger, message, Exit.fail(new Refused()))
      return true
    case "keep":
      if (message.kind === "work") life.kept.push(message)
      return true
    case "answerKept":
      for (const kept of life.kept) answer(ledger, kept, Exit.succeed(kept.number))
      life.kept = []
      return true
    case "stash":
      // Two messages that put aside what the other takes back would go on for ever.
      if (message.turns.length <= STASHED_AT_MOST && context.stash()) ledger.putAside(turn)
      return true
    case "unstash":
      ledger.takeBack(life, turn.unsure)
      context.unstash()
      return true
    case "suspend":
      suspend(life)
      return true
    case "end":
    case "shutdown":
      end(life, act.type)
      return true
    case "crashSelf":
      context.crash(Cause.die("a turn that crashes its cell"))
      life.dead = true
      return true
    case "crash":
      crash(pick(ledger, act.to, cell)?.lives.at(-1))
      return true
    case "watch":
    case "unwatch": {
      const target = pick(ledger, act.to, cell)
      if (target === undefined) return true
      if (act.type === "watch") watch(ledger, life, target)
      else unwatch(life, target)
      return true
    }
    case "timer":
      if (!ledger.calm) setTimer(ledger, life, act)
      return true
    case "cancel":
      cancelTimer(life, act.key)
      return true
    case "fork":
      fork(ledger, life, act)
      return true
    case "tell": {
      if (act.waits) return false
      const to = pick(ledger, act.to, cell)
      if (to !== undefined) tellNow(ledger, to, strand, act.turn)
      return true
    }
    default:
      return false
  }
}

/** Does any act. */
export const performed = (
  ledger: Ledger,
  turn: TurnRecord,
  strand: Strand,
  act: Act,
  make: MakeCell
): Effect.Effect<void> =>
  Effect.suspend(() =>
    performNow(ledger, turn, strand, act) ? Effect.void : performWaiting(ledger, turn, strand, act, make)
  )

const performWaiting = (
  ledger: Ledger,
  turn: TurnRecord,
  strand: Strand,
  act: Act,
  make: MakeCell
): Effect.Effect<void> => {
  const { cell, context } = turn.life
  switch (act.type) {
    case "sleep":
      return Effect.sleep(act.millis)
    case "yield":
      return Effect.yieldNow
    case "stubborn":
      turn.unsure = true
      return Effect.uninterruptible(Effect.sleep(act.millis))
    case "spawn":
      // A periodic tick may spawn.
      if (ledger.cells.length >= CELLS) return Effect.void
      turn.unsure = true
      return Effect.asVoid(Effect.exit(context.spawn(make(act.plan))))
    case "tell": {
      const to = pick(ledger, act.to, cell)
      return to === undefined ? Effect.void : tell(ledger, to, strand, act.turn)
    }
    case "ask": {
      const to = pick(ledger, act.to, cell)
      return to === undefined ? Effect.void : askAndWait(ledger, to, strand, act.turn, act.timeout)
    }
    case "stop":
    case "drain": {
      const to = pick(ledger, act.to, cell)
      if (to === undefined) return Effect.void
      turn.unsure = true
      const drain = act.type === "drain"
      if (to !== cell) return Effect.flatMap(stop(ledger, to, drain), Fiber.await)
      // In the fiber of the turn itself: it must not wait.
      return Effect.andThen(cell.ref.stop({ drain }), Effect.sync(() => ledger.stopCalled(cell, drain)))
    }
    default:
      return Effect.void
  }
}

/** Crashes a life from outside. */
export const crash = (life: Life | undefined): void => {
  if (life === undefined) return
  life.context.crash(Cause.die("a crash from outside"))
  life.dead = true
}

/** Lets a life end by itself. */
export const end = (life: Life, how: "end" | "shutdown"): void => {
  life.context.end(how === "end" ? "normal" : "shutdown")
  life.leaving = life.cell.leaves = true
  if (life.cell.running.size === 0) life.dead = true
}

/** Keeps a life from handling anything. */
export const suspend = (life: Life): void => {
  life.context.suspend()
  life.suspended = true
}

/** Lets it go on. */
export const resume = (life: Life): void => {
  life.suspended = false
  life.context.resume()
}

const watch = (ledger: Ledger, life: Life, target: Life["cell"]): void => {
  forgetWatch(life, target)
  const news = new News(life, target)
  life.watches.set(target, news)
  life.cell.envelopes++
  life.context.watch(target.ref, ({ path, reason }) => {
    news.made++
    ledger.must(news.made === 1, "watches", () => `the news of cell ${target.number} are made again`)
    news.after = ledger.works.length
    news.reason = reason
    ledger.must(path === target.ref.path, "watches", () => `the news of cell ${target.number} speak of ${path}`)
    return news
  })
}

const unwatch = (life: Life, target: Life["cell"]): void => {
  forgetWatch(life, target)
  life.context.unwatch(target.ref)
}

const forgetWatch = (life: Life, target: Life["cell"]): void => {
  const news = life.watches.get(target)
  if (news !== undefined) news.cancelled = true
  life.watches.delete(target)
}

const setTimer = (ledger: Ledger, life: Life, act: Extract<Act, { readonly type: "timer" }>): void => {
  const { key, millis, periodic, turn } = act
  forgetTimer(life, key)
  const tick = new Tick(life, key, millis, periodic, turn, ledger.now())
  life.timers.set(key, tick)
  life.cell.envelopes++
  if (periodic) life.context.setPeriodicTimer(key, millis, tick)
  else life.context.setTimer(key, millis, tick)
}

/** Cancels a timer of a life. */
export const cancelTimer = (life: Life, key: string): void => {
  forgetTimer(life, key)
  life.context.cancelTimer(key)
}

const forgetTimer = (life: Life, key: string): void => {
  const tick = life.timers.get(key)
  if (tick !== undefined) tick.cancelled = true
  life.timers.delete(key)
}

const fork = (ledger: Ledger, life: Life, act: Extract<Act, { readonly type: "fork" }>): void => {
  const wait = act.stubborn ? Effect.uninterruptible(Effect.sleep(act.millis)) : Effect.sleep(act.millis)
  const errand = Effect.suspend(() => run(ledger, life, act.errand, act.stubborn))
  life.context.fork(tracked(ledger, `a fork of cell ${life.cell.number}`, Effect.andThen(wait, errand)))
}

const run = (ledger: Ledger, life: Life, errand: Errand, unsure: boolean): Effect.Effect<void, string> => {
  switch (errand.type) {
    case "nothing":
      return Effect.void
    case "never":
      return Effect.never
    case "fail":
      return Effect.fail("a fork that fails")
    case "resume":
      resume(life)
      return Effect.void
    case "unstash":
      ledger.takeBack(life, unsure)
      life.context.unstash()
      return Effect.void
    case "tell": {
      const to = pick(ledger, errand.to, life.cell)
      return to === undefined ? Effect.void : tell(ledger, to, new Strand(life.cell), errand.turn)
    }
  }
}
