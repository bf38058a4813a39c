/**
 * What happens to a disk, checked as it happens: each batch that lands, each answer that is given.
 */
import { type Batch, eventsOf } from "./blocklog-disk.ts"
import type { Rules } from "./blocklog-rules.ts"
import { type Config, databaseOf, entriesOf, type Flight, type World } from "./blocklog-world.ts"

/** The MARK after a batch. */
export const writeMark = (world: World, batch: Batch): void => {
  if (batch.seq > 0) world.disk = { ...world.disk, mark: batch.seq }
}

/** In a store that several processes share the epochs are compared in the same atomic write. */
export const mayWrite = (world: World, batch: Batch, config: Config, rules: Rules): boolean => {
  if (config.shared !== true || !rules.comparesEpoch) return true
  const { mobs } = databaseOf(world)
  return Object.entries(batch.writers).every(([mob, epoch]) => mobs[mob]?.epoch === epoch)
}

/** A batch reaches the disk. What must be true of each is checked here. */
export const land = (world: World, batch: Batch): void => {
  const before = databaseOf(world)
  const bad = (what: string) => {
    world.violation ??= what
  }
  for (const [mob, epoch] of Object.entries(batch.writers)) {
    if (before.mobs[mob]?.epoch !== epoch) bad(`owner ${epoch} of ${mob} writes, and is fenced`)
  }
  if (batch.seq > 0) {
    if (batch.seq !== world.seq + 1) bad(`group ${batch.seq} comes after ${world.seq}`)
    world.seq = batch.seq
  }
  for (const change of batch.changes) {
    if (change.type === "block") {
      const truth = world.truth[change.mob]
      if (truth === undefined) continue
      const cursor = 1 + truth.history.reduce((sum, entry) => sum + eventsOf(entry), 0)
      const { block } = change
      if (block.position !== truth.history.length + 1) bad(`position ${block.position} after ${truth.history.length}`)
      if (block.cursor !== cursor) bad(`cursor ${block.cursor} where ${cursor} comes`)
      for (const entry of block.entries) {
        const rev = entriesOf(truth, entry.aggregate).length + 1
        if (entry.rev !== rev) bad(`${entry.aggregate} gets revision ${entry.rev} where ${rev} comes`)
        truth.history.push(entry)
      }
    }
  }
  for (const change of batch.changes) {
    // A mob of the same name begins anew.
    if (change.type === "destroyed") {
      world.truth[change.mob] = { history: [], keep: 1, forgotten: {} }
    }
    const truth = change.type === "dropHead" ? world.truth[change.mob] : undefined
    if (truth === undefined || change.type !== "dropHead") continue
    if (entriesOf(truth, change.aggregate).at(-1)?.end === true) {
      truth.forgotten[change.aggregate] = truth.history.length
    } else if (entriesOf(truth, change.aggregate).length > 0) bad(`${change.aggregate} is live, and forgotten`)
  }
  world.disk = { ...world.disk, log: [...world.disk.log, batch] }
}

/** Tells submitters where their entries stand. */
export const acknowledge = (world: World, flight: Flight): void => {
  for (const { cursor, mob, position, values } of flight.releases) {
    const truth = world.truth[mob]
    const destroyed = flight.whole.some((it) => it.type === "destroy" && it.mob === mob)
    if (truth === undefined || destroyed) continue
    const written = truth.history.slice(position - 1, position - 1 + values.length)
    const before = truth.history.slice(0, position - 1).reduce((sum, entry) => sum + eventsOf(entry), 0)
    if (values.some((value, index) => written[index]?.value !== value)) {
      world.violation ??= `what was acknowledged at position ${position} of ${mob} is not there`
    }
    if (cursor !== before + 1) world.violation ??= `cursor ${cursor} was acknowledged where ${before + 1} stands`
  }
}
