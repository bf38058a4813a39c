/**
 * How a pair is measured and a row is printed: floor and ours alternate within one process and take turns at being
 * first; the median of the pair ratios is told with its middle half.
 */

/** Pairs of a row, and the fewest that a row may have. */
export const PAIRS = 21

/** Pairs that only warm up. */
const WARM = 3

/** A median with its middle half. */
interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

/** Median and quartiles of what was measured. */
export const spread = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((left, right) => left - right)
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) }
}

/** Milliseconds that something took, and what of them the main thread worked: that hardly feels what else runs. */
export const timed = async (
  task: () => Promise<unknown>
): Promise<{ readonly took: number; readonly worked: number }> => {
  const before = process.threadCpuUsage()
  const begin = performance.now()
  await task()
  const took = performance.now() - begin
  const { system, user } = process.threadCpuUsage(before)
  return { took, worked: (system + user) / 1_000 }
}

/** Milliseconds of one pair. */
interface Pair {
  readonly ours: number
  readonly floor: number
}

/** Measures pairs; each task gives its own milliseconds. */
export const pairs = async (
  ours: () => Promise<number>,
  floor: () => Promise<number>
): Promise<ReadonlyArray<Pair>> => {
  const found: Array<Pair> = []
  for (let pair = -WARM; pair < PAIRS; pair++) {
    const odd = pair % 2 !== 0
    const first = odd ? await ours() : await floor()
    const second = odd ? await floor() : await ours()
    if (pair >= 0) found.push(odd ? { ours: first, floor: second } : { ours: second, floor: first })
  }
  return found
}

/** Text of a spread. */
export const shown = ({ high, low, median }: Spread, digits = 2): string =>
  `${median.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`

/** Prints a row of the report; `held` is left out where there is no budget. */
export const report = (name: string, figures: string, budget?: { readonly text: string; readonly held: boolean }) => {
  const mark = budget === undefined ? "    " : budget.held ? "ok  " : "MISS"
  console.log(`${mark} ${name}: ${figures}${budget === undefined ? "" : `, budget ${budget.text}`}`)
}
