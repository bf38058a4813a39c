/**
 * What a process has of a database: opening it, reading it again after a failed write, settling it.
 */
import { type Database, openMob, verify } from "./blocklog-disk.ts"
import type { Rules } from "./blocklog-rules.ts"
import { databaseOf, type Known, type Memory, type Process, type World } from "./blocklog-world.ts"

/** Reads what a log keeps in memory. Throws when the database is refused. */
export const load = (database: Database, mob: string, rules: Rules): Memory => {
  const records = database.mobs[mob]
  if (records === undefined) throw new Error(`no mob ${mob}`)
  const { live, nextCursor, nextPosition } = openMob(records, rules)
  const known: { [aggregate: string]: Known } = {}
  const tips: Memory["tips"] = {}
  for (const [aggregate, { state, ...opened }] of Object.entries(live)) {
    known[aggregate] = { ...opened, headRev: records.heads[aggregate]?.rev ?? 0 }
    tips[aggregate] = { state, end: false }
  }
  for (const [aggregate, head] of Object.entries(records.heads)) {
    if (head.end) tips[aggregate] = { state: head.state, end: true }
  }
  return { nextPosition, nextCursor, live: known, tips }
}

/** Opens the database: what stood in its log moves into tables. Throws when it is refused. */
export const openDatabase = (world: World, process: Process, rules: Rules): Database => {
  const database = databaseOf(world)
  world.disk = { ...world.disk, settled: database, log: [] }
  process.seq = verify(database, world.disk.mark, rules)
  process.settledSeq = process.seq
  process.epochs = Object.fromEntries(Object.entries(database.mobs).map(([mob, { epoch }]) => [mob, epoch]))
  process.status = "open"
  return database
}

/** All that is durable leaves the database's own log. */
export const settle = (world: World, process: Process): void => {
  world.disk = { ...world.disk, settled: databaseOf(world), log: [] }
  process.settledSeq = world.seq
}

/** After a failed write: logs whose epoch is still theirs are read again, the others end. */
export const reopen = (world: World, process: Process, rules: Rules): void => {
  const { seq } = process
  const database = openDatabase(world, process, rules)
  process.logs = process.logs.filter(
    ({ epoch, mob }) => !rules.comparesWhenReopened || database.mobs[mob]?.epoch === epoch
  )
  for (const log of process.logs) {
    process.epochs[log.mob] = log.epoch
    const memory = load(database, log.mob, rules)
    log.memory = rules.readsAgain ? memory : { ...log.memory, tips: memory.tips }
  }
  if (!rules.readsAgain) process.seq = seq
  goOnDestroying(world, process)
}

/** The next step for each mob that is being destroyed. All its blocks leave the log before the first of them goes. */
export const goOnDestroying = (world: World, process: Process): void => {
  for (const [mob, { destroyed }] of Object.entries(databaseOf(world).mobs)) {
    if (destroyed !== "begun" || process.queue.some((it) => it.type === "erase" && it.mob === mob)) continue
    settle(world, process)
    process.queue.push({ type: "erase", mob })
  }
}
