/**
 * How the actor bench measures: what a sample is, how two are compared, and how it is seen that no message was lost.
 */
import { pairs, report, shown, spread } from "../measure.ts"

/** Does something often, sees to it that it was done, and gives the microseconds of one. */
export type Sample = () => Promise<number>

/** What a median may be apart from 1 by noise alone where ours and the floor do the same. */
export const NOISE = 1.25

/**
 * What one among the most may cost of one among the fewest, where it should cost the same. What grows with their number
 * would show as 100 to 1,000; the rest is noise, and caches that 100,000 cells do not fit in.
 */
export const FLAT = 2

/** Messages that are told at once: what a bounded mailbox sees. */
export const BURST = 10_000

const SUM = BURST * (BURST + 1) / 2

/** Milliseconds: what is not done by then never is. */
const LOST_AFTER = 60_000

/** Counts and adds up what is handled. */
export class Tally {
  private count = 0
  private sum = 0
  private complete: () => void = () => {}

  readonly saw = (number: number): void => {
    this.sum += number
    if (++this.count === BURST) this.complete()
  }

  /** When as many as a burst has were handled. */
  burst(): Promise<void> {
    this.count = this.sum = 0
    return new Promise((resolve) => {
      this.complete = resolve
    })
  }

  /** Throws unless each of a burst was handled, and once. */
  check(): void {
    if (this.count !== BURST || this.sum !== SUM) {
      throw new Error(`${this.count} messages of ${BURST} were handled, with the sum ${this.sum} instead of ${SUM}`)
    }
  }
}

/** Gives what `done` gives, or fails when it takes so long that something must have been lost. */
export const orLost = async <A>(done: Promise<A>): Promise<A> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`not all was handled within ${LOST_AFTER} ms`)), LOST_AFTER)
  try {
    return await Promise.race([done, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Tells bursts of 1 to 10,000, each when the one before was handled. */
export const bursts = (count: number, tally: Tally, tell: (number: number) => void): Sample => () =>
  orLost((async () => {
    const begin = performance.now()
    for (let burst = 0; burst < count; burst++) {
      const handled = tally.burst()
      for (let number = 1; number <= BURST; number++) tell(number)
      await handled
      tally.check()
    }
    return (performance.now() - begin) * 1_000 / (count * BURST)
  })())

/** What a median must be. */
interface Budget {
  readonly text: string
  readonly held: (median: number) => boolean
}

/** Not less than `least`. */
export const least = (least: number): Budget => ({ text: `>= ${least}`, held: (median) => median >= least })

/** Not more than `most`. */
export const most = (most: number): Budget => ({
  text: `<= ${most.toLocaleString("en")}`,
  held: (median) => median <= most
})

/** Prints what was measured without a floor. */
export const absolute = (name: string, values: ReadonlyArray<number>, budget?: Budget, digits = 2): void => {
  const found = spread(values)
  report(name, shown(found, digits), budget && { text: budget.text, held: budget.held(found.median) })
}

const figure = (values: ReadonlyArray<number>): string => spread(values).median.toPrecision(3)

const compare = async (
  name: string,
  [ours, floor]: readonly [ours: Sample, floor: Sample],
  ratio: (pair: { readonly ours: number; readonly floor: number }) => number,
  budget: Budget | undefined
): Promise<void> => {
  const found = await pairs(ours, floor)
  const ratios = spread(found.map(ratio))
  report(
    name,
    `${shown(ratios)}; ${figure(found.map((it) => it.ours))} us against ${figure(found.map((it) => it.floor))} us`,
    budget && { text: budget.text, held: budget.held(ratios.median) }
  )
}

/** How many times as fast as the floor we are. */
export const faster = (name: string, ours: Sample, floor: Sample, budget?: Budget): Promise<void> =>
  compare(name, [ours, floor], (pair) => pair.floor / pair.ours, budget)

/** What share of the floor's time we take. */
export const share = (name: string, ours: Sample, floor: Sample, budget?: Budget): Promise<void> =>
  compare(name, [ours, floor], (pair) => pair.ours / pair.floor, budget)
