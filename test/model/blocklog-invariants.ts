/**
 * What must be true of a block log, whatever stands on its disk: a sound one opens and gives back all of the truth, a
 * damaged one is not taken for sound.
 */
import { type Database, eventsOf, fold, openMob, readAll, Refused, verify } from "./blocklog-disk.ts"
import type { Rules } from "./blocklog-rules.ts"
import { databaseOf, entriesOf, type Truth, type World } from "./blocklog-world.ts"

/** What is wrong with a disk that nothing damaged. */
export const unsound = (world: World, rules: Rules): string | undefined => {
  const database = databaseOf(world)
  try {
    const seq = verify(database, world.disk.mark, rules)
    if (seq !== world.seq) return `the newest durable group is ${seq}, and was ${world.seq}`
    for (const [mob, truth] of Object.entries(world.truth)) {
      const wrong = incomplete(database, mob, truth, rules)
      if (wrong !== undefined) return `${mob}: ${wrong}`
    }
    return undefined
  } catch (error) {
    if (error instanceof Refused) return `a sound database is refused: ${error.message}`
    throw error
  }
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** What a mob's records do not give back. Throws `Refused`. */
const incomplete = (database: Database, mob: string, truth: Truth, rules: Rules): string | undefined => {
  const records = database.mobs[mob]
  if (records === undefined) return "it is gone"
  if (records.destroyed === "begun") return undefined
  const { live, nextCursor, nextPosition } = openMob(records, rules)
  const { history, keep } = truth
  const cursor = 1 + history.reduce((sum, entry) => sum + eventsOf(entry), 0)
  if (nextPosition !== history.length + 1) {
    return `position ${nextPosition} would be given where ${history.length + 1} comes`
  }
  if (nextCursor !== cursor) return `cursor ${nextCursor} would be given where ${cursor} comes`
  const names = new Set(history.map(({ aggregate }) => aggregate))
  for (const name of names) {
    const entries = entriesOf(truth, name)
    const ended = entries.at(-1)?.end !== false
    const head = records.heads[name]
    const state = ended ? head?.state ?? [] : live[name]?.state
    if (ended && live[name] !== undefined) return `${name} has ended and is live`
    if (!same(state, entries.map(({ value }) => value))) return `${name} cannot be loaded as it was written`
    if (ended && head !== undefined && (!head.end || head.rev !== entries.length)) {
      return `the head of ${name} is not its end`
    }
  }
  const orphan = Object.keys(records.heads).find((name) => entriesOf(truth, name).length === 0)
  if (orphan !== undefined) return `the head of ${orphan} stands on nothing`
  // An aggregate that comes again may use a value again.
  const pairs = new Map<string, Set<string>>()
  for (const { aggregate, value } of history) {
    if (value.startsWith("pair")) pairs.set(value, (pairs.get(value) ?? new Set()).add(aggregate))
  }
  if ([...pairs.values()].some(({ size }) => size === 1)) return "half a submission"
  // Floors: what is left is read in full, and nothing is gone that was to be kept.
  const { firstCursor, oldest } = records.checkpoint
  if ((records.blocks[0]?.position ?? oldest) < oldest) return "blocks below the floor were left"
  if (firstCursor > keep) return `events from ${keep} were to be kept, the first is ${firstCursor}`
  const left = readAll(records, nextPosition)
  if (!same(left, history.slice(oldest - 1))) return "the log is not what was written"
  const before = history.slice(0, oldest - 1).reduce((sum, entry) => sum + eventsOf(entry), 0)
  if (firstCursor !== before + 1) return `the first cursor is said to be ${firstCursor}, and is ${before + 1}`
  return undefined
}

/**
 * A disk that lost batches without a word, one of them or all after some point: an opening must refuse it if a group
 * is missing that was acknowledged (by the MARK) or has later ones. Other losses must not show.
 */
export const damaged = (world: World, rules: Rules): string | undefined => {
  const { log, mark, settled } = world.disk
  for (let at = 0; at < log.length; at++) {
    const losses = [log.filter((_, index) => index !== at), ...(at < log.length - 1 ? [log.slice(0, at)] : [])]
    for (const left of losses) {
      const database = fold(settled, left)
      const later = Math.max(0, ...left.map(({ seq }) => seq))
      const groups = log.filter((batch) => !left.includes(batch) && batch.seq > 0).map(({ seq }) => seq)
      const visible = groups.filter((seq) => seq <= Math.max(mark, later))
      const refused = refusal(database, world, rules)
      if (visible.length > 0 && refused === undefined) return `the loss of group ${visible.join()} is not seen`
      // What was destroyed may be there again, and is destroyed again if anybody knows of it.
      const erases = log.some(({ changes }) => changes.some(({ type }) => type === "destroyed" || type === "cleared"))
      if (groups.length === 0 && refused === undefined && !erases) {
        const harm = different(database, world, rules)
        if (harm !== undefined) return `after the loss of a batch without a block ${harm}`
      }
    }
  }
  return undefined
}

const refusal = (database: Database, world: World, rules: Rules): string | undefined => {
  try {
    verify(database, world.disk.mark, rules)
    for (const records of Object.values(database.mobs)) if (records.destroyed === "no") openMob(records, rules)
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  }
}

/** A live aggregate that an opening would give back otherwise than it was written. */
const different = (database: Database, world: World, rules: Rules): string | undefined => {
  for (const [mob, truth] of Object.entries(world.truth)) {
    const records = database.mobs[mob]
    if (records === undefined) return `${mob} is gone`
    if (records.destroyed !== "no") continue
    const { live, nextPosition } = openMob(records, rules)
    if (nextPosition !== truth.history.length + 1) return `position ${nextPosition} would be given again in ${mob}`
    for (const [aggregate, { state }] of Object.entries(live)) {
      if (!same(state, entriesOf(truth, aggregate).map(({ value }) => value))) return `${aggregate} is another`
    }
  }
  return undefined
}

/** Where nothing waits, what each owner has in memory is what happened. */
export const forgetful = (world: World): string | undefined => {
  for (const { flight, logs, queue, status } of world.processes) {
    if (status !== "open" || flight !== undefined || queue.length > 0) continue
    for (const { epoch, memory, mob } of logs) {
      const truth = world.truth[mob]
      if (truth === undefined || databaseOf(world).mobs[mob]?.epoch !== epoch) continue
      for (const [aggregate, { state }] of Object.entries(memory.tips)) {
        const values = entriesOf(truth, aggregate).map(({ value }) => value)
        if (JSON.stringify(values) !== JSON.stringify(state)) return `${aggregate} in memory is not what happened`
      }
    }
  }
  return undefined
}
