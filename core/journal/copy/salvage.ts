/**
 * What of a damaged mob can be kept. A pure decision over a survey.
 *
 * History is kept from the last hole on, if it goes on to the highest position that was ever seen; else none of it is.
 * The floors move up to where it begins. Each aggregate keeps its head and the entries that follow it without a gap. If
 * not all of these stand in the history that is kept, they are written again, without their events, behind it: the
 * aggregate is *seated anew*, as one that began there. An aggregate whose head cannot be read is lost: entries alone
 * would do, from revision 1 on, but a store loads nothing without a head.
 */
import type { BlockList } from "./block-list.ts"
import type { AggregateSeen, BlockSeen, EntrySeen, HeadSeen, MobSurvey, Place } from "./mob-survey.ts"

/**
 * Where the end of a log is lost, nobody knows how much was in it. As nothing may be given twice, the log goes on this
 * far behind what is known: positions, and cursors for each of them.
 */
const beyond = 1000

/** What is kept of one mob. */
export interface Salvage {
  /** Where the log that is kept begins. */
  readonly first: Place
  /** Those from this index on are kept. */
  readonly from: number
  readonly blocks: BlockList
  /** Aggregates that stand; those seated anew begin where the history ends. */
  readonly seats: ReadonlyMap<string, { readonly head: HeadSeen; readonly again: ReadonlyArray<EntrySeen> | undefined }>
  /** Positions in the history after which an aggregate is not as the entries say: it ends there, or does not. */
  readonly terminal: ReadonlyMap<number, boolean>
  readonly lost: ReadonlyArray<LostAggregate>
  /** Positions, first and last, that are lost: what stood there was of aggregates that are not known. */
  readonly holes: MobSurvey["holes"]
}

/** What is lost of an aggregate: all of its state, or its newest revisions. */
export interface LostAggregate {
  readonly aggregate: string
  readonly revisions: readonly [first: number, last: number] | undefined
}

/** Decides what to keep. */
export const salvage = (mob: MobSurvey): Salvage => {
  const { blocks } = mob
  const from = lastRun(mob)
  const end = blocks.at(-1)?.next ?? mob.first
  const endsThere = end.position === mob.end.position && end.cursor === mob.end.cursor
  const first = blocks.at(from) ?? (endsThere ? mob.end : {
    position: mob.end.position + beyond,
    cursor: Math.max(end.cursor, mob.end.cursor) + beyond * (beyond + mob.end.position - end.position)
  })
  const holes = endsThere ? mob.holes : [...mob.holes, [end.position, first.position - 1] as const]
  const seats = new Map<string, { readonly head: HeadSeen; readonly again: ReadonlyArray<EntrySeen> | undefined }>()
  const terminal = new Map<number, boolean>()
  const lost: Array<LostAggregate> = []
  const live = new Map((mob.checkpoint?.live ?? []).map((it) => [it.aggregate, it.rev]))
  const kept = (seen: AggregateSeen | undefined) => seen !== undefined && seen.position >= first.position

  for (const [aggregate, head] of mob.heads) {
    const seen = mob.aggregates.get(aggregate)
    const chain = chainOf(head, seen)
    const last = chain.at(-1)
    const revision = head.revision + chain.length
    const newest = Math.max(
      revision,
      seen !== undefined && seen.position >= head.born ? seen.rev : 0,
      live.get(aggregate) ?? 0
    )
    if (newest > revision) lost.push({ aggregate, revisions: [revision + 1, newest] })
    // An end has a head in its own batch. This one is of before: whoever loads it finds that it has ended.
    const inPlace = chain.every(({ position }) => position >= first.position)
      && (!kept(seen) || seen?.position === (last ?? head).position)
    if (inPlace) {
      if (last?.terminal === true) terminal.set(last.position, false)
      seats.set(aggregate, { head, again: undefined })
    } else {
      if (seen !== undefined && kept(seen)) terminal.set(seen.position, true)
      seats.set(aggregate, { head, again: chain })
    }
  }

  const others = new Set([...mob.damagedHeads, ...live.keys(), ...mob.aggregates.keys()])
  for (const aggregate of others) {
    if (mob.heads.has(aggregate)) continue
    const seen = mob.aggregates.get(aggregate)
    // Ended, and forgotten since.
    if (seen?.terminal === true && !mob.damagedHeads.has(aggregate)) continue
    lost.push({ aggregate, revisions: undefined })
    if (seen !== undefined && kept(seen)) terminal.set(seen.position, true)
  }
  return { first: { position: first.position, cursor: first.cursor }, from, blocks, seats, terminal, lost, holes }
}

/** Index of the first of the intact blocks that follow each other up to the end of the log. */
const lastRun = (mob: MobSurvey): number => {
  const { blocks, end } = mob
  let next: Place | undefined = end
  let seq = Infinity
  let from = blocks.length
  while (from > 0) {
    const block: BlockSeen | undefined = blocks.at(from - 1)
    if (
      block === undefined || block.next.position !== next.position || block.next.cursor !== next.cursor
      || block.seq >= seq || block.position < mob.first.position
    ) break
    next = block
    seq = block.seq
    from--
  }
  return from
}

/** Entries that follow a head without a gap. */
const chainOf = (head: HeadSeen, seen: AggregateSeen | undefined): ReadonlyArray<EntrySeen> => {
  const chain: Array<EntrySeen> = []
  for (const entry of seen?.since ?? []) {
    if (entry.rev === head.revision + 1 + chain.length) chain.push(entry)
    else if (entry.rev > head.revision + chain.length) break
  }
  return chain
}
