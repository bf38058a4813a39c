/**
 * Group commits of which nothing is left.
 */
import type { Survey } from "./survey.ts"

/** Numbers from the first to the last. */
export type Range = readonly [first: number, last: number]

/**
 * Ranges of `seq` that were written and are missing. Commits before those that may have been pruned, or that have no
 * block any more as their mob was destroyed, are not counted: `01` says up to which that is.
 */
export const missingCommits = (survey: Survey, mark: number | undefined): ReadonlyArray<Range> => {
  const mobs = [...survey.mobs.values()]
  const settled = mobs.reduce(
    (most, { checkpoint }) => Math.max(most, checkpoint?.settledSeq ?? 0),
    survey.seqFloor ?? 0
  )
  const found = new Set<number>()
  let durable = settled
  for (const { blocks } of mobs) {
    for (const { seq } of blocks) {
      if (seq > settled) found.add(seq)
      durable = Math.max(durable, seq)
    }
  }
  const missing: Array<[number, number]> = []
  const add = (seq: number) => {
    const last = missing.at(-1)
    if (last !== undefined && last[1] === seq - 1) last[1] = seq
    else missing.push([seq, seq])
  }
  for (let seq = settled + 1; survey.seqFloor !== undefined && seq <= durable; seq++) if (!found.has(seq)) add(seq)
  if (mark !== undefined && mark > durable) missing.push([durable + 1, mark])
  return missing
}
