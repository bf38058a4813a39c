/**
 * The `01` and `02` records: what a database is, and which mobs it has under which owner epoch.
 */
import type { MobId } from "../../sdk/ids.ts"
import { type Key, metaKey, mobKey } from "./keys.ts"
import { numberOf, seal, unseal } from "./seal.ts"

/** Version of the database format this program writes. */
export const format = 1

/** A mob's number, never given again, and the epoch of its owner. */
export interface Registered {
  readonly mobNo: number
  readonly epoch: number
  /**
   * It was destroyed: its name is free, its number is not. `begun`: not all of it is removed yet. This is the first
   * step of destroying, and fences the owner.
   */
  readonly destroyed?: "begun" | "done"
}

/** A mob that is there: not destroyed. */
export const isThere = (registered: Registered | undefined): registered is Registered =>
  registered !== undefined && registered.destroyed === undefined

/** Names of the mobs that are there, in the order of their keys. */
export const namesOf = (mobs: ReadonlyMap<string, Registered>): Array<MobId> =>
  // Only `acquire` makes these names, and it takes a MobId.
  [...mobs].filter(([, registered]) => isThere(registered)).map(([name]) => name).sort(byKey) as Array<MobId>

// Text would be in the order of its UTF-16 units, in which U+1F600 comes before U+FFFF.
const byKey = (a: string, b: string): number => mobKey(a).compare(mobKey(b))

/** Value of `01`. */
export const sealMeta = (meta: { readonly format: number; readonly seqFloor: number }): string =>
  seal(metaKey, { format: meta.format, seq_floor: meta.seqFloor }, "")

/** Checks and reads `01`. Throws `StoreCorrupted`. */
export const unsealMeta = (value: string): { readonly format: number; readonly seqFloor: number } => {
  const { header } = unseal(metaKey, value)
  return { format: numberOf(metaKey, header, "format"), seqFloor: numberOf(metaKey, header, "seq_floor") }
}

/** Value of a `02` record. */
export const sealMob = (mob: string, registered: Registered): string =>
  seal(
    mobKey(mob),
    {
      mob_no: registered.mobNo,
      epoch: registered.epoch,
      ...(registered.destroyed === undefined ? {} : { destroyed: registered.destroyed })
    },
    ""
  )

/** Checks and reads a `02` record. Throws `StoreCorrupted`. */
export const unsealMob = (key: Key, value: string): Registered => {
  const { header } = unseal(key, value)
  const { destroyed } = header
  return {
    mobNo: numberOf(key, header, "mob_no"),
    epoch: numberOf(key, header, "epoch"),
    ...(destroyed === "begun" || destroyed === "done" ? { destroyed } : {})
  }
}
