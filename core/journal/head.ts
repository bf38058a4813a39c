/**
 * Heads: the newest stored snapshot of an aggregate, the state after one entry. The header says which entry, the body
 * is the state.
 */
import type { Json } from "../../sdk/json.ts"
import { headKey } from "./keys.ts"
import { corrupted, numberOf, seal, unseal } from "./seal.ts"

/** A head without its key. */
export interface Head {
  /** Revision and position of the entry it is the state after. */
  readonly revision: number
  readonly position: number
  /** Position of the aggregate's first entry. */
  readonly born: number
  /** After that entry the aggregate was at its end. */
  readonly terminal: boolean
  /** The state as JSON text. */
  readonly text: string
}

/** Value of a head. */
export const sealHead = (mobNo: number, aggregate: string, head: Head): string =>
  seal(
    headKey(mobNo, aggregate),
    { rev: head.revision, position: head.position, born: head.born, terminal: head.terminal },
    head.text
  )

/** Checks and reads a head. Throws `StoreCorrupted`. */
export const unsealHead = (mobNo: number, aggregate: string, value: string): Head => {
  const key = headKey(mobNo, aggregate)
  const { body, header } = unseal(key, value)
  return {
    revision: numberOf(key, header, "rev"),
    position: numberOf(key, header, "position"),
    born: numberOf(key, header, "born"),
    terminal: header["terminal"] === true,
    text: body
  }
}

/** State of a head. Throws `StoreCorrupted`. */
export const headState = (mobNo: number, aggregate: string, head: Head): Json => {
  try {
    return JSON.parse(head.text) as Json // the checksum matched, so this is what was written
  } catch {
    throw corrupted(headKey(mobNo, aggregate), "its state is no JSON")
  }
}
