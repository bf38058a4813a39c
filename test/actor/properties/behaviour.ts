/**
 * Cells from plans: their starts and farewells, and a behaviour that does what the message says.
 */
import { Cause, Effect, Exit, Scope } from "effect"
import { type CellContext, type CellSpec, child } from "../../../core/actor/index.ts"
import { end, performed, performNow, tracked } from "./acts.ts"
import type { Ledger } from "./ledger.ts"
import type { CellPlan, Farewell, Start } from "./program.ts"
import { type Life, type Message, Strand, type TurnRecord } from "./records.ts"

/** A new one for each message that is handled. */
interface State {
  readonly life: Life
}

/** How long what is slow takes, and what cannot be interrupted: longer than some deadlines. */
const SLOW = 10
const STUBBORN = 50
/** Of starts that hang. */
const START_TIMEOUT = 100

/** A cell that enters all it does in the books; `listed` among the children of the one above. */
export const cellOf = (ledger: Ledger, plan: CellPlan, listed: boolean): CellSpec<State, Message, string, never> => {
  const below = plan.children.map((it) => cellOf(ledger, it, plan.listed))
  const { farewell, mailbox, restart, shutdown, significant, supervision } = plan
  return {
    name: "cell",
    restart,
    significant,
    supervision,
    mailbox,
    shutdown,
    startTimeout: plan.starts.includes("hangs") ? START_TIMEOUT : "infinity",
    ...(plan.listed ? { children: below.map((spec) => child(spec)) } : {}),
    init: (context) => begin(ledger, ledger.enter(context, plan, listed), plan.listed ? [] : below),
    behavior: (state, message, context) => handle(ledger, state, message, context),
    ...(farewell === "none" ? {} : { onStop: ({ life }) => leave(ledger, life, farewell) })
  }
}

const begin = (
  ledger: Ledger,
  life: Life,
  below: ReadonlyArray<CellSpec<State, Message, string, never>>
): Effect.Effect<State, string> => {
  const { cell: { plan }, context } = life
  for (let number = 1; number <= plan.finalizers; number++) acquire(ledger, life, number)
  const state: State = { life }
  life.state = state
  const how = plan.starts[life.number - 1] ?? "plain"
  if (how === "throws") throw new Error("a start that throws")
  if (how === "fails") return Exit.fail("a start that fails")
  if (how === "ends") {
    end(life, "end")
  }
  if (how === "plain" && below.length === 0) return Exit.succeed(state)
  const spawned = Effect.forEach(below, (spec) => Effect.exit(context.spawn(spec)), { discard: true })
  return tracked(
    ledger,
    `start ${life.number} of cell ${life.cell.number}`,
    Effect.as(Effect.andThen(STARTS[how] ?? Effect.void, spawned), state)
  )
}

const STARTS: Partial<Record<Start, Effect.Effect<void>>> = {
  yields: Effect.yieldNow,
  slow: Effect.sleep(SLOW),
  stubborn: Effect.uninterruptible(Effect.sleep(STUBBORN)),
  hangs: Effect.never
}

/** Something that the Scope of the life gives back. */
const acquire = (ledger: Ledger, life: Life, number: number): void => {
  const what = `resource ${number} of life ${life.number} of cell ${life.cell.number}`
  ledger.unreleased.add(what)
  const release = Effect.suspend(() => {
    ledger.must(ledger.unreleased.delete(what), "clean", () => `${what} is released twice`)
    return number > 1 ? Effect.sleep(SLOW) : Effect.void
  })
  Effect.runSync(Scope.addFinalizer(life.context.scope, release))
}

const leave = (ledger: Ledger, life: Life, farewell: Farewell): Effect.Effect<void> => {
  ledger.leave(life)
  return tracked(ledger, `farewell of life ${life.number} of cell ${life.cell.number}`, FAREWELLS[farewell])
}

const FAREWELLS: Record<Farewell, Effect.Effect<void>> = {
  none: Effect.void,
  plain: Effect.void,
  slow: Effect.sleep(SLOW),
  stubborn: Effect.uninterruptible(Effect.sleep(STUBBORN)),
  dies: Effect.andThen(Effect.yieldNow, Effect.die("a farewell that dies"))
}

/** Begins a message; acts that wait for nothing are done at once where the turn is plain. */
const handle = (
  ledger: Ledger,
  state: State,
  message: Message,
  context: CellContext<Message>
): Effect.Effect<State, string> => {
  const turn = ledger.begin(context, message, state)
  const strand = new Strand(turn.life.cell)
  const { acts, plain } = message.turn
  if (plain) ledger.run(turn)
  let done = 0
  if (plain) { while (done < acts.length && performNow(ledger, turn, strand, acts[done]!)) done++ }
  if (plain && done === acts.length) return conclude(ledger, turn)
  ledger.hold(turn)
  const make = (plan: CellPlan) => cellOf(ledger, plan, false)
  return inFiber(ledger, turn, Effect.forEach(acts.slice(done), (act) => performed(ledger, turn, strand, act, make)))
}

/** The ending of a turn that answers an Exit. */
const conclude = (ledger: Ledger, turn: TurnRecord): Exit.Exit<State, string> => {
  const { life, message } = turn
  switch (message.turn.ending) {
    case "done": {
      const state = { life }
      ledger.end(turn, "handled", state)
      return Exit.succeed(state)
    }
    case "interrupts":
      turn.interruptsItself = turn.life.dead ? "dead" : "alive"
      ledger.end(turn, "interrupted")
      return Exit.interrupt()
    case "fails":
      ledger.end(turn, "failed")
      return Exit.fail("a turn that fails")
    case "dies":
      ledger.end(turn, "failed")
      return Exit.die("a turn that dies")
    case "throws":
      ledger.end(turn, "failed")
      throw new Error("a turn that throws")
  }
}

const inFiber = (ledger: Ledger, turn: TurnRecord, acts: Effect.Effect<unknown>): Effect.Effect<State, string> => {
  const ending = Effect.suspend((): Effect.Effect<State, string> => {
    switch (turn.message.turn.ending) {
      case "done":
        return Effect.succeed({ life: turn.life })
      case "interrupts":
        turn.interruptsItself = turn.life.dead ? "dead" : "alive"
        return Effect.interrupt
      case "fails":
        return Effect.fail("a turn that fails")
      case "dies":
        return Effect.die("a turn that dies")
      case "throws":
        throw new Error("a turn that throws")
    }
  })
  const program = Effect.suspend(() => {
    ledger.run(turn)
    return Effect.andThen(acts, ending)
  })
  return Effect.onExit(program, (exit) =>
    Effect.sync(() => {
      if (Exit.isSuccess(exit)) ledger.end(turn, "handled", exit.value)
      else ledger.end(turn, Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failed")
    }))
}
