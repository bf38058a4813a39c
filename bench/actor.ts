/**
 * What a cell costs, against raw nact and Effect's Queue.
 *
 * Floor and ours alternate within one process; each row is the median of the pair ratios with its middle half, and what
 * it must be. Messages are told in bursts of 10,000, as a bounded mailbox sees them. Cells are complete ones: nact actor,
 * bounded mailbox, supervision, dead letters, production run queue.
 */
import { Context, Deferred, Effect, Exit, Layer, Queue } from "effect"
import { dispatch, spawn, start, stop } from "nact"
import { type ActorRef, ActorSystem, Dispatcher, type Reply, type SpawnFailed } from "../core/actor/index.ts"

const BURST = 10_000
const PAIRS = 21

/** One row of the report. */
interface ActorBenchRow {
  readonly name: string
  /** Median of the pair ratios, or the measured size. */
  readonly median: number
  /** Their middle half. */
  readonly low: number
  readonly high: number
  readonly budget: string
  readonly held: boolean
}

type Sample = () => Promise<number>

const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

const spread = (values: ReadonlyArray<number>) => {
  const sorted = values.toSorted((left, right) => left - right)
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) }
}

/** Ratios of `ours` to `floor`, which alternate, and take turns at being first. */
const ratios = async (ours: Sample, floor: Sample): Promise<ReadonlyArray<number>> => {
  for (let round = 0; round < 3; round++) {
    await ours()
    await floor()
  }
  const found: Array<number> = []
  for (let pair = 0; pair < PAIRS; pair++) {
    const first = pair % 2 === 0 ? await ours() : await floor()
    const second = pair % 2 === 0 ? await floor() : await ours()
    found.push(pair % 2 === 0 ? first / second : second / first)
  }
  return found
}

/** Messages per second of `bursts` bursts, each sent at once and awaited. */
const rate = async (bursts: number, send: (number: number) => void, handled: () => Promise<void>): Promise<number> => {
  const begin = performance.now()
  for (let burst = 0; burst < bursts; burst++) {
    const done = handled()
    for (let number = 1; number <= BURST; number++) send(number)
    await done
  }
  return bursts * BURST / (performance.now() - begin) * 1_000
}

/** Tells when the last message of a burst was handled. */
class Burst {
  private resolve: () => void = () => {}
  readonly handled = () =>
    new Promise<void>((resolve) => {
      this.resolve = resolve
    })
  readonly see = (number: number) => {
    if (number === BURST) this.resolve()
  }
}

class Step extends Context.Service<Step, { readonly of: (count: number) => number }>()("bench/Step") {
  static readonly layer = Layer.succeed(this, { of: (count) => count + 1 })
}

/** A behaviour that is a generator with a service. */
const generator = Effect.fnUntraced(function*(count: number) {
  const step = yield* Step
  return step.of(count)
})

const cellRate = (ref: ActorRef<number>, burst: Burst): Sample => () =>
  rate(20, (number) => ref.tellUnsafe(number), burst.handled)

const spawnCounter = (burst: Burst) =>
  Effect.flatMap(ActorSystem, (system) =>
    system.spawn<number, number, never, never>({
      name: "counter",
      init: () => Effect.succeed(0),
      behavior: (count, number) => {
        burst.see(number)
        return Effect.succeed(count + 1)
      }
    }))

const nactRate = (system: ReturnType<typeof start>, burst: Burst): Sample => {
  const actor = spawn(
    system,
    (count: number, number: number) => {
      burst.see(number)
      return count + 1
    },
    "counter",
    { initialState: 0 }
  )
  return () => rate(2, (number) => dispatch(actor, number), burst.handled)
}

const queueRate = (burst: Burst) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<number>()
    let count = 0
    yield* Effect.forkScoped(Effect.gen(function*() {
      for (;;) {
        const number = yield* Queue.take(queue)
        count++
        burst.see(number)
      }
    }))
    return (): Promise<number> => rate(10, (number) => Queue.offerUnsafe(queue, number), burst.handled)
  })

const generatorRates = Effect.gen(function*() {
  const system = yield* ActorSystem
  const burst = new Burst()
  const ref = yield* system.spawn<number, number, never, Step>({
    name: "generator",
    init: () => Effect.succeed(0),
    behavior: (count, number) => {
      burst.see(number)
      return generator(count)
    }
  })
  const run = Effect.runPromiseWith(yield* Effect.context<Step>())
  const bare = async () => {
    let count = 0
    let number = 0
    const begin = performance.now()
    await run(Effect.whileLoop({
      while: () => number++ < 20 * BURST,
      body: () => generator(count),
      step: (next) => {
        count = next
      }
    }))
    return 20 * BURST / (performance.now() - begin) * 1_000
  }
  // As time for time: the floor's rate over ours.
  return { ours: cellRate(ref, burst), bare }
})

interface Question {
  readonly reply: Reply<number>
}

/** Median microseconds of an ask, each its own runPromise, one after the other. */
const median = async (once: () => Promise<unknown>): Promise<number> => {
  const times: Array<number> = []
  for (let ask = 0; ask < 2_000; ask++) {
    const begin = performance.now()
    await once()
    times.push((performance.now() - begin) * 1_000)
  }
  return spread(times).median
}

const askTimes = Effect.gen(function*() {
  const system = yield* ActorSystem
  const ref = yield* system.spawn<number, Question, never, never>({
    name: "answerer",
    init: () => Effect.succeed(0),
    behavior: (count, { reply }) => {
      reply.done(Exit.succeed(count))
      return Effect.succeed(count + 1)
    }
  })
  const queue = yield* Queue.unbounded<Deferred.Deferred<number>>()
  yield* Effect.forkScoped(Effect.gen(function*() {
    let count = 0
    for (;;) Deferred.doneUnsafe(yield* Queue.take(queue), Exit.succeed(count++))
  }))
  const byQueue = Effect.suspend(() => {
    const deferred = Deferred.makeUnsafe<number>()
    Queue.offerUnsafe(queue, deferred)
    return Effect.timeout(Deferred.await(deferred), 5_000)
  })
  return {
    ours: () => median(() => Effect.runPromise(ref.ask((reply: Reply<number>) => ({ reply }), 5_000))),
    floor: () => median(() => Effect.runPromise(byQueue))
  }
})

const CELLS = 20_000
const COST_ROUNDS = 7

/** Heap bytes and microseconds of a cell; needs --expose-gc. */
const cellCost = Effect.gen(function*() {
  const system = yield* ActorSystem
  const { gc } = globalThis
  gc?.()
  const before = process.memoryUsage().heapUsed
  const begin = performance.now()
  const parent = yield* system.spawn<number, never, SpawnFailed, never>({
    name: "parent",
    init: (context) =>
      Effect.gen(function*() {
        for (let cell = 0; cell < CELLS; cell++) {
          yield* context.spawn({
            name: "cell",
            init: () => Effect.succeed(0),
            behavior: (count: number, _: number) => Effect.succeed(count)
          })
        }
        return 0
      }),
    behavior: (count) => Effect.succeed(count)
  })
  const spawned = (performance.now() - begin) * 1_000 / CELLS
  gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / CELLS
  const stopping = performance.now()
  yield* parent.stop()
  return { bytes, spawned, stopped: (performance.now() - stopping) * 1_000 / CELLS }
})

const row = (
  name: string,
  values: ReadonlyArray<number>,
  budget: string,
  holds: (median: number) => boolean
): ActorBenchRow => {
  const found = spread(values)
  return { name, ...found, budget, held: holds(found.median) }
}

const program = Effect.gen(function*() {
  const floor = start()
  const burst = new Burst()
  const ours = cellRate(yield* spawnCounter(burst), burst)
  const nact = nactRate(floor, new Burst())
  const queue = yield* queueRate(new Burst())
  const pairs = (left: Sample, right: Sample) => Effect.promise(() => ratios(left, right))
  const rows = [
    row("tell, against raw nact", yield* pairs(ours, nact), ">= 10", (it) => it >= 10),
    row("tell, against Effect's Queue, generator take loop", yield* pairs(ours, queue), ">= 2", (it) => it >= 2)
  ]
  const absolute = yield* Effect.promise(async () => {
    const rates: Array<number> = []
    for (let round = 0; round < PAIRS; round++) rates.push(await ours() / 1e6)
    return rates
  })
  rows.push(row("tell, million messages a second", absolute, "aim 7.7", () => true))
  const generators = yield* generatorRates
  rows.push(
    row(
      "generator with a service, time against a bare whileLoop",
      yield* pairs(generators.bare, generators.ours),
      "<= 1.35",
      (it) => it <= 1.35
    )
  )
  const asks = yield* askTimes
  rows.push(
    row(
      "ask p50, time against Queue + Deferred + timeout",
      yield* pairs(asks.ours, asks.floor),
      "<= 0.5",
      (it) => it <= 0.5
    )
  )
  const costs = yield* Effect.replicateEffect(cellCost, COST_ROUNDS)
  rows.push(row("a cell, heap bytes", costs.map((it) => it.bytes), "<= 2,560", (it) => it <= 2_560))
  rows.push(row("a cell, microseconds to spawn", costs.map((it) => it.spawned), "<= 8", (it) => it <= 8))
  rows.push(row("a cell, microseconds to stop", costs.map((it) => it.stopped), "linear", () => true))
  stop(floor)
  return rows
}).pipe(Effect.scoped, Effect.provide([ActorSystem.layer.pipe(Layer.provide(Dispatcher.layer)), Step.layer]))

/** Measures all rows, prints them, and gives them back. */
export const benchActor = async (): Promise<ReadonlyArray<ActorBenchRow>> => {
  const rows = await Effect.runPromise(program)
  for (const { name, median, low, high, budget, held } of rows) {
    const figures = `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
    console.log(`${held ? "ok  " : "MISS"} ${name}: ${figures}, budget ${budget}`)
  }
  return rows
}

if (import.meta.main) await benchActor()
