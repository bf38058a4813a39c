/**
 * The run queue as a port: who runs ready cells, and when.
 *
 * In production one microtask serves all ready cells, in turns of at most 64 messages (16 where they are slow) and slices
 * bounded by time; then `setImmediate` lets IO in. In tests a seeded picker takes one ready cell or one later task at a time, on the Scheduler of the
 * surrounding context, so that one seed is one interleaving.
 *
 * It also knows when all is quiet: nothing ready, no later task, and no token held by somebody whose work is under way
 * outside cells (a commit on its way to the disk, an adapter that waits for a process).
 */
import { Context, Effect, Layer, Random, Scheduler } from "effect"

/** Something the run queue can run: a cell, or the supervisor of some. */
export interface Runnable {
  /** Handles at most `limit` messages and gives how many it handled. Must not throw. */
  readonly turn: (limit: number) => number
}

/** Runs ready cells, and knows when there is nothing left to do. */
export interface DispatcherShape {
  /** Puts a cell that has something to do at the end of the run queue. The caller sees to it that it is there once. */
  readonly enqueue: (runnable: Runnable) => void
  /** Runs `task` once behind the current slice of the run queue. Tasks may run in any order. Must not throw. */
  readonly later: (task: () => void) => void
  /**
   * Says that something is under way outside cells; call what it gives when that is over (again is harmless). While a
   * token is out, the system is not quiet.
   */
  readonly begin: () => () => void
  /** No ready cell, no later task, no token. Cells that wait for a clock are quiet. */
  readonly quiet: () => boolean
}

/** A slice ends when a turn's worth of messages was handled and `SLICE_MILLIS` have passed. Measured: hot-paths, section A. */
const SLICE_MESSAGES = 64
const SLICE_MILLIS = 4
/** Where messages take longer than this each, turns are short: a timer's message waits for a turn of every busy cell. */
const SLOW_MILLIS = 0.005
const SLOW_MESSAGES = 16

/** The run queue's port. Needed by `ActorSystem`; the journal's committer flushes by `later`. */
export class Dispatcher extends Context.Service<Dispatcher, DispatcherShape>()("mobwright/core/Dispatcher") {
  /** Production: a microtask, slices of 64 messages and 4 ms, then `setImmediate`. */
  static readonly layer: Layer.Layer<Dispatcher> = Layer.sync(this, () => makeRunQueue())

  /**
   * Tests: one ready cell or later task at a time, picked by a generator seeded with `seed`, and run as a task of the
   * Scheduler in the context (the one that virtual time installs). Also draws how many messages a turn may handle.
   */
  static layerSeeded(seed: number | string): Layer.Layer<Dispatcher> {
    return Layer.effect(
      this,
      Effect.gen(function*() {
        const random = yield* Random.Random
        return makeSeededPicker(random, (yield* Scheduler.Scheduler).makeDispatcher())
      }).pipe(Random.withSeed(seed))
    )
  }
}

const makeTokens = () => {
  let held = 0
  const begin = () => {
    held++
    let over = false
    return () => {
      if (over) return
      over = true
      held--
    }
  }
  return { begin, none: () => held === 0 }
}

const makeRunQueue = (): DispatcherShape => {
  const tokens = makeTokens()
  const ready: Array<Runnable> = []
  let head = 0
  let serving = false
  let tasks = 0
  let limit = SLICE_MESSAGES

  const serve = () => {
    let since = performance.now()
    const end = since + SLICE_MILLIS
    let handled = 0
    while (head < ready.length) {
      // In range: head < length, and nothing is removed but here.
      handled += ready[head++]!.turn(limit)
      if (handled < limit) continue
      const now = performance.now()
      limit = now - since > handled * SLOW_MILLIS ? SLOW_MESSAGES : SLICE_MESSAGES
      since = now
      handled = 0
      if (now > end && head < ready.length) {
        // Rarely copied: only when half of the array is behind us.
        if (head * 2 > ready.length) {
          ready.splice(0, head)
          head = 0
        }
        setImmediate(serve)
        return
      }
    }
    ready.length = head = 0
    serving = false
  }

  return {
    enqueue: (runnable) => {
      ready.push(runnable)
      if (serving) return
      serving = true
      queueMicrotask(serve)
    },
    later: (task) => {
      tasks++
      queueMicrotask(() => {
        tasks--
        task()
      })
    },
    begin: tokens.begin,
    quiet: () => !serving && tasks === 0 && tokens.none()
  }
}

const makeSeededPicker = (random: Random.Random, scheduler: Scheduler.SchedulerDispatcher): DispatcherShape => {
  const tokens = makeTokens()
  const ready: Array<Runnable> = []
  const tasks: Array<() => void> = []
  let armed = false

  const below = (count: number) => Math.min(count - 1, Math.floor(random.nextDoubleUnsafe() * count))

  const arm = () => {
    if (armed) return
    armed = true
    scheduler.scheduleTask(step, 0)
  }

  const step = () => {
    armed = false
    const count = ready.length + tasks.length
    if (count === 0) return
    const pick = below(count)
    if (pick < ready.length) {
      const [runnable] = ready.splice(pick, 1)
      // Half of the turns are cut short, so that bursts end in every place.
      runnable?.turn(random.nextDoubleUnsafe() < 0.5 ? SLICE_MESSAGES : 1 + below(8))
    } else {
      const [task] = tasks.splice(pick - ready.length, 1)
      task?.()
    }
    if (ready.length + tasks.length > 0) arm()
  }

  return {
    enqueue: (runnable) => {
      ready.push(runnable)
      arm()
    },
    later: (task) => {
      tasks.push(task)
      arm()
    },
    begin: tokens.begin,
    quiet: () => ready.length + tasks.length === 0 && tokens.none()
  }
}
