/**
 * Runs one program to its end, in virtual time, under the seed of the run queue.
 */
import { Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { spawn } from "nact"
import {
  ActorSystem,
  type ActorSystemShape,
  Dispatcher,
  type DispatcherShape,
  nactRef
} from "../../../core/actor/index.ts"
import { advance, settle, TestSystem, VirtualTime } from "../../../core/testing/index.ts"
import { cancelTimer, crash, end, resume, suspend } from "./acts.ts"
import { cellOf } from "./behaviour.ts"
import { Ledger } from "./ledger.ts"
import type { Program, Step } from "./program.ts"
import { lookAround, lookBack, lookForDown } from "./quiet.ts"
import { Strand } from "./records.ts"
import { ask, launch, pick, stop, tell, tellNow } from "./sending.ts"

/** Turns of the run queue that a run may take; more is a storm that does not end. */
const TURNS = 20_000
/** Until all is at rest that ever will be, once nothing ticks any more. */
const CALM = 1_500
/** All deadlines of a tree, one after the other, are shorter. */
const PATIENCE = 20_000
/** Longer than anything that cannot be interrupted. */
const AFTERMATH = 500

/** Stops serving after so many turns. */
const bounded = (dispatcher: DispatcherShape, exhausted: () => void): DispatcherShape => {
  let turns = 0
  const enough = () => {
    if (++turns <= TURNS) return false
    exhausted()
    return true
  }
  return {
    ...dispatcher,
    enqueue: (runnable) => dispatcher.enqueue({ turn: (limit) => enough() ? 1 : runnable.turn(limit) })
  }
}

/** The books of that run. */
export const run = (program: Program): Promise<Ledger> => {
  const running = Effect.gen(function*() {
    const time = yield* VirtualTime
    const ledger = new Ledger(() => time.now())
    const dispatcher = bounded(
      yield* Dispatcher,
      () => ledger.must(false, "progress", () => `it is not over after ${TURNS} turns`)
    )
    yield* Effect.provideService(perform(ledger, program), Dispatcher, dispatcher)
    return ledger
  })
  // Farewells that die and trees that are given up are logged; here they are many, and meant.
  const services = Layer.mergeAll(TestSystem.layerTime(program.seed), Logger.layer([]))
  return Effect.runPromise(Effect.provide(running, services))
}

const perform = (ledger: Ledger, program: Program) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.fresh(ActorSystem.layer), scope)
    const system = yield* Effect.provide(ActorSystem, context)
    system.tap.subscribe((event) => ledger.happened(event))
    system.deadLetters.subscribe((letter) => ledger.letter(letter))
    const starting = yield* Effect.forEach(
      program.roots,
      (plan) => launch(Effect.exit(system.spawn(cellOf(ledger, plan, false))))
    )
    const director = new Director(ledger)
    for (const step of program.steps) {
      yield* director.take(step)
      if (step.type === "settle" || step.type === "advance") lookAround(ledger, system.snapshotTree())
    }
    ledger.calm = true
    for (const life of ledger.cells.flatMap(({ lives }) => lives.slice(-1))) {
      for (const key of life.timers.keys()) cancelTimer(life, key)
    }
    yield* advance(CALM)
    lookAround(ledger, system.snapshotTree())
    lookForDown(ledger, system.snapshotTree())
    // Who stops a root must know it; the system knows those that are still starting, too.
    if (program.finish !== "close") yield* over(ledger, starting)
    yield* finish(ledger, system, scope, program.finish)
    lookBack(ledger)
  })

/** Does the steps. */
class Director {
  private readonly ledger: Ledger
  private readonly strand = new Strand()
  private readonly senders = [1, 2, 3].map(() => new Strand())
  /** What each sender is at. */
  private readonly sending: Array<Fiber.Fiber<void>> = []

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  take(step: Step): Effect.Effect<void, never, Dispatcher | VirtualTime> {
    const { ledger } = this
    switch (step.type) {
      case "yield":
        return Effect.yieldNow
      case "settle":
        return settle
      case "advance":
        return advance(step.millis)
    }
    const to = pick(ledger, step.to)
    if (to === undefined) return Effect.void
    const life = to.lives.at(-1)
    ledger.note(`${step.type} cell ${to.number}`)
    switch (step.type) {
      case "tellNow":
        for (const turn of step.turns) tellNow(ledger, to, this.strand, turn)
        return Effect.void
      case "tell":
        return this.send(
          step.sender,
          Effect.forEach(
            step.turns,
            (turn) => tell(ledger, to, this.senders[step.sender]!, turn),
            { discard: true }
          )
        )
      case "ask":
        return this.ask(step, to)
      case "crash":
        crash(life)
        return Effect.void
      case "end":
      case "shutdown":
        if (life !== undefined) end(life, step.type)
        return Effect.void
      case "suspend":
        if (life !== undefined) suspend(life)
        return Effect.void
      case "resume":
        if (life !== undefined) resume(life)
        return Effect.void
      case "stop":
      case "drain":
        return Effect.asVoid(stop(ledger, to, step.type === "drain"))
      case "spawn":
        return life === undefined
          ? Effect.void
          : Effect.asVoid(launch(Effect.exit(life.context.spawn(cellOf(ledger, step.plan, false)))))
    }
  }

  /** Each sender does one thing after the other. */
  private send(sender: number, what: Effect.Effect<void>): Effect.Effect<void> {
    const { sending } = this
    const before = sending[sender]
    const next = before === undefined ? what : Effect.andThen(Fiber.await(before), what)
    return Effect.map(launch(next), (fiber) => {
      sending[sender] = fiber
    })
  }

  private ask(step: Extract<Step, { readonly type: "ask" }>, to: Parameters<typeof ask>[1]): Effect.Effect<void> {
    const { patience, timeout, turn } = step
    return Effect.gen({ self: this }, function*() {
      const impatient = patience < timeout
      const fiber = yield* ask(this.ledger, to, new Strand(), turn, { timeout, impatient })
      if (!impatient) return
      const leaving = yield* launch(Effect.andThen(Effect.sleep(patience), Fiber.interrupt(fiber)))
      fiber.addObserver(() => leaving.interruptUnsafe())
    })
  }
}

/** Lets time pass until those fibers are done. */
const over = (ledger: Ledger, fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>) =>
  Effect.gen(function*() {
    const time = yield* VirtualTime
    const latest = time.now() + PATIENCE
    const isOver = () => fibers.every((fiber) => fiber.pollUnsafe() !== undefined)
    while (!isOver() && time.now() < latest) yield* advance(100)
    ledger.must(isOver(), "clean", () => `a start or an end is not over after ${PATIENCE} ms`)
  })

/** Ends all, and looks whether anything is left. */
const finish = (ledger: Ledger, system: ActorSystemShape, scope: Scope.Closeable, how: Program["finish"]) =>
  Effect.gen(function*() {
    const time = yield* VirtualTime
    const roots = ledger.cells.filter(({ above }) => above === "")
    const ending = how === "close"
      ? [yield* launch(Scope.close(scope, Exit.void))]
      : yield* Effect.forEach(roots, (root) => stop(ledger, root, how === "drain"))
    yield* over(ledger, ending)
    const ended = ledger.lines.length
    yield* advance(AFTERMATH)
    if (how !== "close") yield* wakeTheWheel(system)
    const { nextDue, now, pendingTasks } = time
    ledger.must(nextDue() === undefined, "clean", () => `something sleeps until ${nextDue()}, and it is ${now()}`)
    ledger.must(pendingTasks() === 0, "clean", () => `${pendingTasks()} tasks of the Scheduler are left`)
    const begun = ledger.lines.slice(ended).filter((line) => line.includes(" begins "))
    ledger.must(begun.length === 0, "ended", () => `after the end: ${begun}`)
    if (how === "close") return mustBeOutOfNact(ledger)
    // The system lives, and its nact system with it: what is out of the tree is out for that reason alone.
    ledger.must(system.snapshotTree().children.length === 0, "clean", () => "cells are left")
    mustBeOutOfNact(ledger)
    yield* over(ledger, [yield* launch(Scope.close(scope, Exit.void))])
  })

const mustBeOutOfNact = (ledger: Ledger): void => {
  for (const { number, ref } of ledger.cells) {
    ledger.must(refusesChildren(nactRef(ref)), "clean", () => `the nact actor of cell ${number} is left`)
  }
}

/**
 * The wheel may have a sleeper for a deadline that was removed. One that is due before it makes the wheel look again: what
 * sleeps after that is a deadline.
 */
const wakeTheWheel = (system: ActorSystemShape) =>
  Effect.gen(function*() {
    const deaf = yield* system.spawn<void, void, never, never>({
      name: "deaf",
      init: () => Effect.void,
      behavior: () => Effect.void
    })
    const asking = yield* launch(Effect.exit(deaf.ask<never, never>(() => undefined, 1)))
    yield* advance(1)
    yield* Fiber.await(asking)
    yield* deaf.stop()
  })

const refusesChildren = (ref: ReturnType<typeof nactRef>): boolean => {
  try {
    spawn(ref, () => undefined, "late")
    return false
  } catch {
    return true
  }
}
