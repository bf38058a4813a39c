/**
 * Composing groups: guards, positions, cursors, what pruning may remove, and the batches this makes.
 */
import {
  type Batch,
  type Block,
  type Change,
  type Checkpoint,
  cursorAfter,
  type Database,
  eventsOf,
  type Head,
  type LoggedEntry
} from "./blocklog-disk.ts"
import type { Rules } from "./blocklog-rules.ts"
import {
  databaseOf,
  type Flight,
  type Item,
  type Known,
  type Log,
  type Offered,
  type Process,
  type Release,
  type World
} from "./blocklog-world.ts"

/** At most this many blocks go in one batch; the product's 1,000 in small. */
const BLOCKS_A_BATCH = 2

/** Part of a group: what it holds of one mob. */
interface Part {
  readonly log: Log
  readonly position: number
  readonly cursor: number
  readonly entries: Array<LoggedEntry>
  readonly heads: Map<string, Head>
  readonly ended: Set<string>
  /** Known aggregates after this group, ended ones too. */
  readonly known: { [aggregate: string]: Known }
  readonly prunes: Array<Extract<Item, { type: "prune" }>>
}

/** Makes a group of all that waits; undefined if nothing of it is to be written. */
export const compose = (world: World, process: Process, rules: Rules): Flight | undefined => {
  const database = databaseOf(world)
  const parts = new Map<string, Part>()
  const changes: Array<Change> = []
  const releases: Array<Release> = []
  const whole: Array<Flight["whole"][number]> = []
  const queue = process.queue
  process.queue = []
  const ours = new Map(process.logs.map((log) => [log.mob, log]))
  for (const item of queue) {
    if (item.type === "acquire" || item.type === "destroy" || item.type === "erase") {
      const { destroyed } = database.mobs[item.mob] ?? {}
      const begun = destroyed === "begun" || whole.some((it) => it.type === "destroy" && it.mob === item.mob)
      // One that is being destroyed is neither acquired nor destroyed again.
      if (begun && item.type !== "erase" && rules.destroysFirst) continue
      changes.push(...takeWhole(database, process, item))
      whole.push(item)
      continue
    }
    const log = ours.get(item.mob)
    if (log === undefined || log.epoch !== item.epoch || process.epochs[item.mob] !== item.epoch) continue
    const part = parts.get(item.mob) ?? partOf(log)
    parts.set(item.mob, part)
    if (item.type === "prune") part.prunes.push(item)
    else if (item.type === "head") {
      if (part.known[item.aggregate]?.rev === item.state.length) headAdded(part, item.aggregate, item.state)
    } else {
      const release = takeTurn(database, part, item, rules)
      if (release !== undefined) releases.push(release)
      else if (item.right && database.mobs[item.mob]?.epoch === item.epoch) {
        world.violation ??= `${item.mob} refuses what its owner knows to be next`
      }
    }
  }
  const finished = [...parts.values()].map((part) => finish(database, process, part, rules))
  const seq = finished.some(({ blocks }) => blocks.length > 0) ? process.seq + 1 : 0
  process.seq = Math.max(process.seq, seq)
  const writers = Object.fromEntries([...parts.values()].map(({ log }) => [log.mob, log.epoch]))
  const batches = batchesOf(changes, finished, process, seq, rules).map((it) => ({ ...it, writers }))
  return batches.length === 0 ? undefined : { batches, releases, whole }
}

/** What concerns a whole mob. From here on what its owner submitted is refused. */
const takeWhole = (database: Database, process: Process, item: Flight["whole"][number]): ReadonlyArray<Change> => {
  const { mob } = item
  if (item.type === "erase") {
    const drops = (database.mobs[mob]?.blocks ?? []).slice(0, BLOCKS_A_BATCH)
    return drops.length === 0
      ? [{ type: "cleared", mob }]
      : drops.map(({ position }) => ({ type: "dropBlock", mob, position }))
  }
  const epoch = (process.epochs[mob] ?? 0) + 1
  process.epochs[mob] = epoch
  return [{ type: item.type === "acquire" ? "acquired" : "destroyed", mob, epoch }]
}

/** One batch; several where a rule is left out. */
const batchesOf = (
  changes: ReadonlyArray<Change>,
  finished: ReadonlyArray<Finished>,
  process: Process,
  seq: number,
  rules: Rules
): ReadonlyArray<Omit<Batch, "writers">> => {
  const all = <K extends keyof Finished>(key: K): Array<Change> => finished.flatMap((it) => [...it[key]])
  const removes = [...changes, ...all("drops")].some(({ type }) => type === "dropBlock")
  const seqFloor = rules.settlesFirst ? process.settledSeq : process.seq
  const floor: ReadonlyArray<Change> = removes && rules.keepsSeq ? [{ type: "seqFloor", seqFloor }] : []
  const blocks = (of: ReadonlyArray<Finished>) =>
    of.flatMap((it) => it.blocks).map((it) => it.type === "block" ? { ...it, block: { ...it.block, seq } } : it)
  const rest = [...changes, ...floor]
  const heads = all("heads")
  const drops = all("drops")
  const checkpoints = all("checkpoints")
  const split: Array<ReadonlyArray<Change>> = !rules.groupIsOneBatch
    ? [...finished.map((it) => [...blocks([it]), ...it.heads]), [...rest, ...drops, ...checkpoints]]
    : !rules.headsWithEntries
    ? [heads, [...rest, ...blocks(finished), ...drops, ...checkpoints]]
    : rules.checkpointWithDelete === "after" && removes
    ? [[...rest, ...blocks(finished), ...heads, ...drops], checkpoints]
    : rules.checkpointWithDelete === "before" && removes
    ? [[...rest, ...blocks(finished), ...heads, ...checkpoints], drops]
    : [[...rest, ...blocks(finished), ...heads, ...drops, ...checkpoints]]
  return split
    .filter((it) => it.length > 0)
    .map((it) => ({ changes: it, seq: it.some(({ type }) => type === "block") ? seq : 0 }))
}

const partOf = (log: Log): Part => ({
  log,
  position: log.memory.nextPosition,
  cursor: log.memory.nextCursor,
  entries: [],
  heads: new Map(),
  ended: new Set(),
  known: { ...log.memory.live },
  prunes: []
})

/** Checks the guards of a submission; gives its answer if it is written. */
const takeTurn = (
  database: Database,
  part: Part,
  item: Extract<Item, { type: "turn" }>,
  rules: Rules
): Release | undefined => {
  const { epoch, mob, memory } = part.log
  const holds = ({ aggregate, rev }: Offered) => rev === (find(database, part, aggregate)?.rev ?? 0) + 1
  if (rules.guardsTogether && !item.entries.every(holds)) return undefined
  const at = { mob, position: memory.nextPosition, cursor: memory.nextCursor }
  const taken = item.entries.filter(holds)
  for (const { aggregate, end, head, rev, value } of taken) {
    const position = memory.nextPosition++
    memory.nextCursor += eventsOf({ aggregate })
    const known = find(database, part, aggregate) ?? { born: position, rev: 0, position, headRev: 0, blocks: [] }
    part.known[aggregate] = { ...known, rev, position, blocks: [...new Set([...known.blocks, part.position])] }
    part.entries.push({ aggregate, rev, value, epoch, end })
    if (end) part.ended.add(aggregate)
    if (head !== undefined) {
      headAdded(part, aggregate, rules.headsOfEntries ? head : memory.tips[aggregate]?.state ?? head)
    }
  }
  return { ...at, values: taken.map(({ value }) => value) }
}

/** An aggregate in memory, or an ended one from its head. */
const find = (database: Database, part: Part, aggregate: string): Known | undefined => {
  const known = part.known[aggregate]
  if (known !== undefined) return known
  const head = database.mobs[part.log.mob]?.heads[aggregate]
  if (head === undefined) return undefined
  part.ended.add(aggregate)
  const { born, position, rev } = head
  return { born, rev, position, headRev: rev, blocks: [] }
}

const headAdded = (part: Part, aggregate: string, state: ReadonlyArray<string>): void => {
  const known = part.known[aggregate]
  if (known === undefined) return
  const { born, position, rev } = known
  part.heads.set(aggregate, { born, position, rev, end: part.ended.has(aggregate), state })
  part.known[aggregate] = { ...known, headRev: known.rev, blocks: [] }
}

interface Finished {
  readonly blocks: ReadonlyArray<Change>
  readonly heads: ReadonlyArray<Change>
  readonly drops: ReadonlyArray<Change>
  readonly checkpoints: ReadonlyArray<Change>
}

/** The changes of one mob's part: block, heads, and what pruning makes of the log as it will be then. */
const finish = (database: Database, process: Process, part: Part, rules: Rules): Finished => {
  const { entries, known, log } = part
  const { memory, mob } = log
  const records = database.mobs[mob]
  const block: Block | undefined = entries.length === 0
    ? undefined
    : { position: part.position, cursor: part.cursor, seq: 0, entries }
  const heads = [...part.heads].map(([aggregate, head]): Change => ({ type: "head", mob, aggregate, head }))
  for (const aggregate of part.ended) delete known[aggregate]
  const old = records?.checkpoint
  const drops: Array<Change> = []
  let floor = { oldest: old?.oldest ?? 1, firstCursor: old?.firstCursor ?? 1 }
  for (const { forget, keep } of part.prunes) {
    // Blocks of groups before this one; what is being written now stays.
    for (const it of records?.blocks ?? []) {
      if (drops.length === BLOCKS_A_BATCH || it.position !== floor.oldest) continue
      const needed = rules.mindsNeeds
        && it.position >= Math.min(memory.nextPosition, ...needs(records?.blocks, known, rules))
      if (needed || (rules.mindsEvents && cursorAfter(it) > keep)) break
      if (rules.settlesFirst && it.seq > process.settledSeq) break
      drops.push({ type: "dropBlock", mob, position: it.position })
      floor = { oldest: it.position + it.entries.length, firstCursor: cursorAfter(it) }
    }
    for (const aggregate of forget) {
      const ended = known[aggregate] === undefined && !part.heads.has(aggregate)
      if (ended || !rules.forgetsEnded) drops.push({ type: "dropHead", mob, aggregate })
      if (ended) delete memory.tips[aggregate]
    }
  }
  const due = entries.length > 0 && process.due.includes(mob)
  if (due) process.due = process.due.filter((it) => it !== mob)
  const checkpoint: Checkpoint = {
    nextPosition: memory.nextPosition,
    nextCursor: memory.nextCursor,
    ...floor,
    settledSeq: process.settledSeq,
    live: Object.entries(known).map(([aggregate, { blocks, born, position, rev }]) => ({
      aggregate,
      born,
      rev,
      position,
      need: blocks[0] ?? 0
    }))
  }
  memory.live = known
  return {
    blocks: block === undefined ? [] : [{ type: "block", mob, block }],
    heads,
    drops,
    checkpoints: due || drops.length > 0 ? [{ type: "checkpoint", mob, checkpoint }] : []
  }
}

/** From where on live aggregates need blocks. */
const needs = (
  blocks: ReadonlyArray<Block> = [],
  known: { readonly [aggregate: string]: Known },
  rules: Rules
): ReadonlyArray<number> =>
  Object.entries(known).flatMap(([aggregate, { blocks: [need], headRev }]) => {
    if (need === undefined || rules.needsBlocks) return need ?? []
    const block = blocks.find(({ position }) => position === need)
    return need + Math.max(0, block?.entries.findIndex((it) => it.aggregate === aggregate && it.rev > headRev) ?? 0)
  })
